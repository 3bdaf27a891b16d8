"""The few words of ASGI that every layer in front of Gradio speaks, and refusals in plain words."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from http.cookies import CookieError, SimpleCookie
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = Sequence[tuple[bytes, bytes]]

PLAIN = (b"content-type", b"text/plain; charset=utf-8")
HTML = (b"content-type", b"text/html; charset=utf-8")
JSON = (b"content-type", b"application/json")
UNKEPT = (b"cache-control", b"no-store")


class Refused(Exception):
    """A request that is not answered: its HTTP status and the reason, as a whole sentence."""

    def __init__(self, status: int, reason: str, *headers: tuple[bytes, bytes]) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.headers = headers


def header(scope: Scope, name: str) -> str | None:
    """The value of a header, the first where it was sent several times; None if it was not."""
    wanted = name.encode("latin-1")
    for key, value in scope["headers"]:
        if key.lower() == wanted:
            return bytes(value).decode("latin-1")
    return None


def cookie(scope: Scope, name: str) -> str | None:
    """The value of a cookie, None if it was not sent or is no cookie."""
    try:
        sent = SimpleCookie(header(scope, "cookie") or "")
    except CookieError:
        return None
    return sent[name].value if name in sent else None


async def answer(send: Send, status: int, body: bytes, headers: Headers = (PLAIN,)) -> None:
    """A whole answer."""
    length = (b"content-length", str(len(body)).encode())
    given = [*headers, length]
    await send({"type": "http.response.start", "status": status, "headers": given})
    await send({"type": "http.response.body", "body": body})


async def refuse(send: Send, refused: Refused) -> None:
    """The reason as JSON under the key that Gradio's pages show."""
    body = json.dumps({"detail": refused.reason}).encode()
    await answer(send, refused.status, body, (JSON, UNKEPT, *refused.headers))
