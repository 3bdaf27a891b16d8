"""The bytes of a CSV or TSV file -> records, every cell as the text that was typed."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from fmstudio.errors import InputError

DELIMITERS = (",", ";", "\t", "|")
LONGEST_CELL = 2**24  # characters; a note, not a recording
PROBED_ROWS = 200
SAVE_AS_UTF8 = 'Save it as UTF-8; in Excel choose "CSV UTF-8 (comma delimited)".'

_SEPARATOR_LINE = re.compile(r"sep=(.)\r?\n", re.IGNORECASE)  # Excel's own line for itself
_FOREIGN_RUN = re.compile(rb"[\x80-\xff]{3,}")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


@dataclass(frozen=True)
class Text:
    """The records of a text, each with the line it starts on."""

    records: Iterator[tuple[int, list[str]]]
    remarks: tuple[str, ...] = ()


def read_delimited(name: str, data: bytes, tabs_first: bool = False) -> Text:
    """The records of comma-, semicolon-, tab- or bar-separated text.

    Raises InputError naming the line of a quotation mark that is not closed or of content that is
    no text.
    """
    text, remarks = _decode(name, data)
    csv.field_size_limit(LONGEST_CELL)
    said = _SEPARATOR_LINE.match(text)
    candidates = ("\t", ",", ";", "|") if tabs_first else DELIMITERS
    lines = io.StringIO(text, newline="")
    delimiter = said[1] if said else find_delimiter(lines, candidates)
    if delimiter not in (",", "\t"):
        remarks.append(f"Columns are separated by '{delimiter}'.")
    return Text(_records(name, text, delimiter, 1 if said else 0), tuple(remarks))


def _records(name: str, text: str, delimiter: str, skipped: int) -> Iterator[tuple[int, list[str]]]:
    """Each record with the line it starts on; lines without any character are skipped, and so are
    the first `skipped`."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    while True:
        start = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as fault:
            raise InputError(
                f"{name}, line {start}: the row cannot be read ({fault}).",
                hint="Check the quotation marks from this line on: one that opens must close, and "
                "one inside a text is written twice.",
            ) from None
        if cells and start > skipped:
            yield start, cells


def find_delimiter(lines: Iterable[str], candidates: Sequence[str] = DELIMITERS) -> str:
    """The separator that cuts most of the first rows into equally many cells, two at least."""
    start = list(islice(lines, PROBED_ROWS))
    best, best_score = candidates[0], (0.0, 0)
    for delimiter in candidates:
        try:
            widths = [len(cells) for cells in csv.reader(start, delimiter=delimiter) if cells]
        except csv.Error:
            continue
        wide = Counter(width for width in widths if width > 1).most_common(1)
        score = (wide[0][1] / len(widths), wide[0][0]) if wide else (0.0, 0)
        if score > best_score:
            best, best_score = delimiter, score
    return best


def _decode(name: str, data: bytes) -> tuple[str, list[str]]:
    """The text and how it was decoded. Raises InputError where the encoding cannot be told."""
    for mark, encoding in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF32_LE, "utf-32"),
        (codecs.BOM_UTF32_BE, "utf-32"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if data.startswith(mark):
            return _strict(name, data, encoding)
    even, odd = data[0:4096:2].count(0), data[1:4096:2].count(0)
    pairs = max(1, min(len(data), 4096) // 2)
    if odd > 0.4 * pairs and even < 0.02 * pairs:
        return _strict(name, data, "utf-16-le")
    if even > 0.4 * pairs and odd < 0.02 * pairs:
        return _strict(name, data, "utf-16-be")
    try:
        return _text(name, data.decode("utf-8")), []
    except UnicodeDecodeError as fault:
        return _western(name, data, fault.start)


def _strict(name: str, data: bytes, encoding: str) -> tuple[str, list[str]]:
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        shown = encoding.removesuffix("-sig").upper()
        raise InputError(
            f"{name} begins as {shown} but does not go on as such.", hint=SAVE_AS_UTF8
        ) from None
    remark = [] if encoding == "utf-8-sig" else [f"{name} was read as {encoding.upper()}."]
    return _text(name, text), remark


def _western(name: str, data: bytes, at: int) -> tuple[str, list[str]]:
    """Windows-1252, where the bytes look it: single accented letters among plain ones.

    Other alphabets in one-byte encodings fill whole words with such bytes, and could be any.
    """
    foreign = sum(byte > 0x7F for byte in data)
    in_runs = sum(len(run) for run in _FOREIGN_RUN.findall(data))
    try:
        text = data.decode("cp1252")
    except UnicodeDecodeError:
        text = ""
    if not text or in_runs > 0.05 * foreign or foreign > 0.2 * len(data):
        if _CONTROL.search(data[:4096].decode("latin-1")):
            raise _no_text(name)
        line = data[:at].count(b"\n") + 1
        raise InputError(
            f"{name} is not UTF-8 (line {line}), and its encoding is not certain.",
            hint=SAVE_AS_UTF8,
        )
    return _text(name, text), [f"{name} is not UTF-8: it was read as Windows-1252."]


def _text(name: str, text: str) -> str:
    found = _CONTROL.search(text)
    if found:
        raise _no_text(name, text.count("\n", 0, found.start()) + 1)
    return text


def _no_text(name: str, line: int = 1) -> InputError:
    return InputError(
        f"{name} is not a text table: line {line} holds bytes that no text has.",
        hint="Save the table again as CSV UTF-8, XLSX or Parquet.",
    )
