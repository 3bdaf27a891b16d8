"""The results of a report: tables, figures and the sentences that go with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fmstudio.present.blocks import Block, Figure, Heading, Paragraph, Table
from fmstudio.present.values import interval
from fmstudio.report.facts import Facts, named
from fmstudio.results.calibration import Calibration
from fmstudio.results.evaluation import Evaluation, QuestionParts
from fmstudio.results.metrics import headline_in, name_of
from fmstudio.results.subgroups import Subgroups
from fmstudio.results.thresholds import Triage

LADDER = {
    "baseline: gradient boosting on table": "Gradient boosting on the table",
    "probe": "Probe on frozen features",
    "lora": "LoRA",
    "lora: trunk": "LoRA on the whole trunk",
    "lora: trunk and encoders": "LoRA on trunk and encoders",
}
WORDS = {"sensitivity": "Sensitivity", "specificity": "Specificity", "ppv": "PPV", "npv": "NPV"}
VERDICTS = {
    "helps": "Using the modalities together helps.",
    "no evidence": "There is no evidence that using the modalities together helps.",
    "hurts": "Using the modalities together does worse than the best single one.",
}


def results(facts: Facts, drawn: Mapping[str, str]) -> list[Block]:
    """Everything found; `drawn` are the figures there are, by name, with their captions."""
    found = facts.evaluation
    rows = [[name_of(name), interval(one)] for name, one in found.metrics.items()]
    blocks: list[Block] = [
        Heading("Results"),
        Table(
            ["Figure", "Value (95 % interval)"],
            rows,
            f"On {found.n} held-out cases of {found.patients} patients",
        ),
        *_ladder(facts),
    ]
    for parts in found.questions():
        blocks += [Heading(f"About '{parts.label}'", 3)] if found.several else []
        blocks += _question(parts)
    blocks += [Figure(name, caption) for name, caption in drawn.items()]
    return [*blocks, *_fusion(facts), *_sets(found), *_learning(found), *_cases(found)]


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


def _question(parts: QuestionParts) -> list[Block]:
    recalibration = parts.calibration.recalibration
    points = [
        [
            f"{WORDS[point.target]} {point.asked:.0%}",
            f"{at.threshold:.3f}",
            *(
                interval(each, 2)
                for each in (
                    at.sensitivity,
                    at.specificity,
                    at.ppv,
                    at.npv,
                    at.lr_positive,
                    at.lr_negative,
                )
            ),
        ]
        for point, at in parts.operating_points.reached
    ]
    maps = [
        [
            one.method,
            interval(one.ece),
            interval(one.slope),
            interval(one.intercept),
            interval(one.brier),
        ]
        for one in recalibration.methods
    ]
    header = ["Asked for", "Threshold", *WORDS.values(), "LR+", "LR-"]
    return [
        Table(header, points, "Operating points"),
        Table(
            ["Chances", "Error", "Slope", "Intercept", "Brier"],
            maps,
            "Calibration before and after recalibration; validation patients choose: "
            f"{recalibration.chosen}",
        ),
        Paragraph(_by_chance(parts.calibration)),
        Paragraph(_useful(parts.decision_curve.better)),
        Paragraph(_triage(parts.triage)),
        *_groups(parts.subgroups),
    ]


def _by_chance(calibration: Calibration) -> str:
    own = calibration.ece_if_right
    return (
        f"Were all probabilities right, {calibration.n} cases would show an error of "
        f"{own.value:.3f} in the mean, and of more than {own.high:.3f} in one of twenty "
        "cohorts (consistency resampling)."
    )


def _useful(better: Sequence[tuple[float, float]]) -> str:
    if not better:
        return "At no threshold is there evidence that the model beats treating all or none."
    spans = ", ".join(f"{low:.0%} to {high:.0%}" for low, high in better)
    return f"Net benefit is above that of treating all and none for thresholds of {spans}."


def _triage(found: Triage) -> str:
    parts = []
    for side, name, where, promise in (
        (found.rule_in, "Rule-in", "at or above", "PPV"),
        (found.rule_out, "Rule-out", "below", "NPV"),
    ):
        parts.append(
            f"{name}: {side.reason}"
            if side.threshold is None
            else f"{name} {where} {side.threshold:.3f} promises {promise} of at least "
            f"{side.target:.0%} for {interval(side.share, 2)} of patients ({side.right} of "
            f"{side.answered} right)."
        )
    return " ".join(parts) + f" Deferred: {interval(found.deferred, 2)} of patients."


def _groups(found: Subgroups) -> list[Block]:
    if not found.groups:
        return [Paragraph("The cohort has no group of 20 or more to compare by.")]
    rows = [
        [
            named(one.group),
            str(one.n),
            *(
                interval(metric.estimate, 2) + (" *" if metric.different else "")
                for metric in one.metrics.values()
            ),
        ]
        for one in found.groups
    ]
    heads = [name.replace("_", " ").capitalize() for name in found.groups[0].metrics]
    small = "; ".join(f"{named(one.group)} (n = {one.n})" for one in found.small)
    blocks: list[Block] = [
        Table(
            ["Group", "n", *heads],
            rows,
            f"Groups at a threshold of {found.threshold:.2f}; * differs from all others after "
            f"adjustment for {found.tests} comparisons",
        ),
    ]
    return [*blocks, Paragraph(f"Too small to compare: {small}.")] if small else blocks


def _fusion(facts: Facts) -> list[Block]:
    found = facts.evaluation
    rows = []
    for one in found.subsets:
        figure = one[headline_in(one) or ""]
        given = " + ".join(facts.modality(name) for name in one["modalities"])
        rows.append([given, str(one["n"]), interval(figure), interval(one.get("gain"))])
    blocks: list[Block] = [
        Heading("What each combination of modalities is worth", 3),
        Table(["Given", "n", "Value", "Gain of everything, paired"], rows),
    ]
    if found.fusion:
        own = found.fusion
        best = facts.modality(own["best_single"])
        blocks.append(
            Paragraph(
                f"{VERDICTS[own['verdict']]} Gain over the best single one ({best}): "
                f"{interval(own['gain'])}."
            )
        )
    return blocks


def _sets(found: Evaluation) -> list[Block]:
    rows = [
        [f"{one['asked']:.0%}", interval(one["reached"], 2), interval(one["mean_size"], 2)]
        for one in [*found.conformal["levels"]] or [found.conformal]
    ]
    return [Heading("Conformal sets", 3), Table(["Asked", "Reached", "Mean size"], rows)]


def _learning(found: Evaluation) -> list[Block]:
    own = found.learning_curve
    if not own:
        return []
    name = own["metric"]
    rows = [
        [str(one["cases"]), str(one["positives"]), interval(one[name])] for one in own["points"]
    ]
    blocks: list[Block] = [
        Heading("More patients", 3),
        Table(["Cases", "Positives", name_of(name)], rows, "Refits of the probe"),
    ]
    for one in own["forecast"]:
        more = one["more_positives"]
        blocks.append(
            Paragraph(
                f"{name_of(name)} {one['target']:.2f} would take "
                + (
                    "more than eight times these patients, if at all."
                    if more["value"] is None
                    else f"about {more['value']} more positives (band {_bound(more['low'])} to "
                    f"{_bound(more['high'])})."
                )
            )
        )
    return blocks


def _bound(value: int | None) -> str:
    return "far more" if value is None else str(value)


def _cases(found: Evaluation) -> list[Block]:
    rows = [
        [kind, ", ".join(one["case_id"] for one in cases)] for kind, cases in found.cases.items()
    ]
    return [Heading("Cases to look at", 3), Table(["Kind", "Case ids"], rows)]
