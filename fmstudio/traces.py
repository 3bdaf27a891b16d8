"""Faults in logs: of which kind and where in the code, without their words.

The message of an exception may quote a cell, a note or the name of a file. A log is kept longer
than a patient's data, and is what people send when they ask for help.
"""

from __future__ import annotations

import logging
import traceback
from pathlib import Path
from types import TracebackType

Fault = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class WithoutWords(logging.Formatter):
    """Formats lines as usual, and exceptions without their messages."""

    def format(self, record: logging.LogRecord) -> str:
        """The line; the text that another handler made of its exception is not taken over."""
        kept, record.exc_text = record.exc_text, None
        try:
            return super().format(record)
        finally:
            record.exc_text = kept

    def formatException(self, ei: Fault) -> str:
        """Each exception of the chain, the first cause first: its frames and its type."""
        parts: list[str] = []
        fault = ei[1]
        while fault is not None:
            frames = traceback.extract_tb(fault.__traceback__)
            lines = [f"  {_short(f.filename)}:{f.lineno} in {f.name}" for f in frames]
            parts.insert(0, "\n".join([*lines, type(fault).__qualname__]))
            fault = fault.__cause__ or (None if fault.__suppress_context__ else fault.__context__)
        return "\nwhich led to\n".join(parts)


def _short(filename: str) -> str:
    """The end of a path, which says which file of the code it is and not whose computer."""
    return "/".join(Path(filename).parts[-3:])
