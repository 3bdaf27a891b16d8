"""The glossary: a text in, the terms in it out, each with its explanation."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

_FILE = Path(__file__).resolve().parents[2] / "assets" / "glossary.md"
_ROW = re.compile(r"^\| ([^|]+) \| ([^|]*)\| ([^|]+) \|$", re.MULTILINE)


@cache
def entries() -> Mapping[str, str]:
    """Term, or another word for it, in lower case -> what it means."""
    found: dict[str, str] = {}
    for term, others, meaning in _ROW.findall(_FILE.read_text(encoding="utf-8"))[1:]:
        for word in (term, *others.split(",")):
            if word.strip():
                found[word.strip().casefold()] = meaning
    return found


@cache
def _terms() -> re.Pattern[str]:
    """Any term as whole words, the longest first."""
    words = sorted(entries(), key=len, reverse=True)
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, words))})(?!\w)", re.IGNORECASE)


def parts(words: str) -> Iterator[tuple[str, str | None]]:
    """`words` piece by piece: each with its meaning where it is a term, with None elsewhere."""
    end = 0
    for match in _terms().finditer(words):
        if match.start() > end:
            yield words[end : match.start()], None
        yield match[0], entries()[match[0].casefold()]
        end = match.end()
    if end < len(words):
        yield words[end:], None
