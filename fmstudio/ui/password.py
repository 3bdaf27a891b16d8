"""The password of the web app: where it comes from, how it is held, and how often it may be tried.

Only a salted scrypt hash (RFC 7914) is kept, in memory alone. Wrong tries make the next one wait,
longer each time, for the address they come from and for all addresses together; a try that comes
too early is not looked at, so that guessing in parallel gains nothing.
"""

from __future__ import annotations

import getpass
import hashlib
import hmac
import ipaddress
import logging
import os
import secrets
import sys
import threading
import time
import unicodedata
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

from fmstudio.errors import InputError

log = logging.getLogger(__name__)

VARIABLE = "FMSTUDIO_PASSWORD"
LONGEST = 1_024  # characters
SHORT = 12  # characters below which a password may be found by trying
FREE_TRIES = 5  # of one address before it has to wait
FREE_TRIES_OF_ALL = 50
LONGEST_WAIT = 900.0  # seconds, for one address
LONGEST_WAIT_OF_ALL = 30.0  # so that strangers cannot lock the owner out for long
FORGOTTEN_SECONDS = 3_600.0
MOST_ADDRESSES = 10_000
COST = {"n": 2**14, "r": 8, "p": 1, "maxmem": 64 * 2**20}


class Password:
    """A password that can be checked, but not read."""

    def __init__(self, words: str) -> None:
        """Raises InputError for an empty or an overlong password."""
        if not words.strip() or len(words) > LONGEST:
            raise InputError(
                f"The password is {'too long' if words.strip() else 'empty'}.",
                hint=f"Give 1 to {LONGEST} characters; a sentence of several words is best.",
            )
        if len(words) < SHORT:
            log.warning("The password has less than %d characters; a sentence is safer.", SHORT)
        self._salt = secrets.token_bytes(16)
        self._hash = self._hashed(words)

    def matches(self, words: str) -> bool:
        """Whether this is the password; takes equally long for any answer."""
        return hmac.compare_digest(self._hashed(words[:LONGEST]), self._hash)

    def _hashed(self, words: str) -> bytes:
        plain = unicodedata.normalize("NFC", words).encode("utf-8", "surrogatepass")
        return hashlib.scrypt(plain, salt=self._salt, **COST)  # type: ignore[arg-type]


def given_password(file: str | os.PathLike[str] | None) -> Password | None:
    """The password of a file's first line, else of FMSTUDIO_PASSWORD; None where neither is given.

    The variable is taken out of the environment, so that no process started later has it.
    Raises InputError if the file cannot be read or is empty.
    """
    words = os.environ.pop(VARIABLE, None)
    if file is None:
        return None if words is None else Password(words)
    path = Path(file)
    try:
        with path.open(encoding="utf-8") as opened:
            words = opened.readline(4 * LONGEST)
        if os.name == "posix" and path.stat().st_mode & 0o077:
            log.warning("Others on this computer may read the password file %s.", path.name)
    except (OSError, UnicodeDecodeError) as fault:
        reason = getattr(fault, "strerror", None) or "it is no text"
        raise InputError(
            f"The password file {path.name} cannot be read: {reason}.",
            hint="Give a text file whose first line is the password.",
        ) from fault
    return Password(words.rstrip("\r\n"))


def asked_password() -> Password | None:
    """A password typed twice on the terminal; None where there is none. Raises InputError."""
    if not sys.stdin.isatty():
        return None
    words = getpass.getpass("Password for the studio's pages: ")
    if getpass.getpass("The same again: ") != words:
        raise InputError("The two passwords differ.", hint="Start again and type the same twice.")
    return Password(words)


@dataclass
class _Tries:
    count: int = 0
    last: float = 0.0


class Tries:
    """Wrong passwords so far. Times are seconds on the monotonic clock."""

    def __init__(self) -> None:
        self._by_address: OrderedDict[str, _Tries] = OrderedDict()
        self._all = _Tries()
        self._lock = threading.Lock()

    def begin(self, address: str) -> float:
        """Count a try as wrong until `right` is called; the seconds to wait if it is too early."""
        now = time.monotonic()
        with self._lock:
            own = self._by_address.setdefault(network(address), _Tries())
            self._by_address.move_to_end(network(address))
            while len(self._by_address) > MOST_ADDRESSES:
                self._by_address.popitem(last=False)
            wait = max(
                _wait(own, now, FREE_TRIES, LONGEST_WAIT),
                _wait(self._all, now, FREE_TRIES_OF_ALL, LONGEST_WAIT_OF_ALL),
            )
            if wait <= 0:
                for tries in (own, self._all):
                    tries.count += 1
                    tries.last = now
            return max(0.0, wait)

    def right(self, address: str) -> None:
        """The try that was begun last was right: the address starts anew."""
        with self._lock:
            self._by_address.pop(network(address), None)
            self._all.count = max(0, self._all.count - 1)


def _wait(tries: _Tries, now: float, free: int, longest: float) -> float:
    """Seconds until the next try: 1, 2, 4 … after each wrong one beyond those that are free."""
    if now - tries.last > FORGOTTEN_SECONDS:
        tries.count = 0
    if tries.count < free:
        return 0.0
    return tries.last + min(2.0 ** min(tries.count - free, 20), longest) - now


def network(address: str) -> str:
    """What counts as one address: for IPv6 the network that one household is given (/64)."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(known, ipaddress.IPv6Address):
        if known.ipv4_mapped is not None:
            return str(known.ipv4_mapped)
        return str(ipaddress.ip_network(f"{known}/64", strict=False))
    return str(known)
