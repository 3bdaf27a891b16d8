"""A PDF -> its text layer, page by page, with what was filled into its form.

Pages without a text layer, remarks and attachments are counted. References are to ISO 32000-1.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fmstudio.errors import UnreadableFile
from pipelines.formats.skipped import Skipped

MAX_PAGES = 1_000
MAX_CHARACTERS = 1_000_000
_SHOWN = ("/Widget", "/FreeText", "/Link", "/Popup")  # 12.5.6: not remarks of a reader


def read_pdf(path: Path) -> tuple[str, list[str]]:
    """The text of a document, and remarks.

    Raises UnreadableFile for a scan, a locked or a damaged document.
    """
    import pypdf  # only where a PDF is met

    skipped, pages = Skipped(), list[str]()
    try:
        reader = pypdf.PdfReader(path)
        if reader.is_encrypted and not reader.decrypt(""):
            raise _locked(path)
        count = len(reader.pages)
        length = 0
        for page in reader.pages[:MAX_PAGES]:
            typed = page.extract_text().strip()
            pages.append("\n".join([*filter(None, [typed]), *_beside(page, typed, skipped)]))
            length += len(pages[-1])
            if length > MAX_CHARACTERS:
                break
        skipped.add("attachment", len(reader.attachments))
    except UnreadableFile:
        raise
    except pypdf.errors.DependencyError as fault:  # a cipher that needs another package
        raise _locked(path) from fault
    except Exception as fault:  # pypdf raises whatever a broken object leads to
        raise UnreadableFile(
            f"{path.name} is damaged: its pages cannot be read.",
            hint="Print it to PDF again, or give its text.",
        ) from fault
    return _joined(path, pages, count, skipped)


def _joined(path: Path, pages: list[str], count: int, skipped: Skipped) -> tuple[str, list[str]]:
    empty = [str(number) for number, page in enumerate(pages, 1) if not page]
    if len(empty) == len(pages):
        raise UnreadableFile(
            f"{path.name} has no text layer: its {count} page{'s hold' if count != 1 else ' holds'}"
            " only pictures.",
            hint="Run text recognition (OCR) on it first, or give its text.",
        )
    remarks = []
    if empty:
        listed = ", ".join(empty[:10]) + (f" … ({len(empty)} pages)" if len(empty) > 10 else "")
        remarks.append(f"{path.name}: no text layer on page {listed}.")
    if len(pages) < count:
        remarks.append(f"{path.name}: only {len(pages)} of {count} pages were read.")
    remarks += skipped.remarks(path.name)
    return "\n\n".join(page for page in pages if page), remarks


def _beside(page: Any, typed: str, skipped: Skipped) -> Iterator[str]:
    """What is filled into a page's form or typed upon it; remarks are counted."""
    for reference in page.get("/Annots") or ():
        note = reference.get_object()
        kind = note.get("/Subtype")
        if kind == "/Widget":
            yield from _filled_in(note, typed)
        elif kind == "/FreeText" and str(note.get("/Contents", "")).strip():
            yield str(note["/Contents"]).strip()
        elif kind not in _SHOWN and note.get("/Contents"):
            skipped.add("remark")


def _filled_in(note: Any, typed: str) -> Iterator[str]:
    """The value of a form field (12.7.3), under its name; buttons that are off have none."""
    field, name, value = note, [], None
    for _ in range(8):
        name += [str(field["/T"])] if "/T" in field else []
        value = field.get("/V") if value is None else value
        kind = field.get("/FT")
        if "/Parent" not in field:
            break
        field = field["/Parent"].get_object()
    if value is None:
        return
    values = value if isinstance(value, list) else [value]
    said = ", ".join(str(each).lstrip("/").strip() for each in values)
    is_off = note.get("/AS") == "/Off" or (kind == "/Btn" and said == "Off")
    if said and not is_off and not _is_there(said, typed):
        label = str(note.get("/TU") or ".".join(reversed(name)))
        yield f"{label}: {said}" if label else said


def _is_there(value: str, typed: str) -> bool:
    """True if the page itself shows the value, as pages of flattened forms do."""
    return len(value) > 3 and " ".join(value.split()) in " ".join(typed.split())


def _locked(path: Path) -> UnreadableFile:
    return UnreadableFile(
        f"{path.name} is protected by a password.", hint="Save it without one and give that."
    )
