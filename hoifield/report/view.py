"""`hoifield view`: the report of a run on this machine's own address only, for whoever holds the token."""

import hmac
import re
import secrets
from collections.abc import Callable
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from hoifield.errors import MissingInput, RefusedInput

KINDS = {".html": "text/html; charset=utf-8", ".mp4": "video/mp4", ".glb": "model/gltf-binary", ".json": "application/json"}
OFFERED = ("overlay.mp4", "scene.glb", "object.ply", "poses.npz", "result.json")
POLICY = re.compile(
    r'<meta http-equiv="Content-Security-Policy" content="('
    r"default-src 'none'; script-src '(?:none|sha256-[A-Za-z0-9+/=]{44})'; style-src 'sha256-[A-Za-z0-9+/=]{44}'; "
    r"img-src data:; media-src data:; base-uri 'none'; form-action 'none')\">"
)
COOKIE = "hoifield_view"
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class ReportServer:
    """A server of one report on 127.0.0.1: a free port, GET only, a fresh 256-bit token, files named by number.

    Whoever opens `url` gets a cookie (HttpOnly, SameSite=Strict) and is sent on to the page; without it every answer is 403. Foreign
    Host names (DNS rebinding) and foreign Origins are refused. Request paths are never joined to folders.
    """

    def __init__(self, run_folder: Path, port: int = 0) -> None:
        """Raises MissingInput (HF-REP-001) without a report, RefusedInput (HF-REP-002) for a page that this program did not write."""
        report = run_folder / "report" / "report.html"
        if not report.is_file():
            raise MissingInput("HF-REP-001", f"{run_folder.name} has no report", "Run `hoifield report` on the folder first.")
        found = POLICY.search(report.read_text(encoding="utf-8", errors="replace")[:4000])
        if found is None:
            raise RefusedInput(
                "HF-REP-002", "report.html lacks the policy of a hoifield report", "Run `hoifield report` on the folder again."
            )
        self.policy = f"{found.group(1)}; frame-ancestors 'none'; object-src 'none'"
        self.token = secrets.token_urlsafe(32)
        self.files = {"/": report}
        present = [run_folder / "result" / name for name in OFFERED if (run_folder / "result" / name).is_file()]
        self.files |= {f"/file/{number}": path for number, path in enumerate(present)}
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _handler_of(self))
        self.port: int = self._server.server_address[1]

    @property
    def url(self) -> str:
        """The address to open once; it carries the token."""
        return f"http://127.0.0.1:{self.port}/open/{self.token}"

    def serve_forever(self) -> None:
        """Answer until `close` is called from another thread, or the process is interrupted."""
        self._server.serve_forever(poll_interval=0.2)

    def close(self) -> None:
        """Stop answering and free the port."""
        self._server.shutdown()
        self._server.server_close()

    def holds_token(self, given: str) -> bool:
        """Whether the text is the token, in constant time."""
        return hmac.compare_digest(given.encode("utf-8", "replace"), self.token.encode())


def view_report(run_folder: Path, port: int = 0, opened: Callable[[str], None] | None = None) -> None:
    """Serve the report of a run until interrupted; `opened` is told the address first."""
    server = ReportServer(run_folder, port)
    if opened is not None:
        opened(server.url)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server._server.server_close()


def _handler_of(site: ReportServer) -> type[BaseHTTPRequestHandler]:
    """The handler class that answers for one server."""

    class Handler(BaseHTTPRequestHandler):
        server_version = "hoifield"
        sys_version = ""
        timeout = 30

        def do_GET(self) -> None:
            hosts = (f"127.0.0.1:{site.port}", f"localhost:{site.port}")
            origin = self.headers.get("Origin")
            if self.headers.get("Host") not in hosts or (origin is not None and origin not in [f"http://{host}" for host in hosts]):
                self._refuse(HTTPStatus.FORBIDDEN)
            elif self.path.startswith("/open/"):
                self._open(self.path.removeprefix("/open/"))
            elif not site.holds_token(self._cookie()):
                self._refuse(HTTPStatus.FORBIDDEN)
            elif self.path in site.files:
                self._send_file(site.files[self.path])
            else:
                self._refuse(HTTPStatus.NOT_FOUND)

        def _open(self, given: str) -> None:
            if not site.holds_token(given):
                self._refuse(HTTPStatus.FORBIDDEN)
                return
            self.send_response(HTTPStatus.SEE_OTHER)
            self.send_header("Set-Cookie", f"{COOKIE}={site.token}; HttpOnly; SameSite=Strict; Path=/")
            self.send_header("Location", "/")
            self._finish(b"")

        def _cookie(self) -> str:
            try:
                morsel = SimpleCookie(self.headers.get("Cookie", "")).get(COOKIE)
            except CookieError:
                return ""
            return morsel.value if morsel is not None else ""

        def _send_file(self, path: Path) -> None:
            try:
                content = path.read_bytes()
            except OSError:
                self._refuse(HTTPStatus.NOT_FOUND)
                return
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", KINDS.get(path.suffix, "application/octet-stream"))
            self._finish(content)

        def _refuse(self, status: HTTPStatus) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "text/plain; charset=utf-8")
            self._finish(f"{status.value} {status.phrase}\n".encode())

        def _finish(self, content: bytes) -> None:
            for name, value in {**HEADERS, "Content-Security-Policy": site.policy, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
            """Other methods and broken requests: the same plain refusal, with nothing of the request in it."""
            self._refuse(HTTPStatus.METHOD_NOT_ALLOWED if code == HTTPStatus.NOT_IMPLEMENTED else HTTPStatus(code))

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing: addresses carry the token."""

    return Handler
