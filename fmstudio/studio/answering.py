"""What a person says once for all files of a cohort that leave something open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from fmstudio.errors import InputError
from fmstudio.records import CohortRecord, ProjectRecord
from fmstudio.results.audit import CohortAudit
from fmstudio.results.finding import Step
from fmstudio.studio import manifests
from fmstudio.studio.gate import account

if TYPE_CHECKING:
    from fmstudio.studio.context import Context

OPEN = "open_question"  # the kind of finding that waits for an answer


def steps_of(answers: Mapping[str, str], by: str | None = None) -> list[Step]:
    """The steps that keep the answers with a cohort, signed and dated.

    Raises InputError for an answer that cannot be one.
    """
    from fmstudio.cohort.answers import checked_answers
    from fmstudio.cohort.cleaning import answer, signed

    steps = [answer(key, said) for key, said in checked_answers(answers).items()]
    return list(signed(steps, (by or account()).strip(), manifests.now()))


def answer_questions(
    context: Context,
    project: ProjectRecord,
    record: CohortRecord,
    answers: Mapping[str, str],
    by: str | None = None,
) -> CohortRecord:
    """A new cohort whose files are read as a person says; the one before it stays.

    Raises InputError for an answer that cannot be one, and where it settles nothing.
    """
    from fmstudio.cohort.answers import questions

    steps = steps_of(answers, by)
    if not steps:
        raise InputError("Nothing was answered.", hint="Fill in at least one answer.")
    labels = {one.key: one.label for one, _ in questions().values()}
    said = " ".join(f"{labels[step['key']]} {step['said']}" for step in steps)
    return manifests.after(context, project, record, steps, OPEN, said, by, _check_settled)


def _check_settled(before: CohortAudit, after: CohortAudit, said: str) -> None:
    """Raises InputError if an answer leaves open all that was open before it."""
    was, left = _open(before), _open(after)
    if was and was.keys() <= left.keys():
        raise InputError(
            f"No more files can be read with this answer ({said}). {next(iter(left.values()))}",
            hint="Compare the answer with one of the files: the column's name, and its unit.",
        )


def _open(report: CohortAudit) -> dict[int, str]:
    """The rows that wait for an answer, each with what is open."""
    waiting = (one for one in report.findings if one.kind == OPEN and one.asks)
    return {row: one.message for one in waiting for row in one.rows}
