"""What the text of a manifest's cell or the name of a column says."""

from __future__ import annotations

import re
from collections.abc import Collection

from fmstudio.cohort.written import written

MISSING = frozenset(
    (
        "",
        "na",
        "n/a",
        "n.a.",
        "#n/a",
        "<na>",
        "nan",
        "nat",
        "null",
        "missing",
        "unknown",
        "not available",
        "not known",
        "not done",
        "not measured",
        "-",
        "--",
        "–",
        "—",
        "?",
        ".",
        "#div/0!",
        "#value!",
        "#ref!",
        "#num!",
        "#name?",
        "#null!",
    )
)
"""Lower-case words for "no value". "none" is not among them: it can be a category or a class."""

_PLAIN = r"[+-]?(?:\d+[.,]?\d*|[.,]\d+)(?:[eE][+-]?\d{1,3})?"
_NUMBER = re.compile(_PLAIN)
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")
_DATE = re.compile(
    r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}(?:[ T]\d{1,2}:\d{2}.*)?|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}.*"
)
_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[^\W\d_a-zA-Z]+")
LONGEST_PATH = 512


def is_missing(text: str) -> bool:
    """True for an empty cell and for the usual words for "no value"."""
    return text.strip().lower() in MISSING


def read_number(text: str) -> float | None:
    """The number a cell holds, with a decimal point or comma; None if it is anything else.

    "1,234" is None: it can be read in two ways. So are infinities.
    """
    text = text.strip().replace("\u2212", "-")
    if not _NUMBER.fullmatch(text) or _THOUSANDS.fullmatch(text):
        return None
    value = float(text.replace(",", "."))
    return value if abs(value) < 3e38 else None


def says_number(text: str) -> bool:
    """True for a number, also as a bound ("<0.5"), with a unit or a flag ("38.5 °C", "94*"),
    grouped, or infinite."""
    return _NUMBER.fullmatch(text.strip()) is not None or (
        written(text) is not None and not is_date(text)
    )


def is_date(text: str) -> bool:
    """True for a day, or a day with a time, in a usual way of writing."""
    return _DATE.fullmatch(text.strip()) is not None


def is_path(text: str, suffixes: Collection[str]) -> bool:
    """True if every part of the cell, split at ";", looks like a file with one of the endings."""
    if not text.lower().rstrip("; \t").endswith(tuple(suffixes)):
        return False  # the one test that most cells of a large table need
    parts = split_paths(text)
    return bool(parts) and all(
        len(part) <= LONGEST_PATH and "\n" not in part and ending(part, suffixes) for part in parts
    )


def split_paths(text: str) -> list[str]:
    """The file names in a cell, which are separated by ";"."""
    return [part.strip() for part in text.split(";") if part.strip()]


def ending(path: str, suffixes: Collection[str]) -> str:
    """The longest of the endings that a file name has (".nii.gz" before ".gz"), or ""."""
    lower = path.lower()
    return max((suffix for suffix in suffixes if lower.endswith(suffix)), key=len, default="")


def name_words(name: str) -> tuple[str, ...]:
    """The words of a column's name, lower case and singular: "deviceLogs_2" -> device, log."""
    words = (word.lower() for word in _WORD.findall(name))
    return tuple(word[:-1] if len(word) > 3 and word.endswith("s") else word for word in words)


def same_value(text: str) -> str:
    """One spelling for one answer: "1", "1.0" and " 1 " are equal, and so are "Yes" and "yes"."""
    number = read_number(text)
    if number is not None:
        return f"{number:.12g}"
    return " ".join(text.split()).casefold()
