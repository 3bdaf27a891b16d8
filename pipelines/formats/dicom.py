"""A DICOM file -> a `Stack` of its pictures, in modality units and upright grey scale.

Sizes are checked against the bytes that are really there before anything is decoded; only the
frames asked for are decoded, straight from the file. References are to the DICOM standard.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.encaps import generate_fragments, get_frame
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.utils import as_pixel_options
from pydicom.uid import (
    UID,
    ExplicitVRBigEndian,
)

from fmstudio.errors import UnreadableFile
from pipelines.formats import dicom_codecs
from pipelines.formats.decoding import decoding
from pipelines.formats.dicom_checks import DicomFile, check, refuse_without_pixels
from pipelines.formats.dicom_geometry import (
    frame_places,
    series_of,
    slice_place,
    spacing_and_aspect,
    timing,
)
from pipelines.formats.dicom_stream import opener, pixel_element, plain_syntax
from pipelines.formats.dicom_values import file_window, is_hounsfield, swap_palette, to_units
from pipelines.frames import Stack
from pipelines.slices import Place, are_spread, in_order, missing

# MPEG-2, MPEG-4 and HEVC, whose frames only make sense as a whole film.
_FILM_SYNTAXES = tuple(f"1.2.840.10008.1.2.4.10{last}" for last in range(9))


def open_dicom(path: Path, name: str) -> Stack:
    """The pictures of one DICOM file; `name` is that of the view.

    Raises UnreadableFile if it holds no image, is damaged, or asks for more than its bytes hold.
    """
    hint = "Export it again; if it opens in a viewer, save it there as uncompressed DICOM."
    # Elements of the header are only parsed when they are looked at, so all of this may fail.
    with warnings.catch_warnings(), decoding(path.name, hint):
        # pydicom warns on every departure from the standard; what matters is checked here.
        warnings.simplefilter("ignore")
        file = _open(path)
        check(file)
        return _stack(file, name)


def film_inside(path: Path) -> bytes | None:
    """The MPEG film that a DICOM file wraps (PS3.5 8.2.5 to 8.2.9), or None if it wraps none.

    Raises UnreadableFile if the file is damaged.
    """
    with warnings.catch_warnings(), decoding(path.name):
        warnings.simplefilter("ignore")
        with opener(path)() as stream:
            header = pydicom.dcmread(stream, stop_before_pixels=True, force=True)
            syntax = str(header.file_meta.get("TransferSyntaxUID", ""))
            if not syntax.startswith(_FILM_SYNTAXES):
                return None
            stream.seek(12, io.SEEK_CUR)
            _, *fragments = generate_fragments(stream)
            return b"".join(fragments)


def _open(path: Path) -> DicomFile:
    """Read the header, up to the pixels."""
    opened = opener(path)
    with opened() as stream:
        header = pydicom.dcmread(stream, stop_before_pixels=True, force=True)
        offset = stream.tell()
        element = stream.read(12)
    syntax = UID(header.file_meta.get("TransferSyntaxUID") or plain_syntax(header))
    pixels = pixel_element(element, header.original_encoding)
    if pixels is None:
        refuse_without_pixels(path.name, header)
    try:
        decoder = get_decoder(syntax)
    except NotImplementedError:
        raise UnreadableFile(
            f"{path.name} is compressed as {syntax.name}, which cannot be read here.",
            hint="Save it as uncompressed DICOM; give a film as a video clip.",
        ) from None
    if syntax == ExplicitVRBigEndian:
        swap_palette(header)
    return DicomFile(path.name, opened, header, syntax, decoder, pixels, offset + pixels.head)


def _stack(file: DicomFile, name: str) -> Stack:
    header = file.header
    frames = int(header.get("NumberOfFrames") or 1)
    spacing_mm, aspect = spacing_and_aspect(header)
    step = timing(header)
    inverted = header.get("PhotometricInterpretation") == "MONOCHROME1"
    places = frame_places(header, frames) if frames > 1 else [slice_place(header)]
    order = in_order(places)
    sorted_in_space = order != sorted(order) and are_spread(places)
    whole = file.pixels.keyword == "PixelData"
    windows = tuple(file_window(header, frame, whole) for frame in order)
    noted: list[str] = []
    return Stack(
        name=name,
        file=file.name,
        count=frames,
        size=(int(header.Rows), int(header.Columns)),
        pictures=lambda indices: _pictures(file, [order[index] for index in indices], noted),
        window=windows[0],
        windows=windows if len(set(windows)) > 1 else (),
        inverted=inverted,
        hounsfield=is_hounsfield(header),
        aspect=aspect,
        spacing_mm=spacing_mm,
        seconds=()
        if not step or frames < 2 or sorted_in_space
        else tuple(frame * step for frame in range(frames)),
        about=_about(header, file.syntax),
        series=series_of(header),
        place=places[0],
        instance=str(header.get("SOPInstanceUID") or ""),
        remarks=tuple(_remarks(file, inverted, sorted_in_space, places)),
        noted=noted,
    )


def _remarks(
    file: DicomFile, inverted: bool, sorted_in_space: bool, places: Sequence[Place]
) -> Iterator[str]:
    """What is to be said of a file before any of it is decoded."""
    header = file.header
    if inverted:
        yield f"{file.name}: inverted so that bone is bright (stored as MONOCHROME1)."
    if sorted_in_space:
        yield f"{file.name}: {len(places)} frames, ordered by their position."
    if len(places) > 1 and (absent := missing(places)):
        yield f"{file.name}: {absent} slice{'s' * (absent > 1)} seem to be missing between others."
    if str(header.get("BurnedInAnnotation", "")).upper() == "YES":
        yield f"{file.name}: text is burned into the picture; it may name the patient."
    if int(header.get("SamplesPerPixel") or 1) == 3 and int(header.get("BitsStored") or 8) > 8:
        yield f"{file.name}: its colours of {header.BitsStored} bits are read as 8 bits."
    if header.get("Modality") == "SEG":
        yield f"{file.name} is a segmentation (a mask), not a picture of a patient."
    planes = sum((group, 0x0010) in header for group in range(0x6000, 0x6020, 2))  # C.9.2
    if planes:
        yield f"{file.name}: what is drawn over the picture in {planes} overlay(s) is left out."


def _about(header: Dataset, syntax: UID) -> tuple[str, ...]:
    """What to say of a picture beside its size; nothing that could tell who the patient is."""
    facts = [str(header.get(each, "")).strip() for each in ("Modality", "ViewPosition")]
    if syntax.is_compressed:
        facts.append(syntax.name.split(",")[0].split(" (")[0].replace(" Image Compression", ""))
    return tuple(fact for fact in facts if fact)


def _pictures(file: DicomFile, frames: Sequence[int], noted: list[str]) -> Iterator[np.ndarray]:
    """The frames of these numbers: grey (H, W) float32 in units, colour (H, W, 3) uint8."""
    with file.open() as stream, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for frame in frames:
            with decoding(file.name):
                words = _decode(file, stream, frame)
                picture = to_units(file.header, words, frame, file.name, noted)
            yield picture


def _decode(file: DicomFile, stream: BinaryIO, index: int) -> np.ndarray:
    """One frame as stored (colour already RGB), its own declared size checked first."""
    header = file.header
    options = as_pixel_options(header, pixel_keyword=file.pixels.keyword)
    options["transfer_syntax_uid"] = file.syntax
    # 8-bit pixels stored as big-endian words lie in pairs the wrong way round (PS3.5 section 8.1).
    options["pixel_vr"] = file.pixels.representation
    # Bits above Bits Stored are dealt with in one place for all decoders (`stored_bits`).
    options["correct_unused_bits"] = int(header.get("SamplesPerPixel") or 1) > 1
    if file.syntax.is_encapsulated:
        stream.seek(file.offset)
        encoded = get_frame(
            stream,
            index,
            extended_offsets=options.get("extended_offsets"),
            number_of_frames=options["number_of_frames"],
        )
        declared = dicom_codecs.declared_size(encoded)
        if declared is not None and declared != (header.Rows, header.Columns):
            raise UnreadableFile(
                f"{file.name} declares {header.Columns} x {header.Rows} pixels, its compressed "
                f"picture {declared[1]} x {declared[0]}.",
                hint="Export it again; its header and its pixels do not belong together.",
            )
    stream.seek(file.offset)
    pixels, _ = next(file.decoder.iter_array(stream, indices=[index], **options))
    return pixels
