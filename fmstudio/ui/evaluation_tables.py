"""An evaluation in words and tables: at a glance, calibration, sets, subsets, cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fmstudio.contracts import Pipeline
from fmstudio.present.values import bounds, interval, number
from fmstudio.results.calibration import Calibration, RegressionCalibration
from fmstudio.results.evaluation import Evaluation, QuestionParts, RegressionParts
from fmstudio.results.json_form import from_json
from fmstudio.results.metrics import beats_guessing, headline_in, name_of
from fmstudio.results.subgroups import (
    RegressionSubgroups,
    Subgroups,
)
from fmstudio.types import Interval
from fmstudio.ui.fragments import (
    NOTHING,
    Html,
    badge,
    bullets,
    join,
    link,
    notice,
    section,
    table,
    tag,
    text,
)
from fmstudio.ui.results import STAGES, VERDICTS, on_axis
from fmstudio.ui.subgroup_tables import named
from fmstudio.ui.threshold_tables import share
from fmstudio.ui.wording import listed, plural

MAPS = {"as it is": "As it answers now", "before calibration": "As it was trained"}
KINDS = {
    "worst": ("Most surely wrong", "Look for a wrong label, a bad file, or what the model misses."),
    "uncertain": ("Most undecided", "Where clinical judgement counts most."),
    "best": ("Most surely right", "What the model finds easy."),
}


def glance(
    found: Evaluation, parts: QuestionParts | RegressionParts, names: Mapping[str, str]
) -> Html:
    """What a reader must know before anything else, each with its tone."""
    lines = [_strength(found)]
    if isinstance(parts, QuestionParts):
        lines.append(_calibrated(parts.calibration))
    if found.fusion:
        verdict = found.fusion
        words, tone = VERDICTS[verdict["verdict"]]
        best = names.get(verdict["best_single"], verdict["best_single"])
        lines.append((words, f"Gain over {best} alone: {interval(verdict['gain'])}.", tone))
    if isinstance(parts, QuestionParts):
        lines.append(_useful(parts.decision_curve.better))
    lines.append(_alike(parts.subgroups))
    rows = [
        [
            badge({"good": "Good", "warning": "Look", "stop": "Poor"}.get(tone, "Open"), tone),
            join([tag("strong", text(words)), Html(" "), tag("small", text(more))]),
        ]
        for words, more, tone in lines
    ]
    return table(["", "In short"], rows)


def _strength(found: Evaluation) -> tuple[str, str, str]:
    name = headline_in(found.metrics)
    if name is None:
        return "Discrimination cannot be estimated.", "", "plain"
    figure = found.metrics[name]
    told = f"{name_of(name)} {interval(figure)} on {plural(found.n, 'held-out case')}."
    if not figure.bounded:
        return "Discrimination cannot be estimated.", told, "plain"
    if not beats_guessing(name, figure):
        return "No evidence that it does better than guessing.", told, "stop"
    wide = figure.high - figure.low > 0.2
    more = " The interval is wide: more held-out patients would narrow it." if wide else ""
    return "Discrimination is better than guessing.", told + more, "warning" if wide else "good"


def _calibrated(found: Calibration) -> tuple[str, str, str]:
    slope, shift = found.slope, found.intercept
    told = f"Slope {interval(slope)} (1 is right), intercept {interval(shift)} (0 is right)."
    if not (slope.bounded and shift.bounded):
        return "Calibration cannot be estimated.", told, "plain"
    faults = []
    if slope.high < 1:
        faults.append("too extreme")
    if slope.low > 1:
        faults.append("too moderate")
    if shift.low > 0:
        faults.append("too low")
    if shift.high < 0:
        faults.append("too high")
    if faults:
        return f"Its probabilities are {listed(faults)}.", told, "warning"
    # Few patients hide much: to see nothing wrong is not to have shown that all is right.
    return "No evidence of poor calibration.", told, "plain"


def _useful(better: Sequence[tuple[float, float]]) -> tuple[str, str, str]:
    if not better:
        return (
            "No evidence that acting on it beats treating all or none.",
            "See the decision curve.",
            "warning",
        )
    spans = listed([f"{low:.0%} to {high:.0%}" for low, high in better])
    return (
        f"Acting on it is better than treating all or none for thresholds of {spans}.",
        "By the 95 % interval of net benefit.",
        "good",
    )


def _alike(found: Subgroups | RegressionSubgroups) -> tuple[str, str, str]:
    if not found.groups:
        return (
            "Groups of patients were not compared.",
            "The cohort has no group column with groups of 20 or more.",
            "plain",
        )
    if found.gaps:
        return (
            f"{plural(len(found.gaps), 'gap')} between groups of patients.",
            "See the table of groups.",
            "warning",
        )
    return (
        f"No evidence that it treats {plural(len(found.groups), 'group')} differently.",
        f"{plural(found.tests, 'comparison')}, taken together.",
        "plain",
    )


def regression_calibration(found: RegressionCalibration) -> Html:
    """Slope, intercept and errors of predicted numbers."""
    metrics = {
        "Slope (1 is right)": found.slope,
        "Intercept (0 is right)": found.intercept,
        name_of("mae"): found.mae,
        name_of("in_the_large"): found.in_the_large,
    }
    rows = [[text(label), text(interval(metric))] for label, metric in metrics.items()]
    return table(["", "#95 % interval"], rows, f"{number(found.n)} held-out cases")


def calibration(found: Calibration) -> Html:
    """Slope and intercept, and what recalibration would do."""
    own = found.recalibration
    rows = []
    for one in own.methods:
        is_chosen = one.method == own.chosen
        chosen = badge("chosen on validation", "good") if is_chosen else NOTHING
        first = MAPS.get(one.method, one.method.capitalize())
        rows.append(
            [
                join([text(first), Html(" "), chosen]),
                *(_stacked(each) for each in (one.ece, one.slope, one.intercept)),
            ]
        )
    header = ["Chances", "#Error (ECE)", "#Slope", "#Intercept"]
    told = own.reason or (
        f"Each map was fitted on {number(own.n_validation)} validation cases and looked at on "
        f"{number(own.n)} held-out ones. The simplest within one standard error of the best is "
        "chosen. Predictions are not changed by this table."
    )
    by_chance = found.ece_if_right
    few = (
        f"Were all probabilities right, {number(found.n)} cases would still show an error of "
        f"about {by_chance.value:.3f}, and in one of twenty cohorts more than "
        f"{by_chance.high:.3f}."
    )
    remarks = [tag("p", text(one), "fm-note") for one in (few, told)]
    return tag("div", join([table(header, rows), *remarks]), "fm-answer")


def conformal(found: Mapping[str, Any], regression: bool) -> Html:
    """Coverage asked and reached at each level, and by group."""
    size = "Mean width" if regression else "Mean size"
    rows = [
        [
            text(f"{100 * one['asked']:.0f} %"),
            text(share(from_json(Interval, one["reached"]))),
            text(interval(one["mean_size"])),
            text(_sizes(one)),
        ]
        for one in [*found["levels"]] or [found]
    ]
    parts = [table(["Asked", "#Reached", f"#{size}", "Answers by number of labels"], rows)]
    if found["groups"]:
        own = [
            [
                text(named(one["group"])),
                text(number(one["n"])),
                text(
                    "too few to say"
                    if one["reached"] is None
                    else share(from_json(Interval, one["reached"]))
                ),
            ]
            for one in found["groups"]
        ]
        asked = f"Reached by group where {found['asked']:.0%} were asked"
        parts.append(table(["Group", "#Cases", "#Reached"], own, asked))
    return tag("div", join([*parts, bullets(found["remarks"])]), "fm-answer")


def _sizes(one: Mapping[str, Any]) -> str:
    sizes = one.get("sizes")
    if not sizes:
        return "–"
    return ", ".join(f"{number(n)} with {size}" for size, n in sizes.items())


def subsets(found: Evaluation, names: Mapping[str, str]) -> Html:
    """Every subset of the modalities with its interval, singles and all first."""
    name = headline_in(found.metrics) or ""
    most = len(found.modalities)
    told, rest = [], []
    for one in found.subsets:
        size = len(one["modalities"])
        label = (
            "All together"
            if size == most > 1
            else " + ".join(names.get(key, key) for key in one["modalities"])
        )
        gain = text(interval(one["gain"])) if one.get("gain") else NOTHING
        row = [
            text(label),
            on_axis(one[name], name),
            text(interval(one[name])),
            text(number(one["n"])),
            gain,
        ]
        (told if size in (1, most) else rest).append(row)
    header = ["Given", name_of(name), "#95 % interval", "#Cases", "#Gain of everything"]
    parts = [table(header, told)]
    if found.fusion:
        parts.append(_fusion(found.fusion, names))
    if rest:
        inside = join(
            [tag("summary", text(f"The other {len(rest)} combinations")), table(header, rest)]
        )
        parts.append(tag("details", inside, "fm-details"))
    return join(parts)


def _fusion(found: Mapping[str, Any], names: Mapping[str, str]) -> Html:
    """The verdict with its paired interval."""
    words, tone = VERDICTS[found["verdict"]]
    best = names.get(found["best_single"], found["best_single"])
    gain = f"Gain over the best single modality ({best}), paired on {plural(found['n'], 'case')}"
    return notice(words, f"{gain}: {interval(found['gain'])}.", tone)


def _stacked(metric: Interval) -> Html:
    """A metric with its interval below, for tables of many columns."""
    if not metric.bounded:
        return text(interval(metric))
    return join([text(number(metric.value)), tag("div", tag("small", text(bounds(metric))))])


def budget(found: Mapping[str, Any]) -> Html:
    """How many more patients a better model would take."""
    if found.get("reason"):
        return notice("No forecast.", found["reason"])
    lines = []
    for one in found["forecast"]:
        more = one["more_positives"]
        if more["value"] is None:
            lines.append(
                f"{name_of(found['metric'])} {one['target']:.2f}: not within eight times "
                "these patients."
            )
            continue
        low, high = (
            "far more" if value is None else f"{value:,}" for value in (more["low"], more["high"])
        )
        lines.append(
            f"{name_of(found['metric'])} {one['target']:.2f}: about {more['value']:,} more "
            f"positives (95 % band {low} to {high}), {one['more_cases']['value']:,} more cases."
        )
    return bullets(lines or ["No further gain can be forecast from these patients."])


def case_list(found: Evaluation, kind: str) -> Html:
    """Cases to look at, each with the way to its prediction."""
    rows = [
        [
            text(one["case_id"]),
            text(_told(one["answer"], found.labels, found.task)),
            text(_true(one["truth"], found.labels, found.task)),
            link("Open", f"/predict?adapter={found.adapter}&case={_address(one['case_id'])}"),
        ]
        for one in found.cases.get(kind, ())
    ]
    if not rows:
        return NOTHING
    title, lead = KINDS[kind]
    return join([section(title, lead), table(["Case", "Answer", "Truth", ""], rows)])


def _address(case_id: str) -> str:
    from urllib.parse import quote

    return quote(case_id, safe="")


def _told(answer: Any, labels: Sequence[str], task: str) -> str:
    if task == "binary":
        return f"{100 * answer:.0f} %"
    if task == "regression":
        return number(answer)
    return ", ".join(f"{name} {value:.0%}" for name, value in zip(labels, answer, strict=True))


def _true(truth: Any, labels: Sequence[str], task: str) -> str:
    if task in ("binary", "multiclass"):
        return labels[int(truth)]
    if task == "regression":
        return number(truth)
    there = [name for name, value in zip(labels, truth, strict=True) if value]
    return listed(there) or "none of them"


def _which(one: Mapping[str, Any], titles: Mapping[str, str]) -> str:
    """An adapter, or a simpler model that it was compared with."""
    if one["model"] == "adapter":
        return titles.get(one["adapter"], one["adapter"])
    model = str(one["model"])
    return STAGES.get(model, model[:1].upper() + model[1:])


def side_by_side(found: Mapping[str, Any], titles: Mapping[str, str]) -> Html:
    """Adapters on the same cases, each against the first."""
    name = found["metric"]
    others = [key for key in ("brier", "ece", "mae") if key in found["adapters"][0]["metrics"]]
    rows = []
    for one in found["adapters"]:
        figure = one["metrics"][name]
        against = NOTHING
        if "differences" in one:
            tone = {"better": "good", "worse": "warning"}.get(one["verdict"], "plain")
            against = join(
                [
                    _stacked(from_json(Interval, one["differences"][name])),
                    badge(one["verdict"], tone),
                ]
            )
        rows.append(
            [
                text(_which(one, titles)),
                on_axis(figure, name),
                _stacked(from_json(Interval, figure)),
                against,
                *[_stacked(from_json(Interval, one["metrics"][key])) for key in others],
            ]
        )
    header = [
        "Model",
        name_of(name),
        "#95 % interval",
        "#Difference to the first, paired",
        *(f"#{name_of(key)}" for key in others),
    ]
    caption = f"The {number(found['n'])} held-out cases that all of them were evaluated on, paired"
    return table(header, rows, caption)


def labels_of(pipelines: Sequence[Pipeline]) -> dict[str, str]:
    """What people call each modality."""
    return {pipeline.name: pipeline.label for pipeline in pipelines}
