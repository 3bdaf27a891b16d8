"""A DICOM file -> a `Stack` of its pictures, in modality units and upright grey scale.

Sizes are checked against the bytes that are really there before anything is decoded; only the
frames asked for are decoded, straight from the file. References are to the DICOM standard.
"""

from __future__ import annotations

import contextlib
import io
import struct
import warnings
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.encaps import generate_fragments, get_frame
from pydicom.filereader import read_dataset
from pydicom.pixels import (
    as_pixel_options,
    get_decoder,
)
from pydicom.pixels.decoders.base import Decoder
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from fmstudio.errors import UnreadableFile
from pipelines import dicom_codecs
from pipelines.decoding import check_size, decoding
from pipelines.dicom_geometry import place, spacing_and_aspect, timing
from pipelines.dicom_values import file_window, is_hounsfield, swap_palette, to_units
from pipelines.frames import Stack

# A deflated data set may not grow beyond this: 2 MB of zeros inflate to gigabytes.
MAX_INFLATED_BYTES = 400_000_000
PIXEL_TAGS = {
    0x7FE00010: "PixelData",
    0x7FE00009: "DoubleFloatPixelData",
    0x7FE00008: "FloatPixelData",
}

# MPEG-2, MPEG-4 and HEVC, whose frames only make sense as a whole film.
_FILM_SYNTAXES = tuple(f"1.2.840.10008.1.2.4.10{last}" for last in range(9))

# What a file without pixels is, by the beginning of its SOP class (PS3.4 B.5).
_STORAGE = "1.2.840.10008.5.1.4.1.1"
_NOT_IMAGES = (
    (f"{_STORAGE}.88.59", "a key object selection"),
    (f"{_STORAGE}.88", "a structured report"),
    (f"{_STORAGE}.9", "a waveform recording"),
    (f"{_STORAGE}.11", "a presentation state"),
    (f"{_STORAGE}.104", "an encapsulated document"),
    (f"{_STORAGE}.66.5", "a surface"),
    (f"{_STORAGE}.66.1", "a spatial registration"),
    (f"{_STORAGE}.481.3", "a set of radiotherapy structures"),
    (f"{_STORAGE}.481.5", "a radiotherapy plan"),
    (f"{_STORAGE}.481.8", "a radiotherapy plan"),
    (f"{_STORAGE}.481", "a radiotherapy record"),
    (f"{_STORAGE}.4.2", "an MR spectrum"),
    ("1.2.840.10008.1.3.10", "a DICOMDIR, the index of a disc"),
)


@dataclass(frozen=True)
class _Pixels:
    """The element that holds the pixels: `head` is the size of its own header, all in bytes."""

    keyword: str
    representation: str
    head: int
    length: int


@dataclass(frozen=True)
class _File:
    """A DICOM file: its header, and where in the stream that `open` gives its pixels begin."""

    name: str
    open: Callable[[], BinaryIO]
    header: Dataset
    syntax: UID
    decoder: Decoder
    pixels: _Pixels
    offset: int


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
        _check(file)
        return _stack(file, name)


def film_inside(path: Path) -> bytes | None:
    """The MPEG film that a DICOM file wraps (PS3.5 8.2.5 to 8.2.9), or None if it wraps none.

    Raises UnreadableFile if the file is damaged.
    """
    with warnings.catch_warnings(), decoding(path.name):
        warnings.simplefilter("ignore")
        with _opener(path)() as stream:
            header = pydicom.dcmread(stream, stop_before_pixels=True, force=True)
            syntax = str(header.file_meta.get("TransferSyntaxUID", ""))
            if not syntax.startswith(_FILM_SYNTAXES):
                return None
            stream.seek(12, io.SEEK_CUR)
            _, *fragments = generate_fragments(stream)
            return b"".join(fragments)


def _open(path: Path) -> _File:
    """Read the header, up to the pixels."""
    opener = _opener(path)
    with opener() as stream:
        header = pydicom.dcmread(stream, stop_before_pixels=True, force=True)
        offset = stream.tell()
        element = stream.read(12)
    syntax = UID(header.file_meta.get("TransferSyntaxUID") or _guess_syntax(header))
    pixels = _pixel_element(element, header.original_encoding)
    if pixels is None:
        _refuse_without_pixels(path.name, header)
    try:
        decoder = get_decoder(syntax)
    except NotImplementedError:
        raise UnreadableFile(
            f"{path.name} is compressed as {syntax.name}, which cannot be read here.",
            hint="Save it as uncompressed DICOM; give a film as a video clip.",
        ) from None
    if syntax == ExplicitVRBigEndian:
        swap_palette(header)
    return _File(path.name, opener, header, syntax, decoder, pixels, offset + pixels.head)


def _opener(path: Path) -> Callable[[], BinaryIO]:
    """How to open the file, its data set inflated where it is deflated (PS3.5 A.5), in bounds."""
    with path.open("rb") as content:
        content.seek(128)
        if content.read(4) != b"DICM":
            content.seek(0)
        meta = read_dataset(content, False, True, stop_when=lambda tag, vr, length: tag.group != 2)
        if meta.get("TransferSyntaxUID") != DeflatedExplicitVRLittleEndian:
            return lambda: path.open("rb")
        end = content.tell()
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        data = inflater.decompress(content.read(), MAX_INFLATED_BYTES)
        if inflater.unconsumed_tail:
            raise UnreadableFile(
                f"{path.name} inflates to more than {MAX_INFLATED_BYTES // 1_000_000} MB.",
                hint="Export it uncompressed if it really is that large.",
            )
        content.seek(0)
        head = content.read(end)
    # A UID of the same length that says what the data set now is.
    plain = ExplicitVRLittleEndian.encode().ljust(len(DeflatedExplicitVRLittleEndian), b"\0")
    whole = head.replace(DeflatedExplicitVRLittleEndian.encode(), plain) + data
    return lambda: io.BytesIO(whole)


def _guess_syntax(header: Dataset) -> str:
    """The uncompressed transfer syntax of a data set without file meta information."""
    implicit, little = header.original_encoding
    if implicit:
        return ImplicitVRLittleEndian
    return ExplicitVRLittleEndian if little else ExplicitVRBigEndian


def _pixel_element(element: bytes, encoding: tuple[bool | None, bool | None]) -> _Pixels | None:
    """What the first bytes of the element say at which the header stopped (PS3.5 section 7.1).

    None if the data set ended without pixels.
    """
    implicit, little = encoding
    order = "<" if little else ">"
    if len(element) < 12:
        return None
    group, number = struct.unpack_from(f"{order}HH", element)
    keyword = PIXEL_TAGS.get(group << 16 | number)
    if keyword is None:
        return None
    # Some files hold elements without representation among those with one.
    if implicit or not element[4:6].isalpha():
        return _Pixels(keyword, "OW", 8, struct.unpack_from(f"{order}I", element, 4)[0])
    length = struct.unpack_from(f"{order}I", element, 8)[0]
    return _Pixels(keyword, element[4:6].decode(), 12, length)


def _refuse_without_pixels(file: str, header: Dataset) -> None:
    """Raise UnreadableFile, saying what the file is instead of an image."""
    kind = str(header.get("SOPClassUID") or header.file_meta.get("MediaStorageSOPClassUID") or "")
    for beginning, noun in _NOT_IMAGES:
        if kind == beginning or kind.startswith(beginning + "."):
            raise UnreadableFile(
                f"{file} is {noun}, not an image.",
                hint="Give the image that it belongs to, or leave the cell empty.",
            )
    what = UID(kind).name if kind in pydicom.uid.UID_dictionary else "DICOM"
    raise UnreadableFile(
        f"{file} ({what}) holds no pixels: it is cut short or is not an image.",
        hint="Export it again from the archive.",
    )


def _check(file: _File) -> None:
    """Raise UnreadableFile if what the header declares does not fit the bytes that are there."""
    rows, columns = _whole(file, "Rows", 0), _whole(file, "Columns", 0)
    samples, frames = _whole(file, "SamplesPerPixel", 1), _whole(file, "NumberOfFrames", 1)
    bits = _whole(file, "BitsAllocated", 0)
    bits = {"FloatPixelData": 32, "DoubleFloatPixelData": 64}.get(file.pixels.keyword, bits)
    if not rows or not columns:
        raise UnreadableFile(
            f"{file.name} holds pixels but does not declare their rows and columns.",
            hint="Export it again; its header is damaged.",
        )
    check_size(file.name, rows, columns, samples)
    if frames < 1 or samples not in (1, 3) or bits not in (1, 8, 16, 32, 64):
        raise UnreadableFile(
            f"{file.name} declares {frames} frames of {samples} samples of {bits} bits.",
            hint="Export it again; its header is damaged.",
        )
    with file.open() as stream:
        there = stream.seek(0, io.SEEK_END) - file.offset
        if file.syntax.is_encapsulated:
            _check_fragments(file, stream, there, frames)
            if bits == 1 and file.syntax == RLELossless:
                raise UnreadableFile(
                    f"{file.name} is a mask of 1 bit compressed as RLE, which cannot be read here.",
                    hint="Save it as uncompressed DICOM.",
                )
            return
    wanted = (rows * columns * samples * frames * bits + 7) // 8
    if file.header.get("PhotometricInterpretation") == "YBR_FULL_422":
        wanted = wanted * 2 // 3
    if min(there, file.pixels.length) < wanted:
        raise UnreadableFile(
            f"{file.name} is cut short: it declares {wanted:,} bytes of pixels and holds "
            f"{min(there, file.pixels.length):,}.",
            hint="Copy or export it again; this copy is not complete.",
        )


def _whole(file: _File, keyword: str, default: int) -> int:
    """A whole number of the header; `default` where it is absent or empty."""
    value = None
    with contextlib.suppress(Exception):  # pydicom raises several kinds on a value it cannot read
        value = file.header.get(keyword)
        return default if value in (None, "") else int(value)
    found = f"'{value}'" if value is not None else "something"
    raise UnreadableFile(
        f"{file.name} declares {found} as {keyword}, which is not a whole number.",
        hint="Export it again; its header is damaged.",
    )


def _check_fragments(file: _File, stream: BinaryIO, there: int, frames: int) -> None:
    """Walk over the items of encapsulated pixels (PS3.5 A.4) without reading them."""
    place, items = 0, 0
    while place + 8 <= there:
        stream.seek(file.offset + place)
        group, number, length = struct.unpack("<HHI", stream.read(8))
        if (group, number) != (0xFFFE, 0xE000):
            break
        place, items = place + 8 + length, items + 1
    # The first item is the offset table.
    if place > there or items - 1 < frames:
        raise UnreadableFile(
            f"{file.name} is cut short: it declares {frames} "
            f"frame{'s' if frames > 1 else ''}, and not all of them are there.",
            hint="Copy or export it again; this copy is not complete.",
        )


def _stack(file: _File, name: str) -> Stack:
    header = file.header
    frames = int(header.get("NumberOfFrames") or 1)
    series, position = place(header)
    spacing_mm, aspect = spacing_and_aspect(header)
    step = timing(header)
    inverted = header.get("PhotometricInterpretation") == "MONOCHROME1"
    remarks = []
    if inverted:
        remarks.append(f"{file.name}: inverted so that bone is bright (stored as MONOCHROME1).")
    if str(header.get("BurnedInAnnotation", "")).upper() == "YES":
        remarks.append(f"{file.name}: text is burned into the picture; it may name the patient.")
    if int(header.get("SamplesPerPixel") or 1) == 3 and int(header.get("BitsStored") or 8) > 8:
        remarks.append(f"{file.name}: its colours of {header.BitsStored} bits are read as 8 bits.")
    if header.get("Modality") == "SEG":
        remarks.append(f"{file.name} is a segmentation (a mask), not a picture of a patient.")
    return Stack(
        name=name,
        file=file.name,
        count=frames,
        size=(int(header.Rows), int(header.Columns)),
        pictures=lambda indices: _pictures(file, indices),
        window=file_window(header, whole=file.pixels.keyword == "PixelData"),
        inverted=inverted,
        hounsfield=is_hounsfield(header),
        aspect=aspect,
        spacing_mm=spacing_mm,
        seconds=tuple(frame * step for frame in range(frames)) if step and frames > 1 else (),
        about=_about(header, file.syntax),
        series=series,
        position=position,
        remarks=tuple(remarks),
    )


def _about(header: Dataset, syntax: UID) -> tuple[str, ...]:
    """What to say of a picture beside its size; nothing that could tell who the patient is."""
    facts = [str(header.get(each, "")).strip() for each in ("Modality", "ViewPosition")]
    if syntax.is_compressed:
        facts.append(syntax.name.split(",")[0].split(" (")[0].replace(" Image Compression", ""))
    return tuple(fact for fact in facts if fact)


def _pictures(file: _File, indices: Sequence[int]) -> Iterator[np.ndarray]:
    """The frames `indices`: grey (H, W) float32 in modality units, colour (H, W, 3) uint8."""
    with file.open() as stream, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for index in indices:
            with decoding(file.name):
                picture = to_units(file.header, _decode(file, stream, index), index)
            yield picture


def _decode(file: _File, stream: BinaryIO, index: int) -> np.ndarray:
    """One frame as stored (colour already RGB), its own declared size checked first."""
    header = file.header
    options = as_pixel_options(header, pixel_keyword=file.pixels.keyword)
    options["transfer_syntax_uid"] = file.syntax
    # 8-bit pixels stored as big-endian words lie in pairs the wrong way round (PS3.5 section 8.1).
    options["pixel_vr"] = file.pixels.representation
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
