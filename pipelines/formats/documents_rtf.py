"""A Rich Text file -> its text: what was deleted or is hidden left out, and counted.

striprtf reads the text; what it would show though a reader does not see it is taken out before, and
what it leaves out by itself (headers, notes, pictures, comments) is counted. References are to the
RTF specification 1.9.1.
"""

from __future__ import annotations

import re
from pathlib import Path

from pipelines.formats.skipped import Skipped

_TOKEN = re.compile(
    rb"\\bin(?P<bytes>\d+) ?|\\'[0-9a-fA-F]{2}|\\(?P<word>[a-z]+)(?P<number>-?\d+)? ?|\\[^a-z]"
    rb"|(?P<brace>[{}])|[^\\{}]+",
    re.IGNORECASE | re.DOTALL,
)
# Destinations whose text striprtf leaves out though a reader sees it, and those nobody reads.
_COUNTED = {
    b"header": "page header",
    b"headerl": "page header",
    b"headerr": "page header",
    b"headerf": "page header",
    b"footer": "page footer",
    b"footerl": "page footer",
    b"footerr": "page footer",
    b"footerf": "page footer",
    b"footnote": "footnote",
    b"annotation": "comment",
    b"pict": "picture",
    b"object": "embedded object",
    b"shptxt": "text box",
}
_UNSEEN = {b"deleted": "tracked deletion", b"v": "hidden text"}


def read_rtf(path: Path) -> tuple[str, list[str]]:
    """The text of a file and remarks; raises whatever a broken group leads to."""
    from striprtf.striprtf import rtf_to_text  # only where RTF is met

    skipped = Skipped()
    content = _seen(path.read_bytes(), skipped)
    return rtf_to_text(content.decode("latin-1"), errors="replace"), skipped.remarks(path.name)


def _seen(content: bytes, skipped: Skipped) -> bytes:
    """The file without text that is deleted (\\deleted) or hidden (\\v), group by group."""
    kept, states, unseen = bytearray(), [], dict.fromkeys(_UNSEEN, False)
    counting: set[bytes] = set()
    place = 0
    while found := _TOKEN.match(content, place):
        place = found.end()
        if found["bytes"]:
            place += int(found["bytes"])  # raw bytes, which may look like anything
            continue
        word = found["word"]
        if found["brace"] == b"{":
            states.append((dict(unseen), set(counting)))
        elif found["brace"] == b"}" and states:
            unseen, counting = states.pop()
        elif word in _UNSEEN:
            unseen[word] = found["number"] != b"0"
        elif word == b"plain":
            unseen = dict.fromkeys(_UNSEEN, False)
        elif word in _COUNTED and word not in counting:
            counting.add(word)
            skipped.add(_COUNTED[word])
        is_text = not found["brace"] and (word is None or word in (b"u", b"tab", b"line"))
        if is_text and any(unseen.values()):
            if found[0].strip():
                _count(unseen, found[0], skipped, kept)
            continue
        kept += found[0]
    return bytes(kept)


def _count(unseen: dict[bytes, bool], text: bytes, skipped: Skipped, kept: bytearray) -> None:
    """Count a stretch of unseen text once, however many tokens it has."""
    kind = next(_UNSEEN[word] for word, on in unseen.items() if on)
    if not kept.endswith(b"{}"):
        skipped.add(kind)
        kept += b"{}"  # an empty group, which says nothing
