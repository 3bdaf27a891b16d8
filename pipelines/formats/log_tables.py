"""A CSV, TSV, XLSX or Parquet log with a time column -> a Recording.

Wide logs have one column a channel; long logs have columns such as Time, Parameter, Value. Words
among numbers are masked and counted; columns of words (diet, comments) are left out and named.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fmstudio.errors import UnreadableFile
from fmstudio.types import OpenQuestion
from pipelines.cells import read_cell, split_unit
from pipelines.formats.tables import Column, TextTable, open_table
from pipelines.log_answers import QUESTIONS, Said
from pipelines.log_clock import Clock, find_clock, past_midnight
from pipelines.log_columns import (
    Tally,
    halves,
    is_paired,
    read_numbers,
    refuse_or_remark_words,
    remarks_on_cells,
    settle_limits,
    split_pairs,
)
from pipelines.recordings import Channel, Recording, from_samples
from pipelines.times import read_times
from pipelines.zones import Zone

MAX_VALUES = 100_000_000  # readings of one file held in memory: 400 MB
MAX_LONG_CHANNELS = 512
_PARAMETER = tuple(
    (
        "parameter param channel signal variable name item measurement label vital observation "
        "itemname"
    ).split()
)
_VALUE = ("value", "valuenum", "reading", "result", "val", "measured")
_UNIT = ("unit", "units", "uom", "valueuom")
# Columns that tell of the device or the row and do not measure anything.
_ABOUT_ROWS = frozenset(("id", "uid", "uuid", "guid", "serial", "identifier"))
_ABOUT_DEVICE = _ABOUT_ROWS | {"type", "device", "model", "firmware", "version", "code", "number"}


def read_log(path: Path, source: str, said: Said) -> Recording:
    """Read a log table of one case; `said` are a person's answers on its times.

    Raises UnreadableFile if nothing tells the times, there is no numeric channel, or words fill a
    column that should hold numbers.
    """
    table = open_table(path)
    places = _long_columns(table)
    if places is not None:
        return _read_long(path, source, table, *places, said)
    return _read_wide(path, source, table, said)


def left_open(path: Path, said: Said) -> tuple[list[OpenQuestion], Zone]:
    """What a log leaves open of its times, and how these stand to zones.

    Judged by its first rows, of a log with dates by all of them.
    """
    table = open_table(path)
    chunks = iter(table.chunks)
    chunk = next(chunks, None)
    if chunk is None:
        return [], Zone()
    chunk, units = _take_units_row(table, chunk)
    clock = find_clock(path, table, chunk, said, units)
    if isinstance(clock, OpenQuestion):
        return [clock], Zone()
    clock.seconds(chunk)
    if clock.zone.without:
        for chunk in chunks:
            clock.seconds(chunk)
    return clock.assumed, clock.zone


def _clock(
    path: Path, table: TextTable, chunk: Sequence[Column], said: Said, units: Sequence[str]
) -> Clock:
    found = find_clock(path, table, chunk, said, units)
    if isinstance(found, Clock):
        return found
    options = " or ".join(f"{q.option} {q.form}" for q in QUESTIONS if q.key in found.keys)
    raise UnreadableFile(
        found.message,
        hint=f"Say it once for the cohort where it is added: {options}. Or name the column of"
        " times 'time', with its unit where it is a count: 'time_s'.",
    )


def _long_columns(table: TextTable) -> tuple[int, int, int | None] | None:
    """The columns of channel, value and unit of a long log; None for a wide one."""
    lower = ["_".join(name.lower().split()) for name in table.names]
    parameter = next((lower.index(word) for word in _PARAMETER if word in lower), None)
    value = next((lower.index(word) for word in _VALUE if word in lower), None)
    if parameter is None or value is None:
        return None
    return parameter, value, next((lower.index(word) for word in _UNIT if word in lower), None)


def _remarks(path: Path, table: TextTable, clock: Clock, tally: Tally) -> list[str]:
    remarks = [*table.remarks, *clock.remarks]
    if tally.untimed:
        remarks.append(f"{path.name}: rows without a time were left out: {tally.untimed}.")
    if tally.unsorted:
        remarks.append(f"{path.name}: rows were put in the order of time.")
    return remarks + remarks_on_cells(path, tally)


def _read_wide(path: Path, source: str, table: TextTable, said: Said) -> Recording:
    tally, clock = Tally(), None
    seconds: list[np.ndarray] = []
    pieces: list[np.ndarray] = []
    units: list[str] = []
    paired: set[int] = set()
    for chunk in table.chunks:
        if clock is None:
            chunk, units = _take_units_row(table, chunk)
            clock = _clock(path, table, chunk, said, units)
            kept_out = {*clock.columns, *clock.others}
            features = [i for i in range(len(table.names)) if i not in kept_out]
            paired = {i for i in features if is_paired(chunk[i])}
            names, places = _names(table.names, features, paired)
        seconds.append(clock.seconds(chunk))
        columns = _columns(chunk, features, paired)
        numbers = [
            read_numbers(column, table.decimal, name, tally)
            for column, name in zip(columns, names, strict=True)
        ]
        pieces.append(np.stack(numbers or [np.zeros(0)], axis=1).astype(np.float32))
        tally.rows += len(seconds[-1])
        if tally.rows * len(names) > MAX_VALUES:
            raise _too_long(path)
    if clock is None:
        return _without_rows(path, source, table)
    at, values = np.concatenate(seconds), np.concatenate(pieces)
    at = past_midnight(at, clock)
    tally.unsorted = bool((np.diff(at[np.isfinite(at)]) < 0).any())
    kept = np.isfinite(at)
    tally.untimed = int((~kept).sum())
    unit_of = [units[i] if units else "" for i in places]
    limits: list[str] = []
    for i, name in enumerate(names):
        settle_limits(name, unit_of[i] or split_unit(name)[1], values[:, i], tally, limits)
    filled = [i for i, name in enumerate(names) if np.isfinite(values[:, i]).any()]
    about = [i for i in filled if _tells_no_signal(names[i], values[:, i])]
    filled = [i for i in filled if i not in about]
    remarks = refuse_or_remark_words(path, tally, [names[i] for i in filled])
    remarks += _left_out(
        path,
        "they are empty",
        [n for i, n in enumerate(names) if i not in (*filled, *about) and n not in tally.words],
    )
    remarks += _left_out(path, "they describe the device or the row", [names[i] for i in about])
    if not filled:
        raise UnreadableFile(
            f"{path.name} has no channel with numbers.",
            hint="A log needs a time column and at least one column of numbers.",
        )
    channels = from_samples(
        [split_unit(names[i])[0] for i in filled],
        [unit_of[i] or split_unit(names[i])[1] for i in filled],
        at[kept],
        values[kept][:, filled],
    )
    remarks += [f"{path.name}: {limit}." for limit in limits]
    remarks += _remarks(path, table, clock, tally)
    return Recording(source, tuple(channels), bool(clock.absolute), tuple(remarks))


def _names(
    names: Sequence[str], features: Sequence[int], paired: set[int]
) -> tuple[list[str], list[int]]:
    """The channels of the columns, two of a column of pairs, and the column of each."""
    found: list[tuple[str, int]] = []
    for i in features:
        found += [(name, i) for name in (split_pairs(names[i]) if i in paired else (names[i],))]
    return [name for name, _ in found], [i for _, i in found]


def _columns(chunk: Sequence[Column], features: Sequence[int], paired: set[int]) -> list[Column]:
    found: list[Column] = []
    for i in features:
        found += halves([str(cell) for cell in chunk[i]]) if i in paired else (chunk[i],)
    return found


def _tells_no_signal(name: str, values: np.ndarray) -> bool:
    """True for serial numbers, record types and the like, which a file repeats in every row."""
    words = {word for word in re.split(r"[^a-z]+", name.lower()) if word}
    known = values[np.isfinite(values)]
    return bool(words & _ABOUT_ROWS) or (
        bool(words & _ABOUT_DEVICE) and len(known) > 1 and np.ptp(known) == 0
    )


def _left_out(path: Path, why: str, names: Sequence[str]) -> list[str]:
    shown = ", ".join(f"'{name}'" for name in names)
    return [f"{path.name}: left out, since {why}: {shown}."] if names else []


def _take_units_row(table: TextTable, chunk: Sequence[Column]) -> tuple[list[Column], list[str]]:
    """A chunk without a first row of units ("s", "mV"), and the units by column, [] if none.

    So exported by rdsamp of the WFDB software and by many monitors.
    """
    first = [column[0] if isinstance(column, list) else None for column in chunk]
    texts = [cell.strip().strip("'\"()[]") for cell in first if cell is not None]
    is_units = (
        len(texts) == len(chunk)
        and len(chunk[0]) > 1
        and any(texts)
        and not any(read_times([text], "") for text in texts if text)
        and all(len(text) <= 16 and read_cell(text).number is None for text in texts)
        and any(_turns_to_numbers(column) for column in chunk)
    )
    return ([column[1:] for column in chunk], texts) if is_units else (list(chunk), [])


def _turns_to_numbers(column: Column) -> bool:
    """True if words stand above numbers or times."""
    below = [cell for cell in column[1:40] if str(cell).strip()]
    read = [read_cell(str(cell)) for cell in below]
    numbers = sum(
        cell.number is not None or ":" in str(text) for cell, text in zip(read, below, strict=True)
    )
    return numbers > len(below) / 2 and str(column[0]).strip() != ""


def _read_long(
    path: Path,
    source: str,
    table: TextTable,
    parameter: int,
    value: int,
    unit_at: int | None,
    said: Said,
) -> Recording:
    tally, clock = Tally(), None
    places: dict[str, int] = {}
    units: dict[str, str] = {}
    parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for chunk in table.chunks:
        clock = clock or _clock(path, table, chunk, said, ())
        names = [str(name).strip() for name in chunk[parameter]]
        tally_rows, at = len(names), clock.seconds(chunk)
        cells = chunk[value]
        unit_cells = None if unit_at is None else chunk[unit_at]
        if isinstance(cells, list) and any("/" in cell for cell in cells):
            names, at, cells, unit_cells = _parted(names, at, cells, unit_cells)
        for name in names:
            places.setdefault(name, len(places))
        if len(places) > MAX_LONG_CHANNELS:
            raise UnreadableFile(
                f"{path.name} names more than {MAX_LONG_CHANNELS} channels in"
                f" '{table.names[parameter]}'.",
                hint="Check that this column holds names of signals.",
            )
        if unit_cells is not None:
            for name, unit in zip(names, unit_cells, strict=True):
                units.setdefault(name, str(unit).strip())
        numbers = read_numbers(cells, table.decimal, names, tally)
        for name in names:
            tally.numbers.setdefault(name, 0)
        parts.append((at, np.array([places[n] for n in names]), numbers))
        tally.rows += tally_rows
        if tally.rows > MAX_VALUES // 4:
            raise _too_long(path)
    if clock is None:
        return _without_rows(path, source, table)
    at, place, numbers = (np.concatenate(column) for column in zip(*parts, strict=True))
    at = past_midnight(at, clock)
    tally.unsorted = bool((np.diff(at[np.isfinite(at)]) < 0).any())
    tally.untimed = int((~np.isfinite(at)).sum())
    limits: list[str] = []
    for name, index in places.items():
        mine = numbers[place == index]
        if np.isinf(mine).any():
            plain, unit = split_unit(name)
            settle_limits(plain, units.get(name) or unit, mine, tally, limits)
            numbers[place == index] = mine
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
    remarks = refuse_or_remark_words(path, tally, [n for n in places if tally.numbers[n]])
    if not channels:
        raise UnreadableFile(
            f"{path.name} has no number in column '{table.names[value]}'.",
            hint="A long log needs a time, a name and a number in each row.",
        )
    remarks += [f"{path.name}: {limit}." for limit in limits]
    remarks += _remarks(path, table, clock, tally)
    return Recording(source, tuple(channels), bool(clock.absolute), tuple(remarks))


def _parted(
    names: list[str], at: np.ndarray, cells: Sequence[str], units: Column | None
) -> tuple[list[str], np.ndarray, list[str], list[str] | None]:
    """Rows whose value is a pair such as 120/80 as two rows, each under a name of its own."""
    found: list[tuple[int, str, str]] = []
    for i, (name, cell) in enumerate(zip(names, cells, strict=True)):
        if is_paired([cell]):
            (first,), (second,) = halves([cell])
            high, low = split_pairs(name)
            found += [(i, high, first), (i, low, second)]
        else:
            found.append((i, name, cell))
    rows = [i for i, _, _ in found]
    return (
        [name for _, name, _ in found],
        at[rows],
        [cell for _, _, cell in found],
        None if units is None else [str(units[i]) for i in rows],
    )


def _without_rows(path: Path, source: str, table: TextTable) -> Recording:
    """A log that was opened and never written to: no reading, which is a finding and no fault."""
    remark = f"{path.name} has a header and no row: it counts as missing."
    return Recording(source, (), remarks=(*table.remarks, remark))


def _too_long(path: Path) -> UnreadableFile:
    return UnreadableFile(
        f"{path.name} holds too many readings to be read at once.",
        hint="Cut it to the hours before the prediction, or average it first.",
    )
