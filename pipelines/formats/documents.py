"""A document with words -> its text: text files in any usual encoding, PDF, Word, OpenDocument,
RTF, HTML, clinical documents (CDA) and other XML.

Formats are told by content. What a reader of the document would not see is left out, and counted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from fmstudio.errors import UnreadableFile
from pipelines.formats.encoding import detect_encoding
from pipelines.formats.filetypes import (
    begins_as_markup,
    check_zip_size,
    identify,
    refuse_wrong_ending,
    require_file,
)

MAX_BYTES = 64_000_000
MAX_TEXT_BYTES = 16_000_000
MAX_CHARACTERS = 1_000_000
# Old Word documents are refused by name, which says more than that nobody knows them.
READ_KEYS = frozenset(("", "pdf", "docx", "odt", "rtf", "ole"))
_ENDINGS: Mapping[str, tuple[str, ...]] = {
    "pdf": (".pdf",),
    "docx": (".docx", ".docm", ".dotx", ".dotm"),
    "odt": (".odt", ".ott"),
    "rtf": (".rtf",),
    "markup": (".html", ".htm", ".xhtml", ".xml", ".cda", ".fodt"),
}
_WAY_OUT = "Save its text as .docx, .pdf or .txt and give that."


def read_document(path: Path) -> tuple[str, list[str]]:
    """The text of a document, and remarks.

    Raises UnreadableFile for a scan, a locked or damaged document, and for anything else.
    """
    require_file(path)
    if path.stat().st_size > MAX_BYTES:
        raise UnreadableFile(
            f"{path.name} has {path.stat().st_size / 1e6:.0f} MB; a note has at most"
            f" {MAX_BYTES / 1e6:.0f} MB.",
            hint="Save its text as .txt and give that.",
        )
    key, really = identify(path)
    if key == "ole":
        raise UnreadableFile(
            f"{path.name} is an old Word document (.doc) or is protected by a password.",
            hint="Save it as .docx or .txt without a password.",
        )
    key = key or ("markup" if begins_as_markup(path) else "")
    promised = path.suffix.lower()
    if key and key not in _READERS:
        raise _not_read(path, really)
    if not key and any(promised in _ENDINGS[each] for each in ("pdf", "docx", "odt", "rtf")):
        raise refuse_wrong_ending(path, f"not {promised[1:].upper()} by its first bytes")
    try:
        text, remarks = _READERS[key](path)
    except UnreadableFile:
        raise
    except Exception as fault:  # whatever a broken archive, tree or group leads to
        raise UnreadableFile(
            f"{path.name} is damaged: its text cannot be read.",
            hint="Open it in the program that wrote it, save it again, or give its text.",
        ) from fault
    if key and promised not in _ENDINGS[key]:
        what = really or "HTML or XML"
        remarks.append(f"{path.name} is {what}, not what its ending says; read as such.")
    return text, remarks


def _not_read(path: Path, really: str) -> UnreadableFile:
    """The error for a file of a kind that holds no words that can be read here."""
    if any(path.suffix.lower() in endings for endings in (*_ENDINGS.values(), (".txt", ".md"))):
        return refuse_wrong_ending(path, really)
    return UnreadableFile(
        f"{path.name} is {really}; files that end in {path.suffix or 'nothing'} are not read as "
        "text.",
        hint=_WAY_OUT,
    )


def _read_text(path: Path) -> tuple[str, list[str]]:
    _check_length(path)
    encoding, remark = detect_encoding(path)
    text = path.read_bytes().decode(encoding, errors="replace")
    foreign = sum(ord(letter) > 127 for letter in text)
    if encoding == "cp1252" and foreign > 0.3 * len(text):
        # Western text has few letters beyond ASCII: this is another code page, read as noise.
        raise UnreadableFile(
            f"{path.name} is in an encoding that its bytes do not show.",
            hint="Save it as UTF-8.",
        )
    return text, [remark] if remark else []


def _check_length(path: Path) -> None:
    if path.stat().st_size > MAX_TEXT_BYTES:
        raise UnreadableFile(
            f"{path.name} is too long for a note ({path.stat().st_size / 1e6:.0f} MB).",
            hint="Save it as .txt without its pictures, or give the part that matters.",
        )


def _read_pdf(path: Path) -> tuple[str, list[str]]:
    from pipelines.formats.documents_pdf import read_pdf

    return read_pdf(path)


def _read_word(path: Path) -> tuple[str, list[str]]:
    from pipelines.formats.documents_word import read_word

    check_zip_size(path)
    return read_word(path)


def _read_open(path: Path) -> tuple[str, list[str]]:
    from pipelines.formats.documents_open import read_open

    check_zip_size(path)
    return read_open(path)


def _read_rtf(path: Path) -> tuple[str, list[str]]:
    from pipelines.formats.documents_rtf import read_rtf

    _check_length(path)
    return read_rtf(path)


def _read_markup(path: Path) -> tuple[str, list[str]]:
    from pipelines.formats.documents_markup import read_markup

    _check_length(path)
    return read_markup(path)


# Each is imported where it is met: few cohorts hold every kind of document.
_READERS: Mapping[str, Callable[[Path], tuple[str, list[str]]]] = {
    "": _read_text,
    "pdf": _read_pdf,
    "docx": _read_word,
    "odt": _read_open,
    "rtf": _read_rtf,
    "markup": _read_markup,
}
