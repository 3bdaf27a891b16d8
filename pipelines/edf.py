"""EDF, EDF+ and BDF recordings -> a Recording in physical units.

Layout by Kemp et al., "A simple format for exchange of digitized polygraphic recordings",
Electroenceph. clin. Neurophysiol. 82 (1992) 391-393, and EDF+ (Kemp and Olivan, Clin.
Neurophysiol. 114 (2003) 1755-1761): a text header of 256 bytes and 256 for each signal, then
records of little-endian 16-bit samples (BDF: 24-bit), signal after signal.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from fmstudio.errors import UnreadableFile
from pipelines.recordings import BLOCK_SAMPLES, MAX_STEPS, Channel, Recording

MAX_SIGNALS = 1_024
_ANNOTATIONS = ("EDF Annotations", "BDF Annotations")
# Widths of the per-signal header fields, in the order of the file.
_FIELDS = (
    ("label", 16), ("transducer", 80), ("unit", 8), ("low", 8), ("high", 8), ("digital_low", 8),
    ("digital_high", 8), ("filter", 80), ("samples", 8), ("reserved", 32),
)  # fmt: skip


@dataclass(frozen=True)
class _Signal:
    label: str
    unit: str
    samples: int  # per record
    offset: int  # bytes from the start of a record
    gain: float
    base: float


def read_edf(path: Path, source: str) -> Recording:
    """Read all signals of an EDF or BDF file.

    Raises UnreadableFile for a damaged or truncated file and for one of annotations only.
    """
    with path.open("rb") as stream:
        head = stream.read(256)
        width = 3 if head[:1] == b"\xff" else 2
        count, records, record_seconds, start_byte = _main_header(path, head)
        signals = _signals(path, stream.read(count * 256), count, width)
    record_bytes = sum(signal.samples for signal in signals) * width
    available = (path.stat().st_size - start_byte) // record_bytes if record_bytes else 0
    remarks = []
    if records < 0:  # -1 while recording: the file was never closed
        records = available
        remarks.append(f"{path.name}: its number of records is unknown; {records} were found.")
    if available < records:
        raise UnreadableFile(
            f"{path.name} is truncated: it holds {available} of the {records} records that its"
            " header declares.",
            hint="Copy or export the file again.",
        )
    real = [s for s in signals if s.label not in _ANNOTATIONS]
    if not real or not records:
        raise UnreadableFile(
            f"{path.name} holds annotations and no signal.",
            hint="Give the recording that the annotations belong to.",
        )
    if record_seconds <= 0:
        raise UnreadableFile(
            f"{path.name} declares records of {record_seconds:g} s.", hint="Export it again."
        )
    raw = np.memmap(path, np.uint8, "r", start_byte, (records, record_bytes))
    begins = _record_starts(head, signals, raw, width, record_seconds)
    if begins is None:
        begins = np.arange(records) * record_seconds
    else:
        remarks.append(f"{path.name}: the recording has gaps, which are kept.")
    start = _start(head)
    channels = [
        _channel(signal, raw, begins + (start or 0.0), record_seconds, width) for signal in real
    ]
    return Recording(source, tuple(_numbered(channels)), start is not None, tuple(remarks))


def _main_header(path: Path, head: bytes) -> tuple[int, int, float, int]:
    try:
        start_byte, records = int(head[184:192]), int(head[236:244])
        seconds, count = float(head[244:252]), int(head[252:256])
    except ValueError as fault:
        raise UnreadableFile(
            f"{path.name} is not an EDF recording: its header holds no numbers where EDF has them.",
            hint="Export it again as EDF.",
        ) from fault
    if (
        not 1 <= count <= MAX_SIGNALS
        or start_byte != 256 * (count + 1)
        or not math.isfinite(seconds)
    ):
        raise UnreadableFile(
            f"{path.name} declares {count} signals in a header of {start_byte} bytes.",
            hint="The file is damaged; export it again as EDF.",
        )
    return count, records, seconds, start_byte


def _signals(path: Path, header: bytes, count: int, width: int) -> list[_Signal]:
    columns: dict[str, list[str]] = {}
    at = 0
    for name, size in _FIELDS:
        cells = [header[at + i * size : at + (i + 1) * size] for i in range(count)]
        columns[name] = [cell.decode("latin-1").strip(" \0") for cell in cells]
        at += size * count
    signals: list[_Signal] = []
    offset = 0
    for i in range(count):
        label = columns["label"][i]
        try:
            samples = int(columns["samples"][i])
            low, high = float(columns["low"][i]), float(columns["high"][i])
            digital_low = float(columns["digital_low"][i])
            digital_high = float(columns["digital_high"][i])
            gain = (high - low) / (digital_high - digital_low)
            if samples < 0 or not math.isfinite(gain):
                raise ValueError
        except (ValueError, ZeroDivisionError) as fault:
            raise UnreadableFile(
                f"{path.name}: the header of signal '{label}' is damaged.",
                hint="Export it again as EDF.",
            ) from fault
        unit = {"uV": "µV", "degC": "°C"}.get(columns["unit"][i], columns["unit"][i])
        signals.append(_Signal(label, unit, samples, offset, gain, low - gain * digital_low))
        offset += samples * width
    return signals


def _start(head: bytes) -> float | None:
    """Seconds since 1970 of the start; None where it is anonymised. Years 85-99 are 19xx (EDF)."""
    numbers = re.findall(rb"\d+", head[168:184])
    if len(numbers) != 6:
        return None
    day, month, year, hour, minute, second = map(int, numbers)
    try:
        moment = datetime(year + (1900 if year >= 85 else 2000), month, day, hour, minute, second,
                          tzinfo=UTC)  # fmt: skip
    except ValueError:
        return None
    return moment.timestamp()


def _record_starts(
    head: bytes, signals: list[_Signal], raw: np.ndarray, width: int, record_seconds: float
) -> np.ndarray | None:
    """When each record of a discontinuous file (EDF+D) starts; None for a continuous one.

    The first annotation of a record, "+12.5\\x14\\x14", is its start in seconds (EDF+ 2.2.4).
    """
    marks = [signal for signal in signals if signal.label in _ANNOTATIONS]
    if head[192:197] not in (b"EDF+D", b"BDF+D") or not marks:
        return None
    texts = raw[:, marks[0].offset : marks[0].offset + min(24, marks[0].samples * width)]
    starts = np.arange(len(raw)) * record_seconds
    for i, text in enumerate(texts):
        onset = re.match(rb"([+-]\d+(?:\.\d*)?)\x14", text.tobytes())
        if onset:
            starts[i] = float(onset[1])
    return starts - starts[0]


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
