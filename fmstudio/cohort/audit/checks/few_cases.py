"""How many cases there are, and how sure a result on them can be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from fmstudio.cohort.audit.discrimination import half_width
from fmstudio.cohort.audit.evidence import Evidence
from fmstudio.cohort.audit.finding import Check, counted, some
from fmstudio.cohort.targets import read_targets
from fmstudio.results.finding import Finding

EXPECTED = 0.8  # the AUROC for which the interval is told
WIDE = 0.35  # half an interval: pure chance and a perfect model both lie in it
FEW_NUMBERS = 30  # held-out patients of a regression


def find(evidence: Evidence) -> Iterator[Finding]:
    """What the counts allow, then classes that are too small to be one."""
    yield from _width(evidence)
    yield from _left_out(evidence)


def _width(evidence: Evidence) -> Iterator[Finding]:
    """The expected width of the AUROC's interval on held-out patients, by the rarer answer."""
    cohort = evidence.cohort
    if cohort.task.kind == "regression":
        held = len({case.patient_id for case in cohort.split("test")})
        if held < FEW_NUMBERS:
            yield Finding(
                "few_cases",
                "note",
                f"{counted(held, 'patient')} are held out: expect a wide interval.",
                "Add patients to evaluate the result on.",
                cohort.task.columns,
            )
        return
    widths = {q: (half_width(EXPECTED, yes, no), yes, no) for q, yes, no in _held_out(evidence)}
    wide = {q: found for q, found in widths.items() if found[0] > WIDE}
    shown = wide or (widths if len(widths) == 1 else {})
    said = [
        f"with {counted(yes, 'held-out positive')} and {no} others of '{q}', "
        + ("nothing" if q in wide else f"± {width:.2f}")
        for q, (width, yes, no) in shown.items()
    ]
    if said:
        yield Finding(
            "few_cases",
            "warning" if wide else "note",
            f"How sure an AUROC of {EXPECTED} can be: {some(said, 6)} (95 %, Hanley and McNeil).",
            "Add cases before relying on the result: so few patients cannot show whether a model "
            "is good."
            if wide
            else "A smaller difference between two models cannot be shown on these patients.",
            cohort.task.columns,
        )


def _held_out(evidence: Evidence) -> Iterator[tuple[str, int, int]]:
    """(question, patients with the answer, patients without) of the test split."""
    for question in evidence.questions:
        seen: dict[str, float] = {}
        for case, answer in zip(evidence.cases, question.answers, strict=True):
            if case.split == "test" and answer == answer:
                seen[case.patient_id] = max(answer, seen.get(case.patient_id, 0.0))
        yes = int(sum(seen.values()))
        yield question.name, yes, len(seen) - yes


def _left_out(evidence: Evidence) -> Iterator[Finding]:
    manifest, columns = evidence.manifest, evidence.cohort.task.columns
    rows = read_targets(manifest, evidence.cohort.task).left_out
    rows = tuple(row for row in rows if row not in manifest.left_out)
    if rows:
        seen = Counter(manifest.rows[row][columns[0]].strip() for row in rows)
        named = ", ".join(f"{value} ({count})" for value, count in seen.most_common(6))
        yield Finding(
            "few_cases",
            "warning",
            f"{counted(len(rows), 'case')} of classes with fewer than three patients are "
            f"excluded: {named}.",
            "Add patients of these classes, or join them with others.",
            columns,
            rows,
        )


CHECK = Check("few_cases", find)
