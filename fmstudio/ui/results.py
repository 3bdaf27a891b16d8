"""What a run or an adapter has achieved, as fragments: figures, comparison, verdict in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fmstudio.contracts import Pipeline
from fmstudio.present.values import beside, bounds, interval, number
from fmstudio.report.results import LADDER
from fmstudio.results.metrics import METRICS, beats_guessing, headline_in, name_of
from fmstudio.types import Interval
from fmstudio.ui.fragments import (
    NOTHING,
    Html,
    badge,
    explained,
    join,
    notice,
    section,
    table,
    tag,
    text,
    whisker,
)
from fmstudio.ui.wording import duration, headline, listed

STAGES: Mapping[str, str] = {**LADDER, "probe": "Probe: frozen base, new head"}
PARTS: Mapping[str, str] = {
    "prepare": "reading and preparing",
    "features": "features of the base",
    "baseline": "boosting",
    "probe": "the probe",
    "cross-validation": "cross-validation",
    "learning curve": "the learning curve",
    "singles": "each modality alone",
    "search": "the search",
    "train": "fine-tuning",
    "evaluate": "evaluation",
}
VERDICTS: Mapping[str, tuple[str, str]] = {
    "helps": ("Using the modalities together helps.", "good"),
    "no evidence": ("No evidence that using the modalities together helps.", "plain"),
    "hurts": ("Using the modalities together does worse than the best single one.", "warning"),
}


def result(found: Mapping[str, Any], pipelines: Sequence[Pipeline]) -> Html:
    """The JSON of `finetune --json`, for people; a card of an adapter has the same keys."""
    names = {pipeline.name: pipeline.label for pipeline in pipelines}
    parts = [
        section("On held-out patients", _basis(found)),
        metrics(found.get("metrics") or {}),
        proof(found.get("metrics") or {}),
        ladder(found),
        subsets(found, names),
        fusion(found, names),
        crossed(found),
        cost(found),
    ]
    return tag("div", join(parts), "fm-answer")


def _basis(found: Mapping[str, Any]) -> str:
    """How many cases the figures rest on."""
    counts = found.get("n") or {}
    tested = counts.get("test") if isinstance(counts, Mapping) else counts
    cases = f"{number(tested)} cases of patients" if tested else "Patients"
    return (
        f"{cases} that the model never saw. Beside each figure its 95 % interval: with other "
        "patients of the same kind, the figure would mostly lie in it."
    )


def metrics(found: Mapping[str, Any]) -> Html:
    """Every metric with its interval, the headline first and largest."""
    first = headline(found)
    names = [first[0]] if first else []
    names += [name for name in found if name not in names]
    items = [tag("div", join(_figure(name, found[name]))) for name in names]
    return tag("div", join(items), "fm-figures fm-mixed")


def proof(found: Mapping[str, Any]) -> Html:
    """A warning where the interval of the headline reaches down to what guessing reaches."""
    first = headline(found)
    if first is None or beats_guessing(*first):
        return NOTHING
    metric = METRICS[first[0]]
    return notice(
        "Not shown to do better than guessing.",
        f"Guessing reaches {metric.name} {metric.guessing:g}, which the interval does not exclude. "
        "More held-out patients would narrow it.",
        "warning",
    )


def _figure(name: str, figure: Any) -> list[Html]:
    """A metric: its value, its interval, its name."""
    if isinstance(figure, Interval):
        figure = figure.as_dict()
    value = figure.get("value") if isinstance(figure, Mapping) else figure
    parts, label = [tag("strong", text(number(value)))], name_of(name)
    if bounds(figure):
        parts.append(tag("small", text(bounds(figure))))
    if isinstance(figure, Mapping):
        label = ", ".join([label, *beside(figure)])
    return [*parts, tag("span", explained(label))]


def ladder(found: Mapping[str, Any]) -> Html:
    """Baselines, probe and LoRA against each other, and which was chosen and why."""
    steps = found.get("ladder") or []
    if not steps:
        return NOTHING
    chosen = found.get("chosen")
    name = headline_in(steps[0])
    rows = []
    for step in steps:
        label = STAGES.get(step["name"], step["name"][:1].upper() + step["name"][1:])
        mark = badge("chosen", "good") if step["name"] == chosen else NOTHING
        figure = step.get(name) if name else None
        rows.append(
            [
                join([text(label), Html(" "), mark]),
                on_axis(figure, name),
                text(interval(figure)),
                text(duration(step.get("seconds"))),
            ]
        )
    header = ["Model", _axis(name), "#Value (95 % interval)", "#Time"]
    why = tag("p", text(found.get("reason") or ""), "fm-note")
    return join([section("From simple to complex"), table(header, rows), why])


def subsets(found: Mapping[str, Any], names: Mapping[str, str]) -> Html:
    """How well each modality does alone, and all together; the page Evaluate has all others."""
    each = found.get("subsets") or []
    if not each:
        return NOTHING
    name = headline_in(each[0])
    most = max(len(subset["modalities"]) for subset in each)
    if most < 2:
        return NOTHING  # one modality is no comparison: its figure stands above
    rows = []
    for subset in (one for one in each if len(one["modalities"]) in (1, most)):
        labels = [names.get(key, key) for key in subset["modalities"]]
        whole = len(labels) > 1
        label = _together(labels) if whole else labels[0]
        figure = subset.get(name) if name else None
        cells = [
            tag("strong", text(label)) if whole else text(label),
            on_axis(figure, name),
            text(interval(figure)),
            text(number(subset.get("n"))),
        ]
        rows.append(cells)
    header = ["Given", _axis(name), "#Value (95 % interval)", "#Cases"]
    return join([section("Each modality alone and all together"), table(header, rows)])


def _together(labels: list[str]) -> str:
    return f"All {len(labels)} together" if len(labels) > 2 else f"Together: {listed(labels)}"


def fusion(found: Mapping[str, Any], names: Mapping[str, str]) -> Html:
    """Whether the modalities together beat the best single one."""
    verdict = found.get("fusion") or {}
    if not verdict.get("verdict"):
        return NOTHING
    message, tone = VERDICTS.get(verdict["verdict"], (verdict["verdict"], "plain"))
    best = names.get(verdict.get("best_single", ""), verdict.get("best_single") or "–")
    gain = interval(verdict.get("gain"))
    return notice(message, f"Gain over the best single modality ({best}): {gain}.", tone)


def crossed(found: Mapping[str, Any]) -> Html:
    """The probe cross-validated over all patients, where the run was asked for it."""
    judged = found.get("cross_validation")
    if not judged:
        return NOTHING
    name = headline_in(judged) or ""
    message = f"Cross-validated, the probe's {name_of(name)} is {interval(judged.get(name))}."
    return notice(message, f"{judged['folds']} folds over all {judged['n']} cases.", "plain")


def cost(found: Mapping[str, Any]) -> Html:
    """What it took: time by part that was there, speed, memory."""
    seconds = found.get("seconds")
    if not isinstance(seconds, Mapping):
        return NOTHING
    words = [
        f"{PARTS.get(name, name)} {duration(value)}" for name, value in seconds.items() if value
    ]
    if found.get("cases_per_second"):
        words.append(f"{number(found['cases_per_second'], 1)} cases per second")
    if found.get("peak_memory_mb"):
        words.append(f"{number(round(found['peak_memory_mb']))} MB of memory at most")
    return tag("p", text("Time and memory: " + ", ".join(words) + "."), "fm-note")


def _axis(name: str | None) -> str:
    """What the whiskers below are drawn on."""
    metric = METRICS.get(name or "")
    if metric is None or metric.axis is None:
        return name_of(name or "")
    low, high = metric.axis
    return f"{metric.name}, {low:g} to {high:g}; the line is guessing"


def on_axis(figure: Any, name: str | None) -> Html:
    """The metric on its axis; nothing where it cannot be computed."""
    metric = METRICS.get(name or "")
    if isinstance(figure, Interval):
        figure = figure.as_dict()
    if metric is None or metric.axis is None or not bounds(figure) or figure["value"] is None:
        return NOTHING
    return whisker(figure["value"], figure["low"], figure["high"], *metric.axis)
