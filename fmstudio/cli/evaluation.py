"""An evaluation, and a comparison of adapters, as plain text that people read in a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fmstudio.cli.run_text import result_text
from fmstudio.present.text import columns
from fmstudio.present.values import interval
from fmstudio.results.evaluation import Evaluation, QuestionParts
from fmstudio.results.json_form import as_json
from fmstudio.results.subgroups import Subgroups


def judgement_text(found: Evaluation) -> str:
    """The figures, then what they mean for use; everything is in the JSON."""
    lines = [result_text(as_json(found))]
    for question in found.questions():
        heading = f"About '{question.label}'" if found.several else "In use"
        lines += ["", heading, *_question_lines(question)]
    sets = found.conformal
    lines += [
        f"Conformal sets: {sets['asked']:.0%} asked, {interval(sets['reached'])} reached, "
        f"mean size {interval(sets['mean_size'])}, n = {sets['n']}."
    ]
    if found.learning_curve:
        lines += _learning_lines(found.learning_curve)
    return "\n".join(lines)


def _question_lines(parts: QuestionParts) -> list[str]:
    calibration = parts.calibration
    lines = [
        f"Calibration: slope {interval(calibration.slope)}, intercept "
        f"{interval(calibration.intercept)}, error {interval(calibration.ece)} (were all "
        f"probabilities right: {calibration.ece_if_right.value:.3f}, up to "
        f"{calibration.ece_if_right.high:.3f}); "
        f"validation patients choose: {calibration.recalibration.chosen}.",
    ]
    rows = [
        (
            f"{point.target} {point.asked:.0%}",
            f"{at.threshold:.3f}",
            *(interval(each) for each in (at.sensitivity, at.specificity, at.ppv, at.npv)),
        )
        for point, at in parts.operating_points.reached
    ]
    header = ("asked for", "threshold", "sensitivity", "specificity", "PPV", "NPV")
    lines += [columns(header, rows, "No threshold reaches a target.")]
    better = parts.decision_curve.better
    lines += [
        "Net benefit above treating all and none for thresholds of "
        + ", ".join(f"{low:.0%} to {high:.0%}" for low, high in better)
        + "."
        if better
        else "No evidence at any threshold that the model is better than treating all or none."
    ]
    triage = parts.triage
    for side, name, beyond in (
        (triage.rule_in, "Rule-in", "at or above"),
        (triage.rule_out, "Rule-out", "below"),
    ):
        lines += [
            f"{name}: {side.reason}"
            if side.threshold is None
            else f"{name}: {beyond} {side.threshold:.3f}, {side.share.value:.0%} of patients."
        ]
    lines += [f"Deferred: {interval(triage.deferred)}."]
    return lines + _subgroup_lines(parts.subgroups)


def _subgroup_lines(found: Subgroups) -> list[str]:
    if not found.groups and not found.small:
        return ["Subgroups: the cohort has no group columns."]
    lines = [f"Subgroups: {found.tests} gaps tested, {len(found.gaps)} found."]
    for gap in found.gaps:
        lines += [
            f"  {_named(gap.group)}: {gap.metric.replace('_', ' ')} "
            f"{interval(gap.gap)} against all others, P = {gap.p:.3f}"
        ]
    if found.small:
        small = "; ".join(f"{_named(each.group)} (n = {each.n})" for each in found.small)
        lines += [f"  too small to compare: {small}"]
    return lines


def _named(group: Mapping[str, str]) -> str:
    return ", ".join(f"{column} {value}" for column, value in group.items())


def _learning_lines(found: Mapping[str, Any]) -> list[str]:
    if found["reason"]:
        return [f"More patients: {found['reason']}"]
    lines = []
    for one in found["forecast"]:
        more = one["more_positives"]
        many = (
            "not within eight times these patients"
            if more["value"] is None
            else (
                f"about {more['value']} more positives "
                f"({_bound(more['low'])} to {_bound(more['high'])})"
            )
        )
        lines += [f"More patients: {found['metric']} {one['target']:.2f} takes {many}."]
    return lines


def _bound(value: int | None) -> str:
    return "never" if value is None else str(value)


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
        columns(("adapter", *names), rows),
    ]
    for one in found["adapters"][1:]:
        lines += [
            f"{_which(one)} minus {found['adapters'][0]['adapter']}: {found['metric']} "
            f"{interval(one['differences'][found['metric']])}, {one['verdict']}."
        ]
    return "\n".join(lines)
