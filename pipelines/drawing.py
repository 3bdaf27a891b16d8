"""Pictures of signals as RGB arrays: curves over time, waveform and spectrogram.

Drawn on a white card with a thin frame, so that they read alike on light and dark pages. Only
matplotlib's objects are used, never its global state; it loads with the first picture, because
whoever asks which pipelines there are imports this file too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.recordings import Channel

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

MAX_PANELS = 8
MAX_POINTS = 4_000  # drawn per curve; beyond, the lowest and highest of each stretch are drawn
_INK, _FRAME, _GRID, _CURVE = "#1f2933", "#9aa5b1", "#e4e7eb", "#0b5c8a"
_PANEL = 0.68  # height of a panel's curve; the rest holds its name
_WIDTH = 5.6  # inches: narrow, so that letters can be read in a box of a third of a page
_DPI = 165
_FLOOR_DB = -80.0


def _card(height: float) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH, height), dpi=_DPI, facecolor="white", layout=None)
    FigureCanvasAgg(figure)
    figure.patch.set_edgecolor("#b8c2cc")
    figure.patch.set_linewidth(1.5)
    return figure


def _pixels(figure: Figure) -> np.ndarray:
    """(H, W, 3) uint8."""
    canvas: FigureCanvasAgg = figure.canvas  # type: ignore[assignment]
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _plain(axes: Axes) -> None:
    axes.tick_params(colors=_INK, labelsize=8, length=3)
    axes.grid(True, color=_GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(_FRAME)


def time_unit(seconds: float) -> tuple[float, str]:
    """The unit in which a stretch of time is read most easily: its seconds and its name."""
    for limit, length, name in (
        (0.5, 1e-3, "milliseconds"),
        (180, 1.0, "seconds"),
        (3 * 3600, 60.0, "minutes"),
        (4 * 86400, 3600.0, "hours"),
    ):
        if seconds <= limit:
            return length, name
    return 86400.0, "days"


def draw_curves(channels: Sequence[Channel]) -> np.ndarray:
    """One panel for each channel, at most eight, over one axis of time.

    `channels` hold at least one reading each. All panels lie in one matplotlib axes, panel k
    between k and k + 0.68 from the top, since each axes costs as much time as all the curves.
    """
    shown = channels[:MAX_PANELS]
    start = min(float(channel.seconds.min()) for channel in shown)
    end = max(float(channel.seconds.max()) for channel in shown)
    length, unit = time_unit(end - start)
    left, right = start / length, end / length
    margin = 0.01 * (right - left or 1.0)
    inches = 0.6 + 0.92 * len(shown)
    figure = _card(inches)
    axes = figure.add_axes((0.125, 0.47 / inches, 0.85, 0.92 * len(shown) / inches))
    _plain(axes)
    axes.grid(False, axis="y")
    axes.spines["left"].set_visible(False)
    axes.set(xlim=(left - margin, right + margin), ylim=(0, len(shown)))
    places: list[float] = []
    labels: list[str] = []
    for row, channel in enumerate(reversed(shown)):
        ticks, scale = _scale(channel.values)
        places += [row + scale(tick) for tick in ticks]
        labels += [f"{tick:.6g}" for tick in ticks]
        _curve(axes, channel.seconds / length, row + scale(channel.values))
        title = f"{channel.name} ({channel.unit})" if channel.unit else channel.name
        axes.text(left - margin, row + _PANEL + 0.05, _short(title), fontsize=9, color=_INK)
    axes.hlines(places, left - margin, right + margin, colors=_GRID, linewidth=0.7, zorder=0.5)
    edges = np.arange(len(shown))
    axes.hlines(edges[1:], left - margin, right + margin, colors=_FRAME, linewidth=0.8)
    axes.vlines([left - margin] * len(shown), edges, edges + _PANEL, colors=_FRAME, linewidth=0.8)
    axes.set_yticks(places, labels)
    axes.set_xlabel(f"Time ({unit})", fontsize=9, color=_INK, labelpad=2)
    return _pixels(figure)


def _scale(values: np.ndarray) -> tuple[np.ndarray, Callable[[Any], Any]]:
    """Round ticks for a panel, and what maps its values to [0, _PANEL]."""
    from matplotlib.ticker import MaxNLocator

    low, high = float(values.min()), float(values.max())
    room = 0.06 * (high - low) or 0.5 * abs(high) or 1.0
    low, high = low - room, high + room
    ticks = np.asarray(MaxNLocator(nbins=3, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high))
    inside = ticks[(ticks >= low) & (ticks <= high)]
    return inside, lambda value: (value - low) / (high - low) * _PANEL


def _curve(axes: Axes, at: np.ndarray, values: np.ndarray) -> None:
    """A line that breaks where readings are missing, with dots where they are few."""
    few = len(at) <= 200
    order = np.argsort(at, kind="stable")
    at, values = at[order], values[order].astype(np.float64)
    if len(at) > MAX_POINTS:
        at, values = _envelope(at, values)
    elif len(at) > 2:
        steps = np.diff(at)
        breaks = np.flatnonzero(steps > 6 * np.median(steps)) + 1
        at, values = np.insert(at, breaks, np.nan), np.insert(values, breaks, np.nan)
    axes.plot(at, values, color=_CURVE, linewidth=0.9, alpha=0.45 if few else 1.0)
    if few:
        axes.plot(at, values, color=_CURVE, linewidth=0, marker="o", markersize=2.6)


def _envelope(at: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest of equal stretches, so that no spike is lost to the eye."""
    width = -(-len(at) // (MAX_POINTS // 2))
    starts = np.arange(0, len(at), width)
    ends = np.stack([np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)])
    return np.repeat(at[starts], 2), ends.T.ravel()


def draw_sound(samples: np.ndarray, rate: float) -> np.ndarray:
    """Waveform over a spectrogram with a logarithmic frequency axis, for one recording.

    The spectrogram is in dB below its own maximum (Hann windows of 46 ms, 3/4 overlap).
    """
    seconds = len(samples) / rate
    figure = _card(3.6)
    upper = figure.add_axes((0.125, 0.70, 0.715, 0.26))
    lower = figure.add_axes((0.125, 0.13, 0.715, 0.51))
    colours = figure.add_axes((0.865, 0.13, 0.018, 0.51))
    _plain(upper)
    at, values = np.arange(len(samples)) / rate, samples
    if len(values) > MAX_POINTS:
        at, values = _envelope(at, values)
    upper.plot(at, values, color=_CURVE, linewidth=0.6)
    reach = max(float(np.abs(samples).max()) * 1.05, 1e-6)
    upper.set(xlim=(0, seconds), ylim=(-reach, reach))
    upper.tick_params(labelbottom=False)
    upper.set_ylabel("Amplitude", fontsize=9, color=_INK)
    upper.locator_params(axis="y", nbins=4)
    levels, low, high = log_spectrogram(samples, rate)
    picture = lower.imshow(
        levels,
        origin="lower",
        aspect="auto",
        cmap="magma",
        vmin=_FLOOR_DB,
        vmax=0,
        extent=(0, seconds, np.log10(low), np.log10(high)),
        interpolation="bilinear",
    )
    ticks = [hz for hz in (20, 50, 100, 200, 500, 1000, 2000, 4000, 8000) if low <= hz <= high]
    lower.set_yticks(np.log10(ticks), [f"{hz}" for hz in ticks])
    lower.tick_params(colors=_INK, labelsize=8, length=3)
    lower.set_ylabel("Frequency (Hz)", fontsize=9, color=_INK)
    lower.set_xlabel("Time (s)", fontsize=9, color=_INK, labelpad=2)
    scale = figure.colorbar(picture, cax=colours)
    scale.ax.tick_params(colors=_INK, labelsize=8, length=3)
    scale.set_label("Level (dB)", fontsize=9, color=_INK)
    return _pixels(figure)


def log_spectrogram(samples: np.ndarray, rate: float) -> tuple[np.ndarray, float, float]:
    """Levels (frequencies, times) in dB below the maximum, on a log axis from low to high Hz."""
    width = min(1 << round(np.log2(0.046 * rate)), len(samples))
    hop = max(width // 4, -(-len(samples) // 1_000))
    windows = np.lib.stride_tricks.sliding_window_view(samples, width)[::hop]
    power = np.abs(np.fft.rfft(windows * np.hanning(width).astype(np.float32), 4 * width)) ** 2
    low, high = max(20.0, rate / width), rate / 2
    wanted = np.geomspace(low, high, 160)
    bins = np.fft.rfftfreq(4 * width, 1 / rate)
    edges = np.sqrt(wanted[:-1] * wanted[1:])
    starts = np.searchsorted(bins, np.concatenate([[low * 0.98], edges])).clip(0, len(bins) - 1)
    levels = np.maximum.reduceat(power, starts, axis=1).T
    with np.errstate(divide="ignore"):
        decibels = 10 * np.log10(levels / max(float(levels.max()), 1e-20))
    return np.maximum(decibels, _FLOOR_DB), low, high


def _short(text: str, limit: int = 60) -> str:
    # Dollar signs would start matplotlib's formula language.
    text = text.replace("$", r"\$")
    return text if len(text) <= limit else text[: limit - 1] + "…"
