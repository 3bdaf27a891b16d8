"""EDF, EDF+ and BDF recordings -> a Recording in physical units.

Layout by Kemp et al., "A simple format for exchange of digitized polygraphic recordings",
Electroenceph. clin. Neurophysiol. 82 (1992) 391-393, and EDF+ (Kemp and Olivan, Clin.
Neurophysiol. 114 (2003) 1755-1761): a text header of 256 bytes and 256 for each signal, then
records of little-endian 16-bit samples (BDF: 24-bit), signal after signal.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from fmstudio.errors import UnreadableFile
from pipelines.recordings import BLOCK_SAMPLES, MAX_STEPS, Channel, Recording

MAX_SIGNALS = 1_024
_ANNOTATIONS = ("edf annotations", "bdf annotations")
# Widths of the per-signal header fields, in the order of the file.
_FIELDS = (
    ("label", 16),
    ("transducer", 80),
    ("unit", 8),
    ("low", 8),
    ("high", 8),
    ("digital_low", 8),
    ("digital_high", 8),
    ("filter", 80),
    ("samples", 8),
    ("reserved", 32),
)


@dataclass(frozen=True)
class _Signal:
    label: str
    unit: str
    samples: int  # per record
    offset: int  # bytes from the start of a record
    gain: float
    base: float


def read_edf(path: Path, source: str) -> Recording:
    """Read all signals of an EDF or BDF file that have a scale.

    Raises UnreadableFile for a damaged or truncated file and for one of annotations only.
    """
    remarks: list[str] = []
    with path.open("rb") as stream:
        head = stream.read(256)
        width = 3 if head[:1] == b"\xff" else 2
        declared, count = _main_header(path, head)
        signals = _signals(path, stream.read(count * 256), count, width)
    record_bytes = sum(signal.samples for signal in signals) * width
    start_byte = _start_byte(path, head, count, record_bytes, declared, remarks)
    available = (path.stat().st_size - start_byte) // record_bytes if record_bytes else 0
    records = available if declared is None else declared
    if declared is None and available:  # -1 while recording: the file was never closed
        remarks.append(f"{path.name}: its number of records is unknown; {records} were found.")
    if available < records:
        raise UnreadableFile(
            f"{path.name} is truncated: it holds {available} of the {records} records that its"
            " header declares.",
            hint="Copy or export the file again.",
        )
    real = [s for s in signals if s.label.lower() not in _ANNOTATIONS and s.samples]
    if not real or not records:
        raise UnreadableFile(
            f"{path.name} holds annotations and no signal.",
            hint="Give the recording that the annotations belong to.",
        )
    record_seconds = _record_seconds(path, head)
    rest = path.stat().st_size - start_byte - records * record_bytes
    if rest and declared is not None:
        remarks.append(f"{path.name}: {rest} bytes behind its last record were not read.")
    raw = np.memmap(path, np.uint8, "r", start_byte, (records, record_bytes))
    begins = _record_starts(head, signals, raw, width, record_seconds)
    if (np.diff(begins) > 1.5 * record_seconds).any():
        remarks.append(f"{path.name}: the recording has gaps, which are kept.")
    start = _start(path, head, remarks)
    channels = [
        _channel(signal, raw, begins, record_seconds, width)
        for signal in _scaled(path, real, remarks)
    ]
    named = tuple(_numbered(channels))
    return Recording(source, named, start is not None, tuple(remarks), start or 0.0)


def _main_header(path: Path, head: bytes) -> tuple[int | None, int]:
    """The number of records, None where it is unknown, and that of signals."""
    count = _whole(head[252:256])
    if count is None:
        raise UnreadableFile(
            f"{path.name} is not an EDF recording: its header holds no numbers where EDF has them.",
            hint="Export it again as EDF.",
        )
    if not 1 <= count <= MAX_SIGNALS:
        raise UnreadableFile(
            f"{path.name} declares {count} signals.",
            hint="The file is damaged; export it again as EDF.",
        )
    records = _whole(head[236:244])
    return (records if records and records > 0 else None), count


def _start_byte(
    path: Path,
    head: bytes,
    count: int,
    record_bytes: int,
    records: int | None,
    remarks: list[str],
) -> int:
    """Where the records begin: behind the header, whose size follows from its signals.

    A header may be longer than it must be; its own word counts only where the file bears it out.
    """
    needed, said, size = 256 * (count + 1), _whole(head[184:192]), path.stat().st_size
    if said == needed:
        return needed
    if said is not None and said > needed and said + (records or 0) * record_bytes == size:
        return said
    remarks.append(
        f"{path.name} gives its header {said if said is not None else 'no'} bytes; it has {needed}."
    )
    return needed


def _record_seconds(path: Path, head: bytes) -> float:
    seconds = _number(head[244:252])
    if seconds is None or seconds <= 0:
        shown = "no length" if seconds is None else f"{seconds:g} s"
        raise UnreadableFile(
            f"{path.name} declares records of {shown}, so that nothing tells how fast it was"
            " sampled.",
            hint="Export it again.",
        )
    return seconds


def _number(field: bytes) -> float | None:
    """The number in a field of the header, with a decimal comma or a point; None if it is none."""
    text = field.decode("latin-1").strip(" \0\t").replace(",", ".")
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _whole(field: bytes) -> int | None:
    value = _number(field)
    return None if value is None or value != int(value) else int(value)


def _signals(path: Path, header: bytes, count: int, width: int) -> list[_Signal]:
    columns: dict[str, list[bytes]] = {}
    at = 0
    for name, size in _FIELDS:
        columns[name] = [header[at + i * size : at + (i + 1) * size] for i in range(count)]
        at += size * count
    signals: list[_Signal] = []
    offset = 0
    for i in range(count):
        label, unit = (
            columns[name][i].decode("latin-1").strip(" \0\t") for name in ("label", "unit")
        )
        samples = _whole(columns["samples"][i])
        if samples is None or samples < 0:
            raise UnreadableFile(
                f"{path.name}: the header of signal '{label}' is damaged.",
                hint="Export it again as EDF.",
            )
        limits = [
            _number(columns[name][i]) for name in ("low", "high", "digital_low", "digital_high")
        ]
        gain, base = _scale(limits)
        unit = {"uV": "µV", "degC": "°C"}.get(unit, unit)
        signals.append(_Signal(label, unit, samples, offset, gain, base))
        offset += samples * width
    return signals


def _scale(limits: Sequence[float | None]) -> tuple[float, float]:
    """Gain and base from the limits of a signal; a gain of 0 where they give no scale."""
    low, high, digital_low, digital_high = limits
    if low is None or high is None or digital_low is None or digital_high is None:
        return 0.0, 0.0
    if low == high or digital_low == digital_high:
        return 0.0, 0.0
    gain = (high - low) / (digital_high - digital_low)
    return gain, low - gain * digital_low


def _scaled(path: Path, signals: Sequence[_Signal], remarks: list[str]) -> list[_Signal]:
    """The signals whose limits give a scale; where none does, all of them as they are stored."""
    without = [signal for signal in signals if not signal.gain]
    shown = ", ".join(f"'{signal.label}'" for signal in without[:6])
    more = f" and {len(without) - 6} more" if len(without) > 6 else ""
    if len(without) == len(signals):
        remarks.append(f"{path.name}: its signals have no scale; the stored numbers were read.")
        return [replace(signal, unit="", gain=1.0) for signal in signals]
    if without:
        remarks.append(f"{path.name}: left out, since their limits give no scale: {shown}{more}.")
    return [signal for signal in signals if signal.gain]


def _start(path: Path, head: bytes, remarks: list[str]) -> float | None:
    """Seconds since 1970 of the start; None where it is anonymised. Years 85-99 are 19xx (EDF)."""
    try:  # dd.mm.yy and hh.mm.ss, with nothing between them
        day, month, year = map(int, re.findall(rb"\d+", head[168:176]))
        hour, minute, second = map(int, re.findall(rb"\d+", head[176:184]))
        if year < 100:
            year += 1900 if year >= 85 else 2000
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp()
    except ValueError:
        shown = head[168:184].decode("latin-1").strip(" \0")
        if shown:
            remarks.append(f"{path.name}: its start '{shown}' is no date and was left out.")
        return None


def _record_starts(
    head: bytes, signals: list[_Signal], raw: np.ndarray, width: int, record_seconds: float
) -> np.ndarray:
    """When each record starts, in seconds from the first; only EDF+D has gaps between them.

    The first annotation of a record, "+12.5\\x14\\x14", is its start in seconds (EDF+ 2.2.4).
    """
    starts: np.ndarray = np.arange(len(raw)) * record_seconds
    marks = [signal for signal in signals if signal.label.lower() in _ANNOTATIONS]
    if head[192:197] not in (b"EDF+D", b"BDF+D") or not marks:
        return starts
    texts = raw[:, marks[0].offset : marks[0].offset + min(24, marks[0].samples * width)]
    for i, text in enumerate(texts):
        onset = re.match(rb"([+-]\d+(?:\.\d*)?)\x14", text.tobytes())
        if onset:
            starts[i] = float(onset[1])
        elif i:  # a record that does not say when it starts follows the one before
            starts[i] = starts[i - 1] + record_seconds
    from_first: np.ndarray = starts - starts[0]
    return from_first


def _channel(
    signal: _Signal, raw: np.ndarray, begins: np.ndarray, record_seconds: float, width: int
) -> Channel:
    """One signal in physical units, averaged over blocks where it is very long."""
    step = record_seconds / max(signal.samples, 1)
    total = signal.samples * len(raw)
    # Whole divisors of a record keep blocks from straddling a gap.
    factor = 1
    if total > BLOCK_SAMPLES:
        wanted = total // (4 * MAX_STEPS)
        factor = max((d for d in range(1, wanted + 1) if signal.samples % d == 0), default=1)
    records_at_once = max(1, BLOCK_SAMPLES // max(signal.samples, 1))
    values = []
    for first in range(0, len(raw), records_at_once):
        block = raw[first : first + records_at_once]
        stored = block[:, signal.offset : signal.offset + signal.samples * width]
        digital = _integers(np.ascontiguousarray(stored), width)
        means = digital.reshape(len(block), -1, factor).mean(axis=2) if factor > 1 else digital
        values.append((means * signal.gain + signal.base).astype(np.float32))
    inside = np.arange(signal.samples // factor) * step * factor
    seconds = (begins[:, None] + inside[None, :]).ravel()
    return Channel(signal.label, signal.unit, seconds, np.concatenate(values).ravel())


def _integers(stored: np.ndarray, width: int) -> np.ndarray:
    if width == 2:
        return stored.view("<i2").astype(np.float64)
    bytes3 = stored.reshape(len(stored), -1, 3).astype(np.int32)
    whole = bytes3[..., 0] | bytes3[..., 1] << 8 | bytes3[..., 2] << 16
    return np.where(whole >= 1 << 23, whole - (1 << 24), whole).astype(np.float64)


def _numbered(channels: list[Channel]) -> list[Channel]:
    """Channels of the same label get a number, those without a label a name."""
    seen: dict[str, int] = {}
    result = []
    for channel in channels:
        name = channel.name or "signal"
        seen[name] = seen.get(name, 0) + 1
        shown = name if seen[name] == 1 else f"{name} {seen[name]}"
        result.append(Channel(shown, channel.unit, channel.seconds, channel.values))
    return result
