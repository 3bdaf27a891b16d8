"""Messages between the studio and its reading children: a JSON header, then raw bytes.

A message is the header's length (4 bytes, little-endian), the header (JSON, ASCII), and the parts,
whose sizes the header lists. Nothing in it can name code, so a child that was taken over by a
hostile file can only send wrong numbers.

`pack` and `unpack` write a ModalityInput as safetensors; caches use the same bytes.
"""

from __future__ import annotations

import json
import struct
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from fmstudio.contracts import KINDS
from fmstudio.tables.table import Table, texts
from fmstudio.types import ModalityInput, OpenQuestion, Preview, Source

HEADER_LIMIT = 64 * 2**20  # bytes; a preview's table or text travels in the header
_DTYPES = {"values": (np.float32, np.uint8), "mask": (np.bool_,)}


def send(stream: IO[bytes], header: Mapping[str, Any], parts: Sequence[bytes] = ()) -> None:
    """Write one message and flush. Raises BrokenPipeError if nobody reads any more."""
    text = json.dumps({**header, "sizes": [len(part) for part in parts]}).encode("ascii")
    stream.write(struct.pack("<I", len(text)))
    stream.write(text)
    for part in parts:
        stream.write(part)
    stream.flush()


def receive(stream: IO[bytes], limit: int) -> tuple[dict[str, Any], list[bytes]]:
    """Read one message of at most `limit` bytes of parts.

    Raises EOFError if the other side has ended, ValueError if it breaks the rules.
    """
    (length,) = struct.unpack("<I", _exactly(stream, 4))
    if length > HEADER_LIMIT:
        raise ValueError(f"a header of {length} bytes")
    header = json.loads(_exactly(stream, length))
    sizes = header.pop("sizes", None) if isinstance(header, dict) else None
    if not isinstance(sizes, list) or not all(isinstance(n, int) and n >= 0 for n in sizes):
        raise ValueError("a header without sizes")
    if sum(sizes) > limit:
        raise ValueError(f"parts of {sum(sizes)} bytes")
    return header, [_exactly(stream, size) for size in sizes]


def _exactly(stream: IO[bytes], size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise EOFError
    return data


def pack(given: ModalityInput) -> bytes:
    """A ModalityInput as safetensors bytes: the same bytes for the same input.

    Raises ValueError if it breaks the contract (values that are not finite, wrong types).
    """
    if isinstance(given.values, str):
        values = np.frombuffer(given.values.encode("utf-8", "surrogatepass"), np.uint8)
    else:
        values = np.ascontiguousarray(given.values)
        if values.dtype != np.float32 or not np.isfinite(values).all():
            raise ValueError(f"{given.kind} values must be finite float32, found {values.dtype}")
    if given.mask.dtype != np.bool_ or given.kind not in KINDS:
        raise ValueError(f"kind {given.kind}, mask of {given.mask.dtype}")
    about = json.dumps(
        {
            "kind": given.kind,
            "text": isinstance(given.values, str),
            "facts": dict(given.facts),
            "remarks": list(given.remarks),
        },
        allow_nan=False,
    )
    return save({"values": values, "mask": np.ascontiguousarray(given.mask)}, {"input": about})


def unpack(data: bytes) -> ModalityInput:
    """What `pack` was given. Raises ValueError if the bytes are damaged."""
    try:
        arrays = {name: np.array(array) for name, array in load(data).items()}
        (length,) = struct.unpack_from("<Q", data)
        about = json.loads(json.loads(data[8 : 8 + length])["__metadata__"]["input"])
        values, mask = arrays["values"], arrays["mask"]
    except (SafetensorError, KeyError, struct.error) as fault:
        raise ValueError(f"not a packed input: {fault}") from fault
    if any(arrays[name].dtype not in allowed for name, allowed in _DTYPES.items()):
        raise ValueError(f"not a packed input: {values.dtype}, {mask.dtype}")
    content = values.tobytes().decode("utf-8", "surrogatepass") if about["text"] else values
    return ModalityInput(about["kind"], content, mask, about["facts"], tuple(about["remarks"]))


def pack_preview(preview: Preview) -> tuple[dict[str, Any], list[bytes]]:
    """A Preview as header and parts: pictures first, the media file last."""
    named = [*((image, caption) for image, caption in preview.images)]
    windows = [(image, name) for name, image in preview.windows.items()]
    header = {
        "images": [[list(image.shape), caption] for image, caption in named],
        "windows": [[list(image.shape), name] for image, name in windows],
        "table": preview.table,
        "text": preview.text,
        "media": preview.media is not None,
        "media_type": preview.media_type,
        "remarks": preview.remarks,
    }
    pictures = [_picture_bytes(image) for image, _ in named + windows]
    return header, [*pictures, preview.media or b""]


def _picture_bytes(image: np.ndarray) -> bytes:
    if image.dtype != np.uint8:
        raise ValueError(f"a picture must be uint8, found {image.dtype}")
    return image.tobytes()


def unpack_preview(header: Mapping[str, Any], parts: Sequence[bytes]) -> Preview:
    """What `pack_preview` was given. Raises ValueError if shapes and sizes disagree."""
    shapes = [*header["images"], *header["windows"]]
    pictures = [
        (np.frombuffer(part, np.uint8).reshape(shape).copy(), caption)
        for part, (shape, caption) in zip(parts[:-1], shapes, strict=True)
    ]
    count = len(header["images"])
    return Preview(
        images=tuple(pictures[:count]),
        windows={name: image for image, name in pictures[count:]},
        table=tuple(tuple(row) for row in header["table"]),
        text=header["text"],
        media=parts[-1] if header["media"] else None,
        media_type=header["media_type"],
        remarks=tuple(header["remarks"]),
    )


def pack_table(table: Table, sha256: str) -> tuple[dict[str, Any], list[bytes]]:
    """A table as header and parts: the rows' lines, then text and sizes of each column."""
    header = {"columns": list(table.header), "sha256": sha256, "remarks": list(table.remarks)}
    parts = [array("I", table.lines).tobytes()]
    for column in table.columns:
        parts += [bytes(column.text), column.sizes.tobytes()]
    return header, parts


def unpack_table(
    header: Mapping[str, Any], parts: Sequence[bytes]
) -> tuple[dict[str, list[str]], list[int]]:
    """Columns by name, and the rows' lines. Raises ValueError if sizes and lengths disagree."""
    places = _integers(parts[0]).tolist()
    named = zip(header["columns"], parts[1::2], parts[2::2], strict=True)
    columns = {str(name): texts(text, _integers(sizes)) for name, text, sizes in named}
    if any(len(cells) != len(places) for cells in columns.values()):
        raise ValueError("columns of different lengths")
    return columns, places


def _integers(content: bytes) -> array[int]:
    numbers = array("I")
    numbers.frombytes(content)
    return numbers


def source_to_json(source: Source) -> dict[str, Any]:
    """A Source as JSON, its path absolute, for the child works in another folder."""
    path = None if source.path is None else str(source.path.absolute())
    return {
        "name": source.name,
        "path": path,
        "text": source.text,
        "until": source.until,
        "answers": [list(answer) for answer in source.answers],
    }


def source_from_json(given: Mapping[str, Any]) -> Source:
    """What `source_to_json` was given."""
    path = None if given["path"] is None else Path(given["path"])
    answers = tuple((str(key), str(said)) for key, said in given["answers"])
    return Source(given["name"] or "", path, given["text"], given["until"], answers)


def question_to_json(question: OpenQuestion) -> dict[str, Any]:
    """An OpenQuestion as JSON."""
    return asdict(question)


def question_from_json(given: Mapping[str, Any]) -> OpenQuestion:
    """What `question_to_json` was given."""
    return OpenQuestion(
        tuple(map(str, given["keys"])),
        str(given["message"]),
        tuple(map(str, given["choices"])),
        bool(given["needed"]),
    )
