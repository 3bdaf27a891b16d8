"""A document with words -> its text: .txt and .md in any usual encoding, PDF, DOCX, RTF.

Formats are told by content. Scanned pages hold pictures and no text, and are refused as such.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from fmstudio.errors import UnreadableFile
from pipelines.encoding import detect_encoding
from pipelines.filetypes import check_zip_size, identify, refuse_wrong_ending, require_file

MAX_BYTES = 64_000_000
MAX_TEXT_BYTES = 16_000_000
MAX_PAGES = 1_000
MAX_CHARACTERS = 1_000_000
# Old Word documents are refused by name, which says more than that nobody knows them.
READ_KEYS = frozenset(("", "pdf", "docx", "rtf", "ole"))
_TEXT_ENDINGS = (".txt", ".md", ".text", "")


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
    readers = {"pdf": _read_pdf, "docx": _read_docx, "rtf": _read_rtf, "": _read_text}
    if key == "ole":
        raise UnreadableFile(
            f"{path.name} is an old Word document (.doc) or is protected by a password.",
            hint="Save it as .docx or .txt without a password.",
        )
    if key not in readers:
        raise refuse_wrong_ending(path, really)
    promised = path.suffix.lower()
    if not key and promised in (".pdf", ".docx", ".rtf"):
        raise refuse_wrong_ending(path, f"not {promised[1:].upper()} by its first bytes")
    text, remarks = readers[key](path)
    if key and promised != f".{key}":
        remarks.append(f"{path.name} is {really}, not what its ending says; read as such.")
    return text, remarks


def _read_text(path: Path) -> tuple[str, list[str]]:
    if path.stat().st_size > MAX_TEXT_BYTES:
        raise UnreadableFile(
            f"{path.name} is too long for a note ({path.stat().st_size / 1e6:.0f} MB).",
            hint="Give the part that matters.",
        )
    encoding, remark = detect_encoding(path)
    text = path.read_bytes().decode(encoding, errors="replace")
    foreign = sum(ord(letter) > 127 for letter in text)
    if encoding == "cp1252" and foreign > 0.3 * len(text):
        # Western text has few letters beyond ASCII: this is another code page, read as noise.
        raise UnreadableFile(
            f"{path.name} is in an encoding that cannot be told from its bytes.",
            hint="Save it as UTF-8.",
        )
    return text, [remark] if remark else []


def _read_pdf(path: Path) -> tuple[str, list[str]]:
    import pypdf  # only where a PDF is met

    remarks: list[str] = []
    pages: list[str] = []
    try:
        reader = pypdf.PdfReader(path)
        if reader.is_encrypted and not reader.decrypt(""):
            raise _locked(path)
        count = len(reader.pages)
        length = 0
        for page in reader.pages[:MAX_PAGES]:
            pages.append(page.extract_text().strip())
            length += len(pages[-1])
            if length > MAX_CHARACTERS:
                break
    except UnreadableFile:
        raise
    except pypdf.errors.DependencyError as fault:  # a cipher that needs another package
        raise _locked(path) from fault
    except Exception as fault:  # pypdf raises whatever a broken object leads to
        raise UnreadableFile(
            f"{path.name} is damaged: its pages cannot be read.",
            hint="Print it to PDF again, or give its text.",
        ) from fault
    empty = [str(number) for number, page in enumerate(pages, 1) if not page]
    if len(empty) == len(pages):
        raise UnreadableFile(
            f"{path.name} has no text layer: its {count} page{'s hold' if count != 1 else ' holds'}"
            " only pictures.",
            hint="Run text recognition (OCR) on it first, or give its text.",
        )
    if empty:
        listed = ", ".join(empty[:10]) + (" …" if len(empty) > 10 else "")
        remarks.append(f"{path.name}: no text layer on page {listed}.")
    if len(pages) < count:
        remarks.append(f"{path.name}: only {len(pages)} of {count} pages were read.")
    return "\n\n".join(page for page in pages if page), remarks


def _locked(path: Path) -> UnreadableFile:
    return UnreadableFile(
        f"{path.name} is protected by a password.", hint="Save it without one and give that."
    )


def _read_docx(path: Path) -> tuple[str, list[str]]:
    check_zip_size(path)
    import docx  # only where a Word document is met

    try:
        document = docx.Document(str(path))
        lines = list(_docx_lines(document))
    except Exception as fault:  # python-docx raises whatever the archive or its XML leads to
        raise UnreadableFile(
            f"{path.name} is damaged: its text cannot be read.",
            hint="Open it in Word, save it again, or give its text.",
        ) from fault
    return "\n".join(lines), []


def _docx_lines(document: object) -> Iterator[str]:
    """Paragraphs and table rows in the order of the page."""
    from docx.table import Table

    for item in document.iter_inner_content():  # type: ignore[attr-defined]
        if not isinstance(item, Table):
            yield item.text
            continue
        for row in item.rows:
            # A merged cell comes once for each column that it spans.
            cells = list(dict.fromkeys((cell._tc, cell.text.strip()) for cell in row.cells))
            if any(text for _, text in cells):
                yield " | ".join(text for _, text in cells)


def _read_rtf(path: Path) -> tuple[str, list[str]]:
    if path.stat().st_size > MAX_TEXT_BYTES:
        raise UnreadableFile(
            f"{path.name} is too long for a note ({path.stat().st_size / 1e6:.0f} MB).",
            hint="Save it as .txt, without its pictures.",
        )
    from striprtf.striprtf import rtf_to_text  # only where RTF is met

    try:
        return rtf_to_text(path.read_bytes().decode("latin-1"), errors="replace"), []
    except Exception as fault:  # striprtf raises whatever a broken group leads to
        raise UnreadableFile(
            f"{path.name} is damaged: its text cannot be read.", hint="Save it again, or as .txt."
        ) from fault
