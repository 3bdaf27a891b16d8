"""The table in which a person checks what each column of a manifest was taken for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from fmstudio.contracts import Pipeline
from fmstudio.ui.fragments import Html, join, table, tag, text

if TYPE_CHECKING:
    from fmstudio.cohort import ColumnRole

ROLES: Mapping[str, str] = {
    "label": "Outcome to predict",
    "case_id": "Case number",
    "patient_id": "Patient number",
    "group": "Group to compare",
    "time": "Time of the case",
    "split": "Given split",
    "ignore": "Leave out",
}
"""The roles that are not a modality, as people call them."""

# Reads the choices out of the table, for the hidden box that is the first input of the handler.
COLLECT = """(chosen, ...rest) => [
  JSON.stringify(Object.fromEntries(
    [...document.querySelectorAll("#roles select")].map((one) => [one.dataset.column, one.value])
  )), ...rest]"""

_LONGEST_EXAMPLE = 60


def choices(pipelines: Sequence[Pipeline]) -> dict[str, str]:
    """Every role and its name: the outcome first, then modalities, then the rest."""
    named = {pipeline.name: pipeline.label for pipeline in pipelines}
    return {"label": ROLES["label"]} | named | ROLES


def role_table(proposed: Sequence[ColumnRole], rows: int, pipelines: Sequence[Pipeline]) -> Html:
    """One line per column: its role to choose, why it was proposed, examples, how often filled."""
    names = choices(pipelines)
    lines = []
    for column in proposed:
        examples = " · ".join(_short(example) for example in column.examples[:3])
        lines.append(
            [
                tag("strong", text(column.column)),
                _select(column, names),
                tag("small", text(column.reason)),
                tag("small", text(examples)),
                text(f"{100 * column.filled / max(1, rows):.0f} %"),
            ]
        )
    return table(["Column", "Taken for", "Why", "Examples", "#Filled"], lines)


def _select(column: ColumnRole, names: Mapping[str, str]) -> Html:
    options = [
        tag("option", text(label), value=role, selected=role == column.role)
        for role, label in names.items()
    ]
    return tag(
        "select",
        join(options),
        data_column=column.column,
        aria_label=f"What column {column.column} is",
    )


def _short(example: str) -> str:
    cut = " ".join(example.split())
    return cut if len(cut) <= _LONGEST_EXAMPLE else cut[: _LONGEST_EXAMPLE - 1] + "…"
