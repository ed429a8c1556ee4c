"""Who is let in at a server on this machine: whoever holds its token, asking 127.0.0.1 by name, from no foreign page."""

import hmac
import secrets
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from typing import Literal

from hoifield.errors import ConfigurationError

ADDRESS = "127.0.0.1"
OPEN = "/open/"
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""Of every answer."""

Entry = Literal["refuse", "welcome", "pass"]
"""refuse: 403. welcome: the token is right and the browser gets its cookie. pass: the cookie is right."""


class TokenGate:
    """A fresh 256-bit token for one server on 127.0.0.1, whose `port` is set once it is known.

    Whoever opens `url` gets a cookie (HttpOnly, SameSite=Strict) and is sent on to `/`; without it everything is refused. Foreign Host
    names (DNS rebinding) and foreign Origins (pages of other sites, their websockets too) are refused with it.
    """

    def __init__(self, port: int = 0) -> None:
        self.port = port
        self.token = secrets.token_urlsafe(32)

    @property
    def url(self) -> str:
        """The address to open once; it carries the token."""
        return f"http://{ADDRESS}:{self.port}{OPEN}{self.token}"

    @property
    def hosts(self) -> tuple[str, str]:
        """Names by which the server may be asked."""
        return f"{ADDRESS}:{self.port}", f"localhost:{self.port}"

    def judge(self, path: str, host: str | None, origin: str | None, cookies: str | None) -> Entry:
        """What becomes of a request for `path` with these headers (None: absent)."""
        if host not in self.hosts or (origin is not None and origin not in [f"http://{name}" for name in self.hosts]):
            return "refuse"
        if path.startswith(OPEN):
            return "welcome" if self._is_token(path.removeprefix(OPEN)) else "refuse"
        return "pass" if self._is_token(self._given(cookies or "")) else "refuse"

    def welcome_headers(self) -> dict[str, str]:
        """Of the answer to a welcome, which is `303 See Other`. The cookie's name holds the port: browsers keep one jar for all ports."""
        return {"Set-Cookie": f"{self._cookie}={self.token}; HttpOnly; SameSite=Strict; Path=/", "Location": "/"}

    @property
    def _cookie(self) -> str:
        return f"hoifield_{self.port}"

    def _given(self, cookies: str) -> str:
        try:
            morsel = SimpleCookie(cookies).get(self._cookie)
        except CookieError:
            return ""
        return morsel.value if morsel is not None else ""

    def _is_token(self, given: str) -> bool:
        """In constant time."""
        return hmac.compare_digest(given.encode("utf-8", "replace"), self.token.encode())


def refusal(status: HTTPStatus) -> bytes:
    """The whole of a refused answer: nothing of the request is in it."""
    return f"{status.value} {status.phrase}\n".encode()


def port_taken(port: int) -> ConfigurationError:
    """The error (HF-REP-004) for a port that another program holds."""
    return ConfigurationError("HF-REP-004", f"port {port} of {ADDRESS} is taken", "leave --port out, or name another")
