"""The figures of a report as files: SVG to look at and to edit, PNG for the PDF.

matplotlib draws them without a display; no style of the page reaches them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fmstudio.report.facts import Facts

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOUR, SECOND, GREY = "#27829a", "#c2761b", "#97a2af"
DPI = 200
Draw = Callable[["Axes", Mapping[str, Any]], None]


def draw(facts: Facts, folder: Path) -> dict[str, str]:
    """Every figure that can be drawn, by name, with its caption; files NAME.svg and NAME.png."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    folder.mkdir(parents=True, exist_ok=True)
    made = {}
    for name, caption, data, how in _planned(facts):
        figure = Figure(figsize=(5.2, 4.2), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        axes.grid(color="#dfe4e9", linewidth=0.6)
        how(axes, data)
        figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
        figure.savefig(folder / f"{name}.png", dpi=DPI)
        made[name] = caption
    return made


def _planned(facts: Facts) -> list[tuple[str, str, Mapping[str, Any], Draw]]:
    """(name, caption, data, how to draw it) of each figure that there are data for."""
    plan: list[tuple[str, str, Mapping[str, Any], Draw]] = []
    several = sum(1 for _ in facts.questions()) > 1
    for place, (label, parts) in enumerate(facts.questions()):
        end, about = (f"-{place + 1}", f" ({label})") if several else ("", "")
        if parts["discrimination"]["roc"]:
            plan += [
                (f"roc{end}", f"ROC curve{about}, 95 % band", parts["discrimination"], _roc),
                (
                    f"precision-recall{end}",
                    f"Precision and recall{about} with the 95 % band",
                    parts["discrimination"],
                    _precision,
                ),
            ]
        plan += [
            (
                f"calibration{end}",
                f"Calibration{about}; bars are exact 95 % intervals",
                parts["calibration"],
                _calibration,
            )
        ]
        if parts["decision_curve"]["thresholds"]:
            plan += [
                (
                    f"decision{end}",
                    f"Net benefit{about} with its 95 % band",
                    parts["decision_curve"],
                    _decision,
                )
            ]
    learned = facts.judgement["learning_curve"]
    if learned and learned["points"]:
        plan += [("learning", "Learning curve of the probe, and the forecast", learned, _learning)]
    return plan


def _roc(axes: Axes, found: Mapping[str, Any]) -> None:
    _curve(axes, found["roc"])
    axes.plot([0, 1], [0, 1], color=GREY, linestyle=":")
    axes.set(xlabel="False positive rate", ylabel="Sensitivity", xlim=(0, 1), ylim=(0, 1.01))


def _precision(axes: Axes, found: Mapping[str, Any]) -> None:
    _curve(axes, found["pr"])
    axes.axhline(found["positives"] / found["n"], color=GREY, linestyle=":")
    axes.set(xlabel="Sensitivity", ylabel="PPV", xlim=(0, 1), ylim=(0, 1.01))


def _curve(axes: Axes, curve: Mapping[str, Any]) -> None:
    band = curve["band"]
    if band:
        axes.fill_between(band["x"], band["low"], band["high"], color=COLOUR, alpha=0.18, lw=0)
    axes.step(curve["x"], curve["y"], where="post", color=COLOUR, linewidth=2)


def _calibration(axes: Axes, found: Mapping[str, Any]) -> None:
    bins = found["bins"]
    y = [one["observed"]["value"] for one in bins]
    errors = [
        [v - one["observed"]["low"] for one, v in zip(bins, y, strict=True)],
        [one["observed"]["high"] - v for one, v in zip(bins, y, strict=True)],
    ]
    axes.plot([0, 1], [0, 1], color=GREY, linestyle=":")
    axes.errorbar(
        [one["predicted"] for one in bins],
        y,
        yerr=errors,
        fmt="o-",
        color=COLOUR,
        capsize=3,
        linewidth=1.5,
    )
    axes.set(xlabel="Predicted probability", ylabel="Observed share", xlim=(0, 1), ylim=(0, 1.01))


def _decision(axes: Axes, found: Mapping[str, Any]) -> None:
    x, model = found["thresholds"], [one["value"] for one in found["model"]]
    if all(one["low"] is not None for one in found["model"]):
        low, high = ([one[key] for one in found["model"]] for key in ("low", "high"))
        axes.fill_between(x, low, high, color=COLOUR, alpha=0.18, lw=0)
    axes.plot(x, model, color=COLOUR, linewidth=2, label="Model")
    axes.plot(x, found["all"], color=SECOND, linewidth=1.5, label="Treat all")
    axes.axhline(0, color=GREY, linewidth=1.5, label="Treat none")
    top = max(found["prevalence"], *model, 0.01)
    axes.set(xlabel="Threshold", ylabel="Net benefit", ylim=(-0.35 * top, 1.1 * top))
    axes.legend(frameon=False)


def _learning(axes: Axes, found: Mapping[str, Any]) -> None:
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
