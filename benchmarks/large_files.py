"""Large files through their readers: seconds and peak memory, each in a process of its own.

The limits of the sandbox are off, so that what a file really takes is seen.
"""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import time
from argparse import Namespace
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.command import peak_mb
from fmstudio.contracts import pipeline
from fmstudio.types import Source

TITLE = "Large files"
VERBS = ("read", "preview")
DAY = 24 * 3600
FRAMES, SIDE = 1000, 512  # of the DICOM film


def measure(options: Namespace, before: Mapping[str, Any]) -> dict[str, Any]:
    """Seconds and MB of every file and verb."""
    found = []
    for what, (modality, name, write) in FILES.items():
        with tempfile.TemporaryDirectory(dir=options.work) as folder:
            path = Path(folder) / name
            write(path)
            size = sum(each.stat().st_size for each in Path(folder).iterdir()) / 1e6
            for verb in VERBS:
                taken = _alone(modality, path, verb)
                found.append({"file": what, "size_mb": size, "verb": verb, **taken})
    return {"files": found}


def _alone(modality: str, path: Path, verb: str) -> dict[str, float]:
    """Run one verb in a new process."""
    spawned = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawned) as pool:
        return pool.submit(_measured, modality, path, verb).result()


def _measured(modality: str, path: Path, verb: str) -> dict[str, float]:
    reader = pipeline(modality)
    at_rest, started = peak_mb(os.getpid()), time.perf_counter()
    getattr(reader, verb)([Source("file", path=path)])
    seconds = time.perf_counter() - started
    return {"seconds": seconds, "at_rest_mb": at_rest, "peak_mb": peak_mb(os.getpid())}


def _dicom(path: Path) -> None:
    """An uncompressed film of FRAMES frames of SIDE x SIDE words."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

    film = Dataset()
    film.file_meta = FileMetaDataset()
    film.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    film.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    film.SOPClassUID = SecondaryCaptureImageStorage
    film.file_meta.MediaStorageSOPInstanceUID = film.SOPInstanceUID = generate_uid()
    film.Modality, film.PhotometricInterpretation = "OT", "MONOCHROME2"
    film.Rows, film.Columns, film.NumberOfFrames = SIDE, SIDE, FRAMES
    film.SamplesPerPixel, film.PixelRepresentation, film.FrameTime = 1, 0, "40"
    film.BitsAllocated = film.BitsStored = 16
    film.HighBit = 15
    ramp = np.tile(np.arange(SIDE, dtype=np.uint16) * 8, (SIDE, 1))
    film.PixelData = b"".join(np.roll(ramp, 3 * n, axis=1).tobytes() for n in range(FRAMES))
    film["PixelData"].VR = "OW"
    film.save_as(path, enforce_file_format=True)


def _record(samples: int, leads: int) -> Callable[[Path], None]:
    """A WFDB record of so many samples of each lead at 250 Hz."""

    def write(path: Path) -> None:
        signals = path.with_suffix(".dat")
        with signals.open("wb") as file:
            for start in range(0, samples, 1_000_000):
                at = np.arange(start, min(start + 1_000_000, samples))
                wave = (800 * np.sin(at / 40)).astype("<i2")
                file.write(np.repeat(wave[:, None], leads, axis=1).tobytes())
        lines = [f"{path.stem} {leads} 250 {samples}"]
        lines += [f"{signals.name} 16 200/mV 16 0 0 0 0 lead{n}" for n in range(leads)]
        path.write_text("\n".join(lines) + "\n")

    return write


def _table(rows: int, hertz: float, channels: int) -> Callable[[Path], None]:
    """A CSV log of so many rows."""

    def write(path: Path) -> None:
        draw = np.random.default_rng(1)
        with path.open("w") as file:
            file.write(",".join(["time_s", *(f"channel{n}" for n in range(channels))]) + "\n")
            for start in range(0, rows, 100_000):
                count = min(100_000, rows - start)
                at = (start + np.arange(count)) / hertz
                values = draw.normal(80, 9, (count, channels))
                np.savetxt(file, np.column_stack([at, values]), "%.2f", ",")

    return write


def _clip(count: int, width: int, height: int) -> Callable[[Path], None]:
    """An MP4 film of so many frames, 30 a second."""

    def write(path: Path) -> None:
        import av

        still = np.tile(np.arange(width, dtype=np.uint8), (height, 1))
        with av.open(str(path), "w") as film:
            stream = film.add_stream("libx264", rate=30, options={"preset": "ultrafast"})
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            for number in range(count):
                picture = np.repeat(np.roll(still, number, axis=1)[..., None], 3, axis=2)
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                frame.pts, frame.time_base = number, Fraction(1, 30)
                film.mux(stream.encode(frame))
            film.mux(stream.encode(None))

    return write


FILES: Mapping[str, tuple[str, str, Callable[[Path], None]]] = {
    "DICOM film, 1000 frames of 512 x 512": ("video", "film.dcm", _dicom),
    "The same as a study": ("radiology", "film.dcm", _dicom),
    "MP4 clip of ten minutes, 640 x 480": ("video", "clip.mp4", _clip(18_000, 640, 480)),
    "MP4 clip of 8K, 16 frames": ("video", "clip.mp4", _clip(16, 7680, 4320)),
    "Monitor log of 24 hours, 8 channels a second": ("device_logs", "log.csv", _table(DAY, 1, 8)),
    "Waveform of 24 hours as CSV, 25 Hz": ("device_logs", "log.csv", _table(25 * DAY, 25, 1)),
    "ECG of 24 hours, 2 leads at 250 Hz": ("device_logs", "ecg.hea", _record(250 * DAY, 2)),
    "Recording of 100 million samples": ("device_logs", "ecg.hea", _record(100_000_000, 1)),
}


def section(found: Mapping[str, Any]) -> str:
    """The part's page."""
    lines = [
        "| file | MB | verb | seconds | peak, MB | of which at rest |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {one['file']} | {one['size_mb']:.0f} | {one['verb']} | {one['seconds']:.1f} "
        f"| {one['peak_mb']:.0f} | {one['at_rest_mb']:.0f} |"
        for one in found["files"]
    ]
    return "\n".join(lines) + (
        "\n\nPeak resident memory (VmHWM) of a process that reads this file and nothing else; at "
        "rest it holds the libraries. In the studio every read has a limit of its own."
    )
