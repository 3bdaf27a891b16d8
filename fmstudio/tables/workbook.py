"""An Excel workbook -> the records of its first visible sheet that holds anything.

Read by its own parts (ECMA-376, in its transitional and its strict form), not by a library: those
that are there believe the `dimension` of a sheet and drop rows and columns beyond it, skip rows out
of order, and know nothing of what is hidden.
"""

from __future__ import annotations

import io
import lzma
import posixpath
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO
from xml.etree import ElementTree
from xml.parsers import expat

from fmstudio.errors import InputError
from fmstudio.office import unescape
from fmstudio.tables.sheet import Sheet, SheetReader, place_of
from fmstudio.tables.styles import local, read_styles

LARGEST_UNPACKED = 2**30  # bytes; a small zip can hold petabytes of zeros
LARGEST_PART = 2**26  # bytes of a part that describes others
_SHEETS = ("worksheet",)

Record = tuple[int, list[str]]


@dataclass(frozen=True)
class Records:
    """Rows with some text, each with its number in the sheet, from the first column on."""

    rows: list[Record]
    remarks: tuple[str, ...] = ()
    uncalculated: str = ""


def read_workbook(name: str, data: bytes) -> Records:
    """The records of the sheet that counts, and remarks on what was hidden, merged or left out.

    `uncalculated` is the first cell with a formula whose value is not stored, "" if there is none.
    Raises InputError for what is no workbook, is damaged, or holds nothing that can be seen.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return _Book(name, archive).records()
    except (
        zipfile.BadZipFile,
        zipfile.LargeZipFile,
        zlib.error,
        lzma.LZMAError,
        expat.ExpatError,
        ElementTree.ParseError,
        LookupError,
        ValueError,
        ArithmeticError,
        StopIteration,
        NotImplementedError,
        RuntimeError,
        EOFError,
        OSError,
    ) as fault:
        raise InputError(
            f"{name} cannot be opened as the Excel workbook that its ending says.",
            hint="Save it again, or save it as CSV UTF-8.",
        ) from fault


@dataclass(frozen=True)
class _Entry:
    title: str
    part: str
    visible: bool


class _Book:
    def __init__(self, name: str, archive: zipfile.ZipFile) -> None:
        self._name, self._archive = name, archive
        size = sum(entry.file_size for entry in archive.infolist())
        if size > LARGEST_UNPACKED:
            raise InputError(
                f"{name} unpacks to {size >> 20} MB; the limit is {LARGEST_UNPACKED >> 20} MB.",
                hint="Save the table as CSV UTF-8.",
            )
        self._names = {entry.filename.lower(): entry.filename for entry in archive.infolist()}
        main = next(part for kind, part in self._related("").values() if kind == "officeDocument")
        self._parts = self._related(main)
        root = self._xml(main)
        self._since_1904 = any(
            local(e.tag) == "workbookPr" and e.get("date1904") in ("1", "true") for e in root
        )
        self._entries = list(self._sheets(root))

    def _sheets(self, root: ElementTree.Element) -> Iterator[_Entry]:
        for group in root:
            if local(group.tag) != "sheets":
                continue
            for one in group:
                link = next((v for k, v in one.attrib.items() if local(k) == "id" and "}" in k), "")
                kind, part = self._parts.get(link, ("", ""))
                if kind in _SHEETS:
                    visible = one.get("state", "visible") == "visible"
                    yield _Entry(one.get("name", ""), part, visible)

    def _related(self, part: str) -> dict[str, tuple[str, str]]:
        """By id, (kind, name) of the parts that a part refers to."""
        folder, file = posixpath.split(part)
        links = posixpath.join(folder, "_rels", f"{file}.rels")
        found = {}
        for one in self._xml(links):
            target = one.get("Target", "")
            whole = target if target.startswith("/") else posixpath.join("/", folder, target)
            if one.get("TargetMode") != "External":
                kind = one.get("Type", "").rpartition("/")[2]
                found[one.get("Id", "")] = (kind, posixpath.normpath(whole).lstrip("/"))
        return found

    def _open(self, part: str) -> IO[bytes]:
        return self._archive.open(self._names[part.lower()])

    def _xml(self, part: str) -> ElementTree.Element:
        with self._open(part) as stream:
            content = stream.read(LARGEST_PART + 1)
        if len(content) > LARGEST_PART or b"<!DOCTYPE" in content:
            raise KeyError(part)
        return ElementTree.fromstring(content)

    def _of_kind(self, kind: str) -> str | None:
        return next((part for each, part in self._parts.values() if each == kind), None)

    def records(self) -> Records:
        shared = self._shared()
        styles_part = self._of_kind("styles")
        styles = read_styles(self._xml(styles_part) if styles_part else None, self._since_1904)
        chosen: tuple[_Entry, Sheet] | None = None
        others: list[str] = []
        hidden: list[str] = []
        for entry in self._entries:
            whole = entry.visible and chosen is None
            with self._open(entry.part) as stream:
                sheet = SheetReader(self._name, shared, styles).read(stream, None if whole else 2)
            if not sheet.cells and not sheet.uncalculated:
                continue
            if whole:
                chosen = entry, sheet
            else:
                (others if entry.visible else hidden).append(entry.title)
        if chosen is None:
            more = " All its filled sheets are hidden." if hidden else ""
            raise InputError(
                f"{self._name} holds no table.{more}", hint="Put the table on the first sheet."
            )
        remarks = [f"Only the sheet '{chosen[0].title}' was read."] if others else []
        if hidden:
            remarks.append(f"Hidden sheets were not read: {', '.join(hidden)}.")
        if self._of_kind("vbaProject") or "xl/vbaproject.bin" in self._names:
            remarks.append("The workbook's macros were not run.")
        return _records(chosen[1], remarks)

    def _shared(self) -> list[str]:
        part = self._of_kind("sharedStrings")
        if part is None:
            return []
        with self._open(part) as stream:
            return [unescape(text) for text in _strings(stream)]


def _strings(stream: IO[bytes]) -> Iterator[str]:
    """The shared strings, rich text as plain, without the readings beside Japanese."""
    phonetic = 0
    text: list[str] = []
    root: ElementTree.Element | None = None
    for event, one in ElementTree.iterparse(stream, ("start", "end")):
        kind = local(one.tag)
        if root is None:
            root = one
        if kind == "rPh":
            phonetic += 1 if event == "start" else -1
        elif event == "end" and kind == "t" and not phonetic:
            text.append(one.text or "")
        elif event == "end" and kind == "si":
            yield "".join(text)
            text = []
            root.clear()


def _records(sheet: Sheet, remarks: list[str]) -> Records:
    """The grid as rows; merged cells count for each of their rows."""
    remarks += _fill_merged(sheet)
    rows: list[Record] = []
    for number in sorted(sheet.cells):
        row = sheet.cells[number]
        cells = [""] * max(row)
        for column, text in row.items():
            cells[column - 1] = text
        rows.append((number, cells))
    hidden_rows = len(sheet.hidden_rows & sheet.cells.keys())
    if hidden_rows:
        remarks.append(f"Rows that are hidden in the sheet were read too: {hidden_rows}.")
    seen = {column for row in sheet.cells.values() for column in row}
    hidden = [place_of(1, column)[:-1] for column in sorted(sheet.hidden_columns & seen)]
    if hidden:
        remarks.append(f"Columns that are hidden in the sheet were read too: {_some(hidden)}.")
    if sheet.errors:
        counts = ", ".join(f"{word} ({count})" for word, count in sheet.errors.items())
        remarks.append(f"Cells that hold an error count as missing: {counts}.")
    return Records(rows, tuple(remarks), sheet.uncalculated)


def _fill_merged(sheet: Sheet) -> list[str]:
    filled, wide = [], []
    for top, left, bottom, right in sheet.merged:
        text = sheet.cells.get(top, {}).get(left)
        if text is None or (top, left) == (bottom, right):
            continue
        place = f"{place_of(top, left)}:{place_of(bottom, right)}"
        if right > left:
            wide.append(place)
        if bottom > top:
            filled.append(place)
        for number in _numbers(sheet, top, bottom):
            sheet.cells[number].setdefault(left, text)
    remarks = []
    if filled:
        remarks.append(f"Merged cells count for each of their rows: {_some(filled)}.")
    if wide:
        remarks.append(f"Cells merged across columns count for the first one: {_some(wide)}.")
    return remarks


def _numbers(sheet: Sheet, top: int, bottom: int) -> Sequence[int]:
    if bottom - top < len(sheet.cells):
        return [number for number in range(top, bottom + 1) if number in sheet.cells]
    return [number for number in sheet.cells if top <= number <= bottom]


def _some(words: Sequence[str]) -> str:
    more = f" and {len(words) - 3} more" if len(words) > 3 else ""
    return ", ".join(words[:3]) + more
