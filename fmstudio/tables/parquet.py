"""The bytes of a Parquet file -> header and rows of text."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from fmstudio.errors import InputError
from fmstudio.tables.styles import moment_text

BATCH = 5_000  # rows that are turned into text at a time


def read_parquet(name: str, data: bytes) -> tuple[list[str], Iterator[tuple[int, list[str]]]]:
    """All columns as text. Raises InputError for columns that hold anything but plain values."""
    import pyarrow as pa  # heavy, and only for Parquet
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(io.BytesIO(data))
        schema = file.schema_arrow
    except (pa.ArrowException, OSError, ValueError, OverflowError) as fault:
        raise _broken(name) from fault
    for column in schema:
        if pa.types.is_nested(column.type) or pa.types.is_binary(column.type):
            raise InputError(
                f"{name}: column '{column.name}' holds {column.type} values.",
                hint="A cell must hold a number, a text, a date or a yes/no value.",
            )

    def rows() -> Iterator[tuple[int, list[str]]]:
        number = 0
        try:
            for batch in file.iter_batches(batch_size=BATCH):
                columns = [[_text(value) for value in each.to_pylist()] for each in batch.columns]
                for cells in zip(*columns, strict=True):
                    number += 1
                    yield number, list(cells)
        except (pa.ArrowException, OSError, ValueError, OverflowError) as fault:
            raise _broken(name) from fault

    return list(schema.names), rows()


def _text(value: object) -> str:
    """A cell's value as a person would type it; empty for none."""
    if value is None:
        return ""
    if isinstance(value, float):
        if math.isnan(value):
            return ""
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime | date | time | timedelta):
        return moment_text(value)
    return str(value)


def _broken(name: str) -> InputError:
    return InputError(
        f"{name} cannot be opened as the Parquet file that its ending says.",
        hint="Save it again, or save it as CSV UTF-8.",
    )
