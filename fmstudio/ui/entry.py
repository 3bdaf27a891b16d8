"""The way in: which session a request belongs to, signing in and out, and the health check.

Without a password every browser gets a session with its first page. With one, a session is made
only by signing in, and nothing but the sign-in page and the health check is open before that.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable
from urllib.parse import parse_qs, quote, urlsplit

import anyio.to_thread

from fmstudio.ui.asgi import (
    HTML,
    JSON,
    UNKEPT,
    App,
    Message,
    Receive,
    Refused,
    Scope,
    Send,
    answer,
    cookie,
    header,
    refuse,
)
from fmstudio.ui.bodies import Gone, whole
from fmstudio.ui.entry_page import entry_page
from fmstudio.ui.gate import API, SESSION, Gate
from fmstudio.ui.password import Password, Tries
from fmstudio.ui.sessions import Session, Sessions

log = logging.getLogger(__name__)

FORM_BYTES = 16_384
ASKS = frozenset({f"{API}/queue/join", f"{API}/upload"})  # by which a script may begin
# A link on another site opens the page without its cookie, as SameSite=Strict asks. The page then
# opens itself once more, and the browser sends the cookie along.
ONCE_MORE = (
    b'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Foundation Model Studio'
    b'</title><meta http-equiv="refresh" content="0"></head><body></body></html>'
)


class Entry:
    """The ASGI app `gate`, for requests whose session is known.

    `health` says "ok" or in one word what is wrong. With `https` a proxy in front speaks TLS.
    """

    def __init__(
        self,
        gate: Gate,
        sessions: Sessions,
        health: Callable[[], str],
        port: int = 7860,
        password: Password | None = None,
        https: bool = False,
    ) -> None:
        self.inner: App = gate
        self.gate = gate
        self.sessions = sessions
        self.health = health
        self.password = password
        self.https = https
        self.tries = Tries()
        self._hashing = asyncio.Semaphore(1)  # each check takes 16 MB of memory
        self.cookie = f"fmstudio-{port}"  # a browser sends cookies of one port to all others

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what is open to all, else find or make the session and pass on."""
        if scope["type"] != "http":
            await self.gate(scope, receive, send)
            return
        await anyio.to_thread.run_sync(self.sessions.sweep)
        try:
            if not await self._answered(scope, receive, send):
                await self._pass_on(scope, receive, send)
        except Refused as refused:
            await refuse(send, refused)
        except Gone:
            log.info("A request was broken off.")

    async def _answered(self, scope: Scope, receive: Receive, send: Send) -> bool:
        """Answer a request to an address of our own."""
        path, method = scope["path"], scope["method"]
        if path == "/health" and method in ("GET", "HEAD"):
            said = await anyio.to_thread.run_sync(self.health)
            body = f'{{"status":"{said}"}}'.encode()
            await answer(send, 200 if said == "ok" else 503, body, (JSON, UNKEPT))
        elif path == "/login" and self.password is not None and method in ("GET", "HEAD", "POST"):
            if method == "POST":
                await self._sign_in(scope, receive, send, self.password)
            else:
                asked = parse_qs(scope["query_string"].decode("latin-1")).get("next", ["/"])[0]
                await self._show(scope, send, 200, asked)
        elif path == "/logout" and self.password is not None and method == "POST":
            session = self._session(scope)
            if session is not None:
                self.sessions.end(session)
            gone = self._cookie("", "; Max-Age=0")
            await answer(send, 303, b"", ((b"location", b"/login"), gone, UNKEPT))
        else:
            return False
        return True

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        """To the gate, with a session."""
        session, secret = self._session(scope), ""
        page = self.gate.is_page(scope)
        if session is None and page and self._came_by_a_link(scope):
            again = self._cookie("1", "; Max-Age=10", "-again", "Lax")
            await answer(send, 200, ONCE_MORE, (HTML, UNKEPT, again))
            return
        if session is None and self.password is not None:
            if not page:
                raise Refused(401, "Sign in first: open the studio's page anew.")
            asked = scope["path"] + ("?" if scope["query_string"] else "")
            asked += scope["query_string"].decode("latin-1")
            target = f"/login?next={quote(asked, safe='')}".encode()
            await answer(send, 303, b"", ((b"location", target), UNKEPT))
            return
        if session is None and (page or scope["path"] in ASKS):
            secret, session = self.sessions.new()

        async def send_with_cookie(message: Message) -> None:
            if secret and message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), self._cookie(secret)]
            if page and message["type"] == "http.response.start":
                # A copy of a page must not be shown once its session is over.
                kept = [h for h in message["headers"] if h[0].lower() != b"cache-control"]
                message["headers"] = [*kept, UNKEPT]
            await send(message)

        await self.gate({**scope, SESSION: session}, receive, send_with_cookie)

    def _session(self, scope: Scope) -> Session | None:
        return self.sessions.find(cookie(scope, self.cookie))

    def _came_by_a_link(self, scope: Scope) -> bool:
        """Whether a page of another site has led here, so that a cookie may have been held back."""
        return (
            header(scope, "sec-fetch-site") == "cross-site"
            and cookie(scope, f"{self.cookie}-again") is None
        )

    def _cookie(
        self, value: str, more: str = "", suffix: str = "", same_site: str = "Strict"
    ) -> tuple[bytes, bytes]:
        words = f"{self.cookie}{suffix}={value}; Path=/; HttpOnly; SameSite={same_site}{more}"
        return (b"set-cookie", (words + ("; Secure" if self.https else "")).encode())

    async def _show(
        self,
        scope: Scope,
        send: Send,
        status: int,
        target: str,
        problem: str = "",
        hint: str = "",
        wait: int = 0,
    ) -> None:
        """The sign-in page."""
        here = (scope.get("client") or ("",))[0] in ("127.0.0.1", "::1")
        content = entry_page(own_address(target), problem, hint, encrypted=self.https or here)
        later = ((b"retry-after", str(wait).encode()),) if wait else ()
        await answer(send, status, content, (HTML, UNKEPT, *later))

    async def _sign_in(
        self, scope: Scope, receive: Receive, send: Send, password: Password
    ) -> None:
        """A try to sign in: on to the page that was asked for, or the form with the reason."""
        body = await whole(scope, receive, FORM_BYTES)
        try:
            form = parse_qs(body.decode("latin-1"), keep_blank_values=True, max_num_fields=10)
        except ValueError:
            raise Refused(400, "The request is not the form of the sign-in page.") from None
        given, target = form.get("password", [""])[0], form.get("next", ["/"])[0]
        address = (scope.get("client") or ("",))[0]
        wait = math.ceil(self.tries.begin(address))
        if wait:
            log.warning("A try to sign in came too early after wrong ones.")
            await self._show(
                scope,
                send,
                429,
                target,
                "Too many wrong passwords.",
                f"Try again in {in_words(wait)}.",
                wait,
            )
            return
        async with self._hashing:
            right = await anyio.to_thread.run_sync(password.matches, given)
        if not right:
            log.warning("A wrong password was given.")
            await self._show(
                scope,
                send,
                401,
                target,
                "That is not the password.",
                "Check the keyboard's capitals and language.",
            )
            return
        self.tries.right(address)
        before = self._session(scope)
        if before is not None:
            self.sessions.end(before)
        secret, _ = self.sessions.new()
        onward = (b"location", own_address(target).encode())
        await answer(send, 303, b"", (onward, self._cookie(secret), UNKEPT))


def own_address(asked: str) -> str:
    """The address if it leads to a page of ours, else the first page."""
    parts = urlsplit(asked)
    plain = asked.isascii() and asked.isprintable() and "\\" not in asked and " " not in asked
    if parts.scheme or parts.netloc or not plain or asked[:1] != "/" or asked[:2] == "//":
        return "/"
    return "/" if parts.path in ("/login", "/logout") else asked


def in_words(seconds: int) -> str:
    """A wait in words."""
    if seconds < 120:
        return "1 second" if seconds == 1 else f"{seconds} seconds"
    return f"{math.ceil(seconds / 60)} minutes"
