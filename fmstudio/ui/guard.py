"""In front of everything: who may talk to the studio, and what every answer carries.

A page of another site can make a browser send requests to this computer, and a name of another
site can be made to point here (DNS rebinding). So requests must name this computer as their host,
and come from the studio's own pages (Fetch Metadata, https://www.w3.org/TR/fetch-metadata/); all
that another site may do is to link here. Anything else is refused before anything else sees it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from urllib.parse import urlsplit

from fmstudio.ui.asgi import PLAIN, App, Message, Receive, Scope, Send, answer

log = logging.getLogger(__name__)

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
MOST_HEADERS = 100
LARGEST_HEADERS = 32_768  # bytes, all of them together
LONGEST_ADDRESS = 8_192  # bytes of path and query
# Gradio's front end builds functions from text and styles in place, and plays data: and blob:.
POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "media-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self' data: blob:",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
)


class Guard:
    """The ASGI app `inner`, for requests that name this computer and come from its own pages.

    `host` is the address listened on, `names` are further names of this computer. With `https`
    a proxy in front speaks TLS, so that pages have https origins; what a request itself claims
    about that (X-Forwarded-Proto) counts for nothing.
    """

    def __init__(
        self, inner: App, host: str = "127.0.0.1", names: Iterable[str] = (), https: bool = False
    ) -> None:
        self.inner = inner
        self.page_served = threading.Event()  # set once somebody has been sent a whole page
        self.known = LOOPBACK | {host.lower()} | {name.lower() for name in names}
        self.https = https

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass on with security headers added to the answer."""
        if scope["type"] not in ("http", "websocket"):
            await self.inner(scope, receive, send)
            return
        status, reason = self._refusal(scope)
        if reason:
            log.warning("Refused a request: %s", reason)
            await _refuse(scope, send, status, reason)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                # No other site may read an answer, whatever Gradio thinks of its origin.
                kept = [
                    pair
                    for pair in message.get("headers", [])
                    if not pair[0].lower().startswith(b"access-control-")
                ]
                given = {name.lower() for name, _ in kept}
                message["headers"] = [*kept, *(pair for pair in HEADERS if pair[0] not in given)]
            await send(message)

        await self.inner(scope, receive, send_with_headers)
        if scope["type"] == "http" and scope["method"] == "GET":
            self.page_served.set()

    def _refusal(self, scope: Scope) -> tuple[int, str]:
        """Status and reason why this request is not for us; no reason if it is."""
        length = sum(len(name) + len(value) for name, value in scope["headers"])
        if len(scope["headers"]) > MOST_HEADERS or length > LARGEST_HEADERS:
            return 431, "its headers are too many or too large"
        if len(scope.get("raw_path") or b"") + len(scope.get("query_string", b"")) > (
            LONGEST_ADDRESS
        ):
            return 414, "its address is too long"
        headers = {
            name.lower().decode("latin-1"): value.decode("latin-1")
            for name, value in scope["headers"]
        }
        if sum(name.lower() == b"host" for name, _ in scope["headers"]) > 1:
            return 400, "it names more than one host"
        if _name(headers.get("host", "")) not in self.known:
            return 403, "its Host header does not name this computer"
        if "," in headers.get("range", ""):
            return 403, "it asks for more than one range of a file"
        if self._foreign(scope, headers):
            return 403, "it comes from a page of another site"
        return 0, ""

    def _foreign(self, scope: Scope, headers: dict[str, str]) -> bool:
        """Whether a page of another site sends this request, other than as a link to here."""
        origin = headers.get("origin")
        if origin is not None and origin.lower() != self._origin(scope, headers["host"]):
            return True
        if headers.get("sec-fetch-site", "same-origin") in ("same-origin", "none"):
            return False
        opens_a_page = scope["type"] == "http" and scope["method"] in ("GET", "HEAD")
        return not opens_a_page or headers.get("sec-fetch-mode", "navigate") != "navigate"

    def _origin(self, scope: Scope, host: str) -> str:
        """The origin of the studio's own pages, as a browser names it: without a usual port."""
        scheme = "https" if self.https or scope.get("scheme") in ("https", "wss") else "http"
        usual = ":443" if scheme == "https" else ":80"
        return f"{scheme}://{host.lower().removesuffix(usual)}"


def _name(host: str) -> str:
    """The host of 'host:port', without port and brackets."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


async def _refuse(scope: Scope, send: Send, status: int, reason: str) -> None:
    """The status with the reason, or a closed socket."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    body = f"The studio refused this request: {reason}.\n".encode()
    await answer(send, status, body, (PLAIN, *HEADERS))
