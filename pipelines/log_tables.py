"""A CSV, TSV, XLSX or Parquet log with a time column -> a Recording.

Wide logs have one column a channel; long logs have columns such as Time, Parameter, Value. Words
among numbers are masked and counted; columns of words (diet, comments) are left out and named.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from fmstudio.errors import UnreadableFile
from pipelines.cells import MISSING, read_cell, split_unit
from pipelines.log_clock import Clock, find_clock, past_midnight
from pipelines.recordings import Channel, Recording, from_samples
from pipelines.tables import Column, TextTable, open_table
from pipelines.times import read_times

MAX_VALUES = 100_000_000  # readings of one file held in memory: 400 MB
MAX_LONG_CHANNELS = 512
_PARAMETER = (
    "parameter", "param", "channel", "signal", "variable", "name", "item", "measurement",
    "label", "vital", "observation", "itemname",
)  # fmt: skip
_VALUE = ("value", "valuenum", "reading", "result", "val", "measured")
_UNIT = ("unit", "units", "uom", "valueuom")
# Names that promise numbers: a column of words under one of them is a mistake, not a comment.
_VITAL_SIGNS = frozenset(
    ("hr", "heart_rate", "heartrate", "pulse", "spo2", "sao2", "rr", "resp", "resp_rate",
     "resprate", "respiratory_rate", "map", "sbp", "dbp", "nibp", "abp", "sysabp", "diasabp",
     "temp", "temperature", "glucose", "cgm", "etco2", "fio2", "activity", "steps", "ecg", "ppg")
)  # fmt: skip


@dataclass
class _Tally:
    """What was met on the way through a file, for its remarks."""

    rows: int = 0
    untimed: int = 0
    unsorted: bool = False
    words: dict[str, tuple[int, int, str]] = field(default_factory=dict)  # n, first row, example
    numbers: dict[str, int] = field(default_factory=dict)
    readings: list[str] = field(default_factory=list)


def read_log(path: Path, source: str) -> Recording:
    """Read a log table of one case.

    Raises UnreadableFile if there is no time column, no numeric channel, or words fill a column
    that should hold numbers.
    """
    table = open_table(path)
    lower = ["_".join(name.lower().split()) for name in table.names]
    parameter = next((lower.index(word) for word in _PARAMETER if word in lower), None)
    value = next((lower.index(word) for word in _VALUE if word in lower), None)
    if parameter is not None and value is not None:
        return _read_long(path, source, table, lower, parameter, value)
    return _read_wide(path, source, table)


def _numbers(column: Column, decimal: str, names: Sequence[str] | str, tally: _Tally) -> np.ndarray:
    """A column's cells as float64 with NaN for missing and words, which are tallied by channel."""
    if isinstance(column, np.ndarray):
        whole = (
            column.astype(np.float64) if column.dtype.kind != "M" else np.full(len(column), np.nan)
        )
        return np.where(np.isfinite(whole), whole, np.nan)
    try:  # most columns are plain numbers and empty cells, which need no closer look
        whole = np.array([float(cell) if cell else np.nan for cell in column])
    except ValueError:
        whole = np.array([_number(i, column, decimal, names, tally) for i in range(len(column))])
    whole[~np.isfinite(whole) | (np.abs(whole) > 3e38)] = np.nan
    if isinstance(names, str):
        tally.numbers[names] = tally.numbers.get(names, 0) + int(np.isfinite(whole).sum())
    return whole


def _number(
    i: int, column: Sequence[str], decimal: str, names: Sequence[str] | str, tally: _Tally
) -> float:
    text = column[i].strip()
    if text.lower() in MISSING:
        return np.nan
    cell = read_cell(text, decimal)
    name = names if isinstance(names, str) else names[i]
    if cell.number is not None and cell.unit != "date":
        if cell.remark and len(tally.readings) < 5:
            tally.readings.append(f"{name}: {cell.remark}")
        return cell.number
    count, row, example = tally.words.get(name, (0, tally.rows + i + 1, text))
    tally.words[name] = (count + 1, row, example)
    return np.nan


def _refuse_or_remark_words(path: Path, tally: _Tally, channels: Sequence[str]) -> list[str]:
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


def _remarks(path: Path, table: TextTable, clock: Clock, tally: _Tally) -> list[str]:
    remarks = [*table.remarks, *clock.remarks]
    if tally.untimed:
        remarks.append(f"{path.name}: rows without a time were left out: {tally.untimed}.")
    if tally.unsorted:
        remarks.append(f"{path.name}: rows were put in the order of time.")
    remarks.extend(f"{path.name}: {reading}." for reading in dict.fromkeys(tally.readings))
    return remarks


def _read_wide(path: Path, source: str, table: TextTable) -> Recording:
    tally, clock = _Tally(), None
    seconds: list[np.ndarray] = []
    pieces: list[np.ndarray] = []
    units: dict[str, str] = {}
    for chunk in table.chunks:
        if clock is None:
            clock = find_clock(path, table, chunk)
            chunk = _take_units_row(table, clock, chunk, units)
        features = [i for i in range(len(table.names)) if i not in clock.columns]
        seconds.append(clock.seconds(chunk))
        pieces.append(
            np.stack(
                [_numbers(chunk[i], table.decimal, table.names[i], tally) for i in features]
                or [np.zeros(0)],
                axis=1,
            ).astype(np.float32)
        )
        tally.rows += len(seconds[-1])
        if tally.rows * len(features) > MAX_VALUES:
            raise _too_long(path)
    if clock is None:
        return _without_rows(path, source, table)
    at, values = np.concatenate(seconds), np.concatenate(pieces)
    names = [table.names[i] for i in features]
    at = past_midnight(at, clock)
    tally.unsorted = bool((np.diff(at[np.isfinite(at)]) < 0).any())
    kept = np.isfinite(at)
    tally.untimed = int((~kept).sum())
    filled = [i for i, name in enumerate(names) if np.isfinite(values[:, i]).any()]
    remarks = _refuse_or_remark_words(path, tally, [names[i] for i in filled])
    empty = [f"'{n}'" for i, n in enumerate(names) if i not in filled and n not in tally.words]
    if empty:
        remarks.append(f"{path.name}: left out, since they are empty: {', '.join(empty)}.")
    if not filled:
        raise UnreadableFile(
            f"{path.name} has no channel with numbers.",
            hint="A log needs a time column and at least one column of numbers.",
        )
    channels = from_samples(
        [split_unit(names[i])[0] for i in filled],
        [units.get(names[i]) or split_unit(names[i])[1] for i in filled],
        at[kept],
        values[kept][:, filled],
    )
    remarks += _remarks(path, table, clock, tally)
    return Recording(source, tuple(channels), bool(clock.absolute), tuple(remarks))


def _take_units_row(
    table: TextTable, clock: Clock, chunk: Sequence[Column], units: dict[str, str]
) -> list[Column]:
    """A first row that holds units ("s", "mV") goes to `units` and leaves the chunk.

    So exported by rdsamp of the WFDB software and by many monitors.
    """
    first = [column[0] if isinstance(column, list) else None for column in chunk]
    time = first[clock.columns[0]]
    texts = [cell.strip().strip("'\"") for cell in first if cell is not None]
    is_units = (
        time is not None
        and len(texts) == len(chunk)
        and read_times([time], "") is None
        and all(len(text) <= 16 and read_cell(text).number is None for text in texts)
        and len(chunk[0]) > 1
    )
    if not is_units:
        return list(chunk)
    units.update(zip(table.names, texts, strict=True))
    return [column[1:] for column in chunk]


def _read_long(
    path: Path, source: str, table: TextTable, lower: Sequence[str], parameter: int, value: int
) -> Recording:
    tally, clock = _Tally(), None
    places: dict[str, int] = {}
    units: dict[str, str] = {}
    parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    unit_at = next((lower.index(word) for word in _UNIT if word in lower), None)
    for chunk in table.chunks:
        clock = clock or find_clock(path, table, chunk)
        names = [str(name).strip() for name in chunk[parameter]]
        for name in names:
            places.setdefault(name, len(places))
        if len(places) > MAX_LONG_CHANNELS:
            raise UnreadableFile(
                f"{path.name} names more than {MAX_LONG_CHANNELS} channels in"
                f" '{table.names[parameter]}'.",
                hint="Check that this column holds names of signals.",
            )
        if unit_at is not None:
            for name, unit in zip(names, chunk[unit_at], strict=True):
                units.setdefault(name, str(unit).strip())
        numbers = _numbers(chunk[value], table.decimal, names, tally)
        for name in names:
            tally.numbers.setdefault(name, 0)
        parts.append((clock.seconds(chunk), np.array([places[n] for n in names]), numbers))
        tally.rows += len(names)
        if tally.rows > MAX_VALUES // 4:
            raise _too_long(path)
    if clock is None:
        return _without_rows(path, source, table)
    at, place, numbers = (np.concatenate(column) for column in zip(*parts, strict=True))
    at = past_midnight(at, clock)
    tally.unsorted = bool((np.diff(at[np.isfinite(at)]) < 0).any())
    tally.untimed = int((~np.isfinite(at)).sum())
    known = np.isfinite(at) & np.isfinite(numbers)
    channels = []
    for name, index in places.items():
        mine = known & (place == index)
        tally.numbers[name] = int(mine.sum())
        if mine.any() and name:
            plain, unit = split_unit(name)
            channels.append(
                Channel(plain, units.get(name) or unit, at[mine], numbers[mine].astype(np.float32))
            )
    remarks = _refuse_or_remark_words(path, tally, [n for n in places if tally.numbers[n]])
    if not channels:
        raise UnreadableFile(
            f"{path.name} has no number in column '{table.names[value]}'.",
            hint="A long log needs a time, a name and a number in each row.",
        )
    remarks += _remarks(path, table, clock, tally)
    return Recording(source, tuple(channels), bool(clock.absolute), tuple(remarks))


def _without_rows(path: Path, source: str, table: TextTable) -> Recording:
    """A log that was opened and never written to: no reading, which is a finding and no fault."""
    remark = f"{path.name} has a header and no row: it counts as missing."
    return Recording(source, (), remarks=(*table.remarks, remark))


def _too_long(path: Path) -> UnreadableFile:
    return UnreadableFile(
        f"{path.name} holds too many readings to be read at once.",
        hint="Cut it to the hours before the prediction, or average it first.",
    )
