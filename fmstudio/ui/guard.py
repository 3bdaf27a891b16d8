"""In front of Gradio: who may talk to the studio, and what every answer carries.

A page of another site can make a browser send requests to this computer, and a name of another
site can be made to point here (DNS rebinding). So requests must name this computer as their host,
and those that change something must come from the studio's own pages (Fetch Metadata,
https://www.w3.org/TR/fetch-metadata/). Anything else is refused before Gradio sees it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

log = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
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
)


class Guard:
    """The ASGI app `inner`, for requests that name this computer and come from its own pages."""

    def __init__(self, inner: App, host: str = "127.0.0.1") -> None:
        self.inner = inner
        self.page_served = threading.Event()  # set once somebody has been sent a whole page
        self.known = LOOPBACK | {host.lower()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass on with security headers added to the answer."""
        if scope["type"] not in ("http", "websocket"):
            await self.inner(scope, receive, send)
            return
        reason = self._refusal(scope)
        if reason:
            log.warning("Refused a request: %s", reason)
            await _refuse(scope, send, reason)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = {name.lower() for name, _ in message.get("headers", [])}
                extra = [pair for pair in HEADERS if pair[0] not in given]
                message["headers"] = [*message.get("headers", []), *extra]
            await send(message)

        await self.inner(scope, receive, send_with_headers)
        if scope["type"] == "http" and scope["method"] == "GET":
            self.page_served.set()

    def _refusal(self, scope: Scope) -> str:
        """Why this request is not for us; empty if it is."""
        headers = {name.lower().decode("latin-1"): value.decode("latin-1")
                   for name, value in scope["headers"]}  # fmt: skip
        if _name(headers.get("host", "")) not in self.known:
            return "its Host header does not name this computer"
        if "," in headers.get("range", ""):
            return "it asks for more than one range of a file"
        if scope["type"] == "http" and scope["method"] in SAFE_METHODS:
            return ""
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc.lower() != headers["host"].lower():
            return "it comes from a page of another site"
        if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return "it comes from a page of another site"
        return ""


def _name(host: str) -> str:
    """The host of 'host:port', without port and brackets."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


async def _refuse(scope: Scope, send: Send, reason: str) -> None:
    """403 with the reason, or a closed socket."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    body = f"The studio refused this request: {reason}.\n".encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), *HEADERS]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": body})
