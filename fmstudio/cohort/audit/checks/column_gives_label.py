"""A single column, or a single number of a table file, that tells the outcome nearly by itself."""

from __future__ import annotations

from collections.abc import Iterator

from fmstudio.cohort.audit.discrimination import Separation, significant
from fmstudio.cohort.audit.evidence import Evidence, strongest
from fmstudio.cohort.audit.finding import Check, some
from fmstudio.cohort.cells import is_missing, same_value
from fmstudio.cohort.cleaning import accept, give_role
from fmstudio.contracts import pipelines
from fmstudio.results.finding import Finding, Mend
from fmstudio.types import target_array

TOO_GOOD = 0.98
STRONG = 0.9
FEWEST_EACH = 5  # cases of a value, to call a column a copy


def find(evidence: Evidence) -> Iterator[Finding]:
    """A finding for each column that is an input, one for those that are left out already."""
    columns = evidence.of_kind("table")
    tests = max(1, len(columns) * len(evidence.questions))
    for column in columns:
        best = strongest([s for s in evidence.separations(column) if significant(s, tests)])
        if best is not None and best.auroc > STRONG:
            yield _of_input(evidence, column, best)
    yield from _inside_files(evidence)
    yield from _left_out(evidence)


def _of_input(evidence: Evidence, column: str, best: Separation) -> Finding:
    copy = is_copy(evidence, column)
    severity = "stop" if copy else "warning" if best.auroc > TOO_GOOD else "note"
    message = (
        f"'{column}' is the outcome under another name: each of its values has one answer."
        if copy
        else f"'{column}' alone tells '{best.question}' with an AUROC of {best.auroc:.3f}."
    )
    return Finding(
        "column_gives_label",
        severity,
        message,
        "Leave it out, unless it is known before the outcome and will be at hand at prediction.",
        (column,),
        (),
        (
            Mend(f"Leave out '{column}'", (give_role(column, "ignore"),)),
            Mend("It is a fair input", (accept("column_gives_label", [column]),)),
        ),
    )


def is_copy(evidence: Evidence, column: str) -> bool:
    """Each value goes with one answer and each answer with one value, in (nearly) every case."""
    task = evidence.cohort.task
    if task.kind not in ("binary", "multiclass"):
        return False
    pairs: dict[str, set[float]] = {}
    counts: dict[str, int] = {}
    cells = evidence.cells(column)
    for cell, answer in zip(cells, target_array(evidence.cases), strict=True):
        if not is_missing(cell):
            key = same_value(cell)
            pairs.setdefault(key, set()).add(float(answer))
            counts[key] = counts.get(key, 0) + 1
    answers = [answer for found in pairs.values() for answer in found]
    filled = sum(counts.values()) >= 0.9 * len(cells)
    alone = len(answers) == len(pairs) == len(set(answers)) == len(task.labels)
    return filled and alone and min(counts.values()) >= FEWEST_EACH


def _inside_files(evidence: Evidence) -> Iterator[Finding]:
    """The last value of each number in the table files of the cases."""
    for name, pipeline in pipelines().items():
        if pipeline.kind != "table":
            continue
        values: dict[str, dict[int, float]] = {}
        for row, digest in evidence.read(name):
            for feature, (_, _, _, last, _) in digest.numbers.items():
                values.setdefault(feature, {})[row] = last
        tests = max(1, len(values) * len(evidence.questions))
        for feature, known in values.items():
            found = evidence.separations_of(evidence.by_row(known))
            best = strongest([s for s in found if significant(s, tests)])
            if best is not None and best.auroc > TOO_GOOD:
                yield Finding(
                    "column_gives_label",
                    "warning",
                    f"'{feature}' in the table files alone tells '{best.question}' with an AUROC "
                    f"of {best.auroc:.3f}.",
                    "Take it out of the files, unless it is known before the outcome.",
                    tuple(evidence.columns_of(name)),
                    tuple(known),
                    (
                        Mend(
                            "It is a fair input",
                            (accept("column_gives_label", evidence.columns_of(name)),),
                        ),
                    ),
                )


def _left_out(evidence: Evidence) -> Iterator[Finding]:
    """What is no input and would tell the outcome: good to know, and nothing to do."""
    aside = [
        column
        for column in evidence.manifest.columns
        if evidence.role(column) == ("ignore",) and column not in evidence.cohort.task.columns
    ]
    tests = max(1, len(aside) * len(evidence.questions))
    telling = []
    for column in aside:
        best = strongest([s for s in evidence.separations(column) if significant(s, tests)])
        if best is not None and (best.auroc > TOO_GOOD or is_copy(evidence, column)):
            telling.append(column)
    if telling:
        yield Finding(
            "column_gives_label",
            "note",
            f"Left out already, and rightly: {some(telling, 6)} would tell the outcome.",
            "Nothing to do.",
            tuple(telling),
        )


CHECK = Check("column_gives_label", find)
