"""Bodies of requests, read up to a limit and no slower than a pace.

Whoever sends more is refused at the byte that is too many; whoever sends by drops is refused too,
so that slow senders cannot pile up.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

from fmstudio.ui.asgi import Message, Receive, Refused, Scope, header

PATIENCE_SECONDS = 30.0  # without a byte
SLOWEST_BYTES = 1_000  # per second, on average, once the patience is used up


class Gone(Exception):
    """The sender went away in the middle."""


def declared(scope: Scope) -> int:
    """Bytes that the body is said to have, 0 where nothing or nonsense is said."""
    said = header(scope, "content-length") or ""
    return int(said) if said.isdecimal() and len(said) < 19 else 0


async def chunks(receive: Receive) -> AsyncIterator[bytes]:
    """The body in the pieces in which it comes. Raises Gone, or Refused (408) if it is too slow."""
    begun, size = time.monotonic(), 0
    while True:
        try:
            message = await asyncio.wait_for(receive(), PATIENCE_SECONDS)
        except TimeoutError:
            raise _slow() from None
        if message["type"] == "http.disconnect":
            raise Gone
        piece = message.get("body", b"")
        size += len(piece)
        if piece:
            yield piece
        if not message.get("more_body", False):
            return
        if time.monotonic() - begun > PATIENCE_SECONDS + size / SLOWEST_BYTES:
            raise _slow()


def _slow() -> Refused:
    return Refused(
        408,
        "The request came too slowly. Check the connection and try again.",
        (b"connection", b"close"),
    )


async def whole(scope: Scope, receive: Receive, most: float) -> bytes:
    """The body of a request of at most `most` bytes. Raises Gone, or Refused (408, 413)."""
    too_large = Refused(
        413,
        f"The request holds more than {most / 1e6:,.4g} MB. Give large things as files.",
        (b"connection", b"close"),
    )
    if declared(scope) > most:
        raise too_large
    parts, size = [], 0
    async for piece in chunks(receive):
        size += len(piece)
        if size > most:
            raise too_large
        parts.append(piece)
    return b"".join(parts)


def again(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives this body first, then whatever else comes."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
