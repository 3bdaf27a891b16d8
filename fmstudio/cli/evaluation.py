"""A judgement, and a comparison of adapters, as plain text that people read in a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fmstudio.cli.run_text import result_text
from fmstudio.present.text import columns
from fmstudio.present.values import interval

PARTS = ("calibration", "operating_points", "decision_curve", "triage", "subgroups")


def judgement_text(found: Mapping[str, Any]) -> str:
    """The figures, then what they mean for use; everything is in the JSON."""
    lines = [result_text(found)]
    for label, parts in _questions(found):
        lines += ["", f"About '{label}'" if label else "In use", *_question_lines(parts)]
    sets = found["conformal"]
    lines += [
        f"Conformal sets: {sets['asked']:.0%} asked, {interval(sets['reached'])} reached, "
        f"mean size {interval(sets['mean_size'])}, n = {sets['n']}."
    ]
    if found["learning_curve"]:
        lines += _learning_lines(found["learning_curve"])
    return "\n".join(lines)


def _questions(found: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(label, its parts) for each question; one without a label for a task that has one."""
    if found["triage"] is None:
        return
    if "by_label" not in found["triage"]:
        yield "", {part: found[part] for part in PARTS}
        return
    for label in found["triage"]["by_label"]:
        yield label, {part: found[part]["by_label"][label] for part in PARTS}


def _question_lines(parts: Mapping[str, Any]) -> list[str]:
    calibration = parts["calibration"]
    lines = [
        f"Calibration: slope {interval(calibration['slope'])}, intercept "
        f"{interval(calibration['intercept'])}, error {interval(calibration['ece'])} (were all "
        f"probabilities right: {calibration['ece_if_right']['value']:.3f}, up to "
        f"{calibration['ece_if_right']['high']:.3f}); "
        f"validation patients choose: {calibration['recalibration']['chosen']}.",
    ]
    rows = [
        (
            f"{point['target']} {point['asked']:.0%}",
            f"{point['threshold']:.3f}",
            *(interval(point[name]) for name in ("sensitivity", "specificity", "ppv", "npv")),
        )
        for point in parts["operating_points"]["points"]
        if point["threshold"] is not None
    ]
    header = ("asked for", "threshold", "sensitivity", "specificity", "PPV", "NPV")
    lines += [columns(header, rows, "No threshold reaches a target.")]
    better = parts["decision_curve"]["better"]
    lines += [
        "Net benefit above treating all and none for thresholds of "
        + ", ".join(f"{low:.0%} to {high:.0%}" for low, high in better)
        + "."
        if better
        else "No evidence at any threshold that the model is better than treating all or none."
    ]
    for side, name, beyond in (
        ("rule_in", "Rule-in", "at or above"),
        ("rule_out", "Rule-out", "below"),
    ):
        own = parts["triage"][side]
        lines += [
            f"{name}: {own['reason']}"
            if own["threshold"] is None
            else f"{name}: {beyond} {own['threshold']:.3f}, "
            f"{own['share']['value']:.0%} of patients."
        ]
    lines += [f"Deferred: {interval(parts['triage']['deferred'])}."]
    return lines + _subgroup_lines(parts["subgroups"])


def _subgroup_lines(found: Mapping[str, Any]) -> list[str]:
    if not found["groups"] and not found["small"]:
        return ["Subgroups: the cohort has no group columns."]
    lines = [f"Subgroups: {found['tests']} gaps tested, {len(found['gaps'])} found."]
    for gap in found["gaps"]:
        lines += [
            f"  {_named(gap['group'])}: {gap['figure'].replace('_', ' ')} "
            f"{interval(gap['gap'])} against all others, P = {gap['p']:.3f}"
        ]
    if found["small"]:
        small = "; ".join(f"{_named(one['group'])} (n = {one['n']})" for one in found["small"])
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
