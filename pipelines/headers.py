"""What the files of a case say beside their content, whatever their format; and a file without it.

`identifiers` are the names of fields that tell of the patient or the place, `direct` those of them
that give a name, a number or words that somebody typed. Values never leave this file.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from fmstudio.errors import UnreadableFile
from fmstudio.identity import kinds_in
from fmstudio.types import Source
from pipelines.formats.content import DICOM, identify
from pipelines.formats.dicom_headers import header_facts, without_identity
from pipelines.tags import tags_of

UNKNOWN = "tags that cannot be read"
HEAD_BYTES = 4096  # of a table: exports of devices begin with lines about the patient
_TABLES = (".csv", ".tsv", ".txt")


def about_files(sources: Sequence[Source]) -> dict[str, list[str]]:
    """See `contracts.Described`.

    Raises UnreadableFile, naming it, for a damaged DICOM file.
    """
    found: dict[str, list[str]] = defaultdict(list)
    for path in (source.path for source in sources if source.path is not None):
        said = header_facts(path) if identify(path) is DICOM else _tags(path)
        for what, words in said.items():
            found[what] += words
    return {what: list(dict.fromkeys(words)) for what, words in found.items()}


def _tags(path: Path) -> Mapping[str, list[str]]:
    try:
        tags = tags_of(path)
    except UnreadableFile:
        return {"identifiers": [UNKNOWN], "direct": []}
    if tags is None:
        return _head_of_table(path) if path.suffix.lower() in _TABLES else {}
    return {"identifiers": [*tags.told, *tags.other], "direct": tags.told}


def _head_of_table(path: Path) -> Mapping[str, list[str]]:
    with path.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
    wide = head[:2] in (b"\xff\xfe", b"\xfe\xff")
    told = kinds_in(head.decode("utf-16" if wide else "utf-8", errors="replace"))
    return {"identifiers": told, "direct": told}


def without_headers(source: Source) -> bytes | None:
    """The file of a source without what it says of the patient, or None if that is nothing.

    Raises UnreadableFile, naming the file.
    """
    path = source.path
    if path is None:
        return None
    if identify(path) is DICOM:
        return without_identity(path)
    tags = tags_of(path)
    if tags is None:
        return None
    content = tags.whole()
    return None if content == path.read_bytes() else content
