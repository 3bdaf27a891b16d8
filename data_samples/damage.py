"""Damaged files of every format that the studio reads: whole ones, and ways to spoil them.

    files = whole_files(folder)             {modality: paths}
    damaged(files["audio"][0].read_bytes(), rng)

The whole files are the sample patient's, written in the other formats too. A pipeline that writes
its own (`contracts.Sampled`) needs nothing here.
"""

from __future__ import annotations

import io
import shutil
import wave
import zipfile
from collections.abc import Mapping
from pathlib import Path

import av
import nibabel
import numpy as np
import pandas as pd
import pydicom
import soundfile
import wfdb
from PIL import Image

from fmstudio.contracts import Sampled, pipelines

PATIENT = Path(__file__).parent / "new_patient"
EXTREMES = (0x00, 0x01, 0x7F, 0x80, 0xFF)
SPLICE = 64  # bytes that are written over, cut out or repeated at most
_DOCX = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


def whole_files(folder: Path) -> Mapping[str, list[Path]]:
    """Write one whole file of each format into `folder`; their paths by modality."""
    own = {
        name: list(pipeline.samples(folder))
        for name, pipeline in pipelines().items()
        if isinstance(pipeline, Sampled)
    }
    return own | {
        "radiology": _films(folder),
        "video": _clips(folder),
        "audio": _sounds(folder),
        "device_logs": _logs(folder),
        "ehr": _tables(folder),
        "notes": _notes(folder),
    }


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """The content with one to four faults, such as broken copies and hostile hands make."""
    spoilt = bytearray(content)
    for _ in range(int(rng.integers(1, 5))):
        spoilt = _FAULTS[int(rng.integers(len(_FAULTS)))](spoilt, rng)
    return bytes(spoilt)


def _flip(content: bytearray, rng: np.random.Generator) -> bytearray:
    for place in _places(content, rng, 8):
        content[place] ^= 1 << int(rng.integers(8))
    return content


def _extreme(content: bytearray, rng: np.random.Generator) -> bytearray:
    """Near the beginning, where headers keep sizes and counts."""
    reach = max(1, min(len(content), 512))
    for place in rng.integers(0, reach, 4):
        if place < len(content):
            content[place] = EXTREMES[int(rng.integers(len(EXTREMES)))]
    return content


def _truncate(content: bytearray, rng: np.random.Generator) -> bytearray:
    return content[: int(rng.integers(0, len(content) + 1))]


def _cut_out(content: bytearray, rng: np.random.Generator) -> bytearray:
    start = int(rng.integers(0, len(content) + 1))
    return content[:start] + content[start + int(rng.integers(1, SPLICE)) :]


def _repeat(content: bytearray, rng: np.random.Generator) -> bytearray:
    start = int(rng.integers(0, len(content) + 1))
    piece = content[start : start + int(rng.integers(1, SPLICE))]
    return content[:start] + piece * int(rng.integers(2, 20)) + content[start:]


def _noise(content: bytearray, rng: np.random.Generator) -> bytearray:
    start = int(rng.integers(0, len(content) + 1))
    size = min(int(rng.integers(1, SPLICE)), len(content) - start)
    content[start : start + size] = rng.bytes(size)
    return content


_FAULTS = (_flip, _extreme, _truncate, _cut_out, _repeat, _noise)


def _places(content: bytearray, rng: np.random.Generator, count: int) -> list[int]:
    return [int(place) for place in rng.integers(0, len(content), count)] if content else []


def _films(folder: Path) -> list[Path]:
    film = pydicom.dcmread(PATIENT / "film.dcm")
    pixels = film.pixel_array.astype(np.float32)[::4, ::4]
    grey = np.uint8(255 * (pixels - pixels.min()) / max(float(np.ptp(pixels)), 1.0))
    paths = [folder / f"film.{ending}" for ending in ("png", "jpg", "tif", "bmp", "webp")]
    for path in paths:
        Image.fromarray(grey).save(path)
    deep = folder / "deep.png"
    Image.fromarray(np.uint16(grey) * 257).save(deep)
    volume = folder / "volume.nii.gz"
    nibabel.save(nibabel.Nifti1Image(np.stack([grey] * 4, -1), np.eye(4)), volume)
    return [_copied("film.dcm", folder), *paths, deep, volume]


def _clips(folder: Path) -> list[Path]:
    with av.open(str(PATIENT / "echo_clip.mp4")) as clip:
        frames = [frame.to_ndarray(format="gray")[::2, ::2] for frame in clip.decode(video=0)][:12]
    moving = folder / "clip.gif"
    first, *rest = [Image.fromarray(frame) for frame in frames]
    first.save(moving, save_all=True, append_images=rest, duration=40)
    other = folder / "clip.avi"
    with av.open(str(other), "w") as out:
        stream = out.add_stream("mjpeg", rate=25)
        stream.width, stream.height = frames[0].shape[1] // 2 * 2, frames[0].shape[0] // 2 * 2
        stream.pix_fmt = "yuvj420p"
        for frame in frames:
            even = np.ascontiguousarray(frame[: stream.height, : stream.width])
            out.mux(stream.encode(av.VideoFrame.from_ndarray(even, format="gray")))
        out.mux(stream.encode(None))
    return [_copied("echo_clip.mp4", folder), moving, other]


def _sounds(folder: Path) -> list[Path]:
    samples, rate = soundfile.read(PATIENT / "breath_sound.wav", dtype="float32")
    paths = [folder / f"sound.{ending}" for ending in ("flac", "ogg", "mp3")]
    for path in paths:
        soundfile.write(path, samples[:rate], rate)
    short = folder / "sound.wav"
    with wave.open(str(short), "wb") as out:
        out.setparams((1, 2, rate, 0, "NONE", ""))
        out.writeframes(np.int16(32767 * samples[:rate]).tobytes())
    return [short, *paths]


def _logs(folder: Path) -> list[Path]:
    log = pd.read_csv(PATIENT / "monitor.csv")
    book = folder / "monitor.xlsx"
    log.to_excel(book, index=False)
    times = np.arange(2000) / 250
    signals = np.stack([np.sin(6 * times), np.cos(4 * times)], 1)
    wfdb.wrsamp(
        "record",
        fs=250,
        units=["mV", "mV"],
        sig_name=["I", "II"],
        p_signal=signals,
        fmt=["16", "16"],
        write_dir=str(folder),
    )
    return [_copied("monitor.csv", folder), book, folder / "record.hea", _edf(folder, signals)]


def _edf(folder: Path, signals: np.ndarray) -> Path:
    import edfio

    path = folder / "record.edf"
    edfio.Edf(
        [edfio.EdfSignal(column, 250, label=f"lead {n}") for n, column in enumerate(signals.T)]
    ).write(path)
    return path


def _tables(folder: Path) -> list[Path]:
    table = pd.read_csv(PATIENT / "blood_results.csv")
    book, columns = folder / "values.xlsx", folder / "values.parquet"
    table.to_excel(book, index=False)
    table.to_parquet(columns)
    return [_copied("blood_results.csv", folder), book, columns]


def _notes(folder: Path) -> list[Path]:
    words = (PATIENT / "note.txt").read_text(encoding="utf-8")
    document, rich = folder / "note.docx", folder / "note.rtf"
    body = f'<w:document xmlns:w="{_DOCX}"><w:body><w:p><w:r><w:t>{words}</w:t></w:r></w:p>'
    with zipfile.ZipFile(document, "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("[Content_Types].xml", _CONTENT_TYPES)
        out.writestr("_rels/.rels", _RELATIONS)
        out.writestr("word/document.xml", f"{body}</w:body></w:document>")
    rich.write_text(rf"{{\rtf1\ansi {words}}}", encoding="ascii", errors="replace")
    return [_copied("note.txt", folder), document, rich, _pdf(folder, words)]


def _pdf(folder: Path, words: str) -> Path:
    from reportlab.pdfgen.canvas import Canvas

    content, path = io.BytesIO(), folder / "note.pdf"
    canvas = Canvas(content)
    canvas.drawString(72, 720, words[:80])
    canvas.save()
    path.write_bytes(content.getvalue())
    return path


def _copied(name: str, folder: Path) -> Path:
    return Path(shutil.copy(PATIENT / name, folder / name))


_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"
_MAIN = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
_CONTENT_TYPES = (
    f'<Types xmlns="{_PACKAGE}/content-types">'
    '<Default Extension="rels" '
    'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    f'<Override PartName="/word/document.xml" ContentType="{_MAIN}"/></Types>'
)
_RELATIONS = (
    f'<Relationships xmlns="{_PACKAGE}/relationships">'
    f'<Relationship Id="rId1" Type="{_OFFICE}" Target="word/document.xml"/></Relationships>'
)
