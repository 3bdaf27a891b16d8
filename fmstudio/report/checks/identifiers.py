"""What may tell who a patient is: columns, notes, and headers of files."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping

from fmstudio.cohort.cells import is_date, is_missing, name_words, read_number
from fmstudio.cohort.mending import accept, give_role
from fmstudio.cohort.roles import names_person
from fmstudio.contracts import pipelines
from fmstudio.report.evidence import Evidence
from fmstudio.report.finding import Check, Finding, Mend, counted, some
from fmstudio.report.words import notes_of

MOSTLY = 0.5
FEWEST = 3  # notes with a pattern: one alone may be anything
_BIRTH = frozenset(("birth", "dob", "birthday", "birthdate", "born"))
_PERSONS = r"(?:[A-Z][a-zà-ÿ'-]+|[A-Z]\.)(?:\s+[A-Z][a-zà-ÿ'-]+){0,2}"

# What stands in free text and cells. Kinds follow the 18 of HIPAA's safe harbour (45 CFR
# 164.514(b)(2)), as far as a pattern can tell them.
PATTERNS: Mapping[str, re.Pattern[str]] = {
    "e-mail addresses": re.compile(r"\b[\w.+-]+@[\w-]+\.[a-zA-Z]{2,}\b"),
    "telephone numbers": re.compile(
        r"(?<![\w.])(?:\+\d{1,3}[ -]?)?(?:\(\d{2,5}\)|\d{2,5})[ /-]\d{3,4}[ -]?\d{3,5}(?![\w.])"
    ),
    "social security numbers": re.compile(r"(?<!\d)\d{3}-\d{2}-\d{4}(?!\d)"),
    "record numbers": re.compile(
        r"\b(?:MRN|record (?:no|number)|hospital (?:no|number)|patient (?:id|no|number)|NHS)"
        r"[\s:.#]*[A-Z]{0,3}\d{4,}", re.IGNORECASE,
    ),
    "dates of birth": re.compile(
        r"\b(?:DOB|born(?: on)?|date of birth|birth date)[\s:]*\d{1,4}[-/. ]\w{1,9}[-/. ]\d{2,4}",
        re.IGNORECASE,
    ),
    "names": re.compile(
        rf"\b(?:Mr|Mrs|Ms|Miss|Herr|Frau|Mme|Name|Patient name)\b[.:]?\s+{_PERSONS}"
    ),
    "street addresses": re.compile(
        r"\b\d{1,5}\s+(?:[A-Z][a-z]+\s+){1,3}(?:Street|St|Avenue|Ave|Road|Rd|Lane|Ln|Drive|Dr|"
        r"Court|Square|Blvd|Boulevard)\b"
    ),
}  # fmt: skip
_FULL_NAME = re.compile(r"[A-ZÀ-Þ][a-zà-ÿ'-]+(?:,)?(?:\s+[A-Z]\.)?\s+[A-ZÀ-Þ][a-zà-ÿ'-]+")


def find(evidence: Evidence) -> Iterator[Finding]:
    """Columns, then notes, then headers."""
    yield from _columns(evidence)
    yield from _notes(evidence)
    yield from _headers(evidence)


def _columns(evidence: Evidence) -> Iterator[Finding]:
    skipped = {*evidence.cohort.task.columns, *evidence.columns_of("case_id"),
               *evidence.columns_of("patient_id")}  # fmt: skip
    found = {
        column: what for column in evidence.manifest.columns
        if column not in skipped and (what := _says(evidence, column))
    }  # fmt: skip
    inputs = {c: what for c, what in found.items() if c in evidence.inputs()}
    for column, what in inputs.items():
        yield Finding(
            "identifiers", "warning", f"'{column}' is an input and looks like {what}.",
            "Leave it out: it tells who the patient is, and nothing that holds for others.",
            (column,), (),
            (
                Mend(f"Leave out '{column}'", (give_role(column, "ignore"),)),
                Mend("It tells nobody's identity", (accept("identifiers", [column]),)),
            ),
        )  # fmt: skip
    aside = [column for column in found if column not in inputs]
    if aside:
        yield Finding(
            "identifiers", "note",
            f"No input, but in the table: {some([f'{c} ({found[c]})' for c in aside], 6)}.",
            "Remove these columns from the table before you pass it on.", tuple(aside),
        )  # fmt: skip


def _says(evidence: Evidence, column: str) -> str:
    """What a column seems to hold, or ""."""
    cells = [cell for cell in evidence.cells(column) if not is_missing(cell)]
    if not cells or set(evidence.role(column)) & {"split", "time"}:
        return ""
    words = set(name_words(column))
    if words & _BIRTH and sum(map(is_date, cells)) > MOSTLY * len(cells):
        return "dates of birth"
    if names_person(column):
        return "names or numbers of persons"
    if all(read_number(cell) is not None for cell in cells[:50]):
        return ""
    for what, pattern in PATTERNS.items():
        whole = sum(bool(pattern.search(cell)) and len(cell) < 120 for cell in cells)
        if whole > MOSTLY * len(cells):
            return what
    named = sum(bool(_FULL_NAME.fullmatch(cell)) for cell in cells)
    return "names" if named > 0.9 * len(cells) and len(set(cells)) > 0.8 * len(cells) > 8 else ""


def _notes(evidence: Evidence) -> Iterator[Finding]:
    counts: Counter[str] = Counter()
    rows: dict[str, list[int]] = {}
    for row, text in notes_of(evidence).items():
        for what, pattern in PATTERNS.items():
            if pattern.search(text):
                counts[what] += 1
                rows.setdefault(what, []).append(row)
    found = {what: n for what, n in counts.items() if n >= FEWEST}
    columns = [column for name, p in pipelines().items() if p.kind == "text"
               for column in evidence.columns_of(name)]  # fmt: skip
    if found:
        named = ", ".join(f"{what} (in {counted(n, 'note')})" for what, n in found.items())
        yield Finding(
            "identifiers", "warning",
            f"The notes hold what looks like {named}.",
            "Remove them from the notes, or go on: nothing leaves this computer, and a bundle "
            "holds no patient's text.",
            tuple(columns), tuple(sorted({r for what in found for r in rows[what]})),
            (
                Mend("Go on with these notes", (accept("identifiers", columns),)),
                Mend("Leave the notes out", tuple(give_role(c, "ignore") for c in columns)),
            ),
        )  # fmt: skip


def _headers(evidence: Evidence) -> Iterator[Finding]:
    for name in evidence.cohort.modalities:
        rows, counts = [], Counter[str]()
        for row, digest in evidence.read(name):
            told = digest.about.get("identifiers", ())
            if told:
                rows.append(row)
                counts.update(told)
        if rows:
            named = ", ".join(what for what, _ in counts.most_common(8))
            yield Finding(
                "identifiers", "note",
                f"{pipelines()[name].label}: the headers of {counted(len(rows), 'case')} tell of "
                f"the patient or the place: {named}.",
                "Models never see headers. Copies that the studio keeps are stripped by the basic "
                "profile of DICOM PS3.15; files that stay where they are are not changed.",
                tuple(evidence.columns_of(name)), tuple(sorted(rows)),
            )  # fmt: skip


CHECK = Check("identifiers", find)
