"""The loss of a batch: what each case and each label counts."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fmstudio.training.loop import task_loss
from fmstudio.training.probe import loss
from fmstudio.training.weighing import Weighing
from fmstudio.types import TaskSpec

EVEN = Weighing(balance=True)
THREE = TaskSpec("multiclass", ("y",), ("a", "b", "c"))
TWO = TaskSpec("multilabel", ("y", "z"), ("y", "z"))


def test_a_class_of_one_case_counts_as_much_as_one_of_many():
    targets = np.array([0.0, 0, 0, 0, 1, 2])
    logits = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
    each = torch.nn.functional.cross_entropy(logits, torch.tensor(targets).long(), reduction="none")

    found = task_loss(
        THREE, logits, torch.tensor(targets), torch.tensor(EVEN.weights(THREE, targets))
    )

    assert float(found) == pytest.approx(float((each[:4].mean() + each[4] + each[5]) / 3))


def test_a_label_that_is_not_known_does_not_count():
    targets = np.array([[1.0, np.nan], [0.0, 1.0], [0.0, 0.0]])
    logits = torch.tensor([[0.5, 9.0], [-1.0, 2.0], [0.3, -0.4]])
    weights = EVEN.weights(TWO, targets)

    found = task_loss(TWO, logits, torch.tensor(targets), torch.tensor(weights))

    assert float(found) == pytest.approx(loss(TWO, logits.numpy(), targets, weights))
