"""uvicorn's HTTP, with an end to connections on which nothing is asked.

uvicorn waits for ever for the end of a request's head, and for what is sent after an answer.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

IDLE_SECONDS = 30.0
LOOK_SECONDS = 5.0


class Wire(H11Protocol):
    """One connection, closed once it was without a question to answer for `IDLE_SECONDS`."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to watch."""
        super().connection_made(transport)
        self._idle = 0.0
        self._watch: asyncio.TimerHandle = self.loop.call_later(LOOK_SECONDS, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        """End to watch."""
        self._watch.cancel()
        super().connection_lost(exc)

    def _look(self) -> None:
        cycle: Any = self.cycle
        asked = cycle is not None and not cycle.response_complete
        self._idle = 0.0 if asked else self._idle + LOOK_SECONDS
        if self._idle >= IDLE_SECONDS:
            self.transport.close()
        else:
            self._watch = self.loop.call_later(LOOK_SECONDS, self._look)
