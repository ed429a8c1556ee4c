"""`hoifield report RUN --serve`: the report of a run on this machine's own address only, for whoever holds the token."""

import errno
import re
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, assert_never

from hoifield.errors import MissingInput, RefusedInput
from hoifield.report.token_gate import ADDRESS, HEADERS, TokenGate, port_taken, refusal

KINDS = {".html": "text/html; charset=utf-8", ".mp4": "video/mp4", ".glb": "model/gltf-binary", ".json": "application/json"}
OFFERED = ("overlay.mp4", "scene.glb", "object.ply", "poses.npz", "result.json")
POLICY = re.compile(
    r'<meta http-equiv="Content-Security-Policy" content="('
    r"default-src 'none'; script-src '(?:none|sha256-[A-Za-z0-9+/=]{44})'; style-src 'sha256-[A-Za-z0-9+/=]{44}'; "
    r"img-src data:; media-src data:; base-uri 'none'; form-action 'none')\">"
)


class ReportServer:
    """A server of one report on 127.0.0.1, behind a token gate: GET only, files named by number.

    Request paths are never joined to folders.
    """

    def __init__(self, run_folder: Path, port: int = 0) -> None:
        """Raises MissingInput (HF-REP-001) without a report, RefusedInput (HF-REP-002) for a page that this program did not write,
        ConfigurationError (HF-REP-004) for a port that is taken; 0 takes a free one."""
        report = run_folder / "report" / "report.html"
        if not report.is_file():
            raise MissingInput("HF-REP-001", f"{run_folder.name} has no report", "Run `hoifield report` on the folder first.")
        found = POLICY.search(report.read_text(encoding="utf-8", errors="replace")[:4000])
        if found is None:
            raise RefusedInput(
                "HF-REP-002", "report.html lacks the policy of a hoifield report", "Run `hoifield report` on the folder again."
            )
        self.policy = f"{found.group(1)}; frame-ancestors 'none'; object-src 'none'"
        self.files = {"/": report}
        present = [run_folder / "result" / name for name in OFFERED if (run_folder / "result" / name).is_file()]
        self.files |= {f"/file/{number}": path for number, path in enumerate(present)}
        try:
            self._server = ThreadingHTTPServer((ADDRESS, port), _handler_of(self))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            raise port_taken(port) from error
        self.gate = TokenGate(self._server.server_address[1])

    def serve_forever(self) -> None:
        """Answer until `close` is called from another thread, or the process is interrupted."""
        self._server.serve_forever(poll_interval=0.2)

    def close(self) -> None:
        """Stop answering and free the port."""
        self._server.shutdown()
        self._server.server_close()


def serve_report(run_folder: Path, port: int, opened: Callable[[str, int], None]) -> None:
    """Serve the report of a run until interrupted; `opened` is told address and port first."""
    server = ReportServer(run_folder, port)
    try:
        opened(server.gate.url, server.gate.port)
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
            match site.gate.judge(self.path, self.headers.get("Host"), self.headers.get("Origin"), self.headers.get("Cookie")):
                case "refuse":
                    self._refuse(HTTPStatus.FORBIDDEN)
                case "welcome":
                    self.send_response(HTTPStatus.SEE_OTHER)
                    self._finish(b"", site.gate.welcome_headers())
                case "pass" if self.path in site.files:
                    self._send_file(site.files[self.path])
                case "pass":
                    self._refuse(HTTPStatus.NOT_FOUND)
                case other:
                    assert_never(other)

        def _send_file(self, path: Path) -> None:
            try:
                content = path.read_bytes()
            except OSError:
                self._refuse(HTTPStatus.NOT_FOUND)
                return
            self.send_response(HTTPStatus.OK)
            self._finish(content, {"Content-Type": KINDS.get(path.suffix, "application/octet-stream")})

        def _refuse(self, status: HTTPStatus) -> None:
            self.send_response(status)
            self._finish(refusal(status), {"Content-Type": "text/plain; charset=utf-8"})

        def _finish(self, content: bytes, headers: dict[str, str]) -> None:
            for name, value in {**HEADERS, **headers, "Content-Security-Policy": site.policy, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
            """Other methods and broken requests: the same plain refusal, with nothing of the request in it."""
            self._refuse(HTTPStatus.METHOD_NOT_ALLOWED if code == HTTPStatus.NOT_IMPLEMENTED else HTTPStatus(code))

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing: addresses carry the token."""

    return Handler
