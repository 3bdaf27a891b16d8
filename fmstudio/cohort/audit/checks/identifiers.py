"""What may tell who a patient is: columns, notes, and headers of files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from fmstudio.cohort.audit.evidence import Evidence
from fmstudio.cohort.audit.finding import Check, counted, some
from fmstudio.cohort.audit.text_leakage import notes_of
from fmstudio.cohort.cells import is_date, is_missing, name_words, read_number
from fmstudio.cohort.cleaning import accept, give_role, leave_out
from fmstudio.cohort.roles import names_person
from fmstudio.contracts import pipelines
from fmstudio.identity import FULL_NAME, PATTERNS, kinds_in
from fmstudio.results.finding import Finding, Mend

MOSTLY = 0.5
_BIRTH = frozenset(("birth", "dob", "birthday", "birthdate", "born"))
HEADERS, PICTURES, WORDS = "headers", "pictures", "text"
NOBODY = "It identifies nobody"


def find(evidence: Evidence) -> Iterator[Finding]:
    """Columns, then notes, then headers and pictures of files."""
    yield from _columns(evidence)
    yield from _notes(evidence)
    yield from _headers(evidence)
    yield from _pictures(evidence)


def _columns(evidence: Evidence) -> Iterator[Finding]:
    skipped = {
        *evidence.cohort.task.columns,
        *evidence.columns_of("case_id"),
        *evidence.columns_of("patient_id"),
    }
    found = {
        column: what
        for column in evidence.manifest.columns
        if column not in skipped and (what := _says(evidence, column))
    }
    inputs = {c: what for c, what in found.items() if c in evidence.inputs()}
    for column, what in inputs.items():
        yield Finding(
            "identifiers",
            "warning",
            f"'{column}' is an input and looks like {what}.",
            "Leave it out: it identifies the patient and carries nothing that holds for others.",
            (column,),
            (),
            (
                Mend(f"Leave out '{column}'", (give_role(column, "ignore"),)),
                Mend(NOBODY, (accept("identifiers", [column]),)),
            ),
            must_answer=True,
        )
    aside = [column for column in found if column not in inputs]
    if aside:
        yield Finding(
            "identifiers",
            "note",
            f"No input, but in the table: {some([f'{c} ({found[c]})' for c in aside], 6)}.",
            "Remove these columns from the table before you pass it on.",
            tuple(aside),
        )


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
    named = sum(bool(FULL_NAME.fullmatch(cell)) for cell in cells)
    return "names" if named > 0.9 * len(cells) and len(set(cells)) > 0.8 * len(cells) > 8 else ""


def _notes(evidence: Evidence) -> Iterator[Finding]:
    counts: Counter[str] = Counter()
    rows: list[int] = []
    for row, text in notes_of(evidence).items():
        kinds = kinds_in(text)
        counts.update(kinds)
        rows += [row] if kinds else []
    columns = [
        column
        for name, p in pipelines().items()
        if p.kind == "text"
        for column in evidence.columns_of(name)
    ]
    if counts:
        named = ", ".join(f"{what} (in {counted(n, 'note')})" for what, n in counts.items())
        yield Finding(
            "identifiers",
            "warning",
            f"The notes hold what looks like {named}.",
            "Take them out of the notes and add the table again, leave the notes out, or confirm "
            "that they identify nobody. Nothing leaves this computer, and a bundle holds no "
            "patient's text.",
            tuple(columns),
            tuple(sorted(rows)),
            (
                Mend("They identify nobody", (accept("identifiers", columns, WORDS),)),
                Mend("Leave the notes out", tuple(give_role(c, "ignore") for c in columns)),
            ),
            must_answer=True,
            about=WORDS,
        )


def _headers(evidence: Evidence) -> Iterator[Finding]:
    for name in evidence.cohort.modalities:
        rows: list[int] = []
        named_rows: list[int] = []
        counts, direct = Counter[str](), Counter[str]()
        for row, digest in evidence.read(name):
            told, named = digest.about.get("identifiers", ()), digest.about.get("direct", ())
            rows += [row] if told else []
            named_rows += [row] if named else []
            counts.update(told)
            direct.update(named)
        label, columns = pipelines()[name].label, tuple(evidence.columns_of(name))
        if direct:
            yield Finding(
                "identifiers",
                "warning",
                f"{label}: the headers of {counted(len(named_rows), 'case')} give names, numbers "
                f"or words about the patient: {_listed(direct)}.",
                "Models never see headers, but whoever gets these files does. Let the studio keep "
                "copies without them (upload the cohort, or `cohort add --copy`), or confirm that "
                "they identify nobody.",
                columns,
                tuple(sorted(named_rows)),
                (Mend("They identify nobody", (accept("identifiers", columns, HEADERS),)),),
                must_answer=True,
                about=HEADERS,
            )
        elif rows:
            yield Finding(
                "identifiers",
                "note",
                f"{label}: the headers of {counted(len(rows), 'case')} tell when, where or with "
                f"what a file was made: {_listed(counts)}.",
                "Models never see headers. Copies that the studio keeps are stripped; files that "
                "stay where they are are not changed.",
                columns,
                tuple(sorted(rows)),
                about=HEADERS,
            )


def _pictures(evidence: Evidence) -> Iterator[Finding]:
    """Text that is burned into pictures, which no stripping of headers takes away."""
    for name in evidence.cohort.modalities:
        found = [
            (row, place)
            for row, digest in evidence.read(name)
            for place in digest.about.get("burned_in", ())
        ]
        rows = sorted({row for row, _ in found})
        columns = tuple(evidence.columns_of(name))
        if found:
            yield Finding(
                "identifiers",
                "warning",
                f"{pipelines()[name].label}: lines of text are burned into the pictures of "
                f"{counted(len(rows), 'case')}.",
                "Look at them: a name or number must be blacked out in the file before the table "
                "is added again. Confirm where the text is none, such as a side or a setting.",
                columns,
                tuple(rows),
                (
                    Mend("The text identifies nobody", (accept("identifiers", columns, PICTURES),)),
                    Mend("Leave these cases out", (leave_out(rows),)),
                ),
                must_answer=True,
                about=PICTURES,
                places=tuple(found),
            )


def _listed(counts: Counter[str]) -> str:
    return some([what for what, _ in counts.most_common()], 8)


CHECK = Check("identifiers", find)
