"""Device logs: monitor tables, WFDB records and EDF files -> series (L, channels) with seconds.

Channels of all files of a case share one grid of times from 0; a missing reading is masked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fmstudio.errors import UnreadableFile
from fmstudio.types import ModalityInput, Preview, Source
from pipelines.edf import read_edf
from pipelines.filetypes import identify, require_file
from pipelines.log_tables import read_log
from pipelines.recordings import Recording, align, merge
from pipelines.wfdb_records import is_header, read_record

MAX_FILES = 64
_SIGNAL_PARTS = (".dat", ".mat", ".xyz", ".d0", ".d1", ".d2", ".d3")


@dataclass(frozen=True)
class DeviceLogs:
    """What monitors, sensors and wearables record over time."""

    name: str = "device_logs"
    label: str = "Device logs"
    kind: str = "series"
    suffixes: tuple[str, ...] = (
        ".csv", ".tsv", ".txt", ".xlsx", ".parquet", ".hea", *_SIGNAL_PARTS, ".edf", ".bdf",
    )  # fmt: skip
    order: int = 3
    version: int = 1
    inline: bool = False

    def read(self, sources: Sequence[Source]) -> ModalityInput:
        """Read the logs of one case: values (L, channels) in physical units, mask alike.

        L is at most 20 000. Raises UnreadableFile for a file without times or numbers.
        """
        recordings = _recordings(sources)
        channels, remarks = align(recordings)
        values, mask, seconds, more = merge(channels)
        flat = [
            channels[i].name
            for i in range(len(channels))
            if mask[:, i].sum() > 10 and np.ptp(values[mask[:, i], i]) == 0
        ]
        if flat:
            more.append(f"Constant throughout: {', '.join(flat[:8])}.")
        facts = {
            "channels": [channel.name for channel in channels],
            "units": [channel.unit for channel in channels],
            "seconds": [round(float(at), 6) for at in seconds],
        }
        told = [remark for recording in recordings for remark in recording.remarks]
        return ModalityInput(self.kind, values, mask, facts, tuple(told + remarks + more))

    def preview(self, sources: Sequence[Source]) -> Preview:
        """Curves of the fullest channels over time, and every channel's range as a table."""
        from pipelines.drawing import draw_curves  # matplotlib: only where a picture is wanted

        read = self.read(sources)
        images = ((draw_curves(read), "Readings over time"),) if read.mask.any() else ()
        return Preview(images=images, table=_ranges(read), remarks=read.remarks)


def _ranges(read: ModalityInput) -> tuple[tuple[str, ...], ...]:
    rows = [("Channel", "Unit", "Readings", "Lowest", "Median", "Highest")]
    for i, name in enumerate(read.facts["channels"]):
        known = read.values[read.mask[:, i], i]  # type: ignore[call-overload]
        ends = (known.min(), np.median(known), known.max())
        shown = (f"{end:.5g}" for end in ends)
        rows.append((name, read.facts["units"][i], str(len(known)), *shown))
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
    recordings: list[Recording] = []
    taken: set[Path] = set()
    for source, path in zip(sources, paths, strict=True):
        header = _header_of(path, paths)
        if header is None:
            recordings.append(_read_file(path, source.name))
        elif header not in taken:
            taken.add(header)
            recordings.append(read_record(header, source.name, paths))
    return recordings


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
    named = [p for p in given if is_header(p) and p.is_file() and _names(p, path.name)]
    return named[0] if named else None


def _names(header: Path, part: str) -> bool:
    with header.open(encoding="utf-8", errors="replace") as stream:
        return part in stream.read(200_000).split()


def _read_file(path: Path, source: str) -> Recording:
    require_file(path)
    key, _ = identify(path)
    if key in ("edf", "bdf"):
        return read_edf(path, source)
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
    return read_log(path, source)


PIPELINE = DeviceLogs()
