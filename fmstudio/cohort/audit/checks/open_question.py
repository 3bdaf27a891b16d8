"""What files of a cohort leave open: asked once for all of them; and what was answered."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

from fmstudio.cohort.answers import questions
from fmstudio.cohort.audit.checks.unreadable import STOP_SHARE
from fmstudio.cohort.audit.evidence import Evidence
from fmstudio.cohort.audit.finding import Check, counted
from fmstudio.cohort.cleaning import accept, answered, leave_out
from fmstudio.contracts import pipelines
from fmstudio.results.finding import Finding, LikelyAnswers, Mend
from fmstudio.types import OpenQuestion

MOST_CHOICES = 8


def find(evidence: Evidence) -> Iterator[Finding]:
    """One finding for each set of questions of a modality that would settle the same files."""
    left: dict[tuple[str, tuple[str, ...], bool], dict[int, OpenQuestion]] = defaultdict(dict)
    for (row, name), every in evidence.left_open.items():
        for one in every:
            left[name, one.keys, one.needed][row] = one
    for (name, keys, needed), rows in left.items():
        yield _finding(evidence, name, keys, needed, rows)
    yield from _answered(evidence)


def _finding(
    evidence: Evidence,
    name: str,
    keys: Sequence[str],
    needed: bool,
    rows: Mapping[int, OpenQuestion],
) -> Finding:
    given = sum(name in case.sources for case in evidence.cases)
    columns = tuple(evidence.columns_of(name))
    about = " ".join([name, *keys, "" if needed else "assumed"]).strip()
    how = "cannot be read before a question is answered" if needed else "are read on an assumption"
    goes_on = accept("open_question", columns, about)
    ways = [Mend("Go on without these files" if needed else "They are read rightly", (goes_on,))]
    if needed:
        ways.append(Mend(f"Leave out {counted(len(rows), 'row')}", (leave_out(list(rows)),)))
    known = {key: questions()[key][0] for key in keys}
    options = " or ".join(f"{known[key].option} {known[key].form}" for key in keys)
    likely = _likely(list(rows.values()))
    severe = needed and len(rows) > STOP_SHARE * given
    return Finding(
        "open_question",
        "stop" if severe else "warning",
        f"{pipelines()[name].label}: {len(rows)} of {given} cases {how}. For example: "
        f"{rows[min(rows)].message}",
        "Answer once for all files of the cohort: on the page Data, or with "
        f"`cohort answer PROJECT {options}`.",
        columns,
        tuple(sorted(rows)),
        tuple(ways),
        about=about,
        asks=tuple(
            LikelyAnswers(**vars(known[key]), choices=likely if key == keys[0] else ())
            for key in keys
        ),
    )


def _likely(every: Sequence[OpenQuestion]) -> tuple[str, ...]:
    """The answers that fit most files first."""
    counts = Counter(choice for one in every for choice in one.choices)
    return tuple(choice for choice, _ in counts.most_common(MOST_CHOICES))


def _answered(evidence: Evidence) -> Iterator[Finding]:
    """What was answered, and by whom."""
    for key, step in answered(evidence.manifest).items():
        question, pipeline = questions()[key]
        by = f" ({step['by']}, {step['at'][:10]})" if step.get("by") else ""
        yield Finding(
            "answered",
            "note",
            f"{question.label} Answered for all files: {step['said']}{by}.",
            "Every run, evaluation and prediction of this cohort reads its files so.",
            tuple(evidence.columns_of(pipeline.name)),
        )


CHECK = Check("open_question", find)
