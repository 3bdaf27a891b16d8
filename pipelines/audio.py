"""Sound recordings of one case -> one waveform in [-1, 1], one segment per recording.

Mono, without offset, at the highest rate of the case but at most 16 kHz; the level is kept as
recorded, since loudness is a finding. 16 kHz holds all of heart sounds (below 1 kHz), breath
sounds (below 2.5 kHz: Bohadana et al., N Engl J Med 2014;370:744-751) and speech.
"""

from __future__ import annotations

import io
import math
import wave
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soxr

from fmstudio.errors import ConstantSignal, UnreadableFile
from fmstudio.types import ModalityInput, Preview, Source
from pipelines.drawing import draw_sound
from pipelines.formats.filetypes import starts_as
from pipelines.formats.sound_files import SOUND_KEYS, read_sound
from pipelines.headers import about_files, without_headers

MAX_RATE = 16_000.0
SILENCE_DBFS = -80.0  # a peak below 1/10 000 of full scale: three steps of 16 bits
MAX_SITES = 16
PAUSE_SECONDS = 0.5  # between the recordings in the player


@dataclass(frozen=True)
class _Recording:
    name: str
    samples: np.ndarray  # (n,) float32, mono
    known: np.ndarray  # (n,) bool
    rate: float


@dataclass(frozen=True)
class Audio:
    """Heart, lung and voice sounds, one recording or one per site."""

    name: str = "audio"
    label: str = "Audio recordings"
    kind: str = "waveform"
    suffixes: tuple[str, ...] = (
        ".wav",
        ".flac",
        ".mp3",
        ".ogg",
        ".opus",
        ".m4a",
        ".aac",
        ".caf",
        ".3gp",
        ".amr",
        ".wma",
        ".aif",
        ".aiff",
        ".au",
    )
    order: int = 4
    version: int = 2
    inline: bool = False
    hints: tuple[str, ...] = (
        "sound",
        "cough",
        "breath",
        "heart",
        "lung",
        "voice",
        "speech",
        "auscultation",
        "recording",
    )

    def read(self, sources: Sequence[Source]) -> ModalityInput:
        """Read all recordings: values (samples,) float32, one after another.

        Facts: `rate` in Hz; `segments` with name, start, stop in samples and `peak_dbfs`, the
        recorded level. A silent recording beside others is left out. Raises UnreadableFile where
        all are silent, and for what is not sound.
        """
        if len(sources) > MAX_SITES:
            raise UnreadableFile(
                f"{len(sources)} recordings for one case; at most {MAX_SITES} are read.",
                hint="Keep the recordings that matter.",
            )
        remarks: list[str] = []
        recordings = _heard(sources, remarks)
        rate = min(max((r.rate for r in recordings), default=MAX_RATE), MAX_RATE)
        resampled = [_at_rate(recording, rate, remarks) for recording in recordings]
        segments, start = [], 0
        for r in resampled:
            peak = 20 * math.log10(max(float(np.abs(r.samples).max()), 1e-9))
            stop = start + len(r.samples)
            segments.append(
                {"name": r.name, "start": start, "stop": stop, "peak_dbfs": round(peak, 1)}
            )
            start = stop
        empty = [np.zeros(0, np.float32)]
        return ModalityInput(
            self.kind,
            np.concatenate([r.samples for r in resampled] or empty),
            np.concatenate([r.known for r in resampled] or [np.zeros(0, bool)]),
            {"rate": rate, "segments": segments},
            tuple(dict.fromkeys(remarks)),
        )

    def preview(self, sources: Sequence[Source]) -> Preview:
        """Waveform and spectrogram of each recording, and a WAV of them for the player."""
        read = self.read(sources)
        rate, images = read.facts["rate"], []
        heard: list[np.ndarray] = []
        pause = np.zeros(int(PAUSE_SECONDS * rate), np.float32)
        for part in read.facts["segments"]:
            samples = np.asarray(read.values)[part["start"] : part["stop"]]
            images.append((draw_sound(samples, rate), _caption(part, rate)))
            heard += [samples, pause] if len(read.facts["segments"]) > 1 else [samples]
        media = _wav_bytes(np.concatenate(heard), rate) if heard else None
        return Preview(
            images=tuple(images),
            media=media,
            media_type="audio/wav" if media else "",
            remarks=read.remarks,
        )

    def about(self, sources: Sequence[Source]) -> Mapping[str, Sequence[str]]:
        """What the files say beside their sound: titles, names and places in tags."""
        return about_files(sources)

    def recognises(self, path: Path) -> bool:
        """True for the first bytes of a sound file."""
        return starts_as(path) in SOUND_KEYS

    def stripped(self, source: Source) -> bytes | None:
        """The file without what it says of the patient; None where it says nothing.

        Raises UnreadableFile, naming the file.
        """
        return without_headers(source)


def _caption(part: Mapping[str, Any], rate: float) -> str:
    seconds = (part["stop"] - part["start"]) / rate
    return (
        f"{part['name']}: {seconds:.1f} s at {rate / 1000:g} kHz, peak {part['peak_dbfs']:.0f} dBFS"
    )


def _heard(sources: Sequence[Source], remarks: list[str]) -> list[_Recording]:
    """All recordings but the silent ones; one microphone that failed does not cost the others."""
    recordings, silent = [], []
    for source in sources:
        try:
            recordings.append(_read_one(source, remarks))
        except ConstantSignal as fault:
            silent.append(fault)
    if silent and not recordings:
        raise silent[0]
    remarks += [f"Left out: {fault.message}" for fault in silent]
    return recordings


def _read_one(source: Source, remarks: list[str]) -> _Recording:
    if source.path is None:
        raise UnreadableFile(
            f"The cell of '{source.name}' holds a value, not a file.",
            hint="Recordings are files: give their path.",
        )
    path = source.path
    sound = read_sound(path)
    remarks.extend(sound.remarks)
    known = np.isfinite(sound.samples).all(axis=1)
    samples = np.where(np.isfinite(sound.samples), sound.samples, 0.0)
    lost = int((~known).sum())
    if lost > len(known) / 2:
        raise ConstantSignal(
            f"{path.name}: {lost} of its {len(known)} samples are no numbers.",
            hint="Export the recording again.",
        )
    if lost:
        remarks.append(f"{path.name}: {lost} samples are no numbers and were masked.")
    mono = _mono(samples, path.name, remarks)
    peak = float(np.abs(mono).max())
    if peak < 10 ** (SILENCE_DBFS / 20) or np.ptp(mono[known]) == 0:
        raise ConstantSignal(
            f"{path.name} is silent: its peak is"
            f" {'0' if peak == 0 else f'{20 * np.log10(peak):.0f} dB of full scale'}"
            f"{'' if np.ptp(mono[known]) else ' without any change'}.",
            hint="Check the microphone and record again, or leave this recording out.",
        )
    clipped = float((np.abs(mono) >= 0.999 * max(peak, 1.0)).mean())
    if peak >= 0.999 and clipped > 0.001:
        remarks.append(f"{path.name}: {clipped:.1%} of its samples are clipped.")
    mono[known] -= mono[known].mean()
    return _Recording(source.name, _limited(mono, path.name, remarks), known, sound.rate)


def _mono(samples: np.ndarray, name: str, remarks: list[str]) -> np.ndarray:
    """The mean of the channels; the loudest one where the channels cancel each other out."""
    if samples.shape[1] == 1:
        return samples[:, 0].astype(np.float32)
    mean: np.ndarray = samples.mean(axis=1, dtype=np.float32)
    power = np.square(samples).mean(axis=0)
    if np.square(mean).mean() < 1e-4 * power.max():
        loudest = int(power.argmax())
        remarks.append(f"{name}: its channels cancel out; channel {loudest + 1} is used alone.")
        return samples[:, loudest].astype(np.float32)
    if not np.allclose(samples, samples[:, :1]):
        remarks.append(f"{name}: its {samples.shape[1]} channels were averaged to one.")
    return mean


def _limited(samples: np.ndarray, name: str, remarks: list[str]) -> np.ndarray:
    peak = float(np.abs(samples).max())
    if peak <= 1.0:
        return samples
    if peak > 1.01:
        remarks.append(f"{name}: scaled down, since it passes full scale {peak:.3g} times.")
    return (samples / peak).astype(np.float32)


def _at_rate(recording: _Recording, rate: float, remarks: list[str]) -> _Recording:
    if recording.rate == rate:
        return recording
    samples = soxr.resample(recording.samples, recording.rate, rate, quality="HQ")
    samples = np.clip(samples.astype(np.float32), -1.0, 1.0)
    if recording.known.all():
        known = np.ones(len(samples), bool)
    else:
        at = (np.arange(len(samples)) * (recording.rate / rate)).astype(np.int64)
        known = recording.known[np.minimum(at, len(recording.known) - 1)]
        samples[~known] = 0.0
    remarks.append(f"{recording.name}: resampled from {recording.rate:g} to {rate:g} Hz.")
    return _Recording(recording.name, samples, known, rate)


def _wav_bytes(samples: np.ndarray, rate: float) -> bytes:
    """16-bit PCM, which every browser plays."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(round(rate))
        file.writeframes((np.clip(samples, -1, 1) * 32767).round().astype("<i2").tobytes())
    return buffer.getvalue()


PIPELINE = Audio()
