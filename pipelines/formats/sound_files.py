"""A sound file -> the samples that are used: at most 30 s from its middle, all channels.

What a header declares is checked before anything is decoded: ten silent hours fit into a FLAC of
two megabytes, and only the part that is used is ever unpacked.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile

from fmstudio.errors import UnreadableFile
from pipelines.formats.filetypes import identify, refuse_wrong_ending, require_file
from pipelines.formats.riff import AGAIN, Layout, Rewritten, cut_off, layout_of

MAX_SECONDS = 30.0
MIN_SECONDS = 0.1
MIN_RATE, MAX_RATE = 500.0, 400_000.0  # Hz; below, a file holds a slow signal and no sound
MAX_CHANNELS = 64
# Share of the declared sound that may be missing before a file counts as cut off: encoders of
# compressed formats pad and trim by a frame or two.
LOST_SHARE, LOST_SECONDS = 0.02, 0.2

# Endings by the content they promise.
_ENDINGS: Mapping[str, frozenset[str]] = {
    "wav": frozenset((".wav", ".wave")),
    "flac": frozenset((".flac",)),
    "ogg": frozenset((".ogg", ".oga", ".opus", ".ogv")),
    "mp3": frozenset((".mp3",)),
    "mp4": frozenset((".m4a", ".mp4", ".3gp", ".3g2", ".mov", ".m4b")),
    "caf": frozenset((".caf",)),
    "asf": frozenset((".wma", ".asf", ".wmv")),
    "aiff": frozenset((".aif", ".aiff", ".aifc")),
    "aac": frozenset((".aac",)),
    "amr": frozenset((".amr",)),
    "au": frozenset((".au", ".snd")),
    "matroska": frozenset((".mka", ".webm", ".mkv")),
    "avi": frozenset((".avi",)),
    "mpeg": frozenset((".mpg", ".mpeg")),
}
_SOUNDFILE = ("wav", "flac", "ogg", "mp3", "aiff", "au", "caf")
# PyAV's demuxers by content. Only these are opened: none follows a link or a playlist.
_DEMUXERS: Mapping[str, str] = {
    "wav": "wav",
    "flac": "flac",
    "ogg": "ogg",
    "mp3": "mp3",
    "mp4": "mov",
    "caf": "caf",
    "asf": "asf",
    "aiff": "aiff",
    "aac": "aac",
    "amr": "amr",
    "au": "au",
    "matroska": "matroska",
    "avi": "avi",
    "mpeg": "mpeg",
}
# Those of them that hold films as well are told from films by what the file is given as.
SOUND_KEYS = frozenset(_DEMUXERS) - {"avi", "mpeg", "matroska", "asf"}


@dataclass(frozen=True)
class Sound:
    """The part of a recording that is used: `samples` (n, channels) float32 at `rate` Hz."""

    samples: np.ndarray
    rate: float
    remarks: tuple[str, ...] = ()


def read_sound(path: Path) -> Sound:
    """Decode the middle 30 s of a sound file, or all of a shorter one.

    Raises UnreadableFile for anything that is not sound, holds none, or is cut off.
    """
    require_file(path)
    key, really = identify(path)
    if key not in _DEMUXERS:
        raise refuse_wrong_ending(path, really or "no kind of sound file that is known")
    remarks = []
    if path.suffix.lower() not in _ENDINGS[key]:
        remarks.append(f"{path.name} is {really}, not what its ending says; read as such.")
    layout = layout_of(path)
    remarks += layout.remarks if layout else ()
    sound = _with_soundfile(path, layout) if key in _SOUNDFILE else None
    if sound is None:
        sound = _with_av(path, _DEMUXERS[key], layout)
    return Sound(sound.samples, sound.rate, (*remarks, *sound.remarks))


@contextmanager
def _opened(path: Path, layout: Layout | None) -> Iterator[str | BinaryIO]:
    """The file's name, or where its header misleads the file behind a header that does not."""
    if layout is None or layout.plain:
        yield str(path)
        return
    with path.open("rb") as stream, io.BufferedReader(Rewritten(stream, layout)) as whole:
        yield whole


def _check(path: Path, rate: float, channels: int) -> None:
    if not MIN_RATE <= rate <= MAX_RATE:
        raise UnreadableFile(
            f"{path.name} has a rate of {rate:g} Hz, which is not that of a sound recording.",
            hint="A slow signal is a device log: give it as a table or WFDB record there.",
        )
    if not 1 <= channels <= MAX_CHANNELS:
        raise UnreadableFile(
            f"{path.name} declares {channels} channels; at most {MAX_CHANNELS} are read.",
            hint="Export the channels that matter.",
        )


def _check_seconds(path: Path, seconds: float) -> None:
    if seconds < MIN_SECONDS:
        raise UnreadableFile(
            f"{path.name} holds {seconds * 1000:.0f} ms of sound; at least"
            f" {MIN_SECONDS * 1000:.0f} ms are needed.",
            hint=AGAIN,
        )


def _middle(total: float) -> tuple[float, str]:
    """Where the used part starts, in seconds, and the remark on it."""
    if total <= MAX_SECONDS:
        return 0.0, ""
    length = f"{total:.0f} s" if total < 600 else f"{total / 60:.0f} min"
    return (total - MAX_SECONDS) / 2, f"only the middle {MAX_SECONDS:.0f} s of {length} are used."


# --- libsndfile: WAV, FLAC, OGG, MP3, AIFF, AU -------------------------------------------------


def _with_soundfile(path: Path, layout: Layout | None) -> Sound | None:
    """None if libsndfile does not know the codec, so that PyAV may try."""
    try:
        with _opened(path, layout) as opened, soundfile.SoundFile(opened) as file:
            rate, total = float(file.samplerate), max(file.frames, 0)
            _check(path, rate, file.channels)
            _check_seconds(path, total / rate)
            begin, remark = _middle(total / rate)
            first, count = int(begin * rate), min(total, int(MAX_SECONDS * rate))
            if first:
                file.seek(first)
            samples = file.read(count, dtype="float32", always_2d=True)
            if len(samples) == count and file.format == "FLAC" and first + count < total:
                file.seek(total - 1)  # its last frame is there only if the file is whole
                if not len(file.read(1)):
                    raise cut_off(path, (first + count) / total)
    except soundfile.LibsndfileError:
        return None
    lost = count - len(samples)
    if lost > max(LOST_SHARE * count, LOST_SECONDS * rate):
        raise cut_off(path, len(samples) / count)
    return Sound(samples, rate, (f"{path.name}: {remark}",) if remark else ())


# --- PyAV: M4A, 3GP, CAF, WMA, AMR, AAC, Matroska ----------------------------------------------


def _with_av(path: Path, demuxer: str, layout: Layout | None) -> Sound:
    import av  # slower to import, and only for what libsndfile cannot read

    try:
        with (
            _opened(path, layout) as opened,
            av.open(opened, format=demuxer, options={"protocol_whitelist": "file"}) as file,
        ):
            if not file.streams.audio:
                raise UnreadableFile(
                    f"{path.name} is a video without sound."
                    if file.streams.video
                    else f"{path.name} holds no sound.",
                    hint="Give a recording, or the clip under video.",
                )
            return _decode(path, file)
    except UnreadableFile:
        raise
    except (av.FFmpegError, ValueError, OSError, MemoryError) as fault:
        raise UnreadableFile(
            f"{path.name} cannot be decoded as sound; it is damaged or cut off.", hint=AGAIN
        ) from fault


def _decode(path: Path, file: object) -> Sound:
    import av

    stream = file.streams.audio[0]  # type: ignore[attr-defined]
    if stream.codec_context is None:
        raise UnreadableFile(
            f"{path.name} is coded in a way that is not known here.",
            hint="Export the recording as WAV or FLAC.",
        )
    rate = float(stream.codec_context.sample_rate or 0)
    _check(path, rate, stream.codec_context.channels)
    declared = _declared_seconds(file, stream)
    begin, remark = _middle(declared) if declared else (0.0, "")
    if begin:
        # Half a second early, since codecs need a frame or two to settle.
        file.seek(int(max(begin - 0.5, 0) * av.time_base))  # type: ignore[attr-defined]
    pieces: list[np.ndarray] = []
    kept = 0
    for frame in file.decode(stream):  # type: ignore[attr-defined]
        piece = _planar(frame)
        at = float(frame.pts * frame.time_base) if frame.pts is not None else begin + kept / rate
        early = min(max(0, round((begin - at) * rate)) if not pieces else 0, piece.shape[1])
        if piece.shape[1] > early:
            pieces.append(piece[:, early:])
            kept += piece.shape[1] - early
        if kept >= MAX_SECONDS * rate:
            break
    _check_seconds(path, kept / rate)
    expected = min(declared, MAX_SECONDS) if declared else kept / rate
    if kept / rate < expected - max(LOST_SHARE * expected, LOST_SECONDS):
        raise cut_off(path, kept / rate / expected)
    samples = np.concatenate(pieces, axis=1)[:, : int(MAX_SECONDS * rate)].T
    remarks = [f"{path.name}: {remark}"] if remark else []
    if not declared and kept >= MAX_SECONDS * rate:
        remarks.append(f"{path.name}: only the first {MAX_SECONDS:.0f} s are used.")
    if file.streams.video:  # type: ignore[attr-defined]
        remarks.append(f"{path.name} is a video; only its sound is used.")
    return Sound(np.ascontiguousarray(samples), rate, tuple(remarks))


def _declared_seconds(file: object, stream: object) -> float:
    """What the header says, 0 where it says nothing."""
    import av

    if stream.duration and stream.time_base:  # type: ignore[attr-defined]
        return float(stream.duration * stream.time_base)  # type: ignore[attr-defined]
    return (file.duration or 0) / av.time_base  # type: ignore[attr-defined]


def _planar(frame: object) -> np.ndarray:
    """One decoded frame as (channels, n) float32 in [-1, 1]."""
    samples: np.ndarray = frame.to_ndarray()  # type: ignore[attr-defined]
    channels = len(frame.layout.channels)  # type: ignore[attr-defined]
    if not frame.format.is_planar:  # type: ignore[attr-defined]
        samples = samples.reshape(-1, channels).T
    if samples.dtype == np.uint8:
        return (samples.astype(np.float32) - 128) / 128
    if samples.dtype.kind == "i":
        return samples.astype(np.float32) / float(np.iinfo(samples.dtype).max + 1)
    return samples.astype(np.float32)
