"""A file without its tags, and which tags it had: what every format gives."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from fmstudio.identity import kinds_in

# Programs write these into every file that they make.
SOFTWARE = frozenset(
    (
        "isft",
        "encoder",
        "encoded_by",
        "tool",
        "software",
        "writing application",
        "muxing application",
        "handler name",
        "vendor",
        "producer",
        "creator tool",
        "make",
        "model",
        "major_brand",
        "padding",
        "colour profile",
        "processing software",
    )
)
_MADE_BY = re.compile(
    rb"\s*(?:CREATOR: gd-jpeg|LEAD Technologies|Lav[cf]\d|libvpx|File written by Adobe|Intel\(R\)|"
    rb"Created with|Made with|GStreamer|HandBrake|ImageMagick|https?://imagemagick|matplotlib|"
    rb"AppleMark|Optimized by|Compressed by|Google|openpyxl|python-docx|pypdf)",
    re.IGNORECASE,
)
DATES = ("date", "time", "year", "created", "modified")


@dataclass
class Cleared:
    """The names of the tags that held something, and the file's bytes without them.

    `told` are words, names and numbers that somebody gave; `other` say when, or are words in which
    no rule sees a person; what programs write of themselves goes too, unnamed. `rebuild` makes the
    bytes where that takes long.
    """

    content: bytes | bytearray = b""
    told: list[str] = field(default_factory=list)
    other: list[str] = field(default_factory=list)
    rebuild: Callable[[], bytes] | None = None

    def whole(self) -> bytes:
        """The file without its tags."""
        return b"".join([self.content]) if self.rebuild is None else self.rebuild()

    def note(self, name: str, value: bytes | bytearray) -> None:
        """Count a tag by its name, if its value is more than zeros and spaces."""
        if not value.strip(b"\0 \t\r\n") or _MADE_BY.match(value):
            return
        plain = name.lower()
        if plain in SOFTWARE:
            return
        kept = self.other if any(word in plain for word in DATES) else self.told
        if name not in kept:
            kept.append(name)

    def note_words(self, name: str, value: bytes | bytearray) -> None:
        """The same for words of a device or about a finding: told if a rule sees a person there."""
        if not value.strip(b"\0 \t\r\n"):
            return
        kept = self.told if kinds_in(value.decode("utf-8", "replace")) else self.other
        if name not in kept:
            kept.append(name)


def printable(code: bytes) -> str:
    """A four-letter code as people read it."""
    return "".join(chr(byte) if 32 < byte < 127 else "" for byte in code) or code.hex()
