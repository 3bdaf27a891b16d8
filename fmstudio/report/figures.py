"""The figures of a report as files: SVG to look at and to edit, PNG for the PDF.

matplotlib draws them without a display; no style of the page reaches them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fmstudio.report.facts import Facts
from fmstudio.results.calibration import CalibrationBin
from fmstudio.results.discrimination import Curve
from fmstudio.results.thresholds import DecisionCurve

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOUR, SECOND, GREY = "#27829a", "#c2761b", "#97a2af"
DPI = 200
Draw = Callable[["Axes"], None]


def draw(facts: Facts, folder: Path) -> dict[str, str]:
    """Every figure that can be drawn, by name, with its caption; files NAME.svg and NAME.png."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    folder.mkdir(parents=True, exist_ok=True)
    made = {}
    for name, caption, draw_on in _planned(facts):
        figure = Figure(figsize=(5.2, 4.2), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        axes.grid(color="#dfe4e9", linewidth=0.6)
        draw_on(axes)
        figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
        figure.savefig(folder / f"{name}.png", dpi=DPI)
        made[name] = caption
    return made


def _planned(facts: Facts) -> list[tuple[str, str, Draw]]:
    """(name, caption, how to draw it) of each figure that there are data for."""
    plan: list[tuple[str, str, Draw]] = []
    questions = facts.evaluation.questions()
    for place, parts in enumerate(questions):
        several = len(questions) > 1
        end, about = (f"-{place + 1}", f" ({parts.label})") if several else ("", "")
        found, decision = parts.discrimination, parts.decision_curve
        if found.roc and found.pr:
            plan += [
                (f"roc{end}", f"ROC curve{about}, 95 % band", partial(_roc, found.roc)),
                (
                    f"precision-recall{end}",
                    f"Precision and recall{about} with the 95 % band",
                    partial(_precision, found.pr, found.positives / found.n),
                ),
            ]
        plan += [
            (
                f"calibration{end}",
                f"Calibration{about}; bars are exact 95 % intervals",
                partial(_calibration, parts.calibration.bins),
            )
        ]
        if decision.thresholds:
            plan += [
                (
                    f"decision{end}",
                    f"Net benefit{about} with its 95 % band",
                    partial(_decision, decision),
                )
            ]
    learned = facts.evaluation.learning_curve
    if learned and learned["points"]:
        caption = "Learning curve of the probe, and the forecast"
        plan += [("learning", caption, partial(_learning, learned))]
    return plan


def _roc(curve: Curve, axes: Axes) -> None:
    _curve(curve, axes)
    axes.plot([0, 1], [0, 1], color=GREY, linestyle=":")
    axes.set(xlabel="False positive rate", ylabel="Sensitivity", xlim=(0, 1), ylim=(0, 1.01))


def _precision(curve: Curve, prevalence: float, axes: Axes) -> None:
    _curve(curve, axes)
    axes.axhline(prevalence, color=GREY, linestyle=":")
    axes.set(xlabel="Sensitivity", ylabel="PPV", xlim=(0, 1), ylim=(0, 1.01))


def _curve(curve: Curve, axes: Axes) -> None:
    band = curve.band
    if band:
        axes.fill_between(band.x, band.low, band.high, color=COLOUR, alpha=0.18, lw=0)
    axes.step(curve.x, curve.y, where="post", color=COLOUR, linewidth=2)


def _calibration(bins: Sequence[CalibrationBin], axes: Axes) -> None:
    observed = [each.observed for each in bins]
    errors = [
        [each.value - each.low for each in observed],
        [each.high - each.value for each in observed],
    ]
    axes.plot([0, 1], [0, 1], color=GREY, linestyle=":")
    axes.errorbar(
        [each.predicted for each in bins],
        [each.value for each in observed],
        yerr=errors,
        fmt="o-",
        color=COLOUR,
        capsize=3,
        linewidth=1.5,
    )
    axes.set(xlabel="Predicted probability", ylabel="Observed share", xlim=(0, 1), ylim=(0, 1.01))


def _decision(found: DecisionCurve, axes: Axes) -> None:
    x, model = found.thresholds, [each.value for each in found.model]
    if all(each.bounded for each in found.model):
        low, high = [each.low for each in found.model], [each.high for each in found.model]
        axes.fill_between(x, low, high, color=COLOUR, alpha=0.18, lw=0)
    axes.plot(x, model, color=COLOUR, linewidth=2, label="Model")
    axes.plot(x, found.treat_all, color=SECOND, linewidth=1.5, label="Treat all")
    axes.axhline(0, color=GREY, linewidth=1.5, label="Treat none")
    top = max(found.prevalence, *model, 0.01)
    axes.set(xlabel="Threshold", ylabel="Net benefit", ylim=(-0.35 * top, 1.1 * top))
    axes.legend(frameon=False)


def _learning(found: Mapping[str, Any], axes: Axes) -> None:
    curve, name = found["curve"], found["metric"]
    if curve:
        x = [one["cases"] for one in curve]
        if all(one["low"] is not None for one in curve):
            axes.fill_between(
                x,
                [one["low"] for one in curve],
                [one["high"] for one in curve],
                color=COLOUR,
                alpha=0.18,
                lw=0,
            )
        axes.plot(
            x, [one["value"] for one in curve], color=COLOUR, linestyle="--", label="Forecast"
        )
    points = found["points"]
    axes.plot(
        [one["cases"] for one in points],
        [one[name]["value"] for one in points],
        "o",
        color=SECOND,
        label="Measured",
    )
    axes.set(xlabel="Training cases", ylabel=name.replace("_", " "), xscale="log")
    axes.legend(frameon=False)
