"""Uploads: from the bytes of a request to files that belong to one session, or to nothing at all.

Bytes are counted as they come, against the size of one file, the room of the session, the room of
all sessions and the free disk. Whatever ends an upload early, all of it is removed again.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from pathlib import Path, PurePosixPath
from typing import IO

import anyio.to_thread
from gradio_client.utils import strip_invalid_filename_characters
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from fmstudio.ui.asgi import Receive, Refused, Scope, header
from fmstudio.ui.bodies import chunks, declared
from fmstudio.ui.sessions import Progress, Session, Sessions, block_size

MOST_FILES = 1_000  # of one request; the pages send no more at once
AROUND_BYTES = 1_000_000  # of a request that are not the files themselves
LOOK_AT_DISK_BYTES = 16_000_000
SIGNED_OUT = "You were signed out meanwhile. Sign in and give the files again."
UNREADABLE = "The upload could not be read. Give the files again."


class Upload:
    """One request's files while they come in. Not for several threads at once."""

    def __init__(self, sessions: Sessions, session: Session, progress: Progress) -> None:
        self.sessions, self.session, self.progress = sessions, session, progress
        self.limits = sessions.limits
        self.done: list[tuple[Path, int]] = []  # path, bytes taken for it
        self._file: IO[bytes] | None = None
        self._path = Path()
        self._sent_name = ""
        self._size = self._taken = self._unlooked = 0
        self._field, self._headers = b"", dict[bytes, bytes]()
        self._value, self._ended = b"", False
        self._parser: MultipartParser | None = None

    def begin(self, content_type: str, size: int) -> None:
        """Raises Refused if the request is no upload, or its said size has no room."""
        kind, options = parse_options_header(content_type)
        if kind != b"multipart/form-data" or not options.get(b"boundary"):
            raise Refused(400, "Files are given as multipart/form-data.")
        if size > AROUND_BYTES:
            reason = self.sessions.take(self.session, size - AROUND_BYTES)
            if reason:
                raise Refused(413, reason)
            self.sessions.give_back(self.session, size - AROUND_BYTES)
        self._look_at_disk(size)
        names = (
            "part_begin",
            "part_data",
            "part_end",
            "header_field",
            "header_value",
            "header_end",
            "headers_finished",
            "end",
        )
        callbacks = {f"on_{name}": getattr(self, f"_on_{name}") for name in names}
        self._parser = MultipartParser(options[b"boundary"], callbacks)  # type: ignore[arg-type]

    def write(self, piece: bytes) -> None:
        """Take the next bytes of the request. Raises Refused."""
        assert self._parser is not None
        try:
            self._parser.write(piece)
        except FormParserError:
            raise Refused(400, UNREADABLE) from None
        except OSError as fault:
            if fault.errno in (errno.ENOSPC, errno.EDQUOT):
                raise self._no_room() from fault
            raise

    def finish(self) -> list[Path]:
        """The files, which are the session's from now on. Raises Refused if the end is missing."""
        if not self._ended:
            raise Refused(400, UNREADABLE)
        if self.session.ended:
            raise Refused(403, SIGNED_OUT)
        for path, taken in self.done:
            self.sessions.keep(self.session, path, taken)
        return [path for path, _ in self.done]

    def undo(self) -> None:
        """Remove whatever was written."""
        if self._file is not None:
            self._file.close()
            self.done.append((self._path, self._taken))
        for path, taken in self.done:
            shutil.rmtree(path.parent, ignore_errors=True)
            self.sessions.give_back(self.session, taken)

    def _on_part_begin(self) -> None:
        self._headers = {}

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header_end(self) -> None:
        self._headers[self._field.lower()] = self._value
        self._field, self._value = b"", b""

    def _on_headers_finished(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        if options.get(b"name") != b"files" or b"filename" not in options:
            raise Refused(400, "An upload holds files and nothing else.")
        if len(self.done) >= MOST_FILES:
            raise Refused(413, f"At most {MOST_FILES} files are taken at once.")
        self._sent_name = options[b"filename"].decode("utf-8", "replace")
        self.session.folder.mkdir(mode=0o700, exist_ok=True)
        folder = self.session.folder / secrets.token_hex(8)
        folder.mkdir(mode=0o700)
        self._path = folder / clean_name(self._sent_name)
        handle = os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        self._file = os.fdopen(handle, "wb")
        self._size = self._taken = 0

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        assert self._file is not None
        self._size += end - start
        if self._size > self.limits.upload_mb * 1e6:
            raise self._too_large()
        self._take(block_size(self._size))
        self._unlooked += end - start
        if self._unlooked > LOOK_AT_DISK_BYTES:
            self._unlooked = 0
            self._look_at_disk(0)
        self._file.write(data[start:end])
        news = self.progress.news
        news[self._sent_name] = news.get(self._sent_name, 0) + end - start

    def _on_part_end(self) -> None:
        assert self._file is not None
        self._take(block_size(self._size))
        self._file.close()
        self._file = None
        self.done.append((self._path, self._taken))

    def _on_end(self) -> None:
        self._ended = True

    def _take(self, needed: int) -> None:
        """Count what the file takes on the disk. Raises Refused (413) if there is no room."""
        if needed > self._taken:
            reason = self.sessions.take(self.session, needed - self._taken)
            if reason:
                raise Refused(413, reason)
            self._taken = needed

    def _look_at_disk(self, size: int) -> None:
        self.sessions.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        free = shutil.disk_usage(self.sessions.folder).free
        if free - size < self.limits.free_disk_mb * 1e6:
            raise self._no_room(free, size)

    def _no_room(self, free: int = 0, size: int = 0) -> Refused:
        needed = size / 1e6 + self.limits.free_disk_mb
        return Refused(
            507,
            f"The disk of the studio's home folder has {free / 1e6:,.0f} MB free, but this upload "
            f"needs {needed:,.0f} MB. Free some space and try again.",
        )

    def _too_large(self) -> Refused:
        return Refused(
            413,
            f"The file is larger than {self.limits.upload_mb:,} MB, the most that is taken as one "
            "upload. Add it by its folder, or raise FMSTUDIO_UPLOAD_MB.",
        )


def clean_name(sent: str) -> str:
    """The name of a file as it can stand on any disk, without the folders that a browser sent."""
    name = strip_invalid_filename_characters(PurePosixPath(sent.replace("\\", "/")).name)
    return "file" if name in ("", ".", "..") else name


async def receive_files(
    scope: Scope, receive: Receive, sessions: Sessions, session: Session, progress: Progress
) -> list[Path]:
    """Write the files of an upload; where they lie.

    Raises Refused (400, 403, 408, 413, 507) or Gone; then nothing of the upload is left.
    """
    upload = Upload(sessions, session, progress)
    try:
        upload.begin(header(scope, "content-type") or "", declared(scope))
        async for piece in chunks(receive):
            if not sessions.alive(session):
                raise Refused(403, SIGNED_OUT)
            await anyio.to_thread.run_sync(upload.write, piece)
        return upload.finish()
    except BaseException:
        upload.undo()
        raise
    finally:
        progress.done = True
