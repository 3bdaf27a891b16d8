"""Large, deflated and foreign DICOM files cost what one of their frames costs, or are named."""

from __future__ import annotations

import io
import tracemalloc
import zlib
from collections.abc import Callable

import numpy as np
import pydicom
import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from fmstudio.errors import UnreadableFile
from fmstudio.types import Source
from pipelines import radiology, video

FILM = np.tile(np.linspace(0, 4095, 64), (64, 1)).astype(np.uint16)


def peak_bytes(work: Callable[[], object]) -> int:
    """The most memory that `work` holds at once."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("pipeline", [radiology.PIPELINE, video.PIPELINE])
@pytest.mark.parametrize("verb", ["read", "about"])
def test_a_file_of_many_frames_is_never_held_as_a_whole(write_dicom, pipeline, verb):
    frames = np.repeat(np.tile(np.arange(256, dtype=np.uint16), (256, 1))[None], 200, axis=0)
    path = write_dicom(frames, FrameTime=40, SOPInstanceUID="1.2.3")
    size = path.stat().st_size
    sources = [Source("cine", path)]
    getattr(pipeline, verb)(sources)  # what is imported on the way is not the file's

    # The frames that are used, as numbers, and a few copies of the one that is being decoded.
    assert peak_bytes(lambda: getattr(pipeline, verb)(sources)) < 0.5 * size


def test_stripping_holds_the_pixels_once(write_dicom):
    frames = np.zeros((400, 128, 128), np.uint16)
    path = write_dicom(frames, PatientName="Doe^Jane")
    source = Source("cine", path)
    radiology.PIPELINE.stripped(source)

    assert peak_bytes(lambda: radiology.PIPELINE.stripped(source)) < 1.5 * path.stat().st_size


def deflated_bomb(write_dicom, inflated: int):
    """A deflated file of a few kilobytes whose data set is `inflated` bytes of zeros."""
    path = write_dicom(FILM, syntax=DeflatedExplicitVRLittleEndian)
    meta = pydicom.filereader.read_file_meta_info(path)
    start = 128 + 4 + 12 + meta.FileMetaInformationGroupLength
    packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    bomb = packer.compress(bytes(inflated)) + packer.flush()
    path.write_bytes(path.read_bytes()[:start] + bomb)
    return Source("film", path)


@pytest.mark.parametrize("verb", ["read", "preview", "about", "stripped"])
def test_a_deflated_bomb_is_stopped_whatever_is_asked_of_it(write_dicom, verb, monkeypatch):
    monkeypatch.setattr("pipelines.formats.dicom_stream.MAX_INFLATED_BYTES", 2_000_000)
    source = deflated_bomb(write_dicom, 300_000_000)
    given = source if verb == "stripped" else [source]

    def ask() -> None:
        with pytest.raises(UnreadableFile, match="inflates to more than 2 MB"):
            getattr(radiology.PIPELINE, verb)(given)

    assert peak_bytes(ask) < 10_000_000


def test_a_deflated_film_is_read_and_stripped_like_a_plain_one(write_dicom, tmp_path):
    plain = radiology.PIPELINE.read([Source("film", write_dicom(FILM))]).values
    path = write_dicom(FILM, "deflated.dcm", syntax=DeflatedExplicitVRLittleEndian)
    kept = tmp_path / "kept.dcm"
    kept.write_bytes(radiology.PIPELINE.stripped(Source("film", path)))

    for each in (path, kept):
        np.testing.assert_array_equal(radiology.PIPELINE.read([Source("film", each)]).values, plain)


@pytest.mark.parametrize(
    "syntax", [ExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian, RLELossless]
)
def test_what_follows_the_pixels_does_not_pass_the_stripping(write_dicom, tmp_path, syntax):
    stored = pydicom.dcmread(write_dicom(FILM))
    if syntax == RLELossless:
        stored.compress(syntax)
        assert stored.PixelData != encapsulate([])
    elif syntax == ExplicitVRBigEndian:
        stored.PixelData = FILM.astype(">u2").tobytes()
    stored.add_new((0xFFFC, 0xFFFC), "OB", b"Doe^Jane")
    path, kept = tmp_path / "film.dcm", tmp_path / "kept.dcm"
    pydicom.dcmwrite(
        path,
        stored,
        implicit_vr=syntax == ImplicitVRLittleEndian,
        little_endian=syntax != ExplicitVRBigEndian,
        force_encoding=True,
    )
    content = path.read_bytes()
    stored.file_meta.TransferSyntaxUID = syntax
    buffer = io.BytesIO()
    pydicom.filewriter.write_file_meta_info(buffer, stored.file_meta)
    old = pydicom.filereader.read_file_meta_info(path)
    start = 128 + 4 + 12 + old.FileMetaInformationGroupLength
    path.write_bytes(content[:132] + buffer.getvalue() + content[start:])
    assert b"Doe^Jane" in path.read_bytes()

    kept.write_bytes(radiology.PIPELINE.stripped(Source("film", path)))

    assert b"Doe^Jane" not in kept.read_bytes()
    np.testing.assert_array_equal(pydicom.dcmread(kept).pixel_array, FILM)


@pytest.mark.parametrize(
    ("syntax", "named"),
    [("1.2.840.10008.1.2.4.94", "JPIP Referenced"), ("1.2.3.4.5", "1.2.3.4.5")],
)
def test_a_compression_that_nothing_here_reads_is_named(write_dicom, syntax, named):
    path = write_dicom(FILM)
    stored = pydicom.dcmread(path)
    stored.file_meta.TransferSyntaxUID = syntax
    stored.PixelData = encapsulate([bytes(100)])
    stored["PixelData"].is_undefined_length = True
    pydicom.dcmwrite(path, stored, implicit_vr=False, little_endian=True, force_encoding=True)

    with pytest.raises(UnreadableFile, match="compressed as") as refused:
        radiology.PIPELINE.read([Source("film", path)])
    assert named in refused.value.message
