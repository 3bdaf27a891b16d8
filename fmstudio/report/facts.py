"""What a report is written from: the judgement, the adapter's card, its project, cohort and run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from fmstudio.records import AdapterRecord, CohortRecord, ProjectRecord, RunRecord
from fmstudio.run_config import GROUP_CAP

QUESTION_PARTS = (
    "discrimination",
    "calibration",
    "operating_points",
    "decision_curve",
    "triage",
    "subgroups",
)


@dataclass(frozen=True)
class Facts:
    """Everything that is known. `labels` are what people call the modalities."""

    judgement: Mapping[str, Any]
    adapter: AdapterRecord
    project: ProjectRecord
    cohort: CohortRecord | None
    run: RunRecord | None
    model_card: str
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def card(self) -> Mapping[str, Any]:
        """The adapter's card."""
        return self.adapter.card

    def modality(self, name: str) -> str:
        """What people call a modality."""
        return self.labels.get(name, name)

    def questions(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """(label, the parts of the judgement about it) for each yes-or-no question."""
        found = self.judgement
        if found["triage"] is None:
            return
        if "by_label" not in found["triage"]:
            yield found["labels"][-1], {part: found[part] for part in QUESTION_PARTS}
            return
        for label in found["triage"]["by_label"]:
            yield label, {part: found[part]["by_label"][label] for part in QUESTION_PARTS}


def balanced_groups(facts: Facts) -> str:
    """A sentence on the groups that were weighed evenly in training; "" where none were."""
    column = (facts.card.get("config") or {}).get("balance_by")
    if not column:
        return ""
    where = "" if facts.project.task.kind == "regression" else "within each class "
    return (
        f"Training cases were weighed so that {where}each group of '{column}' counted the same "
        "(reweighing: Kamiran and Calders 2012), no case more than "
        f"{GROUP_CAP:g} times as much for it; cases without a value kept weight 1. Models were "
        "selected and evaluated on unweighted patients."
    )


def named(group: Mapping[str, str]) -> str:
    """'sex F, site A'."""
    return ", ".join(f"{column} {value}" for column, value in group.items())
