"""Values, rows and times as plain text, and records as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import is_dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from fmstudio.present.values import NOTHING
from fmstudio.types import Interval


def as_json(value: Any) -> str:
    """Any answer as one JSON document; null for a number that cannot be computed."""
    return json.dumps(plain(value), indent=2, ensure_ascii=False, allow_nan=False)


def plain(value: Any) -> Any:
    """A record, or anything made of records, as what JSON knows."""
    if isinstance(value, Interval):
        return value.as_dict()
    if is_dataclass(value) and not isinstance(value, type):
        return plain({name: getattr(value, name) for name in value.__dataclass_fields__})
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [plain(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Path):
        return value.name
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def record_text(record: Any) -> str:
    """Any record, one field a line; what is nested as JSON."""
    lines = []
    for name, value in plain(record).items():
        nested = isinstance(value, (dict, list))
        shown = json.dumps(value, ensure_ascii=False, indent=2) if nested else value
        lines.append(f"{name}: {NOTHING if shown is None else shown}")
    return "\n".join(lines)


def when(moment: datetime | None) -> str:
    """A moment in the reader's own time zone."""
    return NOTHING if moment is None else moment.astimezone().strftime("%Y-%m-%d %H:%M")


def one_line(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
