"""What holds around every decoder: sizes are checked first, and its faults get a message."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from fmstudio.errors import StudioError, UnreadableFile

# Numbers in one picture: a stitched long-leg film has 30 million, a 12 000 x 12 000 bomb 144.
MAX_SAMPLES = 100_000_000


@contextmanager
def decoding(file: str, hint: str = "") -> Iterator[None]:
    """Turn whatever a decoder raises on a broken file into UnreadableFile, naming the file.

    Decoders raise every kind of exception on damaged data (RuntimeError, ValueError,
    AttributeError, RecursionError, ...), so nothing narrower than Exception would do. Our own
    errors pass through.
    """
    try:
        yield
    except StudioError:
        raise
    except MemoryError as fault:
        raise UnreadableFile(
            f"{file} asks for more memory than reading a file may take.",
            hint="It is damaged or very large; export it again, at a smaller size if need be.",
        ) from fault
    except BaseException as fault:
        # A panic in a decoder written in Rust is no Exception and has no handle but its name.
        if not isinstance(fault, Exception) and type(fault).__name__ != "PanicException":
            raise
        raise UnreadableFile(
            f"{file} is damaged or cut short and cannot be decoded.",
            hint=hint or "Copy or export it again from its source.",
        ) from fault


def check_size(file: str, rows: int, columns: int, channels: int = 1) -> None:
    """Raise UnreadableFile for a declared size that no picture of a patient has."""
    if rows < 1 or columns < 1:
        raise UnreadableFile(
            f"{file} declares a size of {columns} x {rows} pixels.", hint="Export it again."
        )
    if rows * columns * channels > MAX_SAMPLES:
        raise UnreadableFile(
            f"{file} declares {columns} x {rows} pixels, more than can be read "
            f"({MAX_SAMPLES // 1_000_000} million values).",
            hint="Export it at a smaller size.",
        )
