"""WFDB records (PhysioNet): a header .hea and its signal files -> a Recording.

Decoding is wfdb's own. The header and the files it names are linked into an empty folder first,
so that a header can reach nothing but what was given or lies beside it.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from fmstudio.errors import UnreadableFile
from pipelines.filetypes import require_file
from pipelines.recordings import BLOCK_SAMPLES, MAX_STEPS, Recording, block_means, from_samples

MAX_SIGNALS = 512
MAX_SEGMENTS = 10_000
_PART = re.compile(r"[\w.~-]+")


def is_header(path: Path) -> bool:
    """True for a WFDB header by its ending."""
    return path.suffix.lower() == ".hea"


def read_record(path: Path, source: str, given: Sequence[Path] = ()) -> Recording:
    """Read the record of a header; `given` are other files of the case, which may be its signals.

    Several samples per frame are averaged to the frame's rate. Raises UnreadableFile if a signal
    file is missing, too short or damaged.
    """
    signals, segments, files = _described(path, {p.name: p for p in given})
    if not signals and not segments:
        raise UnreadableFile(
            f"{path.name} describes no signal.", hint="Give the header of the recording."
        )
    with tempfile.TemporaryDirectory(prefix="wfdb-") as folder:
        for file in dict.fromkeys(files):
            Path(folder, file.name).symlink_to(file.resolve())
        return _decode(path, Path(folder), source)


def files_of_record(path: Path) -> list[Path]:
    """A header and all files that it names, those of its segments included.

    Raises UnreadableFile if one is missing.
    """
    return _described(path, {})[2]


def _described(
    path: Path, given: Mapping[str, Path], depth: int = 0
) -> tuple[int, int, list[Path]]:
    """What a header describes: numbers of signals and segments, and the files it is read from."""
    require_file(path)
    lines = _lines(path)
    record = re.match(r"[\w-]+(?:/(\d+))?\s+(\d+)", lines[0]) if lines else None
    if record is None:
        raise UnreadableFile(
            f"{path.name} is not a WFDB header: its first line names no record.",
            hint="Give the .hea file of the record.",
        )
    count = int(record[2])
    if record[1] is not None:
        return count, int(record[1]), [path, *_segments(path, lines[1:], given, depth)]
    files = [path]
    for name in sorted({line.split()[0] for line in lines[1 : 1 + count]} - {"~"}):
        part = _beside(path, name, given)
        if part is None:
            raise UnreadableFile(
                f"{path.name} names the signal file {name}, which is not there.",
                hint=f"Give {name} together with {path.name}, or put it into the same folder.",
            )
        files.append(part)
    return count, 0, files


def _segments(
    path: Path, lines: Sequence[str], given: Mapping[str, Path], depth: int
) -> Iterator[Path]:
    """The files of all segments."""
    names = [line.split()[0] for line in lines]
    if depth or len(names) > MAX_SEGMENTS:
        raise UnreadableFile(
            f"{path.name} has too many segments, or segments within segments.",
            hint="Give the headers of its segments instead.",
        )
    for name in dict.fromkeys(names):
        if name == "~":
            continue
        header = _beside(path, f"{name}.hea", given)
        if header is None:
            raise UnreadableFile(
                f"{path.name} names the segment {name}.hea, which is not there.",
                hint="Put all segments into the same folder.",
            )
        yield from _described(header, given, depth + 1)[2]


def _lines(path: Path) -> list[str]:
    if path.stat().st_size > 4_000_000:
        raise UnreadableFile(f"{path.name} is too large for a header.", hint="Give the .hea file.")
    text = path.read_text("utf-8", errors="replace")
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def _beside(path: Path, name: str, given: Mapping[str, Path]) -> Path | None:
    """The file of that bare name among the given ones or in the header's folder."""
    if not _PART.fullmatch(name) or name.startswith(".."):
        return None
    found = given.get(name) or path.with_name(name)
    return found if found.is_file() else None


def _decode(path: Path, place: Path, source: str) -> Recording:
    import wfdb  # brings pandas along: only where a WFDB record is met

    record = str(place / path.stem)
    try:
        header = wfdb.rdheader(record, rd_segments=True)
        length, count, rate = header.sig_len, header.n_sig, float(header.fs)
        if length is None:
            length = wfdb.rdrecord(record).sig_len
        if not (0 < count <= MAX_SIGNALS and length and rate > 0):
            raise ValueError(f"{count} signals of {length} samples at {rate:g} Hz")
        _check_size(path, place, length, count)
        factor = 1
        if length * count > BLOCK_SAMPLES:
            factor = max(1, -(-length // MAX_STEPS))

        def read(start: int, stop: int) -> np.ndarray:
            piece = wfdb.rdrecord(record, sampfrom=start, sampto=stop, return_res=32)
            return piece.p_signal

        first = wfdb.rdrecord(record, sampto=min(length, 2), return_res=32)
        averaged = factor > 1
        values = block_means(read, length, count, factor) if averaged else read(0, length)
    except UnreadableFile:
        raise
    except Exception as fault:  # wfdb raises whatever its many decoders do
        raise UnreadableFile(
            f"{path.name}: its signals cannot be decoded ({_short(fault, place)}).",
            hint="Header and signal files must belong together and be complete; copy them again.",
        ) from fault
    start = _start(header)
    seconds = np.arange(len(values)) * (factor / rate) + (start or 0.0)
    names = _distinct([name or "signal" for name in first.sig_name])
    channels = from_samples(names, [_unit(unit) for unit in first.units], seconds, values)
    remarks = [
        f"{path.name}: '{c.name}' has no valid sample." for c in channels if not len(c.values)
    ]
    if averaged:
        remarks.append(f"{path.name}: {factor} samples at a time were averaged ({rate:g} Hz).")
    kept = tuple(channel for channel in channels if len(channel.values))
    return Recording(source, kept, start is not None, tuple(remarks))


def _check_size(path: Path, place: Path, length: int, count: int) -> None:
    """Refuse a header that declares far more than its files can hold, before memory is taken.

    FLAC-coded signals (formats 508 to 524) hold silence at some hundred samples a byte at most.
    """
    held = sum(part.stat().st_size for part in place.iterdir())
    if length * count > 2_000 * held:
        raise UnreadableFile(
            f"{path.name} declares {length} samples of {count} signals, but its files hold only"
            f" {held} bytes.",
            hint="Header and signal files must belong together; copy them again.",
        )


def _short(fault: Exception, place: Path) -> str:
    return (
        str(fault).replace(str(place), "").strip().splitlines()[0][:120]
        if str(fault)
        else (type(fault).__name__)
    )


def _start(header: object) -> float | None:
    day, clock = getattr(header, "base_date", None), getattr(header, "base_time", None)
    if day is None or clock is None:
        return None
    return datetime.combine(day, clock, tzinfo=UTC).timestamp()


def _unit(unit: str | None) -> str:
    return {"uV": "µV", "NU": "", None: ""}.get(unit, unit)  # NU: "normalised units"


def _distinct(names: list[str]) -> list[str]:
    return [
        name if names.count(name) == 1 else f"{name} {names[: i + 1].count(name)}"
        for i, name in enumerate(names)
    ]
