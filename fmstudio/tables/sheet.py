"""A sheet's XML -> the text of its cells.

The cells are trusted and nothing that is said about them: not the `dimension`, not their order, and
a cell or row without a place comes after the one before it (ECMA-376, 18.3.1.4 and 18.3.1.73).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import IO, Any
from xml.parsers import expat

from fmstudio.errors import InputError
from fmstudio.office import unescape
from fmstudio.tables.styles import Styles

LONGEST_CELL = 2**24  # characters; Excel itself holds 32 767
MOST_COLUMNS = 16_384
_PLACE = re.compile(r"\$?([A-Za-z]{1,3})\$?(\d{1,7})")
_BLOCK = 1 << 16

Grid = dict[int, dict[int, str]]


@dataclass
class Sheet:
    """Cells by row and column, both from 1, and what a person may not have seen of them."""

    cells: Grid = field(default_factory=dict)
    hidden_rows: set[int] = field(default_factory=set)
    hidden_columns: set[int] = field(default_factory=set)
    merged: list[tuple[int, int, int, int]] = field(default_factory=list)
    errors: dict[str, int] = field(default_factory=dict)
    uncalculated: str = ""


class SheetReader:
    """Reads one sheet from a stream; stops after `rows` rows with text where that is asked.

    A sheet may have millions of cells, so that what is done for each is little.
    """

    def __init__(self, name: str, shared: Sequence[str], styles: Styles) -> None:
        self.sheet = Sheet()
        self._name, self._shared, self._styles = name, shared, styles
        self._row = self._column = 0
        self._kind, self._style, self._at = "", 0, 1
        self._inside = False  # a cell
        self._parts: dict[str, str] = {}  # of the cell: its value, formula and own text
        self._text: list[str] | None = None
        self._length = 0
        self._phonetic = False
        self._columns: dict[str, int] = {}
        self._locals: dict[str, str] = {}

    def read(self, stream: IO[bytes], rows: int | None = None) -> Sheet:
        """Raises InputError for a cell that is too long or of no possible place or kind, and
        ExpatError for what is no XML."""
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.StartDoctypeDeclHandler = self._refuse_doctype
        while block := stream.read(_BLOCK):
            parser.Parse(block, False)
            if rows is not None and len(self.sheet.cells) >= rows:
                return self.sheet
        parser.Parse(b"", True)
        return self.sheet

    def _refuse_doctype(self, *_: Any) -> None:
        raise self._broken("its sheet declares a document type")

    def _broken(self, why: str) -> InputError:
        return InputError(
            f"{self._name} is damaged: {why}.", hint="Save it again, or save it as CSV UTF-8."
        )

    def _local(self, tag: str) -> str:
        """An element's name without the prefix of its namespace."""
        kind = self._locals.get(tag)
        if kind is None:
            kind = self._locals[tag] = tag.rpartition(":")[2]
        return kind

    def _start(self, tag: str, given: dict[str, str]) -> None:
        kind = self._local(tag)
        if kind == "c":
            self._open_cell(given)
        elif kind in ("v", "t", "f"):
            if self._inside and not self._phonetic:
                self._text, self._length = [], 0
        elif kind == "row":
            self._row = _number(given.get("r")) or self._row + 1
            self._column = 0
            if given.get("hidden") in ("1", "true"):
                self.sheet.hidden_rows.add(self._row)
        elif kind == "rPh":
            self._phonetic = True
        elif kind == "col":
            self._hide(given)
        elif kind == "mergeCell":
            self._merge(given.get("ref", ""))

    def _open_cell(self, given: dict[str, str]) -> None:
        place = given.get("r")
        if place is None:
            self._at, self._column = self._row or 1, self._column + 1
        else:
            letters = place.rstrip("0123456789")
            column = self._columns.get(letters)
            number = place[len(letters) :]
            if column is None or not 0 < len(number) < 8:
                found = _PLACE.fullmatch(place)
                if found is None:
                    raise self._broken(f"a cell stands at '{place[:20]}'")
                column, number = column_number(found[1]), found[2]
                self._columns[letters] = column
            self._column, self._at = column, int(number)
        if self._column > MOST_COLUMNS:
            raise self._broken("a row is wider than a sheet can be")
        self._kind = given.get("t", "n")
        self._style = _number(given.get("s")) or 0
        self._inside = True
        self._parts.clear()

    def _hide(self, given: dict[str, str]) -> None:
        if given.get("hidden") in ("1", "true"):
            first, last = _number(given.get("min")) or 1, _number(given.get("max")) or 1
            self.sheet.hidden_columns.update(range(first, min(last, MOST_COLUMNS) + 1))

    def _merge(self, place: str) -> None:
        first, _, last = place.partition(":")
        corners = [_PLACE.fullmatch(first), _PLACE.fullmatch(last or first)]
        if corners[0] and corners[1]:
            top, left = int(corners[0][2]), column_number(corners[0][1])
            self.sheet.merged.append((top, left, int(corners[1][2]), column_number(corners[1][1])))

    def _characters(self, text: str) -> None:
        if self._text is not None:
            self._text.append(text)
            self._length += len(text)
            if self._length > LONGEST_CELL:
                raise InputError(
                    f"{self._name}: cell {place_of(self._at, self._column)} holds "
                    f"more than {LONGEST_CELL} characters.",
                    hint="Keep long texts in files of their own and name them in the table.",
                )

    def _end(self, tag: str) -> None:
        kind = self._local(tag)
        if self._text is not None and kind in ("v", "t", "f"):
            self._parts[kind] = self._parts.get(kind, "") + "".join(self._text)
            self._text = None
        elif kind == "c":
            self._close_cell()
            self._inside = False
        elif kind == "rPh":
            self._phonetic = False

    def _close_cell(self) -> None:
        if "f" in self._parts and not self._parts.get("v") and self._kind != "str":
            place = place_of(self._at, self._column)
            self.sheet.uncalculated = self.sheet.uncalculated or place
        try:
            text = self._shown(self._parts.get("v", ""))
        except (ValueError, IndexError, KeyError, OverflowError):
            place = place_of(self._at, self._column)
            raise self._broken(f"the cell {place} holds no value of its kind") from None
        if not text:
            return
        row = self.sheet.cells.get(self._at)
        if row is None:
            row = self.sheet.cells[self._at] = {}
        if row.setdefault(self._column, text) != text:
            place = place_of(self._at, self._column)
            raise self._broken(f"the cell {place} is there twice, with different values")

    def _shown(self, stored: str) -> str:
        """The text of a cell by its type; ValueError or its like for no value of that type."""
        kind = self._kind
        if kind == "n":
            return self._styles.shown(stored, self._style) if stored.strip() else ""
        if kind == "s":
            return self._shared[int(stored)] if stored else ""
        if kind == "inlineStr":
            return unescape(self._parts.get("t", ""))
        if kind == "b":
            return {"1": "True", "true": "True", "0": "False", "false": "False", "": ""}[stored]
        if kind == "e" and stored:
            self.sheet.errors[stored] = self.sheet.errors.get(stored, 0) + 1
        if kind == "d":
            return stored.replace("T", " ").removesuffix("Z").removesuffix(" 00:00:00")
        return unescape(stored)


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() and len(text) < 10 else None


def column_number(letters: str) -> int:
    """A is 1, AA is 27."""
    number = 0
    for letter in letters.upper():
        number = number * 26 + ord(letter) - 64
    return number


def place_of(row: int, column: int) -> str:
    """B2 for row 2 and column 2."""
    letters = ""
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return f"{letters}{row}"
