"""An evaluation is worded once: report and terminal show the same blocks."""

from __future__ import annotations

import numpy as np
import pytest

from fmstudio.cli.evaluation import judgement_text
from fmstudio.evaluation.conformal import fit_conformal
from fmstudio.evaluation.evaluation import judgement
from fmstudio.present import evaluation
from fmstudio.present.blocks import Table
from fmstudio.present.values import interval
from tests.evaluation.made import (
    BINARY,
    CLASSES,
    LABELS,
    NUMBER,
    drawn,
    held_out,
    judged,
)


def test_operating_points_and_groups_carry_the_values_of_the_evaluation():
    test, before = drawn(0, 90), drawn(1, 60)
    fitted = fit_conformal(BINARY, before.chance, before.truth.astype(float))
    groups = {"sex": tuple(np.random.default_rng(0).choice(["F", "M"], 90).tolist())}
    found = judgement("adapter-1", held_out(test, before, groups), fitted)

    points, maps, compared = (b for b in evaluation.in_use(found) if isinstance(b, Table))

    (parts,) = found.questions()
    reached = [f"{at.threshold:.3f}" for _, at in parts.operating_points.reached]
    assert [row[1] for row in points.rows] == reached
    assert [row[1] for row in maps.rows] == [
        interval(method.ece) for method in parts.calibration.recalibration.methods
    ]
    assert {row[0] for row in compared.rows} == {"sex F", "sex M"}


@pytest.mark.parametrize("task", [CLASSES, LABELS, NUMBER], ids=lambda task: task.kind)
def test_the_terminal_shows_every_question_of_each_kind_of_task(task):
    found = judged(task)

    shown = judgement_text(found)

    assert shown.count("Operating points") == len(found.questions())
    assert "Conformal prediction sets" in shown
