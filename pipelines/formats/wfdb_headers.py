"""The text of a WFDB header -> what its signals need, and a plain header that says only that.

Fields by header(5) of the WFDB Applications Guide (Moody, PhysioNet). A field that the values do
not need (date, time of day, counter, checksum, description) is left out with a remark where it
cannot be read; one that may be missing takes the guide's own default.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from fmstudio.errors import UnreadableFile
from pipelines.times import read_moment

DEFAULT_RATE, DEFAULT_GAIN, DEFAULT_UNIT = 250.0, 200.0, "mV"  # header(5): DEFFREQ, DEFGAIN
MAX_HEADER_BYTES = 4_000_000
# Bytes of a sample by storage format (signal(5)); formats coded in blocks are not here.
SAMPLE_BYTES = {
    "8": 1.0,
    "16": 2.0,
    "24": 3.0,
    "32": 4.0,
    "61": 2.0,
    "80": 1.0,
    "160": 2.0,
    "212": 1.5,
    "310": 4 / 3,
    "311": 4 / 3,
}
_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_RATE = re.compile(rf"({_NUMBER})(?:Hz)?(?:/[^/]*)?", re.IGNORECASE)
_FORMAT = re.compile(r"(\d+)(?:x(\d+))?(?::(\d+))?(?:\+(\d+))?")
_GAIN = re.compile(rf"({_NUMBER})?(?:\(([+-]?\d+)(?:\.\d*)?\))?(?:/(\S*))?")
_OF_DAY = re.compile(r"(?:(?:(\d{1,2}):)?(\d{1,2}):)?(\d{1,2})(\.\d+)?")
_SLASHED = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})")


@dataclass(frozen=True)
class SignalLine:
    """One signal: the file that holds it, how it is stored, and its scale."""

    file: str
    format: str
    per_frame: int
    skew: int
    offset: int
    gain: float
    baseline: int
    unit: str
    first: int | None
    name: str


@dataclass(frozen=True)
class Header:
    """A header: `signals` of one record, or (name, length) of `segments` (else None).

    `length` is in frames, None where it is not said; `start` in seconds since 1970, None where it
    is not known.
    """

    count: int
    rate: float
    length: int | None
    start: float | None
    signals: tuple[SignalLine, ...]
    segments: tuple[tuple[str, int], ...] | None
    remarks: tuple[str, ...] = ()


def read_header(path: Path) -> Header:
    """Read a header. Raises UnreadableFile if it names no record or a signal without storage."""
    lines = _lines(path)
    words = lines[0].split() if lines else []
    if len(words) < 2 or not words[1].isdecimal():
        raise UnreadableFile(
            f"{path.name} is not a WFDB header: its first line names no record.",
            hint="Give the .hea file of the record.",
        )
    remarks: list[str] = []
    rate, rest = _rate(words[2:], path.name, remarks)
    counted = rest and re.fullmatch(r"(\d+)(?:\.0*)?", rest[0])
    length = int(counted[1]) if counted else None
    rest = rest[1:] if counted else rest
    start = _start(rest, path.name, remarks)
    count, segmented = int(words[1]), re.fullmatch(r".+/(\d+)", words[0])
    if segmented:
        segments = tuple(_segment(line) for line in lines[1 : 1 + int(segmented[1])])
        return Header(count, rate, length or None, start, (), segments, tuple(remarks))
    if len(lines) - 1 < count:
        raise UnreadableFile(
            f"{path.name} announces {count} signals and describes {len(lines) - 1}.",
            hint="The header is damaged; copy it again.",
        )
    signals = tuple(_signal(line, path.name, remarks) for line in lines[1 : 1 + count])
    return Header(count, rate, length or None, start, signals, None, tuple(remarks))


def plain_header(
    name: str,
    header: Header,
    length: int,
    file_of: Callable[[str], str],
    word_of: Callable[[str], str],
) -> str:
    """A header of the same signals in which only what decoding needs is written.

    `file_of` and `word_of` give the names under which files (or segments) and signals go.
    """
    parts = "" if header.segments is None else f"/{len(header.segments)}"
    lines = [f"{name}{parts} {header.count} {header.rate:.12g} {length}"]
    for segment, count in header.segments or ():
        lines.append(f"{'~' if segment == '~' else file_of(segment)} {count}")
    for signal in header.signals:
        stored = signal.format + (f"x{signal.per_frame}" if signal.per_frame > 1 else "")
        stored += f":{signal.skew}" if signal.skew else ""
        stored += f"+{signal.offset}" if signal.offset else ""
        first = 0 if signal.first is None else signal.first
        file = "~" if signal.file == "~" else file_of(signal.file)
        lines.append(
            f"{file} {stored} {signal.gain:.12g}({signal.baseline})/NU 0 0 {first} 0 0"
            f" {word_of(signal.name)}"
        )
    return "\n".join(lines) + "\n"


def held_frames(header: Header, sizes: Callable[[str], int]) -> int | None:
    """How many frames the first signal file holds by its size; None where that does not tell."""
    if not header.signals or header.signals[0].format not in SAMPLE_BYTES:
        return None
    first = header.signals[0]
    inside = [signal for signal in header.signals if signal.file == first.file]
    frame = SAMPLE_BYTES[first.format] * sum(signal.per_frame for signal in inside)
    if first.file == "~" or not frame:
        return None
    return int((sizes(first.file) - first.offset) / frame + 1e-9)


def _lines(path: Path) -> list[str]:
    if path.stat().st_size > MAX_HEADER_BYTES:
        raise UnreadableFile(f"{path.name} is too large for a header.", hint="Give the .hea file.")
    raw = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    lines = (_text(line).strip() for line in raw.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def _text(line: bytes) -> str:
    """A line in UTF-8, or in Latin-1 where it is not; editors mix them."""
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return line.decode("latin-1")


def _rate(words: Sequence[str], name: str, remarks: list[str]) -> tuple[float, list[str]]:
    """Frames a second, and the words behind; `250/1000(5)` names a counter too, which no one needs.

    The counter's frequency and base may be written apart from it.
    """
    found = _RATE.fullmatch(words[0]) if words else None
    default = f"{DEFAULT_RATE:g} Hz is the default"
    if found is None:
        remarks.append(f"{name}: its sampling rate is not given; {default}.")
        return DEFAULT_RATE, list(words)
    rate = float(found[1])
    if rate <= 0:
        remarks.append(f"{name}: its sampling rate is {rate:g}; {default}.")
        rate = DEFAULT_RATE
    rest = [word for word in words[1:] if not re.fullmatch(rf"/{_NUMBER}|\({_NUMBER}\)", word)]
    return rate, rest


def _start(words: Sequence[str], name: str, remarks: list[str]) -> float | None:
    """The start from a time of day and a date, in whatever order; None without both."""
    words = [word.strip("[],") for word in words]
    clock: float | None = None
    day: float | None = None
    unread = []
    for word in words:
        of_day, date = _clock(word), _date(word)
        if of_day is not None and clock is None:
            clock = of_day
        elif date is not None and day is None:
            day = date
        elif word:
            unread.append(word)
    if unread:
        shown = " ".join(unread)[:40]
        remarks.append(f"{name}: its date or time '{shown}' cannot be read and was left out.")
    return None if clock is None or day is None else day + clock


def _clock(word: str) -> float | None:
    """Seconds of HH:MM:SS, MM:SS or SS, as header(5) writes a base time."""
    match = _OF_DAY.fullmatch(word)
    if match is None:
        return None
    hours, minutes, seconds = (int(part or 0) for part in match.groups()[:3])
    if hours > 23 or minutes > 59 or seconds > 59:
        return None
    return hours * 3600.0 + minutes * 60.0 + seconds + float(match[4] or 0)


def _date(word: str) -> float | None:
    """Seconds since 1970 of dd/mm/yyyy, as header(5) has it, or of a date in any clear form."""
    slashed = _SLASHED.fullmatch(word)
    try:
        if slashed:
            day, month, year = map(int, slashed.groups())
            since = datetime(year, month, day, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)
            return since / timedelta(seconds=1)
    except ValueError:
        return None
    found = read_moment(word)
    return found if isinstance(found, float) else None


def _segment(line: str) -> tuple[str, int]:
    words = line.split()
    return words[0], int(words[1]) if len(words) > 1 and words[1].isdecimal() else 0


def _signal(line: str, name: str, remarks: list[str]) -> SignalLine:
    words = line.split()
    stored = _FORMAT.fullmatch(words[1]) if len(words) > 1 else None
    if stored is None:
        raise UnreadableFile(
            f"{name}: the line '{line[:40]}' does not say how its signal is stored.",
            hint="A line of a signal names its file and its format, such as 'a.dat 16 200/mV'.",
        )
    scale = _GAIN.fullmatch(words[2]) if len(words) > 2 else None
    numbers: list[int] = []
    rest = words[3 if scale else 2 :]
    while rest and len(numbers) < 5 and re.fullmatch(rf"{_NUMBER}", rest[0]):
        numbers.append(int(float(rest.pop(0))))
    label = " ".join(rest)
    gain = float(scale[1]) if scale and scale[1] else 0.0
    if not gain:
        shown = f"'{label}'" if label else f"a signal of {words[0]}"
        remarks.append(
            f"{name}: the scale of {shown} is not said; {DEFAULT_GAIN:g} steps a"
            f" {DEFAULT_UNIT} is the default."
        )
    zero = numbers[1] if len(numbers) > 1 else 0
    return SignalLine(
        file=words[0],
        format=stored[1],
        per_frame=max(1, int(stored[2] or 1)),
        skew=int(stored[3] or 0),
        offset=int(stored[4] or 0),
        gain=gain or DEFAULT_GAIN,
        baseline=int(scale[2]) if scale and scale[2] else zero,
        unit=(scale[3] if scale and scale[3] else DEFAULT_UNIT),
        first=numbers[2] if len(numbers) > 2 else None,
        name=label,
    )
