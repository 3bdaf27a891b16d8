"""The loss of a batch: what each case and each label counts."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fmstudio.baselines.losses import loss
from fmstudio.baselines.sample_weights import SampleWeights
from fmstudio.run_config import RunConfig
from fmstudio.training import loop
from fmstudio.training.loop import Loop, Part, task_loss
from fmstudio.training.saved import States
from fmstudio.types import TaskSpec
from tests.training.conftest import Recorder

EVEN = SampleWeights(balance=True)
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


class OneWeight(Loop):
    """The loop itself over a single weight, which each step lowers; the loss of step 7 is NaN."""

    def __init__(self, folder, reporter) -> None:
        self.weight = torch.nn.Parameter(torch.tensor(9.0))
        self.adapted, self.parameters = torch.nn.ParameterDict({"w": self.weight}), [self.weight]
        self.optimizer = torch.optim.SGD(self.parameters, 1.0)
        self.config, self.task, self.told = RunConfig(epochs=5), TaskSpec("binary"), ""
        self.train_part, self.steps_per_epoch = Part(list("abc"), np.zeros(3)), 3
        self.states, self.reporter, self.count = States(folder), reporter, 0

    def _step(self, step, chosen):
        self.weight.data -= 1
        if step + 1 == 7:
            self.weight.data *= float("nan")
        return float(self.weight.detach())

    def _validation_loss(self):
        return float(self.weight.detach()), 0.5


def test_a_loss_that_is_no_number_ends_training_and_the_best_before_it_is_kept(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(loop, "trained_state", lambda m: {"w": m["w"].detach().clone()})
    monkeypatch.setattr(loop, "load_trained_state", lambda m, s: m["w"].data.copy_(s["w"]))
    for reporter in (Recorder(), Recorder()):  # the second goes on from what the first has saved
        training = OneWeight(tmp_path, reporter)
        trained = training.run()

        assert (trained.best_epoch, trained.epochs, training.weight.item()) == (2, 2, 3.0)
        assert reporter.messages[-1] == (
            "The loss was no number at step 7: the best weights before it are kept, those of epoch "
            f"2. A learning rate below {RunConfig().learning_rate:g} may help."
        )
        assert np.isfinite(list(reporter.curve.values())).all()
