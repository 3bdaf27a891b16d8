"""Between Gradio and the page: no answer is lost because its stream was just being closed.

Gradio closes the stream of a page's answers as soon as nothing is asked, and the page opens it
anew with its next question. A question that arrives between the two is registered on a stream
that has already ended, so its answer never comes and the page waits for ever. Here the farewell
is held back for longer than a page that watches a run waits between two looks; if a question has
come by then, the stream goes on instead. And the receipt of a question that crosses the farewell
on its way is held back until the page must have read the farewell, so that it opens a new stream.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any
from urllib.parse import parse_qs

from fmstudio.ui.asgi import App, Message, Receive, Scope, Send

FAREWELL = b'"msg":"close_stream"'
LINGER_SECONDS = 2.5
CROSSING_SECONDS = 0.5
_LOOK_SECONDS = 0.02


class Stream:
    """The ASGI app `inner` of Gradio, whose streams of answers outlast a question in flight.

    `queue` is Gradio's, of which one thing is read: which questions a session waits for.
    """

    def __init__(self, inner: App, queue: Any) -> None:
        self.inner = inner
        self.queue = queue
        self._farewell = float("-inf")  # when the last one was sent, on the monotonic clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on, but for what could cross the end of a stream of answers."""
        path = scope["path"] if scope["type"] == "http" else ""
        if path.endswith("/queue/data"):
            await self._answers(scope, receive, send)
        elif path.endswith("/queue/join"):
            await self._question(scope, receive, send)
        else:
            await self.inner(scope, receive, send)

    async def _question(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take a question; its receipt follows the farewell by a moment, if there was one."""

        async def after_farewell(message: Message) -> None:
            while (wait := self._farewell + CROSSING_SECONDS - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            await send(message)

        await self.inner(scope, receive, after_farewell)

    async def _answers(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send a page's answers, and the end of their stream only once nothing is asked."""
        session = parse_qs(scope["query_string"].decode("latin-1")).get("session_hash", [""])[0]
        begun = False
        while True:
            end: list[Message] = []

            async def pass_on(message: Message, end: list[Message] = end) -> None:
                nonlocal begun
                if message["type"] == "http.response.start":
                    if not begun:
                        begun = True
                        await send(message)
                elif end or FAREWELL in message.get("body", b""):
                    end.append(message)
                else:
                    await send(message)

            await self.inner(scope, receive, pass_on)
            if not end or not await self._asked(session):
                break
        self._farewell = time.monotonic()
        for message in end:
            await send(message)

    async def _asked(self, session: str) -> bool:
        """Whether the page asks something else before the moment is over."""
        ended = time.monotonic()
        while not self.queue.pending_event_ids_session.get(session):
            if time.monotonic() - ended > LINGER_SECONDS:
                return False
            await asyncio.sleep(_LOOK_SECONDS)
        return True
