"""An evaluation as blocks: what report and terminal say of thresholds, groups and modalities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fmstudio.present.blocks import Block, Bullets, Heading, Paragraph, Table
from fmstudio.present.values import interval
from fmstudio.results.calibration import Calibration
from fmstudio.results.evaluation import Evaluation, QuestionParts
from fmstudio.results.metrics import headline_in, name_of
from fmstudio.results.subgroups import Subgroups
from fmstudio.results.thresholds import Triage

WORDS = {"sensitivity": "Sensitivity", "specificity": "Specificity", "ppv": "PPV", "npv": "NPV"}
VERDICTS = {
    "helps": "Using the modalities together helps.",
    "no evidence": "There is no evidence that using the modalities together helps.",
    "hurts": "Using the modalities together does worse than the best single one.",
}


def in_use(found: Evaluation) -> list[Block]:
    """Thresholds, calibration, benefit, triage and groups of each yes-or-no question."""
    blocks: list[Block] = []
    for question in found.questions():
        blocks += [Heading(f"About '{question.label}'", 3)] if found.several else []
        blocks += _question(question)
    return blocks


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
        [one.method, *map(interval, (one.ece, one.slope, one.intercept, one.brier))]
        for one in recalibration.methods
    ]
    return [
        Table(
            ["Asked for", "Threshold", *WORDS.values(), "LR+", "LR-"], points, "Operating points"
        ),
        Table(
            ["Probabilities", "Calibration error", "Slope", "Intercept", "Brier score"],
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
    parts = [
        f"{name}: {side.reason}"
        if side.threshold is None
        else f"{name} {where} {side.threshold:.3f} promises {promise} of at least "
        f"{side.target:.0%} for {interval(side.share, 2)} of patients ({side.right} of "
        f"{side.answered} right)."
        for side, name, where, promise in (
            (found.rule_in, "Rule-in", "at or above", "PPV"),
            (found.rule_out, "Rule-out", "below", "NPV"),
        )
    ]
    return " ".join(parts) + f" Deferred: {interval(found.deferred, 2)} of patients."


def _groups(found: Subgroups) -> list[Block]:
    if not found.groups:
        return [Paragraph("The cohort has no group of 20 or more to compare by.")]
    rows = [
        [
            named(group.group),
            str(group.n),
            *(
                interval(metric.estimate, 2) + (" *" if metric.different else "")
                for metric in group.metrics.values()
            ),
        ]
        for group in found.groups
    ]
    blocks: list[Block] = [
        Table(
            ["Group", "n", *map(name_of, found.groups[0].metrics)],
            rows,
            f"Groups at a threshold of {found.threshold:.2f}; * differs from all others after "
            f"adjustment for {found.tests} comparisons",
        ),
    ]
    gaps = [
        f"{named(gap.group)}: {name_of(gap.metric)} {interval(gap.gap)} against all others, "
        f"P = {gap.p:.3f}"
        for gap in found.gaps
    ]
    blocks += [Bullets(gaps)] if gaps else []
    small = "; ".join(f"{named(group.group)} (n = {group.n})" for group in found.small)
    return [*blocks, Paragraph(f"Too small to compare: {small}.")] if small else blocks


def modalities(found: Evaluation, names: Mapping[str, str]) -> list[Block]:
    """What each combination of modalities is worth; `names` are what people call them."""
    rows = []
    for one in found.subsets:
        figure = one[headline_in(one) or ""]
        given = " + ".join(names.get(name, name) for name in one["modalities"])
        rows.append([given, str(one["n"]), interval(figure), interval(one.get("gain"))])
    blocks: list[Block] = [
        Heading("What each combination of modalities is worth", 3),
        Table(["Given", "n", "Value", "Gain of everything, paired"], rows),
    ]
    if found.fusion:
        own = found.fusion
        best = names.get(own["best_single"], own["best_single"])
        blocks.append(
            Paragraph(
                f"{VERDICTS[own['verdict']]} Gain over the best single one ({best}): "
                f"{interval(own['gain'])}."
            )
        )
    return blocks


def prediction_sets(found: Evaluation) -> list[Block]:
    """Conformal prediction sets: coverage asked for and reached."""
    rows = [
        [f"{one['asked']:.0%}", interval(one["reached"], 2), interval(one["mean_size"], 2)]
        for one in [*found.conformal["levels"]] or [found.conformal]
    ]
    return [Heading("Conformal prediction sets", 3), Table(["Asked", "Reached", "Mean size"], rows)]


def learning_curve(found: Evaluation) -> list[Block]:
    """What more patients would bring."""
    own = found.learning_curve
    if not own:
        return []
    if own.get("reason"):
        return [Paragraph(f"Learning curve: {own['reason']}")]
    name = own["metric"]
    rows = [
        [str(one["cases"]), str(one["positives"]), interval(one[name])] for one in own["points"]
    ]
    blocks: list[Block] = [
        Heading("Learning curve", 3),
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


def cases(found: Evaluation) -> list[Block]:
    """Cases to look at, by kind."""
    rows = [
        [kind, ", ".join(one["case_id"] for one in listed)] for kind, listed in found.cases.items()
    ]
    return [Heading("Cases to look at", 3), Table(["Kind", "Case ids"], rows)]


def named(group: Mapping[str, str]) -> str:
    """'sex F, site A'."""
    return ", ".join(f"{column} {value}" for column, value in group.items())
