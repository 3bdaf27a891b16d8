"""Groups of patients in an evaluation, as fragments: metrics of each, gaps, small groups."""

from __future__ import annotations

from collections.abc import Mapping

from fmstudio.present.values import bounds, number
from fmstudio.results.metrics import name_of
from fmstudio.results.subgroups import (
    ComparedMetric,
    Group,
    RegressionGroup,
    RegressionSubgroups,
    Subgroups,
)
from fmstudio.types import Interval
from fmstudio.ui.fragments import Html, badge, join, notice, table, tag, text

OF_GROUPS = ("sensitivity", "false_positive_rate", "auroc", "calibration", "mae", "in_the_large")


def groups(found: Subgroups | RegressionSubgroups) -> Html:
    """Figures of each group; real gaps marked; small groups named."""
    if not found.groups and not found.small:
        return notice(
            "The cohort has no group column.",
            "Give a column such as sex, age band or site the role 'group' on the page Data.",
        )
    parts = []
    if found.groups:
        keys = [key for key in OF_GROUPS if key in found.groups[0].metrics]
        rows = []
        for one in found.groups:
            cells = [text(named(one.group)), text(_counted(one))]
            rows.append([*cells, *[_cell(one.metrics[key]) for key in keys]])
        caption = (
            f"Sensitivity and false positive rate at a threshold of {found.threshold:.2f}"
            if isinstance(found, Subgroups)
            else ""
        )
        header = ["Group", "#Cases", *(f"#{name_of(key)}" for key in keys)]
        parts.append(table(header, rows, caption))
    if found.small:
        small = ", ".join(f"{named(one.group)} ({one.n})" for one in found.small)
        parts.append(tag("p", text(f"Too small to compare (fewer than 20): {small}."), "fm-note"))
    return tag("div", join(parts), "fm-answer")


def _counted(group: Group | RegressionGroup) -> str:
    ill = f" ({number(group.positives)} positive)" if isinstance(group, Group) else ""
    return number(group.n) + ill


def _cell(metric: ComparedMetric | Interval) -> Html:
    """A metric, its interval below, and a mark if its gap to all others is real."""
    own = metric.estimate if isinstance(metric, ComparedMetric) else metric
    parts = [text(number(own.value, 2))]
    if own.bounded:
        parts.append(tag("div", tag("small", text(bounds(own, 2)))))
    if isinstance(metric, ComparedMetric) and metric.different:
        gap = f"{metric.gap.value:+.2f} against others, P = {metric.p:.3f}"
        parts.append(tag("div", badge(gap, "warning")))
    return join(parts)


def named(group: Mapping[str, str]) -> str:
    """'sex: F, site: A'."""
    return ", ".join(f"{column.replace('_', ' ')}: {value}" for column, value in group.items())
