"""Between Gradio and the page: no answer is lost because its stream was just being closed.

Gradio closes the stream of a page's answers as soon as nothing is asked, and the page opens it
anew with its next question. A question that arrives between the two is registered on a stream
that has already ended, so its answer never comes and the page waits for ever. Here the farewell
is held back for a moment; if a question has come by then, the stream goes on instead.
"""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import parse_qs

from fmstudio.ui.guard import App, Message, Receive, Scope, Send

FAREWELL = b'"msg":"close_stream"'
LINGER_SECONDS = 1.0
_LOOK_SECONDS = 0.02


class Stream:
    """The ASGI app `inner` of Gradio, whose streams of answers outlast a question in flight.

    `queue` is Gradio's, of which one thing is read: which questions a session waits for.
    """

    def __init__(self, inner: App, queue: Any) -> None:
        self.inner = inner
        self.queue = queue

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on, but hold back the end of a stream while it may yet be needed."""
        if scope["type"] != "http" or not scope["path"].endswith("/queue/data"):
            await self.inner(scope, receive, send)
            return
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
        for message in end:
            await send(message)

    async def _asked(self, session: str) -> bool:
        """Whether the page asks something else before the moment is over."""
        for _ in range(round(LINGER_SECONDS / _LOOK_SECONDS)):
            if self.queue.pending_event_ids_session.get(session):
                return True
            await asyncio.sleep(_LOOK_SECONDS)
        return False
