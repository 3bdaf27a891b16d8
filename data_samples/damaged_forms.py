"""Damaged tables and JSON, drawn by their structure: what hands and programs do to them.

hostile_table(rng)                a manifest with odd cells, separators, rows and encodings
changed_json(content, rng)        a JSON file with one to three changes at random places
"""

from __future__ import annotations

import copy
import csv
import io
import json
from collections.abc import Callable
from typing import Any

import numpy as np

COLUMNS = ("case_id", "patient_id", "age", "sex", "note", "film", "seen_at", "label")
ODD_NAMES = ("", "age", "label", "split", "__class__", "select", "\U0001f600", "a\nb", "x" * 300)
ODD_CELLS = (
    "",
    " ",
    "NA",
    "None",
    "null",
    "nan",
    "inf",
    "-inf",
    "1e308",
    "1e999",
    "-0",
    "1,5",
    "1.234,5",
    "<10",
    "120/80",
    "94*",
    "001",
    "1e5",
    "99999999999999999999",
    "٣",
    "½",
    "true",
    "TRUE",
    "ja",
    "03/04/05",
    "2021-02-30",
    "1900-01-00",
    "44197",
    "25:61",
    "2999-12-31T00:00:00+25:00",
    "=1+1",
    "@SUM(A1)",
    "\t",
    "\r",
    "\x00",
    "\ufeff",
    "\u202egnp.exe",
    "e\u0301",
    "\ud7ff",
    "../../x",
    "/dev/zero",
    "C:\\x",
    "CON",
    "a" * 300,
    "a/" * 200,
    "film.dcm",
    "~",
    "%2e%2e%2f",
    "file:///etc/passwd",
    "http://a.b/c",
    "<img src=x>",
    "{{7*7}}",
    '"',
    "'",
    "\\",
    ";",
    "|",
)
ODD_VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1e308,
    float("nan"),
    float("inf"),
    2**63,
    10**400,
    "",
    "x",
    "x" * 5000,
    [],
    [[]],
    {},
    {"x": {"y": 1}},
    ["a", 1],
    "\ud800",
    "../../x",
    "\x00",
)
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "latin-1", "cp1252", "utf-16-be")

Change = Callable[[Any, Any, np.random.Generator], None]


def _one(choices: Any, rng: np.random.Generator) -> Any:
    return choices[int(rng.integers(len(choices)))]


def hostile_table(rng: np.random.Generator) -> bytes:
    """A manifest of 0 to 120 rows: mostly plausible cells, some odd, in any usual dialect."""
    names = [
        str(_one(ODD_NAMES, rng)) if rng.random() < 0.02 else name
        for name in COLUMNS
        if rng.random() > 0.02
    ]
    rows = [names]
    for number in range(int(rng.integers(0, 121))):
        row = [_cell(name, number, rng) for name in names]
        if rng.random() < 0.0005:
            row = row[: int(rng.integers(0, len(row) + 1))] + ["more"] * int(rng.integers(0, 3))
        rows.append(row)
    out = io.StringIO()
    quoting = csv.QUOTE_ALL if rng.random() < 0.2 else csv.QUOTE_MINIMAL
    csv.writer(
        out,
        delimiter=str(_one(",,,;\t|", rng)),
        quoting=quoting,
        escapechar="\\",
        lineterminator=str(_one(("\n", "\r\n", "\r"), rng)),
    ).writerows(rows)
    return out.getvalue().encode(str(_one(ENCODINGS, rng)), "replace")


def _cell(name: str, number: int, rng: np.random.Generator) -> str:
    if rng.random() < 0.004:
        return str(_one(ODD_CELLS, rng))
    return {
        "case_id": f"c{number}",
        "patient_id": f"p{number // 2}",
        "age": str(20 + number),
        "sex": "FM"[number % 2],
        "note": "Cough since Monday, no fever.",
        "seen_at": f"2021-03-{number % 28 + 1:02}",
        "label": str(number % 2),
    }.get(name, "")


def changed_json(content: bytes, rng: np.random.Generator) -> bytes:
    """The JSON object with one to three values replaced, dropped, renamed, repeated or nested."""
    value = json.loads(content)
    for _ in range(int(rng.integers(1, 4))):
        if value:
            holder, key = _place(value, rng)
            _one(_CHANGES, rng)(holder, key, rng)
    return json.dumps(value, ensure_ascii=bool(rng.random() < 0.5)).encode("utf-8", "surrogatepass")


def _place(value: Any, rng: np.random.Generator) -> tuple[Any, Any]:
    """A random place: what holds it, and its key there."""
    while True:
        key = _one(list(value) if isinstance(value, dict) else range(len(value)), rng)
        inner = value[key]
        if not isinstance(inner, dict | list) or not inner or rng.random() < 0.25:
            return value, key
        value = inner


def _replace(holder: Any, key: Any, rng: np.random.Generator) -> None:
    holder[key] = copy.deepcopy(_one(ODD_VALUES, rng))


def _drop(holder: Any, key: Any, rng: np.random.Generator) -> None:
    del holder[key]


def _rename(holder: Any, key: Any, rng: np.random.Generator) -> None:
    if isinstance(holder, dict):
        holder[str(_one(("", f"{key}_", "__proto__", "auto_map"), rng))] = holder.pop(key)


def _repeat(holder: Any, key: Any, rng: np.random.Generator) -> None:
    if isinstance(holder[key], list | str):
        holder[key] = holder[key] * int(rng.integers(2, 50))


def _nest(holder: Any, key: Any, rng: np.random.Generator) -> None:
    for _ in range(int(_one((1, 5, 200), rng))):
        holder[key] = [holder[key]]


def _scale(holder: Any, key: Any, rng: np.random.Generator) -> None:
    if isinstance(holder[key], int | float):
        holder[key] = holder[key] * -1000 + 1


_CHANGES: tuple[Change, ...] = (_replace, _replace, _drop, _rename, _repeat, _nest, _scale)
