"""The one training loop: batches in an order fixed by the seed, validation, early stopping.

Every random number is drawn from (seed, step), never from where the process happened to be, so a
run resumed from its last checkpoint sees the same batches and the same dropout.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from fmstudio.adapters.lora import Adapted, load_trained_state, shared_model, trained_state
from fmstudio.baselines.losses import loss as plain_loss
from fmstudio.baselines.sample_weights import SampleWeights
from fmstudio.encoders.batching import Batch, collate
from fmstudio.evaluation.calibration import probabilities
from fmstudio.evaluation.metrics import headline, score
from fmstudio.features.inputs import PreparedCases
from fmstudio.features.outputs import autocast, logits_of
from fmstudio.features.prefix import Prefix, frozen_depth
from fmstudio.model.shared import Started
from fmstudio.records import Point, Progress
from fmstudio.run_config import RunConfig
from fmstudio.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from fmstudio.training.reporter import Reporter, Stopped
from fmstudio.training.saved import States
from fmstudio.training.stages import TUNING
from fmstudio.types import TaskSpec

log = logging.getLogger(__name__)

HEAD_PACE = 0.1  # learning rate of what was fitted before (head, bridges), as a share
WARM_UP = 0.1  # share of the steps in which the learning rate rises


@dataclass(frozen=True)
class Part:
    """Case ids and targets of one split; regression targets in standard units."""

    ids: Sequence[str]
    targets: np.ndarray

    def take(self, rows: np.ndarray) -> Part:
        """Some of the cases, by their row numbers."""
        return Part([self.ids[row] for row in rows], self.targets[rows])


@dataclass(frozen=True)
class Trained:
    """How training went. `best_epoch` 0 means that nothing beat the starting point."""

    best_epoch: int
    epochs: int
    steps: int
    seconds: float
    cases: int


def task_loss(task: TaskSpec, logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Mean loss of a batch: `weights`, shaped as the targets, say how much each case counts.

    Labels that are not known (NaN) of a multilabel case do not count.
    """
    if task.kind == "regression":
        return (functional.mse_loss(logits[:, 0], targets, reduction="none") * weights).mean()
    if task.kind == "multiclass":
        each = functional.cross_entropy(logits, targets.long(), reduction="none")
        return (each * weights).sum() / weights.sum()
    columns, counts = targets.reshape(len(targets), -1), weights.reshape(len(targets), -1)
    known = ~torch.isnan(columns)
    filled = columns.nan_to_num()
    each = functional.binary_cross_entropy_with_logits(logits, filled, reduction="none")
    return (each * counts * known).sum() / known.sum().clamp(min=1)


class Loop:
    """Trains the adapter of `adapted` on prepared cases, keeping the best epoch by validation.

    `shift` (K) takes logits of even classes to the true shares; `unlearned` (n, M, K) is what the
    trees of the head say too much of the training cases, for they were grown on them;
    `sample_weights` are those of the training cases. `name` keeps the curves of several loops of
    one run apart.
    """

    def __init__(
        self,
        adapted: Adapted,
        task: TaskSpec,
        config: RunConfig,
        cases: PreparedCases,
        train: Part,
        validation: Part,
        sample_weights: SampleWeights,
        shift: np.ndarray,
        unlearned: np.ndarray,
        folder: Path,
        reporter: Reporter,
        name: str = "lora",
    ) -> None:
        self.adapted, self.task, self.config, self.cases = adapted, task, config, cases
        self.train_part, self.validation_part, self.shift = train, validation, shift
        self.unlearned, self.states, self.reporter = unlearned, States(folder), reporter
        self.told = "".join(f", {part}" for part in name.split(": ")[1:])
        self.device = adapted.device
        depth = frozen_depth(shared_model(adapted))
        self.prefix = None if depth is None else Prefix(shared_model(adapted), cases, depth)
        weights = sample_weights.weights(task, train.targets)
        self.weights = np.ones_like(train.targets) if weights is None else weights
        trainable = [(n, p) for n, p in adapted.named_parameters() if p.requires_grad]
        self.parameters = [p for _, p in trainable]
        head = [p for n, p in trainable if "modules_to_save" in n]
        lora = [p for n, p in trainable if "modules_to_save" not in n]
        # The head starts where the probe ended, at the strength of L2 that was right for so few
        # cases; at the adapter's pace it would forget that within an epoch.
        self.optimizer = torch.optim.AdamW(
            [{"params": lora, "pace": 1.0}, {"params": head, "pace": HEAD_PACE}],
            lr=config.learning_rate,
            weight_decay=config.weight_decay,
        )
        self.steps_per_epoch = -(-len(train.ids) // config.cases_per_step)

    def run(self) -> Trained:
        """Trains from the newest whole checkpoint, or from the start, to the end; the best is
        loaded.

        A loss that is no number ends it: that step spoils all weights, and the best before it are
        kept. Raises Stopped if asked to stop; the last finished epoch is on disk then.
        """
        state = self._start()
        started = time.monotonic()
        while state.epoch < self.config.epochs and state.waited < self.config.patience:
            losses = self._epoch(state)
            if not np.isfinite(losses[-1]):
                self._report_diverged(state, len(losses))
                break
            state = self._judge(state, losses, state.seconds + time.monotonic() - started)
            started = time.monotonic()
            step = state.epoch * self.steps_per_epoch
            save_checkpoint(self.states, step, state, self.parameters, self.optimizer)
            self._report(state)
        load_trained_state(self.adapted, state.best)
        return Trained(
            state.best_epoch,
            state.epoch,
            state.epoch * self.steps_per_epoch,
            state.seconds,
            state.epoch * len(self.train_part.ids),
        )

    def predict(self, ids: Sequence[str]) -> np.ndarray:
        """Logits (n, K) of prepared cases, with the shift back to true class shares."""
        model = shared_model(self.adapted)
        given = None if self.prefix is None else self.prefix.batch
        return logits_of(model, self.cases, ids, given) + self.shift

    def _inputs(self, ids: Sequence[str], hidden: Sequence[set[str]]) -> Batch | Started:
        """Cases for the model, each without its hidden modalities."""
        if self.prefix is not None:
            return self.prefix.batch(ids, hidden)
        pairs = zip(ids, hidden, strict=True)
        return collate([self.cases.load(case_id, own) for case_id, own in pairs], self.device)

    def _start(self) -> Checkpoint:
        state = load_checkpoint(self.states, self.parameters, self.optimizer)
        if state is None:
            lost = self._validation_loss()[0]
            state = Checkpoint(best=trained_state(self.adapted), best_loss=lost)
        else:
            load_trained_state(self.adapted, state.now)
        self.reporter.points(state.points)
        return state

    def _epoch(self, state: Checkpoint) -> list[float]:
        """The loss of each step of one pass over the cases; one that is no number ends it."""
        self.adapted.train()
        order = np.random.default_rng([self.config.seed, state.epoch])
        shuffled = order.permutation(len(self.train_part.ids))
        losses = []
        for number in range(self.steps_per_epoch):
            if self.reporter.should_stop():
                raise Stopped
            step = state.epoch * self.steps_per_epoch + number
            chosen = shuffled[number :: self.steps_per_epoch]
            losses.append(self._step(step, chosen))
            if not np.isfinite(losses[-1]):
                break
        return losses

    def _step(self, step: int, chosen: np.ndarray) -> float:
        draw = np.random.default_rng([self.config.seed, 1, step])
        torch.manual_seed(int(draw.integers(2**31)))
        ids = [self.train_part.ids[i] for i in chosen]
        hidden = [self.hidden(case_id, draw) for case_id in ids]
        targets = self._tensor(self.train_part.targets[chosen])
        for group in self.optimizer.param_groups:
            group["lr"] = self.config.learning_rate * self._pace(step) * group["pace"]
        self.optimizer.zero_grad(set_to_none=True)
        with autocast(self.device):
            logits = shared_model(self.adapted)(inputs=self._inputs(ids, hidden)).logits
        logits = logits + self._tensor(self._unlearned(ids, hidden, chosen))
        weights = self._tensor(self.weights[chosen])
        value = task_loss(self.task, logits.float(), targets, weights)
        value.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        return float(value.detach())

    def _unlearned(
        self, ids: Sequence[str], hidden: Sequence[set[str]], chosen: np.ndarray
    ) -> np.ndarray:
        """What to add to the logits (n, K), by the modalities that the cases are shown with."""
        names, keys = shared_model(self.adapted).modalities, self.cases.keys
        shown = np.array(
            [
                [name in keys[case_id] and name not in own for name in names]
                for case_id, own in zip(ids, hidden, strict=True)
            ]
        )
        return (self.unlearned[chosen] * shown[..., None]).sum(1)

    def hidden(self, case_id: str, draw: np.random.Generator) -> set[str]:
        """The modalities that this case does without in this step; one always stays."""
        there = list(self.cases.keys[case_id])
        hidden = [name for name in there if draw.random() < self.config.modality_dropout]
        if len(hidden) == len(there):
            hidden.remove(there[draw.integers(len(there))])
        return set(hidden)

    def _pace(self, step: int) -> float:
        """Share of the learning rate: rises in a line, then falls as a cosine to a twentieth."""
        total = self.config.epochs * self.steps_per_epoch
        warm = max(1, int(WARM_UP * total))
        if step < warm:
            return (step + 1) / warm
        progress = (step - warm) / max(1, total - warm)
        return 0.05 + 0.95 * 0.5 * (1 + np.cos(np.pi * progress))

    def _validation_loss(self) -> tuple[float, float]:
        """Loss and headline figure on the validation patients."""
        logits = self.predict(self.validation_part.ids)
        targets = self.validation_part.targets
        return (
            plain_loss(self.task, logits, targets),
            score(self.task, targets, probabilities(self.task, logits)),
        )

    def _judge(self, state: Checkpoint, losses: list[float], seconds: float) -> Checkpoint:
        """The state after an epoch, with the best kept."""
        lost, figure = self._validation_loss()
        epoch = state.epoch + 1
        first = state.epoch * self.steps_per_epoch
        points = [
            Point(f"train loss{self.told}", first + i + 1, value) for i, value in enumerate(losses)
        ]
        points.append(Point(f"validation loss{self.told}", epoch, lost))
        if np.isfinite(figure):
            points.append(Point(f"validation {headline(self.task)}{self.told}", epoch, figure))
        now = trained_state(self.adapted)
        better = lost < state.best_loss
        return Checkpoint(
            epoch=epoch,
            seconds=seconds,
            now=now,
            best=now if better else state.best,
            best_loss=lost if better else state.best_loss,
            best_epoch=epoch if better else state.best_epoch,
            waited=0 if better else state.waited + 1,
            points=(*state.points, *points),
            new_points=tuple(points),
        )

    def _report(self, state: Checkpoint) -> None:
        self.reporter.points(state.new_points)
        told = f"best validation loss {state.best_loss:.3f} after epoch {state.best_epoch}"
        if self.told:
            told = f"{self.told.removeprefix(', ')}: {told}"
        self.reporter.progress(
            Progress(
                TUNING,
                state.epoch / self.config.epochs,
                state.epoch,
                self.config.epochs,
                message=f"{self.states.remark} {told}".lstrip(),
            )
        )

    def _report_diverged(self, state: Checkpoint, steps: int) -> None:
        step = state.epoch * self.steps_per_epoch + steps
        kept = f"of epoch {state.best_epoch}" if state.best_epoch else "at the start"
        told = (
            f"The loss was no number at step {step}: the best weights before it are kept, those "
            f"{kept}. A learning rate below {self.config.learning_rate:g} may help."
        )
        log.warning("%s", told)
        done, all_of = state.epoch, self.config.epochs
        self.reporter.progress(Progress(TUNING, done / all_of, done, all_of, message=told))

    def _tensor(self, values: np.ndarray) -> Tensor:
        return torch.tensor(values, dtype=torch.float32, device=self.device)
