"""A judgement, and a comparison of adapters, as plain text that people read in a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fmstudio.cli.run_text import result_text
from fmstudio.present import evaluation
from fmstudio.present.text import columns, text
from fmstudio.present.values import interval
from fmstudio.results.evaluation import Evaluation
from fmstudio.results.json_form import as_json
from fmstudio.results.metrics import name_of


def judgement_text(found: Evaluation) -> str:
    """The metrics, then what they mean for use; everything is in the JSON."""
    parts = (
        *evaluation.in_use(found),
        *evaluation.prediction_sets(found),
        *evaluation.learning_curve(found),
    )
    return f"{result_text(as_json(found))}\n\n{text(*parts)}"


def _which(one: Mapping[str, Any]) -> str:
    """An adapter, or a simpler model that it was compared with."""
    return str(one["adapter"] if one["model"] == "adapter" else one["model"])


def comparison_text(found: Mapping[str, Any]) -> str:
    """Adapters side by side on the same cases."""
    names = list(found["adapters"][0]["metrics"])
    rows = [
        (_which(one), *(interval(one["metrics"][name]) for name in names))
        for one in found["adapters"]
    ]
    lines = [
        f"On the {found['n']} held-out cases that all have",
        columns(("adapter", *map(name_of, names)), rows),
    ]
    for one in found["adapters"][1:]:
        lines += [
            f"{_which(one)} minus {found['adapters'][0]['adapter']}: {name_of(found['metric'])} "
            f"{interval(one['differences'][found['metric']])}, {one['verdict']}."
        ]
    return "\n".join(lines)
