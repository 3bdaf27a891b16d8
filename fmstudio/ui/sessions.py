"""Who is asking: one session per browser, known by a cookie that only the server can make.

Gradio's `session_hash` is chosen by the page, so it proves nothing. A session of ours owns what it
has uploaded, what it was handed, and the pages (session hashes) it has open; nobody else gets at
them. Nothing of a session is written to disk but its uploads, which go when it ends.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
import shutil
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fmstudio.settings import Limits

log = logging.getLogger(__name__)

DAY = 86_400.0  # seconds that an upload is kept, and a session without a password lives unused
MOST_SESSIONS = 20_000
MOST_PAGES = 2_000  # that one session may have opened
MOST_UPLOADS = 64  # whose progress one session may ask for
BLOCK = 4_096  # bytes that the smallest file takes on the disk


@dataclass
class Progress:
    """How far an upload is: bytes by file that were not yet reported, and whether it is over."""

    news: dict[str, int] = field(default_factory=dict)
    done: bool = False


@dataclass(eq=False)
class Session:
    """One browser. Times are seconds on the monotonic clock, `kept` bytes on the disk."""

    folder: Path
    signed_in: bool
    begun: float
    seen: float
    files: dict[Path, tuple[int, float]] = field(default_factory=dict)  # kept bytes, since when
    pages: OrderedDict[str, None] = field(default_factory=OrderedDict)
    uploads: OrderedDict[str, Progress] = field(default_factory=OrderedDict)
    kept: int = 0
    ended: bool = False

    def hand(self, path: Path) -> None:
        """From now on this session may give the file back to a handler, and fetch it."""
        self.files.setdefault(path, (0, time.monotonic()))

    def owns(self, path: Any) -> Path | None:
        """The file as it was uploaded or handed out under exactly this name, else None."""
        if not isinstance(path, str) or "\0" in path:
            return None
        known = Path(path)
        return known if known in self.files and str(known) == path else None

    def progress(self, upload: str) -> Progress:
        """The progress of an upload, from its beginning."""
        found = self.uploads.setdefault(upload, Progress())
        while len(self.uploads) > MOST_UPLOADS:
            self.uploads.popitem(last=False)
        return found


class Sessions:
    """All sessions of one running studio. Methods may be called from several threads.

    `folder` is where uploads lie while the studio runs. With `behind_password` a session is made
    only by signing in, and ends when it was not used for `session_minutes` or after
    `session_hours` of the limits.
    """

    def __init__(self, folder: Path, limits: Limits, behind_password: bool = False) -> None:
        self.folder = folder
        self.limits = limits
        self.behind_password = behind_password
        self._sessions: OrderedDict[bytes, Session] = OrderedDict()
        self._pages: dict[str, Session] = {}
        self._lock = threading.RLock()
        self._kept = 0  # bytes that all sessions keep together
        self._swept = time.monotonic()

    def new(self) -> tuple[str, Session]:
        """The secret of a fresh session, and the session."""
        secret, now = secrets.token_urlsafe(32), time.monotonic()
        folder = self.folder / f"of-{secrets.token_hex(8)}"
        session = Session(folder, self.behind_password, now, now)
        with self._lock:
            self._sessions[_key(secret)] = session
            while len(self._sessions) > MOST_SESSIONS:
                self._end(min(self._sessions.values(), key=lambda one: (bool(one.kept), one.seen)))
        return secret, session

    def find(self, secret: str | None) -> Session | None:
        """The living session of a secret."""
        with self._lock:
            session = self._sessions.get(_key(secret)) if secret else None
            if session is not None and self._over(session, time.monotonic()):
                self._end(session)
                return None
            return session

    def touch(self, session: Session) -> None:
        """A person has done something."""
        session.seen = time.monotonic()

    def alive(self, session: Session) -> bool:
        """Whether what is under way for this session may go on."""
        return not session.ended and not self._over(session, time.monotonic())

    def end(self, session: Session) -> None:
        """Sign out: the session and its uploads are gone."""
        with self._lock:
            self._end(session)

    def claim(self, session: Session, page: str) -> bool:
        """Make a page (Gradio's session hash) this session's; False if it is another's."""
        with self._lock:
            if self._pages.setdefault(page, session) is not session:
                return False
            session.pages[page] = None
            session.pages.move_to_end(page)
            while len(session.pages) > MOST_PAGES:
                oldest, _ = session.pages.popitem(last=False)
                self._pages.pop(oldest, None)
            return True

    def owns_page(self, session: Session, page: str) -> bool:
        """Whether this session has opened the page."""
        return self._pages.get(page) is session

    def take(self, session: Session, size: int) -> str:
        """Count bytes of an upload before they are written; why they may not be, else ""."""
        own_mb, all_mb = self.limits.session_uploads_mb, self.limits.all_uploads_mb
        with self._lock:
            if session.ended:
                return "You were signed out meanwhile. Sign in and give the file again."
            if session.kept + size > own_mb * 1e6:
                return (
                    f"This browser's uploads would exceed {own_mb:,} MB, the most that is kept "
                    "for one. They go a day after they were given, or when the studio is started "
                    "anew. Add large data by its folder, or raise FMSTUDIO_SESSION_UPLOADS_MB."
                )
            if self._kept + size > all_mb * 1e6:
                return (
                    f"All uploads together would exceed {all_mb:,} MB, the most that is kept. "
                    "They go a day after they were given, or when the studio is started anew. "
                    "Add large data by its folder, or raise FMSTUDIO_ALL_UPLOADS_MB."
                )
            session.kept += size
            self._kept += size
            return ""

    def give_back(self, session: Session, size: int) -> None:
        """Bytes that were taken are free again."""
        with self._lock:
            if not session.ended:  # else all of its bytes are free already
                session.kept -= size
                self._kept -= size

    def keep(self, session: Session, path: Path, size: int) -> None:
        """An upload is complete and its session's; its `size` was taken before."""
        with self._lock:
            session.files[path] = (size, time.monotonic())

    def sweep(self, every: float = 60.0) -> None:
        """End what is over and remove uploads of more than a day, at most `every` seconds."""
        now = time.monotonic()
        with self._lock:
            if now - self._swept < every:
                return
            self._swept = now
            for session in [one for one in self._sessions.values() if self._over(one, now)]:
                self._end(session)
            old = [
                (session, path, size)
                for session in self._sessions.values()
                for path, (size, since) in session.files.items()
                if size and now - since > DAY
            ]
            for session, path, size in old:
                del session.files[path]
                self.give_back(session, size)
        for _, path, _ in old:
            shutil.rmtree(path.parent, ignore_errors=True)

    def _over(self, session: Session, now: float) -> bool:
        if not self.behind_password:
            return now - session.seen > DAY
        limits = self.limits
        return (
            now - session.seen > limits.session_minutes * 60
            or now - session.begun > limits.session_hours * 3600
        )

    def _end(self, session: Session) -> None:
        """Forget a session; its files are removed beside the request that noticed it."""
        session.ended = True
        for key in [key for key, one in self._sessions.items() if one is session]:
            del self._sessions[key]
        for page in session.pages:
            self._pages.pop(page, None)
        self._kept -= session.kept
        session.kept = 0
        session.files.clear()
        threading.Thread(
            target=shutil.rmtree,
            args=(session.folder,),
            kwargs={"ignore_errors": True},
            name="uploads-of-an-ended-session",
            daemon=True,
        ).start()


def block_size(size: int) -> int:
    """Bytes that a file of this size takes on the disk."""
    return -(-max(size, 1) // BLOCK) * BLOCK


def _key(secret: str) -> bytes:
    """What is kept of a secret: from a copy of the memory nobody can sign in."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
