"""The vocabulary: tables of words beside this file, in which `|` parts what may be said instead."""

from __future__ import annotations

import csv
from pathlib import Path

_FOLDER = Path(__file__).with_name("vocabulary")


def rows(name: str) -> list[dict[str, str]]:
    """The rows of one table of the vocabulary."""
    with (_FOLDER / f"{name}.tsv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def options(cell: str) -> tuple[str, ...]:
    """What may be said instead of each other; () for an empty cell."""
    return tuple(cell.split("|")) if cell else ()


def _column(name: str) -> dict[str, tuple[str, ...]]:
    return {row["state"]: options(row[name]) for row in rows("wards") if row[name]}


DISEASES, DRUGS = _column("diseases"), _column("drugs")
COMPLAINTS, PLANS = _column("complaints"), _column("plans")
LISTS = {row["list"]: options(row["words"]) for row in rows("lists")}
