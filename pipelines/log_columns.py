"""The cells of a log's columns -> numbers, with what only the whole column can decide.

Bounds ("<10", "Low"), flags ("94*", "4.1 H"), pairs ("120/80") and decimal commas are read and
counted; words among numbers are masked and counted.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from fmstudio.errors import UnreadableFile
from pipelines.cells import MISSING, read_cell, split_unit
from pipelines.formats.tables import Column
from pipelines.quantities import find_quantity

# Names that promise numbers: a column of words under one of them is a mistake, not a comment.
_VITAL_SIGNS = frozenset(
    tuple(
        (
            "hr heart_rate heartrate pulse spo2 sao2 rr resp resp_rate resprate respiratory_rate "
            "map sbp dbp nibp abp sysabp diasabp temp temperature glucose cgm etco2 fio2 activity "
            "steps ecg ppg"
        ).split()
    )
)
_FLAGGED = re.compile(r"(.*?\d)\s*(\*{1,3}|!{1,3}|[↑↓]{1,2}|\(?(?:HH?|LL?)\)?|\[(?:HH?|LL?)\])")
_FLAG_BEFORE = re.compile(r"(\*{1,3}|HH?|LL?)\s+([-+.]?\d.*)")
_PAIR = re.compile(r"\s*(\d{1,3}(?:[.,]\d+)?)\s*/\s*(\d{1,3}(?:[.,]\d+)?)\s*(?:\(\s*\d+\s*\))?\s*")
_BOUND_WORDS = {"low": -np.inf, "lo": -np.inf, "high": np.inf, "hi": np.inf}
# Glucose sensors show words outside 40 to 400 mg/dl (Dexcom G6 User Guide, appendix on sensor
# results); others measure further, which their own numbers tell.
_SENSOR_LIMITS = {("glucose", "mg/dl"): (40.0, 400.0), ("glucose", "mmol/l"): (2.2, 22.2)}
_PRESSURE = frozenset(("bp", "nibp", "nbp", "ibp", "abp", "art", "rr", "pressure", "blutdruck"))


@dataclass
class Tally:
    """What was met on the way through a file, for its remarks."""

    rows: int = 0
    untimed: int = 0
    unsorted: bool = False
    words: dict[str, tuple[int, int, str]] = field(default_factory=dict)  # n, first row, example
    numbers: dict[str, int] = field(default_factory=dict)
    readings: dict[tuple[str, str], tuple[int, str]] = field(default_factory=dict)  # n, example
    decimals: dict[str, str] = field(default_factory=dict)

    def count(self, name: str, what: str, example: str) -> None:
        """One more cell of a column that was read in a way that is not plain."""
        number, first = self.readings.get((name, what), (0, example))
        self.readings[name, what] = (number + 1, first)


def read_numbers(
    column: Column, decimal: str, names: Sequence[str] | str, tally: Tally
) -> np.ndarray:
    """A column's cells as float64: NaN for missing and words, infinite for "Low" and "High".

    `names` is the column's name, or the channel of each cell; what is met is tallied by it.
    """
    if isinstance(column, np.ndarray):
        whole = (
            column.astype(np.float64) if column.dtype.kind != "M" else np.full(len(column), np.nan)
        )
        whole = np.where(np.isfinite(whole), whole, np.nan)
    else:
        try:  # most columns are plain numbers and empty cells, which need no closer look
            whole = np.array([float(cell) if cell else np.nan for cell in column])
            whole[~np.isfinite(whole)] = np.nan
        except ValueError:
            decimal = _decimal(column, decimal, names, tally)
            cells = (_number(i, column, decimal, names, tally) for i in range(len(column)))
            whole = np.array(list(cells), np.float64)
        whole[np.isfinite(whole) & (np.abs(whole) > 3e38)] = np.nan
    if isinstance(names, str):
        tally.numbers[names] = tally.numbers.get(names, 0) + int(np.isfinite(whole).sum())
    return whole


def _decimal(column: Sequence[str], usual: str, names: Sequence[str] | str, tally: Tally) -> str:
    """The decimal sign of a column: a comma where commas stand before other than three digits."""
    key = names if isinstance(names, str) else ""
    if key not in tally.decimals:
        commas = [cell for cell in column if re.fullmatch(r"\s*[+-]?\d*,\d+\s*", cell)]
        points = any(re.fullmatch(r"\s*[+-]?\d*\.\d+\s*", cell) for cell in column)
        told = any(len(cell.strip().split(",")[1]) != 3 for cell in commas)
        if not commas:
            return usual
        tally.decimals[key] = "," if told and not points else usual
        if told and not points and usual != ",":
            tally.count(key, "decimal commas were read", commas[0])
    return tally.decimals[key]


def _number(
    i: int, column: Sequence[str], decimal: str, names: Sequence[str] | str, tally: Tally
) -> float:
    text = column[i].strip()
    if text.lower() in MISSING:
        return np.nan
    name = names if isinstance(names, str) else names[i]
    if text.lower() in _BOUND_WORDS:
        tally.count(name, "limit", text)
        return _BOUND_WORDS[text.lower()]
    flagged, before = _FLAGGED.fullmatch(text), _FLAG_BEFORE.fullmatch(text)
    plain = flagged[1] if flagged else before[2] if before else text
    cell = read_cell(plain, decimal)
    if cell.number is not None and cell.unit != "date":
        if plain is not text:
            tally.count(name, "flag", text)
        if cell.remark:
            bound = cell.remark.startswith("the bound")
            tally.count(name, "bound" if bound else cell.remark, text)
        return cell.number
    count, row, example = tally.words.get(name, (0, tally.rows + i + 1, text))
    tally.words[name] = (count + 1, row, example)
    return np.nan


def settle_limits(
    name: str, unit: str, values: np.ndarray, tally: Tally, remarks: list[str]
) -> None:
    """Puts the limit of the sensor in the place of "Low" and "High" (infinite) in `values`.

    Where no limit is known it is the lowest or highest number of the column itself.
    """
    infinite = np.isinf(values)
    known = values[np.isfinite(values)]
    if not infinite.any():
        return
    if not len(known):  # a column of such words alone is a category
        tally.words[name] = (int(infinite.sum()), 1, "Low or High")
        values[infinite] = np.nan
        return
    found = find_quantity(name, unit)
    quantity = found[0].name if found else ""
    if quantity == "glucose" and not (found and found[1]):
        said = "mg/dl" if float(np.median(known)) > 35 else "mmol/l"
    else:
        said = found[1] if found else ""
    low, high = _SENSOR_LIMITS.get((quantity, said), (np.inf, -np.inf))
    limits = min(low, float(known.min())), max(high, float(known.max()))
    for sign, limit, word in ((-np.inf, limits[0], "Low"), (np.inf, limits[1], "High")):
        count = int((values == sign).sum())
        if count:
            values[values == sign] = limit
            remarks.append(f"'{name}': '{word}' in {count} cells was taken as its limit, {limit:g}")


def split_pairs(name: str) -> tuple[str, str]:
    """The names of the two channels in a column of pairs such as 120/80."""
    words = set(re.split(r"[^a-z]+", name.lower()))
    ends = ("systolic", "diastolic") if words & _PRESSURE else ("first", "second")
    plain, unit = split_unit(name)
    shown = f" ({unit})" if unit and plain != name else ""
    return f"{plain} {ends[0]}{shown}", f"{plain} {ends[1]}{shown}"


def is_paired(column: Column) -> bool:
    """True if most cells of a column are two numbers with a slash."""
    if not isinstance(column, list):
        return False
    filled = [cell for cell in column[:500] if cell.strip().lower() not in MISSING]
    return sum(_PAIR.fullmatch(cell) is not None for cell in filled) > len(filled) / 2


def halves(column: Sequence[str]) -> tuple[list[str], list[str]]:
    """The two numbers of each cell as texts; another cell stays whole, in the first."""
    pairs = [(m[1], m[2]) if (m := _PAIR.fullmatch(cell)) else (cell, "") for cell in column]
    return [first for first, _ in pairs], [second for _, second in pairs]


def refuse_or_remark_words(path: Path, tally: Tally, channels: Sequence[str]) -> list[str]:
    """Remarks on words among the numbers; refuses a numeric channel that is mostly words."""
    remarks, left_out = [], []
    for name, (count, row, example) in tally.words.items():
        numbers = tally.numbers.get(name, 0)
        plain, unit = split_unit(name)
        promises = bool(unit) or "_".join(plain.lower().split()) in _VITAL_SIGNS
        if count > numbers and promises and count >= 5:
            raise UnreadableFile(
                f"{path.name}: column '{name}' should hold numbers, but {count} of its"
                f" {count + numbers} cells are words (first in row {row}: '{example[:40]}').",
                hint="Put numbers there, or give the words a column of another name.",
            )
        if name in channels:
            remarks.append(
                f"{path.name}: {count} cell{'s' * (count > 1)} of '{name}' held no number"
                f" and {'are' if count > 1 else 'is'} masked (first in row {row})."
            )
        else:
            left_out.append(f"'{name}'")
    if left_out:
        remarks.append(f"{path.name}: left out, since they hold words: {', '.join(left_out)}.")
    return remarks


def remarks_on_cells(path: Path, tally: Tally) -> list[str]:
    """What was read in a way that is not plain, by column, with how often."""
    said = []
    for (name, what), (count, example) in tally.readings.items():
        cells = f"{count} cell{'s' * (count > 1)} such as '{example[:24]}'"
        if what == "bound":
            said.append(f"{path.name}: '{name}': {cells}: the bound was taken as the value.")
        elif what == "flag":
            said.append(f"{path.name}: '{name}': {cells}: the flag was left out.")
        elif what != "limit":
            said.append(f"{path.name}: '{name}': {cells}: {what}.")
    return said
