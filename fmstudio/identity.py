"""Words in a text or header that may tell who a person is, by rules alone.

Kinds follow the 18 of HIPAA's safe harbour (45 CFR 164.514(b)(2)), as far as a pattern can tell
them. A rule gives the kind, never the words that it found.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_LETTER, _CAPITAL = r"[^\W\d_]", r"[A-ZÀ-ÖØ-ÞĀĂĄĆČĎĐÉĘĚŁŃŇÓŘŚŠŤŮŹŻŽ]"
_WORD = rf"{_CAPITAL}(?:{_LETTER}|['’-])+"
# A name: words with a capital, initials between them, and the small words of family names.
_SMALL = r"(?:(?:van|von|der|de|del|la|bin|al|di|da|le)\s+)*"
_PERSON = rf"{_WORD}(?:\s+{_SMALL}(?:{_CAPITAL}\.|{_WORD})){{0,3}}"
_TITLES = (
    r"Mr|Mrs|Ms|Miss|Mx|Dr|Prof|Professor|Herrn?|Frau|Mme|Madame|Monsieur|Señora?|Sra?|Signora?"
)
# Letters that stand for a name, and words that follow "Dr" or "Name:" without being one.
_SOMEBODY = (
    r"(?!(?:X+|XY+Z*|ABC\w*|[A-Z]|Name|Doe|Unknown|Anonymous|Not|None|No|Yes|Doctor|The|This|That|A|"
    r"Of|And|Is|Was|In|On|At|For|To|General|Student|Practitioner|Manager|Staff)(?:\b|_))"
)
_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*"
_DATE = (
    rf"(?:\d{{1,4}}[-/.]\s?\d{{1,2}}[-/.]\s?\d{{2,4}}|\d{{1,2}}\.?\s+{_MONTH}\s+\d{{4}}|"
    rf"{_MONTH}\s+\d{{1,2}},?\s+\d{{4}})"
)

PATTERNS: Mapping[str, re.Pattern[str]] = {
    "e-mail addresses": re.compile(r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)*\.[a-zA-Z]{2,}\b"),
    "telephone numbers": re.compile(
        r"(?<![\w.])(?:\+\d{1,3}[ -]?)?(?:\(\d{2,5}\)|\d{2,5})[ /-]\d{3,4}[ -]?\d{3,5}(?![\w.])|"
        r"\b(?:phone|telephone|tel|mobile|cell|fax)(?: no| number)?[\s.:#]*\+?[\d() /-]{6,}\d",
        re.IGNORECASE,
    ),
    "social security numbers": re.compile(
        r"(?<![\d-])\d{3}-\d{2}-\d{4}(?![\d-])|\bSSN[\s:.#]*\d{3}[- ]?\d{2}[- ]?\d{4}"
    ),
    "record numbers": re.compile(
        r"\b(?:MRN|(?:medical )?record (?:no|nr|number)|hospital (?:no|number|id)|accession(?: no| "
        r"number)?|case (?:no|number)|patient[ -]?(?:id|no|nr|number)|NHS(?: no| number)?|"
        r"insurance (?:no|number)|Fallnummer|Pat\.?-?Nr)[\s:.#]*[A-Z]{0,4}[- ]?\d[\d -]{3,}",
        re.IGNORECASE,
    ),
    "dates of birth": re.compile(
        rf"\b(?:DOB|D\.O\.B\.|born(?: on)?|date of birth|birth ?date|geb(?:oren|\.)?(?: am)?)[\s:]*"
        rf"{_DATE}",
        re.IGNORECASE,
    ),
    "names": re.compile(
        rf"\b(?:{_TITLES})\b\.?[ ]+{_SOMEBODY}{_PERSON}|"
        rf"\b(?i:patient(?:'s)? name|name of (?:the )?patient|(?:first|last|sur|full|family)"
        rf"[ -]?name|name)\s*[:=]\s*{_SOMEBODY}(?:{_WORD},\s*)?{_PERSON}|"
        rf"\b(?i:patient|pt|re)\s*[:=]\s*{_SOMEBODY}{_WORD},?[ ]+{_PERSON}"
    ),
    "street addresses": re.compile(
        r"\b\d{1,5}[a-z]?\s+(?:[A-Z][a-z]+\s+){1,3}(?:Street|St|Avenue|Ave|Road|Rd|Lane|Ln|Drive|"
        r"Court|Square|Blvd|Boulevard|Close|Crescent|Terrace|Way)\b|"
        r"\b[A-ZÄÖÜ][a-zäöüß]+(?:straße|strasse|weg|platz|gasse|allee)\s+\d{1,4}\b"
    ),
}
FULL_NAME = re.compile(rf"{_WORD}(?:,)?(?:\s+{_CAPITAL}\.)?\s+{_WORD}")

# What stands where a name was taken out, or where there never was a person.
_NOBODY = re.compile(
    r"anon\w*|identified|de|removed|deleted|withheld|redacted|none|null|unknown|unnamed|na|n|a|x+|"
    r"sample|test\w*|demo|phantom|dummy|example|pseudo\w*|patient|subject|case|volunteer|no|name|not|"
    r"available|pydicom|research|study|id|abc|xyz",
    re.IGNORECASE,
)
_SPEAKER = re.compile(r"^\s*(?:patient|pt|doctor|dr|guest_\w+)\s*:", re.IGNORECASE | re.MULTILINE)
_DIGITS = re.compile(r"\d")


def kinds_in(text: str) -> list[str]:
    """The kinds of PATTERNS that a text has. In a dialogue "Patient:" says who speaks."""
    if len(_SPEAKER.findall(text)) > 1:
        text = _SPEAKER.sub("", text)
    return [what for what, pattern in PATTERNS.items() if pattern.search(text)]


def is_nobody(value: str) -> bool:
    """True for what stands in the place of a name or number: nothing, Anonymous, SAMPLE-12, 000."""
    words = [word for word in re.split(r"[\W_]+", value) if word.strip("0")]
    placeholders = [bool(_NOBODY.fullmatch(word)) for word in words]
    codes = [bool(_DIGITS.search(word)) for word in words]
    return not words or (any(placeholders) and all(map(bool.__or__, placeholders, codes)))


def names_somebody(value: str) -> bool:
    """True if a header's value may be the name of a person: two letters or more and no digits."""
    if is_nobody(value) or _DIGITS.search(value):
        return False
    return sum(letter.isalpha() for letter in value) > 1


def may_identify(value: str) -> bool:
    """True if free text in a header reads as a name, or as what else a person is known by."""
    if is_nobody(value):
        return False
    parts = [part for part in value.split("^") if part.strip()]
    if len(parts) > 1 and all(names_somebody(part) for part in parts[:2]):
        return True  # family^given, as DICOM writes names
    return bool(kinds_in(value)) or bool(FULL_NAME.search(value))
