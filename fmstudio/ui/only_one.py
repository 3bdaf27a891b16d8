"""One running web app a home: a lock that the system takes back by itself when its holder dies.

Beside the lock lies where the app listens, so that a second start can open it instead.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import time
import webbrowser
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Self

from fmstudio import lock
from fmstudio.errors import ResourceError
from fmstudio.files import write_whole
from fmstudio.settings import Settings

WHERE = "serve.json"
UPLOADS = "pages-"  # begins the folders in temp/ in which a running app keeps uploads
ANY = frozenset({"0.0.0.0", "::"})
TELLING_SECONDS = 5.0  # within which a first start has written where it will listen


@dataclass(frozen=True)
class Other:
    """The app that is running on this home: its address and process; "" and 0 if it did not say."""

    address: str
    pid: int

    def say(self, as_json: bool) -> None:
        """On standard output: where it listens."""
        told = f"The studio is already open on this home, at {self.address} (process {self.pid})."
        if not self.address:
            told = "The studio is already being opened on this home."
        sys.stdout.write((json.dumps(asdict(self)) if as_json else told) + "\n")
        sys.stdout.flush()

    def open(self) -> None:
        """Its page, in the browser."""
        if self.address:
            webbrowser.open(self.address)


class OnlyOne:
    """The lock of one home."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._held = -1

    def take(self) -> Other | None:
        """Take the lock; None if it is ours now, else who has it. Raises ResourceError."""
        try:
            self.settings.folder("temp")
            held = lock.take(self.settings.home)
        except OSError as fault:
            raise ResourceError(
                f"The home folder cannot be written to: {fault.strerror}.",
                hint="Choose a folder that you may write to with --home or FMSTUDIO_HOME.",
            ) from fault
        if held is None:
            return self._other()
        self._held = held
        self._clear()
        return None

    def tell(self, host: str, port: int, https: bool, names: Iterable[str]) -> str:
        """Write down where the app listens; the address to open."""
        address = address_of(host, port, https, names)
        where = self.settings.home / WHERE
        write_whole(where, json.dumps(asdict(Other(address, os.getpid()))))
        return address

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with contextlib.suppress(OSError):
            (self.settings.home / WHERE).unlink(missing_ok=True)
        os.close(self._held)  # gives the lock back; its file stays, or two could hold "the" lock

    def _clear(self) -> None:
        """Remove what an app that was killed has left: its address, and the uploads to it."""
        with contextlib.suppress(OSError):
            (self.settings.home / WHERE).unlink(missing_ok=True)
        for left in (self.settings.home / "temp").glob(f"{UPLOADS}*"):
            shutil.rmtree(left, ignore_errors=True)

    def _other(self) -> Other:
        """What the holder wrote down; it may be just about to."""
        until = time.monotonic() + TELLING_SECONDS
        while time.monotonic() < until:
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                told = json.loads((self.settings.home / WHERE).read_text(encoding="utf-8"))
                return Other(str(told["address"]), int(told["pid"]))
            time.sleep(0.1)
        return Other("", 0)


def address_of(host: str, port: int, https: bool = False, names: Iterable[str] = ()) -> str:
    """The address to open in a browser for one that is listened on."""
    name = next(iter(names), "127.0.0.1" if host in ANY else host)
    if https:  # the proxy listens on the usual port of https
        return f"https://{name}/"
    return f"http://{f'[{name}]' if ':' in name else name}:{port}/"
