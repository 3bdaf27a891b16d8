"""What a file says of itself beside its content, and the same file without it.

`tags_of` looks into a file of any format that the pipelines read but DICOM (see dicom_headers.py).
Each format lists what may stay, the content and what is needed to read it; everything else is a
tag. Where places in the file are counted in bytes, tags are overwritten where they stand, so that
nothing else moves; samples, pictures and words are never coded anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from pipelines.formats import content, filetypes
from pipelines.formats.decoding import decoding
from pipelines.tags import documents, films, ogg, pictures, recordings, riff, sounds, volumes
from pipelines.tags.cleared import Cleared

_CLEAR: Mapping[str, Callable[[bytearray], Cleared]] = {
    "wav": riff.wave,
    "avi": riff.film,
    "webp": riff.picture,
    "aiff": sounds.aiff,
    "caf": sounds.caf,
    "au": sounds.au,
    "flac": sounds.flac,
    "mp3": sounds.mpeg,
    "aac": sounds.mpeg,
    "ogg": ogg.clear,
    "mp4": films.quicktime,
    "matroska": films.matroska,
    "asf": films.windows_media,
    "png": pictures.png,
    "jpeg": pictures.jpeg,
    "gif": pictures.gif,
    "tiff": pictures.tiff,
    "bmp": pictures.bmp,
    "nifti": volumes.nifti,
    "nifti.gz": volumes.packed_nifti,
    "edf": recordings.edf,
    "bdf": recordings.edf,
    "hea": recordings.wfdb,
    "docx": documents.office,
    "xlsx": documents.office,
    "rtf": documents.rtf,
    "pdf": documents.pdf,
    "parquet": documents.parquet,
}
_OF_CONTENT = {
    content.NIFTI: "nifti",
    content.NIFTI_GZ: "nifti.gz",
    content.WEBP: "webp",
    content.MP4: "mp4",
}


def tags_of(path: Path) -> Cleared | None:
    """The tags of a file, and the file without them; None for a format that has none.

    Raises UnreadableFile if it is too damaged for that.
    """
    filetypes.require_file(path)
    clear = _CLEAR.get(_format(path))
    if clear is None:
        return None
    with decoding(path.name):
        return clear(bytearray(path.read_bytes()))


def _format(path: Path) -> str:
    key, _ = filetypes.identify(path)
    if not key and path.suffix.lower() == ".hea":
        return "hea"
    if key in _CLEAR:
        return key
    with path.open("rb") as stream:
        found = content.identify_head(stream.read(content.HEAD_BYTES))
    return _OF_CONTENT.get(found, "") if found else ""
