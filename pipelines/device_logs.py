"""Device logs: monitor tables, WFDB records and EDF files -> series (L, channels) with seconds.

Channels of all files of a case share one grid of times from 0; a missing reading is masked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from fmstudio.errors import UnreadableFile
from fmstudio.types import ModalityInput, OpenQuestion, Preview, Quantity, Question, Source
from pipelines.cells import label_of
from pipelines.drawing import MAX_PANELS, draw_curves
from pipelines.formats.edf import read_edf
from pipelines.formats.filetypes import identify, require_file, starts_as
from pipelines.formats.log_tables import left_open, read_log
from pipelines.formats.tables import starts_as_table
from pipelines.formats.wfdb_records import files_of_record, is_header, read_record
from pipelines.headers import about_files, without_headers
from pipelines.log_answers import QUESTIONS, Said, ask_for_zone, checked_answer, said_of
from pipelines.prefixes import VOLTAGE, volts
from pipelines.quantities import find_quantity, read_unit
from pipelines.recordings import Channel, Recording, align, merge
from pipelines.saturation import saturated
from pipelines.zones import Zone, in_zone

MAX_FILES = 64
MAX_HEADERS = 200  # searched in a folder for the one that names a signal file
STRIP_SECONDS = 10.0  # of a fast signal, as on an ECG strip
FAST_HZ = 20.0  # beats cannot be told apart in an overview of anything faster
_SIGNAL_PARTS = (".dat", ".mat", ".xyz", ".d0", ".d1", ".d2", ".d3")


@dataclass(frozen=True)
class DeviceLogs:
    """What monitors, sensors and wearables record over time."""

    name: str = "device_logs"
    label: str = "Device logs"
    kind: str = "series"
    suffixes: tuple[str, ...] = (
        ".csv",
        ".tsv",
        ".txt",
        ".xlsx",
        ".parquet",
        ".hea",
        *_SIGNAL_PARTS,
        ".edf",
        ".bdf",
    )
    order: int = 3
    version: int = 3
    inline: bool = False
    hints: tuple[str, ...] = (
        "signal",
        "monitor",
        "ecg",
        "ekg",
        "eeg",
        "ppg",
        "wearable",
        "actigraphy",
        "glucose",
        "waveform",
        "sensor",
        "telemetry",
    )
    questions: tuple[Question, ...] = QUESTIONS

    def read(self, sources: Sequence[Source]) -> ModalityInput:
        """Read the logs of one case: values (L, channels) in physical units, mask alike.

        L is at most 20 000. Raises UnreadableFile for a file without times or numbers.
        """
        channels, remarks = _aligned(sources)
        cut_off = saturated([channel for channel in channels if len(channel.values)])
        values, mask, seconds, more = merge(channels)
        flat = [
            channels[i].name
            for i in range(len(channels))
            if mask[:, i].sum() > 10 and np.ptp(values[mask[:, i], i]) == 0
        ]
        if flat:
            more.append(f"Constant throughout: {', '.join(flat[:8])}.")
        more += list(cut_off.values())[:8]
        facts: dict[str, Any] = {
            "channels": [channel.name for channel in channels],
            "units": [channel.unit for channel in channels],
            "seconds": np.round(seconds, 6).tolist(),
        }
        if cut_off:
            facts["flaws"] = [f"saturated: {', '.join(list(cut_off)[:4])}"]
        return ModalityInput(self.kind, values, mask, facts, tuple(remarks + more))

    def preview(self, sources: Sequence[Source]) -> Preview:
        """Curves of the fullest channels, ten seconds of fast ones, every channel's range.

        Drawn from the samples as recorded, before any averaging.
        """
        channels, remarks = _aligned(sources)
        counts = [-len(channel.values) for channel in channels]
        fullest = sorted(np.argsort(counts, kind="stable")[:MAX_PANELS])  # in the file's order
        drawn = [channels[i] for i in fullest]
        images = []
        if drawn:
            some = f": the {len(drawn)} fullest of {len(channels)} channels"
            caption = "The whole recording" + (some if len(drawn) < len(channels) else "")
            images.append((draw_curves(drawn), caption))
        strip = _strip(drawn)
        if strip:
            images.append((draw_curves(strip), f"{STRIP_SECONDS:g} s from the middle"))
        return Preview(images=tuple(images), table=_ranges(channels), remarks=tuple(remarks))

    def about(self, sources: Sequence[Source]) -> Mapping[str, Sequence[str]]:
        """What the files say beside their signals: patient, comments, annotations."""
        return about_files(sources)

    def recognises(self, path: Path) -> bool:
        """True for the first bytes of an EDF or BDF recording and of a table with numbers."""
        key = starts_as(path)
        return key in ("edf", "bdf") or (key == "" and starts_as_table(path))

    def stripped(self, source: Source) -> bytes | None:
        """The file without what it says of the patient; None where it says nothing.

        Raises UnreadableFile, naming the file.
        """
        return without_headers(source)

    def parts(self, path: Path) -> tuple[Path, ...]:
        """All files of the WFDB record that a file belongs to; none for any other file."""
        header = _header_of(path, [path])
        try:
            return tuple(files_of_record(header)) if header else ()
        except UnreadableFile:
            return ()  # reading it says what is wrong

    def open_questions(self, sources: Sequence[Source]) -> tuple[OpenQuestion, ...]:
        """What the tables among these logs leave open of their times."""
        said = said_of(sources)
        found: dict[OpenQuestion, None] = {}
        zones: list[Zone] = []
        for path in (source.path for source in sources if source.path is not None):
            if _header_of(path, [path]) is None and identify(path)[0] not in ("edf", "bdf"):
                questions, zone = left_open(path, said)
                found |= dict.fromkeys(questions)
                zones.append(zone)
        plain = any(zone.without for zone in zones)
        if plain and any(zone.with_zone for zone in zones) and not said.zone and not found:
            found[ask_for_zone("Some logs of a case have a zone and some have none.")] = None
        return tuple(found)

    def checked_answer(self, key: str, answer: str) -> str:
        """An answer as it is kept. Raises InputError if it cannot be one."""
        return checked_answer(key, answer)

    def quantity(self, name: str, unit: str = "") -> tuple[Quantity, str] | None:
        """What a channel measures, and its unit."""
        return find_quantity(name, unit) or ((VOLTAGE, volts(unit)) if volts(unit) else None)

    def unit(self, quantity: Quantity, said: str) -> str:
        """Which of the quantity's units a text names, "" for none of them."""
        return volts(said) if quantity == VOLTAGE else read_unit(quantity, said)

    def called(self, name: str) -> tuple[str, str]:
        """The name without its unit, as people write it, and the unit."""
        return label_of(name)


def _aligned(sources: Sequence[Source]) -> tuple[list[Channel], list[str]]:
    recordings = _recordings(sources)
    channels, remarks = align(recordings)
    return channels, [remark for r in recordings for remark in r.remarks] + remarks


def _strip(channels: Sequence[Channel]) -> list[Channel]:
    """A short stretch of the channels that are too fast to be judged in an overview."""
    strip = []
    for channel in channels:
        end = float(channel.seconds.max())
        if end < 3 * STRIP_SECONDS or len(channel.values) / end < FAST_HZ:
            continue
        # Where the middle of the samples is, there is no gap.
        middle = float(channel.seconds[len(channel.seconds) // 2])
        inside = np.abs(channel.seconds - middle) <= STRIP_SECONDS / 2
        strip.append(
            replace(channel, seconds=channel.seconds[inside], values=channel.values[inside])
        )
    return strip


def _ranges(channels: Sequence[Channel]) -> tuple[tuple[str, ...], ...]:
    rows: list[tuple[str, ...]] = [("Channel", "Readings", "Lowest", "Median", "Highest")]
    for channel in channels:
        known = channel.values
        shown = (f"{end:.5g}" for end in (known.min(), np.median(known), known.max()))
        named = f"{channel.name} ({channel.unit})" if channel.unit else channel.name
        rows.append((named, str(len(known)), *shown))
    return tuple(rows)


def _recordings(sources: Sequence[Source]) -> list[Recording]:
    paths = [source.path for source in sources if source.path is not None]
    if len(paths) < len(sources):
        text = next(s for s in sources if s.path is None)
        raise UnreadableFile(
            f"The cell of '{text.name}' holds a value, not a file.",
            hint="Device logs are files: give their path.",
        )
    if len(paths) > MAX_FILES:
        raise UnreadableFile(
            f"{len(paths)} files for one case; at most {MAX_FILES} are read.",
            hint="Join the files of a case.",
        )
    said = said_of(sources)
    recordings: list[Recording] = []
    taken: set[Path] = set()
    for source, path in zip(sources, paths, strict=True):
        header = _header_of(path, paths)
        if header is None:
            recordings.append(_read_file(path, source.name, said))
        elif header not in taken:
            taken.add(header)
            recordings.append(_in_zone(read_record(header, source.name, paths), said))
    return recordings


def _in_zone(recording: Recording, said: Said) -> Recording:
    """A recording whose header says when it began, by the clock of the zone that was said."""
    if not recording.absolute or not said.zone:
        return recording
    return replace(recording, start=in_zone(recording.start, said.zone))


def _header_of(path: Path, given: Sequence[Path]) -> Path | None:
    """The WFDB header that a path stands for: itself, or that of a signal file or bare record."""
    if is_header(path):
        return path
    if path.suffix.lower() not in _SIGNAL_PARTS and (path.suffix or path.exists()):
        return None
    wanted = f"{path.stem}.hea"
    for candidate in (*given, path.with_name(wanted)):
        if candidate.name == wanted and candidate.is_file():
            return candidate
    beside = islice(sorted(path.parent.glob("*.hea")), MAX_HEADERS)
    headers = (p for p in (*given, *beside) if is_header(p) and p.is_file())
    return next((header for header in headers if _names(header, path.name)), None)


def _names(header: Path, part: str) -> bool:
    with header.open(encoding="utf-8", errors="replace") as stream:
        return part in stream.read(200_000).split()


def _read_file(path: Path, source: str, said: Said) -> Recording:
    require_file(path)
    key, _ = identify(path)
    if key in ("edf", "bdf"):
        return _in_zone(read_edf(path, source), said)
    if path.suffix.lower() in _SIGNAL_PARTS:
        raise UnreadableFile(
            f"{path.name} is the signal file of a WFDB record, whose header is not there.",
            hint=f"Give {path.stem}.hea together with it.",
        )
    if path.suffix.lower() in (".edf", ".bdf"):
        raise UnreadableFile(
            f"{path.name} is not an EDF recording: its first bytes are not EDF's.",
            hint="Export it again as EDF, or give it its true ending.",
        )
    return read_log(path, source, said)


PIPELINE = DeviceLogs()
