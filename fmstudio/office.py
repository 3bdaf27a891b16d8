"""Text as Office files spell it -> the text that a person typed."""

from __future__ import annotations

import re

_ESCAPE = re.compile("_x([0-9A-Fa-f]{4})_")
# C0 controls but tab and line feed: nobody can type one into a cell.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f]")


def unescape(text: str) -> str:
    """A string of an Office Open XML file with its `_xHHHH_` escapes read (ECMA-376, ST_Xstring).

    XML cannot hold every character, so these files write some as the number of a UTF-16 unit:
    `_x000D_` is a carriage return, and `_x005F_` the underscore of a text that only looks like an
    escape. Line ends become one line feed; other control characters are left out.
    """
    if "_x" in text:
        text = _ESCAPE.sub(lambda found: chr(int(found[1], 16)), text)
        # Two units of a character beyond the first 65 536 belong together.
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return _CONTROLS.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
