"""Interactive curves. Plotly is imported when the first curve is drawn, not with the app."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fmstudio.records import Point
from fmstudio.ui.theme import ACCENT, NEUTRAL

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

MOST_POINTS = 500
PANELS = TRAINING, LOSS, SCORE, OBJECTIVES, USEFULNESS, DIRECTIONS = (
    "Training loss",
    "Validation loss",
    "Validation score",
    "Loss of each objective",
    "Probe on training patients",
    "Effective directions of the features",
)
BY_PREFIX = {"loss: ": OBJECTIVES, "probe ": USEFULNESS, "directions: ": DIRECTIONS}
BY_STEP = (TRAINING, *BY_PREFIX.values())
# Told apart by lightness as well as hue, on white and on near-black alike.
COLOURS = (ACCENT.c500, "#c2761b", NEUTRAL.c400, "#7a6bb3", "#5c9a5c", "#b85c7e")
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x", "star", "hexagon")
QUIET = "rgba(128, 140, 152, 0.25)"
WORDS = "rgb(125, 136, 148)"


def curves(points: Sequence[Point]) -> Figure | None:
    """The panels that there are points for, side by side; None while there is nothing to draw.

    At most MOST_POINTS are drawn in all, evenly thinned; the last of each curve is always there.
    """
    import plotly.graph_objects as graph
    from plotly.subplots import make_subplots

    if not points:
        return None
    named: dict[str, list[Point]] = {}
    for point in points:
        named.setdefault(point.name, []).append(point)
    panels = [(title, [name for name in named if panel_of(name) == title]) for title in PANELS]
    panels = [(title, names) for title, names in panels if names]
    titles = [title for title, _ in panels]
    figure = make_subplots(rows=1, cols=len(panels), subplot_titles=titles)
    each = max(2, MOST_POINTS // len(named))
    words = list(dict.fromkeys(short(name) for name in named))
    told: set[str] = set()
    for column, (title, names) in enumerate(panels, start=1):
        for name in names:
            line = thinned(named[name], each)
            figure.add_trace(
                graph.Scatter(
                    x=[point.step for point in line],
                    y=[point.value for point in line],
                    name=short(name),
                    legendgroup=short(name),
                    showlegend=short(name) not in told,
                    mode="lines+markers" if len(line) < 40 else "lines",
                    line={"color": COLOURS[words.index(short(name)) % len(COLOURS)], "width": 2},
                    marker={"size": 5},
                ),
                row=1,
                col=column,
            )
            told.add(short(name))
        unit = "Step" if title in BY_STEP else "Epoch"
        figure.update_xaxes(title_text=unit, row=1, col=column)
    figure.update_xaxes(gridcolor=QUIET, zeroline=False, linecolor=QUIET)
    figure.update_yaxes(gridcolor=QUIET, zeroline=False, linecolor=QUIET)
    figure.update_layout(**layout())
    if len(named) > len(panels):
        below = {"orientation": "h", "y": -0.35, "yanchor": "top", "x": 0}
        figure.update_layout(showlegend=True, legend=below, height=400)
    return figure


def short(name: str) -> str:
    """A curve's name within its panel: an objective or a modality, the same in every panel."""
    return name.rpartition(": ")[2] if name.startswith(tuple(BY_PREFIX)) else name


def groups_map(groups: Mapping[str, Any]) -> Figure:
    """The cases of `groups` (see the JSON of `pretrain --json`) as points coloured by group."""
    import plotly.graph_objects as graph

    figure = graph.Figure()
    for entry in groups["groups"]:
        own = [point for point in groups["points"] if point["group"] == entry["group"]]
        typical = set(entry["nearest"])
        figure.add_trace(
            graph.Scatter(
                x=[point["x"] for point in own],
                y=[point["y"] for point in own],
                text=[html.escape(point["case"]) for point in own],
                hovertemplate="%{text}",
                name=f"Group {entry['group'] + 1} ({entry['cases']})",
                mode="markers",
                marker={
                    "color": COLOURS[entry["group"] % len(COLOURS)],
                    "symbol": SYMBOLS[entry["group"] % len(SYMBOLS)],
                    "size": [12 if point["case"] in typical else 8 for point in own],
                },
            )
        )
    shape = layout() | {"height": 420, "showlegend": True, "hovermode": "closest"}
    figure.update_layout(**shape, legend={"orientation": "h", "y": -0.02, "yanchor": "top"})
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    return figure


def panel_of(name: str) -> str:
    """Which axes a curve belongs to: training is drawn by step, validation by epoch."""
    for prefix, title in BY_PREFIX.items():
        if name.startswith(prefix):
            return title
    if not name.startswith("validation"):
        return TRAINING
    return LOSS if "loss" in name else SCORE


def thinned(line: Sequence[Point], most: int) -> list[Point]:
    """At most `most` points of a curve, evenly spaced, its first and last among them."""
    if len(line) <= most:
        return list(line)
    stride = (len(line) - 1) / (most - 1)
    return [line[round(place * stride)] for place in range(most)]


def layout() -> dict[str, Any]:
    """No background and mid-grey words, so that a figure is right on light and dark pages."""
    return {
        "height": 290,
        "margin": {"l": 48, "r": 16, "t": 40, "b": 50},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": "system-ui, sans-serif", "size": 13, "color": WORDS},
        "showlegend": False,
        "hovermode": "x unified",
        "uirevision": "kept",  # a reader's zoom stays while new points come in
        "modebar": {
            "bgcolor": "rgba(0,0,0,0)",
            "color": WORDS,
            "activecolor": ACCENT.c500,
            "remove": ["select2d", "lasso2d", "zoomIn2d", "zoomOut2d", "pan2d", "toImage"],
        },
        "template": "none",
    }
