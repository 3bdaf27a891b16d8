"""The curves of an evaluation. Plotly is imported when the first curve is drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import TYPE_CHECKING, Any

from fmstudio.results.calibration import Calibration, RegressionCalibration
from fmstudio.results.discrimination import Curve, Discrimination
from fmstudio.results.metrics import name_of
from fmstudio.results.thresholds import AtThreshold, DecisionCurve
from fmstudio.ui.plots import COLOURS, QUIET, WORDS, layout

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

ACCENT, SECOND, GREY = COLOURS[:3]
BAND = "rgba(39, 130, 154, 0.16)"
HEIGHT = 360


def _figure(x: str, y: str, height: int = HEIGHT) -> Figure:
    """Empty axes with their titles."""
    import plotly.graph_objects as graph

    figure = graph.Figure()
    figure.update_layout(
        **layout()
        | {"height": height, "hovermode": "closest", "margin": {"l": 58, "r": 16, "t": 16, "b": 56}}
    )
    for axis, title in ((figure.update_xaxes, x), (figure.update_yaxes, y)):
        axis(title_text=title, gridcolor=QUIET, zeroline=False, linecolor=QUIET)
    return figure


def _line(figure: Figure, x: Sequence[float], y: Sequence[float], **options: Any) -> None:
    import plotly.graph_objects as graph

    settings = {"mode": "lines", "line": {"color": ACCENT, "width": 2.5}} | options
    figure.add_trace(graph.Scatter(x=list(x), y=list(y), **settings))


def _band(
    figure: Figure,
    x: Sequence[float],
    low: Sequence[float],
    high: Sequence[float],
    name: str = "95 % interval",
) -> None:
    """A filled area between two lines."""
    _line(
        figure,
        [*x, *list(x)[::-1]],
        [*high, *list(low)[::-1]],
        fill="toself",
        fillcolor=BAND,
        line={"width": 0},
        name=name,
        hoverinfo="skip",
    )


def _curve_band(figure: Figure, curve: Curve) -> None:
    if curve.band:
        _band(figure, curve.band.x, curve.band.low, curve.band.high)


def _guess(figure: Figure, x: Sequence[float], y: Sequence[float], name: str) -> None:
    _line(
        figure, x, y, line={"color": GREY, "width": 1.5, "dash": "dot"}, name=name, hoverinfo="skip"
    )


def _with_legend(figure: Figure) -> Figure:
    figure.update_layout(
        showlegend=True,
        legend={"orientation": "h", "y": -0.22, "yanchor": "top", "x": 0},
        height=HEIGHT + 50,
    )
    return figure


def roc(found: Discrimination, at: AtThreshold | None = None) -> Figure | None:
    """Sensitivity against false positive rate, with the chosen threshold marked."""
    if found.roc is None:
        return None
    figure = _figure("False positive rate (1 - specificity)", "Sensitivity")
    _curve_band(figure, found.roc)
    _guess(figure, [0, 1], [0, 1], "Guessing")
    _line(
        figure,
        found.roc.x,
        found.roc.y,
        name="Model",
        line_shape="hv",
        hovertemplate="%{x:.2f} false alarms<br>%{y:.2f} sensitivity<extra></extra>",
    )
    if at and isfinite(at.sensitivity.value) and isfinite(at.specificity.value):
        _mark(figure, 1 - at.specificity.value, at.sensitivity.value)
    _unit_square(figure)
    return figure


def precision_recall(found: Discrimination, at: AtThreshold | None = None) -> Figure | None:
    """PPV against sensitivity at the share of positives among the held-out patients."""
    if found.pr is None:
        return None
    figure = _figure("Sensitivity (recall)", "PPV (precision)")
    share = found.positives / found.n
    _curve_band(figure, found.pr)
    _guess(figure, [0, 1], [share, share], "Guessing")
    _line(
        figure,
        found.pr.x,
        found.pr.y,
        name="Model",
        line_shape="hv",
        hovertemplate="%{x:.2f} sensitivity<br>%{y:.2f} PPV<extra></extra>",
    )
    if at:
        flagged = at.counts.true_positives + at.counts.false_positives
        if flagged and isfinite(at.sensitivity.value):
            _mark(figure, at.sensitivity.value, at.counts.true_positives / flagged)
    _unit_square(figure)
    return figure


def _mark(figure: Figure, x: float, y: float) -> None:
    _line(
        figure,
        [x],
        [y],
        mode="markers",
        name="Your threshold",
        marker={"size": 13, "color": SECOND, "line": {"width": 2, "color": "white"}},
        hovertemplate="Your threshold<extra></extra>",
    )


def _unit_square(figure: Figure) -> None:
    figure.update_xaxes(range=[-0.02, 1.02])
    figure.update_yaxes(range=[-0.02, 1.02])


def reliability(found: Calibration | RegressionCalibration) -> Figure | None:
    """What happened against what was predicted, in bins of as many cases each."""
    bins = found.bins
    if not bins:
        return None
    chances = isinstance(found, Calibration)
    figure = _figure(
        "Predicted" + (" chance" if chances else ""),
        "Share that it came true for" if chances else "Mean of the truth",
    )
    ends = [0, 1] if chances else [min(b.predicted for b in bins), max(b.predicted for b in bins)]
    _guess(figure, ends, ends, "As it should be")
    observed = [one.observed for one in bins]
    up = [each.high - each.value if each.bounded else 0.0 for each in observed]
    down = [each.value - each.low if each.bounded else 0.0 for each in observed]
    _line(
        figure,
        [one.predicted for one in bins],
        [each.value for each in observed],
        mode="lines+markers",
        name="Model",
        marker={"size": 9},
        error_y={
            "type": "data",
            "array": up,
            "arrayminus": down,
            "color": BAND.replace("16", "6"),
            "thickness": 1.5,
            "width": 4,
        },
        customdata=[one.n for one in bins],
        hovertemplate="predicted %{x:.2f}<br>came true %{y:.2f}<br>%{customdata} cases"
        "<extra></extra>",
    )
    if chances:
        _unit_square(figure)
    return figure


def decision(found: DecisionCurve) -> Figure | None:
    """Net benefit of the model, of treating all and of treating none."""
    if not found.thresholds:
        return None
    figure = _figure("Threshold: the probability from which you would act", "Net benefit")
    x, values = found.thresholds, [one.value for one in found.model]
    if all(one.bounded for one in found.model):
        _band(figure, x, [one.low for one in found.model], [one.high for one in found.model])
    _line(
        figure,
        x,
        found.treat_all,
        name="Treat all",
        line={"color": SECOND, "width": 2},
        hovertemplate="%{x:.0%}: %{y:.3f}<extra>all</extra>",
    )
    _line(
        figure,
        [0, 1],
        [0, 0],
        name="Treat none",
        line={"color": GREY, "width": 2},
        hoverinfo="skip",
    )
    _line(
        figure,
        x,
        values,
        name="Use the model",
        hovertemplate="%{x:.0%}: %{y:.3f}<extra>model</extra>",
    )
    top = max(found.prevalence, *values, 0.01)
    figure.update_yaxes(range=[-0.35 * top, 1.1 * top])
    figure.update_xaxes(range=[0, 0.96], tickformat=".0%")
    return _with_legend(figure)


def by_missing(found: Sequence[Mapping[str, Any]], name: str) -> Figure | None:
    """The headline figure by how many modalities are hidden from the model."""
    known = [one for one in found if one[name]["value"] is not None]
    if len(known) < 2:
        return None
    figure = _figure("Modalities that are missing", name_of(name), 300)
    y = [one[name]["value"] for one in known]
    _line(
        figure,
        [one["missing"] for one in known],
        y,
        mode="lines+markers",
        marker={"size": 9},
        error_y={
            "type": "data",
            "width": 4,
            "thickness": 1.5,
            "color": BAND.replace("16", "6"),
            "array": [(one[name]["high"] or v) - v for one, v in zip(known, y, strict=True)],
            "arrayminus": [v - (one[name]["low"] or v) for one, v in zip(known, y, strict=True)],
        },
        customdata=[[one["n"], one["subsets"]] for one in known],
        hovertemplate="%{x} missing: %{y:.3f}<br>%{customdata[1]} combinations, "
        "%{customdata[0]} cases<extra></extra>",
    )
    figure.update_xaxes(dtick=1)
    return figure


def learning(found: Mapping[str, Any]) -> Figure | None:
    """What was measured with fewer patients, and what more of them would bring."""
    points = found.get("points") or []
    if not points:
        return None
    name = found["metric"]
    figure = _figure("Training cases", name_of(name), 340)
    curve = found.get("curve") or []
    if curve:
        x = [one["cases"] for one in curve]
        bounds = [(one["low"], one["high"]) for one in curve]
        if all(low is not None for low, _ in bounds):
            _band(figure, x, [low for low, _ in bounds], [high for _, high in bounds])
        _line(
            figure,
            x,
            [one["value"] for one in curve],
            name="Forecast",
            line={"color": ACCENT, "width": 2, "dash": "dash"},
            hovertemplate="%{x:.0f} cases: %{y:.3f}<extra>forecast</extra>",
        )
    _line(
        figure,
        [one["cases"] for one in points],
        [one[name]["value"] for one in points],
        mode="markers",
        name="Measured",
        marker={"size": 10, "color": SECOND},
        hovertemplate="%{x} cases: %{y:.3f}<extra>measured</extra>",
    )
    figure.update_xaxes(type="log", dtick="D2")
    figure.add_vline(x=points[-1]["cases"], line={"color": WORDS, "width": 1, "dash": "dot"})
    return _with_legend(figure)
