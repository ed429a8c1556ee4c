"""A viser server behind a token gate, on 127.0.0.1. viser has no authentication of its own, so its page and its websocket are guarded here.

viser answers pages and websocket handshakes through one function that it hands to the package websockets; the gate is put before that
function while viser starts. Whether it holds is then asked from outside, before anything is shown: a viser that is built otherwise is
refused, not served open.
"""

import contextlib
import http.client
import io
import logging
import re
from collections.abc import Callable, Iterator
from functools import partial
from http import HTTPStatus
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, assert_never

from hoifield.errors import MissingDependency
from hoifield.report.token_gate import ADDRESS, HEADERS, TokenGate, port_taken, refusal

if TYPE_CHECKING:
    import viser

LOWEST, BEYOND = "1.1.1", "1.2"
"""Versions from the first, before the second: where the gate was tried. The page of 1.1.0 executes text, which the policy forbids."""
REMEDY = "pip install 'hoifield[viewer]', or look at the report: `hoifield report RUN --serve`"
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'wasm-unsafe-eval' blob:; worker-src blob: data:; style-src 'unsafe-inline'; "
    "img-src data: blob:; font-src data:; connect-src 'self' ws://{0} ws://{1} data: blob:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; object-src 'none'"
)
"""viser's page is one file that unpacks itself into inline scripts and styles; it may talk to this server and to nothing else. Text is not
executed, which costs viser's Gaussian splats; none are shown here."""
HANDSHAKE = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="}


def require_viser() -> None:
    """Raises MissingDependency (HF-VIE-001) where viser is not installed, or is a version that was not tried. Imports nothing."""
    try:
        found = version("viser")
    except PackageNotFoundError as error:
        raise MissingDependency("HF-VIE-001", "the package viser is not installed", REMEDY) from error
    if not _numbers(LOWEST) <= _numbers(found) < _numbers(BEYOND):
        raise MissingDependency("HF-VIE-001", f"viser {found} is not from {LOWEST} up to, without, {BEYOND}", REMEDY)


def _numbers(found: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", found)[:3]]


def start_viser(port: int) -> tuple["viser.ViserServer", TokenGate]:
    """A running server with an empty scene, and its gate; port 0 takes a free one.

    Raises what `require_viser` raises, ConfigurationError (HF-REP-004) for a port that is taken, and MissingDependency (HF-VIE-002)
    where viser answers without the token.
    """
    require_viser()
    import viser

    class LocalServer(viser.ViserServer):
        def request_share_url(self, verbose: bool = True) -> None:
            """Nothing: viser would open a tunnel through a server of others for whoever asks."""

    gate = TokenGate()
    with _quiet(), _gate_before_websockets(gate):
        server = LocalServer(host=ADDRESS, port=port, verbose=False)
    gate.port = server.get_port()
    try:
        # viser goes on to the next port when one is taken
        if port not in (0, gate.port):
            raise port_taken(port)
        for headers in ({}, HANDSHAKE):
            _require_refusal(gate.port, headers)
    except BaseException:
        stop_viser(server)
        raise
    server.gui.configure_theme(show_logo=False, show_share_button=False)
    return server, gate


def stop_viser(server: "viser.ViserServer") -> None:
    """Frees the port."""
    with _quiet():
        server.stop()


@contextlib.contextmanager
def _gate_before_websockets(gate: TokenGate) -> Iterator[None]:
    """While it lasts, every websockets server starts with the gate before its answers."""
    from websockets.asyncio import server

    serve = server.serve
    silent = logging.Logger("hoifield.viewer", logging.CRITICAL + 1)

    def guarded_serve(*places: Any, process_request: Callable[[Any, Any], Any], **options: Any) -> Any:
        return serve(*places, process_request=partial(_answer, gate, process_request), **{**options, "logger": silent, "server_header": None})

    server.serve = guarded_serve  # type: ignore[assignment, misc]
    try:
        yield
    finally:
        server.serve = serve  # type: ignore[misc]


def _answer(gate: TokenGate, answer: Callable[[Any, Any], Any], connection: Any, request: Any) -> Any:
    """viser's own answer for whoever holds the token (None: the websocket opens), a refusal for everybody else."""
    host, origin, cookies = (", ".join(request.headers.get_all(name)) or None for name in ("Host", "Origin", "Cookie"))
    match gate.judge(request.path, host, origin, cookies):
        case "refuse":
            response = connection.respond(HTTPStatus.FORBIDDEN, refusal(HTTPStatus.FORBIDDEN).decode())
        case "welcome":
            response = connection.respond(HTTPStatus.SEE_OTHER, "")
            response.headers.update(gate.welcome_headers())
        case "pass":
            response = answer(connection, request)
        case other:
            assert_never(other)
    if response is not None:
        response.headers.update({**HEADERS, "Content-Security-Policy": POLICY.format(*gate.hosts)})
    return response


def _require_refusal(port: int, headers: dict[str, str]) -> None:
    """Raises MissingDependency (HF-VIE-002) where the server answers a request without the token by anything but 403."""
    connection = http.client.HTTPConnection(ADDRESS, port, timeout=10)
    try:
        connection.request("GET", "/", headers=headers)
        status = connection.getresponse().status
    finally:
        connection.close()
    if status != HTTPStatus.FORBIDDEN:
        cause = f"viser {version('viser')} answered a request without the token with {status}, not 403"
        raise MissingDependency("HF-VIE-002", cause, "report this; meanwhile `hoifield report RUN --serve`")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """viser prints its address, without the token, whatever it is told."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield
