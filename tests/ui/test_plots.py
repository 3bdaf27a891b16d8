"""Curves stay light however long the run."""

from __future__ import annotations

from fmstudio.records import Point
from fmstudio.ui.plots import MOST_POINTS, curves, thinned


def line(name: str, length: int) -> list[Point]:
    return [Point(name, step, step / length) for step in range(length)]


def test_a_long_run_is_drawn_with_few_points_and_its_newest_one():
    points = line("train loss", 10_000) + line("validation loss", 400) + line("validation", 400)

    figure = curves(points)

    assert sum(len(trace.x) for trace in figure.data) <= MOST_POINTS
    assert [trace.x[-1] for trace in figure.data] == [9_999, 399, 399]


def test_training_by_step_and_validation_by_epoch_have_axes_of_their_own():
    names = ("train loss", "validation loss", "validation auroc")

    figure = curves([point for name in names for point in line(name, 3)])

    assert [trace.xaxis for trace in figure.data] == ["x", "x2", "x3"]
    axes = (figure.layout.xaxis, figure.layout.xaxis2, figure.layout.xaxis3)
    assert [axis.title.text for axis in axes] == ["Step", "Epoch", "Epoch"]


def test_there_is_no_picture_before_the_first_point():
    assert curves([]) is None


def test_thinning_keeps_first_and_last_and_short_curves_whole():
    short = line("a", 5)

    assert thinned(short, 10) == short
    assert [point.step for point in thinned(line("a", 101), 3)] == [0, 50, 100]
