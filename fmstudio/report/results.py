"""The results of a report: metrics, the model ladder, the evaluation and its figures."""

from __future__ import annotations

from collections.abc import Mapping

from fmstudio.present import evaluation
from fmstudio.present.blocks import Block, Figure, Heading, Paragraph, Table
from fmstudio.present.values import interval
from fmstudio.report.facts import Facts
from fmstudio.results.metrics import headline_in, name_of

LADDER = {
    "baseline: gradient boosting on table": "Gradient boosting on the table",
    "probe": "Probe on frozen features",
    "lora": "LoRA",
    "lora: trunk": "LoRA on the whole trunk",
    "lora: trunk and encoders": "LoRA on trunk and encoders",
}


def results(facts: Facts, drawn: Mapping[str, str]) -> list[Block]:
    """Everything found; `drawn` are the figures there are, by name, with their captions."""
    found = facts.evaluation
    rows = [[name_of(name), interval(one)] for name, one in found.metrics.items()]
    return [
        Heading("Results"),
        Table(
            ["Metric", "Value (95 % interval)"],
            rows,
            f"On {found.n} held-out cases of {found.patients} patients",
        ),
        *_ladder(facts),
        *evaluation.in_use(found),
        *(Figure(name, caption) for name, caption in drawn.items()),
        *evaluation.modalities(found, facts.labels),
        *evaluation.prediction_sets(found),
        *evaluation.learning_curve(found),
        *evaluation.cases(found),
    ]


def _ladder(facts: Facts) -> list[Block]:
    steps = facts.card.get("ladder") or []
    rows = []
    for step in steps:
        figure = step.get(headline_in(step) or "")
        chosen = " (chosen)" if step["name"] == facts.card.get("chosen") else ""
        rows.append([LADDER.get(step["name"], step["name"]) + chosen, interval(figure)])
    if not rows:
        return []
    return [
        Table(["Model", "Value (95 % interval)"], rows, "From simple to complex"),
        Paragraph(str(facts.card.get("reason") or "")),
    ]
