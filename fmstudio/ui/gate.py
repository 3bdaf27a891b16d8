"""Between the guard and Gradio: which addresses there are, and whose files go in and out.

Only what the pages use is reachable; Gradio's other routes (calls by name, proxies, recordings,
deep links, its API pages) end here. A question to a handler is checked (ui/payload.py), uploads are
received and files are served here, so that Gradio never reads a path that a browser has named.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import parse_qs, urlencode

import gradio as gr
from starlette.responses import FileResponse

from fmstudio.ui.asgi import (
    JSON,
    UNKEPT,
    App,
    Message,
    Receive,
    Refused,
    Scope,
    Send,
    answer,
    refuse,
)
from fmstudio.ui.bodies import Gone, again, whole
from fmstudio.ui.payload import FILE_TYPE, FOREIGN, files_in, page_name, question
from fmstudio.ui.receiving import receive_files
from fmstudio.ui.sessions import Session, Sessions

log = logging.getLogger(__name__)

Handler = Callable[[Scope, Receive, Send, Session], Awaitable[None]]

API = "/gradio_api"
SESSION = "studio.session"  # where the entry (ui/entry.py) leaves the session in the scope
OPEN = frozenset({"/theme.css", "/favicon.ico", "/robots.txt", "/config"}) | {
    f"{API}/{name}" for name in ("app_id", "info", "startup-events")
}
OPEN_FOLDERS = ("/assets/", "/static/")
ALIVE_SECONDS = 1.0  # after which a stream of somebody who has signed out ends
LOOK_SECONDS = 0.1
UPLOAD_BEGINS_SECONDS = 3.0
_EVENT = re.compile(rb"(?<=\n\n)")


class Gate:
    """The ASGI app `inner` of Gradio, whose pages are `pages`, for the sessions of this studio.

    `served` is the folder in which Gradio keeps what it hands out.
    """

    def __init__(self, inner: App, pages: gr.Blocks, sessions: Sessions, served: Path) -> None:
        self.inner = inner
        self.pages = pages
        self.sessions = sessions
        self.served = served.resolve()
        names = {f"/{name}" for name, _, _ in pages.pages}
        self.addresses = names | {f"{name}/" for name in names if name != "/"}

    def is_page(self, scope: Scope) -> bool:
        """Whether a whole page is asked for."""
        return scope["method"] in ("GET", "HEAD") and scope["path"] in self.addresses

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, answer, or refuse."""
        if scope["type"] == "lifespan":
            await self.inner(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        begun = False

        async def send_and_note(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._route(scope, receive, send_and_note)
        except Refused as refused:
            log.warning("Refused a request: %s", refused.reason)
            if not begun:
                await refuse(send, refused)
        except Gone:
            log.info("A request was broken off.")

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        path, session = scope["path"], scope[SESSION]
        open_to_all = path in OPEN or (path.startswith(OPEN_FOLDERS) and ".." not in path)
        if open_to_all or path in self.addresses:
            if scope["method"] not in ("GET", "HEAD"):
                raise Refused(405, "This address is only for reading.")
            if session is not None and path in self.addresses:
                self.sessions.touch(session)
            await self.inner(scope, receive, send)
            return
        method, handle = self._handler(path)
        if scope["method"] != method and not (method == "GET" and scope["method"] == "HEAD"):
            raise Refused(405, f"This address is for {method} only.")
        if session is None:
            raise Refused(403, "This browser has no page of the studio open. Open it anew.")
        await handle(scope, receive, send, session)

    def _handler(self, path: str) -> tuple[str, Handler]:
        """The method and the function for an address below Gradio's. Raises Refused (404)."""
        if path == f"{API}/queue/join":
            return "POST", self._ask
        if path == f"{API}/upload":
            return "POST", self._upload
        if path == f"{API}/queue/data":
            return "GET", self._answers
        if path == f"{API}/upload_progress":
            return "GET", self._progress
        if path.startswith(f"{API}/heartbeat/"):
            return "GET", self._heartbeat
        if path.startswith(f"{API}/file="):
            return "GET", self._file
        raise Refused(404, "There is nothing at this address.")

    async def _ask(self, scope: Scope, receive: Receive, send: Send, session: Session) -> None:
        """A question to a handler."""
        body = await whole(scope, receive, self.sessions.limits.request_mb * 1e6)
        asked, by_a_person = question(body, session, self.pages)
        self._claim(session, asked["session_hash"])
        if by_a_person:
            self.sessions.touch(session)
        content = json.dumps(asked).encode()
        own = (b"content-type", b"content-length", b"transfer-encoding", b"content-encoding")
        kept = [pair for pair in scope["headers"] if pair[0].lower() not in own]
        length = (b"content-length", str(len(content)).encode())
        headers = [*kept, (b"content-type", b"application/json"), length]
        await self.inner({**scope, "headers": headers}, again(content, receive), send)

    def _claim(self, session: Session, page: str) -> None:
        if not self.sessions.claim(session, page):
            raise Refused(403, "This page belongs to another browser.")

    async def _answers(self, scope: Scope, receive: Receive, send: Send, session: Session) -> None:
        """The stream of answers to one page; the files in it are this session's from then on."""
        given = _query(scope).get("session_hash", [])
        page = page_name(given[0] if len(given) == 1 else None)
        if not self.sessions.owns_page(session, page):
            raise Refused(403, "This page belongs to another browser.")

        async def watch(message: Message) -> None:
            if FILE_TYPE.encode() in message.get("body", b""):
                self._hand_out(message["body"], session)
            await send(message)

        await self._while_alive(_canonical(scope, {"session_hash": page}), receive, watch, session)

    async def _while_alive(
        self, scope: Scope, receive: Receive, send: Send, session: Session
    ) -> None:
        """A stream of Gradio's that ends with the session at the latest."""
        begun = False

        async def note(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        stream = asyncio.ensure_future(self.inner(scope, receive, note))
        try:
            while not stream.done() and self.sessions.alive(session):
                await asyncio.wait({stream}, timeout=ALIVE_SECONDS)
        finally:
            cut = stream.cancel()
        try:
            await stream
        except asyncio.CancelledError:
            if not cut:
                raise
            if begun:
                await send({"type": "http.response.body", "body": b""})

    def _hand_out(self, body: bytes, session: Session) -> None:
        """Note the files in some events of a stream."""
        for event in _EVENT.split(body):
            if not event.strip():
                continue
            for name in files_in(json.loads(event.strip().removeprefix(b"data:"))):
                path = Path(name)
                if path.is_symlink() or not path.resolve().is_relative_to(self.served):
                    raise Refused(403, "A file outside the studio's folder was not handed out.")
                session.hand(path)

    async def _heartbeat(
        self, scope: Scope, receive: Receive, send: Send, session: Session
    ) -> None:
        """The connection by which Gradio knows that a page is open."""
        self._claim(session, page_name(scope["path"].removeprefix(f"{API}/heartbeat/")))

        await self._while_alive(_canonical(scope, {}), receive, send, session)

    async def _upload(self, scope: Scope, receive: Receive, send: Send, session: Session) -> None:
        """Files that this session gives."""
        self.sessions.touch(session)
        named = _query(scope).get("upload_id", [""])[0][:64]
        progress = session.progress(named)
        try:
            files = await receive_files(scope, receive, self.sessions, session, progress)
        except Refused as refused:
            # The page shows the text of the answer as it is.
            log.warning("Refused an upload: %s", refused.reason)
            await answer(send, refused.status, refused.reason.encode())
            return
        await answer(send, 200, json.dumps([str(path) for path in files]).encode(), (JSON, UNKEPT))

    async def _progress(self, scope: Scope, receive: Receive, send: Send, session: Session) -> None:
        """How far an upload is, as events, in Gradio's words."""
        named = _query(scope).get("upload_id", [""])[0][:64]
        for _ in range(int(UPLOAD_BEGINS_SECONDS / LOOK_SECONDS)):
            if named in session.uploads:
                break
            await asyncio.sleep(LOOK_SECONDS)
        progress = session.uploads.get(named)
        if progress is None:
            raise Refused(404, "There is no such upload.")
        kind = (b"content-type", b"text/event-stream; charset=utf-8")
        headers = [kind, UNKEPT]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        going = True
        while going:
            going = not progress.done
            news, progress.news = progress.news, {}
            words: list[dict[str, object]] = [
                {"msg": "update", "orig_name": name, "chunk_size": size}
                for name, size in news.items()
            ]
            words += [] if going else [{"msg": "done"}]
            body = "".join(f"data: {json.dumps(word)}\n\n" for word in words).encode()
            await send({"type": "http.response.body", "body": body, "more_body": going})
            await asyncio.sleep(LOOK_SECONDS if going else 0)

    async def _file(self, scope: Scope, receive: Receive, send: Send, session: Session) -> None:
        """A file of this session, always as a download."""
        path = session.owns(scope["path"].removeprefix(f"{API}/file="))
        if path is None or path.is_symlink() or not path.is_file():
            raise Refused(403, FOREIGN)
        self.sessions.touch(session)
        kept = {"Cache-Control": "private, no-store"}
        response = FileResponse(
            path, headers=kept, media_type="application/octet-stream", filename=path.name
        )
        await response(scope, receive, send)


def _query(scope: Scope) -> dict[str, list[str]]:
    return parse_qs(scope["query_string"].decode("latin-1"))


def _canonical(scope: Scope, query: dict[str, str]) -> Scope:
    """The request with this query alone, and an answer that is not compressed."""
    headers = [pair for pair in scope["headers"] if pair[0].lower() != b"accept-encoding"]
    return {**scope, "headers": headers, "query_string": urlencode(query).encode()}
