"""One table cell -> a number, a date, a category or nothing, and a remark on free reading.

Nothing is invented: what can be read in two ways ("1,234", "03/04/2021") counts as missing, and
says so.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace

from pipelines.times import AMBIGUOUS, read_moment

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
        "-",
        "--",
        "—",
        "–",
        "?",
        ".",
        "not available",
        "not known",
        "not done",
        "not measured",
        "#div/0!",
        "#value!",
        "#ref!",
        "#num!",
        "#name?",
    )
)
_PLAIN = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?")
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+(?:[eE][+-]?\d{1,3})?")
_BOUND = re.compile(r"\s*(<=|>=|<|>|≤|≥|~|≈)\s*(.+)")
# 1 234 567, 1'234'567 (also with no-break and thin spaces) read only one way.
_SPACED = re.compile(r"[+-]?\d{1,3}(?:[ '\u00a0\u2009\u202f’]\d{3})+(?:[.,]\d+)?")
_COMMA_GROUPS = re.compile(r"[+-]?[1-9]\d{0,2}(?:,\d{3}){2,}|[+-]?[1-9]\d{0,2}(?:,\d{3})+\.\d+")
_DOT_GROUPS = re.compile(r"[+-]?[1-9]\d{0,2}(?:\.\d{3}){2,}|[+-]?[1-9]\d{0,2}(?:\.\d{3})+,\d+")
_AMBIGUOUS_GROUP = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")
LARGEST = 3.0e38  # float32 ends at 3.4e38

_UNIT_WORDS = tuple(
    (
        "% °c °f mg/dl mg/l g/dl g/l µg/l ug/l ng/ml pg/ml mmol/l µmol/l umol/l mmol/mol meq/l u/l "
        "iu/l iu mm cm m kg g mg kg/m2 kg/m² mmhg kpa cmh2o bpm /min 1/min l/min ml ml/h l ms s "
        "min h hz years year yrs y months weeks days hours 10^9/l 10^12/l x10^9/l x10^12/l ml/min "
        "mv µv uv lb kcal steps"
    ).split()
)
_WITH_UNIT = re.compile(
    r"(.*?\d[.,]?)\s*("
    + "|".join(re.escape(word) for word in sorted(_UNIT_WORDS, key=len, reverse=True))
    + r")",
    re.IGNORECASE,
)

# What a laboratory writes beside a value that is out of its range; a lone L is a litre.
_FLAGGED = re.compile(
    r"(.*?\d[.,]?)\s*"
    r"(?:\*{1,3}|!{1,3}|\(!{1,3}\)|\(\*\)|[↑↓]{1,2}|\(?(?:HH?|LL|HI|LO)\)?|[(\[]L[)\]])"
)
_PRESSURE = re.compile(r"(\d{2,3})\s*/\s*(\d{2,3})(?:\s*mm\s?hg)?", re.IGNORECASE)

_SUFFIX_UNITS = {
    "mg_dl": "mg/dL",
    "mg_l": "mg/L",
    "g_dl": "g/dL",
    "g_l": "g/L",
    "ug_l": "µg/L",
    "ug_dl": "µg/dL",
    "ug_ml": "µg/mL",
    "ng_ml": "ng/mL",
    "ng_l": "ng/L",
    "ng_dl": "ng/dL",
    "pg_ml": "pg/mL",
    "mmol_l": "mmol/L",
    "umol_l": "µmol/L",
    "nmol_l": "nmol/L",
    "pmol_l": "pmol/L",
    "mmol_mol": "mmol/mol",
    "meq_l": "mEq/L",
    "u_l": "U/L",
    "iu_l": "IU/L",
    "iu_ml": "IU/mL",
    "miu_l": "mIU/L",
    "kg_m2": "kg/m²",
    "l_min": "L/min",
    "ml_h": "mL/h",
    "ml_min": "mL/min",
    "ml_kg": "mL/kg",
    "pct": "%",
    "percent": "%",
    "celsius": "°C",
    "fahrenheit": "°F",
    "mm": "mm",
    "cm": "cm",
    "kg": "kg",
    "lb": "lb",
    "mg": "mg",
    "ml": "mL",
    "iu": "IU",
    "bpm": "bpm",
    "mmhg": "mmHg",
    "kpa": "kPa",
    "cmh2o": "cmH2O",
    "hz": "Hz",
    "ms": "ms",
    "sec": "s",
    "seconds": "s",
    "minutes": "min",
    "hours": "h",
    "days": "days",
    "weeks": "weeks",
    "months": "months",
    "years": "years",
    "yrs": "years",
    "mv": "mV",
    "uv": "µV",
    "c": "°C",
    "10e9_l": "10^9/L",
    "10e12_l": "10^12/L",
}
_BAND_WORDS = frozenset(("band", "group", "range", "bracket", "class", "category", "bin"))
_BRACKETED = re.compile(r"^(.*\S)\s*[(\[]\s*([^()\[\]]{1,24}?)\s*[)\]]\s*$")


@dataclass(frozen=True)
class Cell:
    """What a cell says: a number, or a category, or neither (missing). `unit` is "" if not said.

    `remark` tells how it was read where that is not plain ("decimal comma"), else "".
    """

    number: float | None = None
    category: str | None = None
    unit: str = ""
    remark: str = ""


def is_missing(text: str) -> bool:
    """True for an empty cell and for the usual words for "no value"."""
    return text.strip().lower() in MISSING


def read_cell(text: str, decimal: str = ".", bands: bool = False) -> Cell:
    """Read one cell; `decimal` is "," where the whole file is known to write decimal commas.

    `bands` is True in a column of bands, where ">65" names a group and is no bound of a value.

    Dates become days since 1970-01-01 with the unit "date" (Unix day numbers, so that
    differences are days). Words, booleans and codes stay categories.
    """
    text = text.strip().lstrip("\ufeff")
    if text.lower() in MISSING:
        return Cell()
    number, remark = read_number(text, decimal)
    if number is not None or remark:
        return Cell(number, remark=remark)
    flagged = _FLAGGED.fullmatch(text)
    if flagged:
        inner = read_cell(flagged[1], decimal, bands)
        if inner.number is not None:
            flag = text[len(flagged[1]) :].strip()
            return replace(inner, remark=inner.remark or f"the flag '{flag}' was left out")
    bound = _BOUND.fullmatch(text)
    if bound and bands:
        return Cell(category=text)
    if bound:
        inner = read_cell(bound[2], decimal)
        if inner.number is not None and inner.unit != "date":
            note = f"the bound of '{text}' was taken as its value"
            return Cell(inner.number, unit=inner.unit, remark=note)
    with_unit = _WITH_UNIT.fullmatch(text)
    if with_unit:
        number, remark = read_number(with_unit[1].strip(), decimal)
        if number is not None:
            return Cell(number, unit=with_unit[2], remark=remark)
    moment = read_moment(text)
    if moment is AMBIGUOUS:
        return Cell(remark=f"the date '{text}' could be read in two ways and was left out")
    if moment is not None:
        return Cell(moment / 86400.0, unit="date")
    return Cell(category=text)


def read_pressure(text: str) -> tuple[str, str] | None:
    """The two numbers of a blood pressure such as "120/80", the systolic one first; else None."""
    pair = _PRESSURE.fullmatch(text.strip())
    if pair is None:
        return None
    high, low = int(pair[1]), int(pair[2])
    return (pair[1], pair[2]) if low < high and 50 <= high <= 300 and 20 <= low <= 200 else None


def read_number(text: str, decimal: str = ".") -> tuple[float | None, str]:
    """The number that a cell says and how it was read; (None, "") if it is not a number.

    (None, remark) is a number that cannot be used: ambiguous, infinite or too large.
    """
    text = text.strip().replace("\u2212", "-")
    if _PLAIN.fullmatch(text):
        return _bounded(text, "")
    if decimal == "," and re.fullmatch(r"[+-]?\d+,\d*", text):
        return _bounded(text.replace(",", "."), "")
    if _COMMA_GROUPS.fullmatch(text):
        return _bounded(text.replace(",", ""), "commas group its thousands")
    if _DOT_GROUPS.fullmatch(text):
        plain = text.replace(".", "").replace(",", ".")
        return _bounded(plain, "points group its thousands")
    if _AMBIGUOUS_GROUP.fullmatch(text):
        return None, f"'{text}' could be {text.replace(',', '')} or {text.replace(',', '.')}" + (
            " and was left out"
        )
    if _DECIMAL_COMMA.fullmatch(text):
        return _bounded(text.replace(",", "."), "a decimal comma was read")
    if _SPACED.fullmatch(text):
        plain = re.sub(r"[ '\u00a0\u2009\u202f’]", "", text).replace(",", ".")
        return _bounded(plain, "spaces group its thousands")
    if text.lower().lstrip("+-") in ("inf", "infinity", "∞"):
        return None, "an infinite value was left out"
    return None, ""


def _bounded(plain: str, remark: str) -> tuple[float | None, str]:
    value = float(plain)
    if not math.isfinite(value) or abs(value) > LARGEST:
        return None, f"'{plain[:24]}' is too large and was left out"
    return value, remark


def names_bands(name: str) -> bool:
    """True if a column's name says that it groups values: "age_band", "BMI class"."""
    words = re.split(r"[^a-z]+", name.lower())
    return not _BAND_WORDS.isdisjoint(words)


def label_of(name: str) -> tuple[str, str]:
    """A column's name as people write it, and its unit: "crp_mg_l" -> ("crp", "mg/L")."""
    plain, unit = split_unit(name)
    words = re.split(r"[\s_]+", plain.strip(" _"))
    for length in (2, 1):
        suffix = "_".join(words[-length:]).lower().replace("/", "_")
        if unit and len(words) > length and _SUFFIX_UNITS.get(suffix) == unit:
            words = words[:-length]
            break
    return " ".join(words), unit


def split_unit(name: str) -> tuple[str, str]:
    """A column's name and the unit it carries: "Glucose (mg/dL)", "glucose_mg_dl" -> mg/dL.

    The name comes back as people wrote it, without a bracketed unit; unit is "" if none is said.
    """
    name = " ".join(name.split())
    bracketed = _BRACKETED.match(name)
    if bracketed:
        return bracketed[1], bracketed[2]
    words = name.lower().replace(" ", "_").replace("/", "_").split("_")
    for length in (2, 1):
        unit = _SUFFIX_UNITS.get("_".join(words[-length:])) if len(words) > length else None
        # "_c" is Celsius only where the name speaks of temperature (not vitamin_c).
        if unit and (words[-1] != "c" or any(w.startswith("temp") for w in words)):
            return name, unit
    return name, ""
