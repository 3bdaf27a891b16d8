"""What a report is written from: evaluation and card of an adapter, its project, cohort and run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fmstudio.records import AdapterRecord, CohortRecord, ProjectRecord, RunRecord
from fmstudio.results.evaluation import Evaluation
from fmstudio.run_config import GROUP_CAP


@dataclass(frozen=True)
class Facts:
    """Everything that is known. `labels` are what people call the modalities."""

    evaluation: Evaluation
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
