"""A number as people and instruments write it -> its parts; what they mean, the column decides."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

LARGEST = 3e38  # float32 ends at 3.4e38

_CORE = re.compile(
    r"(?P<bound>[<>≤≥~≈]=?)?\s*"
    r"(?P<sign>[+\-\u2212]?)"
    r"(?P<digits>\d{1,3}(?:[ '’\u00a0\u2009\u202f]\d{3})+(?:[.,]\d+)?|\d[\d.,]*|[.,]\d+)"
    r"(?P<power>[eE][+\-\u2212]?\d{1,4})?"
    r"(?P<tail>.*)",
    re.DOTALL,
)
_INFINITE = re.compile(r"[+\-\u2212]?(?:inf|infinity|∞)", re.IGNORECASE)
_SPACES = re.compile(r"[ '’\u00a0\u2009\u202f]")
_GROUPS = re.compile(r"\d{1,3}([.,])\d{3}(?:\1\d{3})*")
_UNIT = re.compile(r"/?[A-Za-zµμ%°][A-Za-zµμ%°²³/*^·.0-9()]{0,15}|10\^\d+/[A-Za-zµμ]{1,3}")
_MARKS = re.compile(r"(?:\*{1,3}|!{1,3}|\(!{1,3}\)|[↑↓]{1,2}|\(\*\))")
_LETTERS = re.compile(
    r"\(?(?:hh?|ll?|hi|lo|high|low|abn|crit|n|a|c)\)?|\[(?:hh?|ll?)\]", re.IGNORECASE
)
PAIR = re.compile(r"(\d{2,3})\s*/\s*(\d{2,3})(?:\s*mm\s?hg)?", re.IGNORECASE)


@dataclass(frozen=True)
class Written:
    """A number's `bound` ("<" or ""), its `digits` with whatever separates them, `power` of ten and
    `tail`: a unit or a flag. `infinite` is True for the word for infinity."""

    bound: str
    sign: str
    digits: str
    power: str
    tail: str
    infinite: bool = False

    @property
    def mark(self) -> bool:
        """True if the tail can only be a flag: a star, an arrow, an exclamation mark."""
        return _MARKS.fullmatch(self.tail) is not None

    @property
    def letter(self) -> str:
        """The letters of a tail that may be a flag: H, L, HH, …; "" for any other."""
        plain = re.sub(r"[\s()\[\]*!]", "", self.tail)
        return plain.upper() if plain and _LETTERS.fullmatch(self.tail.strip("*! ")) else ""

    @property
    def decimal(self) -> str:
        """The sign that can only be the decimal one, "" if there is none or it may group."""
        points, commas = self.digits.rfind("."), self.digits.rfind(",")
        if points >= 0 and commas >= 0:
            return "." if points > commas else ","
        sign = "." if points >= 0 else "," if commas >= 0 else ""
        if not sign or self.digits.count(sign) > 1:
            return ""
        grouped = self.digits[0] != "0" and _GROUPS.fullmatch(self.digits)
        return "" if grouped else sign

    @property
    def grouped_by(self) -> str:
        """The sign that can only group thousands, "" if there is none or it may be the decimal."""
        for sign, other in ((",", "."), (".", ",")):
            if self.digits.count(sign) > 1 or (sign in self.digits and self.decimal == other):
                return sign
        return ""

    def value(self, decimal: str) -> float:
        """The number with this decimal sign; infinite if it is, or is too large."""
        if self.infinite:
            return float("-inf") if self.sign in "-\u2212" and self.sign else float("inf")
        grouping = "," if decimal == "." else "."
        plain = _SPACES.sub("", self.digits).replace(grouping, "").replace(decimal, ".")
        power = self.power.replace("\u2212", "-")
        number = float(plain + power) if plain.count(".") < 2 else float("nan")
        negative = bool(self.sign) and self.sign in "-\u2212"
        number = -number if negative else number
        return number if abs(number) <= LARGEST else float("-inf" if negative else "inf")


@lru_cache(maxsize=2**14)  # the cells of a table are asked about many times
def written(text: str) -> Written | None:
    """A cell as a number with what belongs to it; None if it says anything else."""
    text = text.strip()
    if _INFINITE.fullmatch(text):
        return Written("", text[0] if text[0] in "+-\u2212" else "", "", "", "", infinite=True)
    found = _CORE.fullmatch(text)
    if found is None:
        return None
    bound, sign, digits, power, tail = (
        found[part] or "" for part in ("bound", "sign", "digits", "power", "tail")
    )
    made = Written(bound, sign, digits, power, tail.strip())
    if not _is_number(digits):
        return None
    plain = not tail.strip() or made.mark or made.letter or _UNIT.fullmatch(tail.strip())
    return made if plain else None


def _is_number(digits: str) -> bool:
    """True if points and commas stand where they can: none beside another, groups of three."""
    core = _SPACES.sub("", digits)
    if re.search(r"[.,]{2}", core) or core.rstrip(".,").count(".") > 1 < core.count(","):
        return False
    whole, sign, fraction = _split(core)
    if any(mark in fraction for mark in ".,"):
        return False
    groups = re.split(r"[.,]", whole)
    return len(groups) == 1 or (
        len(groups[0]) <= 3
        and all(len(group) == 3 for group in groups[1:])
        and len(set(re.findall(r"[.,]", whole))) == 1
        and sign not in re.findall(r"[.,]", whole)
    )


def _split(core: str) -> tuple[str, str, str]:
    """Before and behind the sign that may be the decimal one: the last, if it stands once."""
    last = max(core.rfind("."), core.rfind(","))
    if last < 0 or core.count(core[last]) > 1:
        return core, "", ""
    return core[:last], core[last], core[last + 1 :]


def is_pressure(text: str) -> bool:
    """True for two numbers such as 120/80: a blood pressure, the higher value first."""
    pair = PAIR.fullmatch(text.strip())
    if pair is None:
        return False
    high, low = int(pair[1]), int(pair[2])
    return low < high and 50 <= high <= 300 and 20 <= low <= 200
