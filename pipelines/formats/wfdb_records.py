"""WFDB records (PhysioNet): a header .hea and its signal files -> a Recording.

Decoding is wfdb's own. It is given a folder with a plain header and links to the files that the
true header names, so that a header can reach nothing but what was given or lies beside it, and
nothing that decoding does not need can stop it.
"""

from __future__ import annotations

import re
import struct
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fmstudio.errors import UnreadableFile
from pipelines.formats.filetypes import require_file
from pipelines.formats.wfdb_headers import (
    Header,
    SignalLine,
    held_frames,
    plain_header,
    read_header,
)
from pipelines.recordings import BLOCK_SAMPLES, MAX_STEPS, Recording, block_means, from_samples

MAX_SIGNALS = 512
MAX_SEGMENTS = 10_000
_PART = re.compile(r"[\w.~ -]+")


@dataclass(frozen=True)
class _Described:
    """A header, the files of its signals by name, and the headers of its segments by name."""

    path: Path
    header: Header
    files: Mapping[str, Path]
    segments: Mapping[str, _Described]

    @property
    def all_files(self) -> list[Path]:
        """The header itself and every file that is read with it."""
        found = [self.path, *self.files.values()]
        return found + [file for part in self.segments.values() for file in part.all_files]

    @property
    def remarks(self) -> list[str]:
        """Of this header and those of its segments, each once."""
        parts = (remark for part in self.segments.values() for remark in part.remarks)
        return list(dict.fromkeys((*self.header.remarks, *parts)))


def is_header(path: Path) -> bool:
    """True for a WFDB header by its ending."""
    return path.suffix.lower() == ".hea"


def read_record(path: Path, source: str, given: Sequence[Path] = ()) -> Recording:
    """Read the record of a header; `given` are other files of the case, which may be its signals.

    Several samples per frame are averaged to the frame's rate. Raises UnreadableFile if a signal
    file is missing, too short or damaged.
    """
    described = _describe(path, {p.name: p for p in given})
    if not described.header.signals and not described.header.segments:
        raise UnreadableFile(
            f"{path.name} describes no signal.", hint="Give the header of the recording."
        )
    with tempfile.TemporaryDirectory(prefix="wfdb-") as folder:
        return _decode(described, Path(folder), source)


def files_of_record(path: Path) -> list[Path]:
    """A header and all files that it names, those of its segments included.

    Raises UnreadableFile if one is missing.
    """
    return _describe(path, {}).all_files


def _describe(path: Path, given: Mapping[str, Path], depth: int = 0) -> _Described:
    require_file(path)
    header = read_header(path)
    if header.segments is not None:
        return _Described(path, header, {}, _segments(path, header, given, depth))
    files = {}
    for name in sorted({signal.file for signal in header.signals} - {"~"}):
        part = _beside(path, name, given)
        if part is None:
            raise UnreadableFile(
                f"{path.name} names the signal file {name}, which is not there.",
                hint=f"Give {name} together with {path.name}, or put it into the same folder.",
            )
        files[name] = part
    signals = [
        _behind_matlab_header(signal, files[signal.file]) if signal.file in files else signal
        for signal in header.signals
    ]
    return _Described(path, replace(header, signals=tuple(signals)), files, {})


def _segments(
    path: Path, header: Header, given: Mapping[str, Path], depth: int
) -> dict[str, _Described]:
    """The headers of all segments by name."""
    names = [name for name, _ in header.segments or ()]
    if depth or len(names) > MAX_SEGMENTS:
        raise UnreadableFile(
            f"{path.name} has too many segments, or segments within segments.",
            hint="Give the headers of its segments instead.",
        )
    found = {}
    for name in dict.fromkeys(names):
        if name == "~":
            continue
        part = _beside(path, f"{name}.hea", given)
        if part is None:
            raise UnreadableFile(
                f"{path.name} names the segment {name}.hea, which is not there.",
                hint="Put all segments into the same folder.",
            )
        found[name] = _describe(part, given, depth + 1)
    return found


def _beside(path: Path, name: str, given: Mapping[str, Path]) -> Path | None:
    """The file of that bare name among the given ones or in the header's folder."""
    if not _PART.fullmatch(name) or name.startswith(".."):
        return None
    found = given.get(name) or path.with_name(name)
    return found if found.is_file() else None


def _behind_matlab_header(signal: SignalLine, file: Path) -> SignalLine:
    """A signal in a MATLAB version 4 file whose header is not counted ("16" for "16+24").

    Its 20 bytes are the type, rows, columns, 0 and the length of a name that follows (MAT-File
    Format, appendix on version 4).
    """
    if signal.offset or file.suffix.lower() != ".mat":
        return signal
    with file.open("rb") as stream:
        head = stream.read(20)
    if len(head) < 20:
        return signal
    kind, rows, columns, imaginary, name = struct.unpack("<5I", head)
    offset, width = 20 + name, {30: 2, 40: 2, 50: 1, 20: 4}.get(kind, 0)
    whole = offset + rows * columns * width
    fits = width and imaginary == 0 and name <= 64 and whole == file.stat().st_size
    return replace(signal, offset=offset) if fits else signal


def _lay_out(described: _Described, place: Path) -> dict[str, str]:
    """Plain headers and links in `place`; the true names of signals by those used there."""
    words: dict[str, str] = {}
    units: dict[str, str] = {}

    def write(name: str, part: _Described, length: int) -> None:
        linked = {file: f"{name}f{i}.dat" for i, file in enumerate(part.files)}
        for file, link in linked.items():
            (place / link).symlink_to(part.files[file].resolve())
        named = iter(_distinct([signal.name or "signal" for signal in part.header.signals]))
        signals = tuple(replace(s, name=next(named)) for s in part.header.signals)
        for signal in signals:
            words.setdefault(signal.name, f"n{len(words)}")
            units.setdefault(words[signal.name], signal.unit)
        part_of = {segment: f"g{i}" for i, segment in enumerate(part.segments)}
        text = plain_header(
            name,
            replace(part.header, signals=signals),
            length,
            lambda one: part_of.get(one) or linked[one],
            words.__getitem__,
        )
        (place / f"{name}.hea").write_text(text)

    for i, part in enumerate(described.segments.values()):
        write(f"g{i}", part, _length(part))
    write("rec", described, _length(described))
    return {word: f"{name}\0{units[word]}" for name, word in words.items()}


def _length(described: _Described) -> int:
    """Frames as the header says, else as its segments or the size of its file do; 0 if neither."""
    header = described.header
    if header.length is not None:
        return header.length
    if header.segments is not None:
        return sum(length for _, length in header.segments)
    sizes = {file: path.stat().st_size for file, path in described.files.items()}
    return held_frames(header, sizes.__getitem__) or 0


def _decode(described: _Described, place: Path, source: str) -> Recording:
    import wfdb  # brings pandas along: only where a WFDB record is met

    path, header, record = described.path, described.header, str(place / "rec")
    true = _lay_out(described, place)
    count, rate = header.count, header.rate
    try:
        length = _length(described) or wfdb.rdrecord(record).sig_len
        if not (0 < count <= MAX_SIGNALS and length):
            raise ValueError(f"{count} signals of {length} samples at {rate:g} Hz")
        _check_size(path, described.all_files, length, count)
        factor = 1
        if length * count > BLOCK_SAMPLES:
            factor = max(1, -(-length // MAX_STEPS))

        def read(start: int, stop: int) -> np.ndarray:
            piece = wfdb.rdrecord(record, sampfrom=start, sampto=stop, return_res=32)
            signal: np.ndarray = piece.p_signal
            return signal

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
    seconds = np.arange(len(values)) * (factor / rate)
    said = [true.get(word, f"{word}\0").split("\0") for word in first.sig_name]
    names = _distinct([name for name, _ in said])
    units = [_unit(unit) for _, unit in said]
    channels = from_samples(names, units, seconds, values)
    remarks = described.remarks + _rest(described, length, rate)
    remarks += [
        f"{path.name}: '{c.name}' has no valid sample." for c in channels if not len(c.values)
    ]
    if averaged:
        remarks.append(f"{path.name}: {factor} samples at a time were averaged ({rate:g} Hz).")
    kept = tuple(channel for channel in channels if len(channel.values))
    start = header.start
    return Recording(source, kept, start is not None, tuple(remarks), start or 0.0)


def _rest(described: _Described, length: int, rate: float) -> list[str]:
    """A remark on samples that a file holds beyond those that its header declares."""
    sizes = {file: path.stat().st_size for file, path in described.files.items()}
    held = held_frames(described.header, sizes.__getitem__)
    if held is None or held - length < max(1.0, rate):
        return []
    return [
        f"{described.path.name}: its file holds {held - length} more samples than the header"
        " declares, which were not read."
    ]


def _check_size(path: Path, files: Sequence[Path], length: int, count: int) -> None:
    """Refuse a header that declares far more than its files can hold, before memory is taken.

    FLAC-coded signals (formats 508 to 524) hold silence at some hundred samples a byte at most.
    """
    held = sum(part.stat().st_size for part in dict.fromkeys(files))
    if length * count > 2_000 * held:
        raise UnreadableFile(
            f"{path.name} declares {length} samples of {count} signals, but its files hold only"
            f" {held} bytes.",
            hint="Header and signal files must belong together; copy them again.",
        )


def _short(fault: Exception, place: Path) -> str:
    said = str(fault).replace(str(place), "").strip()
    return said.splitlines()[0][:120] if said else type(fault).__name__


def _unit(unit: str) -> str:
    return {"uV": "µV", "NU": ""}.get(unit, unit)  # NU: "normalised units"


def _distinct(names: list[str]) -> list[str]:
    return [
        name if names.count(name) == 1 else f"{name} {names[: i + 1].count(name)}"
        for i, name in enumerate(names)
    ]
