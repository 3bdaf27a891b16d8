"""Labels that the frozen base's probe contradicts strongly, as a list to look at."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from fmstudio.cohort.audit.evidence import Doubt, Evidence
from fmstudio.cohort.audit.finding import Check, counted
from fmstudio.cohort.cleaning import accept, leave_out
from fmstudio.results.finding import Finding, Mend

SHOWN = 5


def find(evidence: Evidence) -> Iterator[Finding]:
    """One finding a label column, the most doubtful case first in the message."""
    by_column: dict[str, list[Doubt]] = defaultdict(list)
    for doubt in evidence.doubts or ():
        by_column[doubt.column].append(doubt)
    for column, doubts in by_column.items():
        doubts = sorted(doubts, key=lambda one: one.given)
        ids = {case.row: case.case_id for case in evidence.cases}
        named = "; ".join(
            f"{ids[d.row]}: '{d.label}', more likely '{d.likely}' ({d.given:.0%})"
            for d in doubts[:SHOWN]
        )
        rows = [doubt.row for doubt in doubts]
        yield Finding(
            "label_noise",
            "note",
            f"The label '{column}' of {counted(len(doubts), 'case')} is contradicted by a probe "
            f"that did not see the patient. {named}.",
            "Look at these cases: some are wrongly labelled, others are hard. Correct what is "
            "wrong; leaving out what is hard makes results look better than they are.",
            (column,),
            tuple(rows),
            (
                Mend("I have looked at them", (accept("label_noise", [column]),)),
                Mend(f"Leave out {counted(len(rows), 'row')}", (leave_out(rows),)),
            ),
        )


CHECK = Check("label_noise", find, probes=True)
