"""What a new base is worth: a probe on its frozen features against one on its parent's.

Both are fitted on the training patients and judged on the held-out ones, whom neither base has
learned from, with a paired interval of the difference.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fmstudio.adapters.processor import Processor
from fmstudio.baselines.losses import prior_shift
from fmstudio.baselines.sample_weights import SampleWeights
from fmstudio.baselines.stacking import fit_probe
from fmstudio.evaluation.metrics import evaluate, gain, headline
from fmstudio.features.inputs import Preparation
from fmstudio.features.outputs import features_of
from fmstudio.model.shared import SharedModel
from fmstudio.training.candidates import candidate, groups_of
from fmstudio.training.training_data import SPLITS, TrainingData, training_data_of
from fmstudio.types import Cohort, Interval


def before_and_after(
    parent: SharedModel,
    child: SharedModel,
    processors: Mapping[str, Processor],
    cohort: Cohort,
    preparation: Preparation,
) -> dict[str, Any]:
    """{"metric", "before", "after", "gain", "verdict", "n"} on the held-out patients.

    The models differ in weights and in `config.base_sha256`, by which tokens are kept. Raises
    InputError where a split has no case that can be read.
    """
    outputs = {}
    for name, model in (("before", parent), ("after", child)):
        prepared = preparation.run(model, processors, cohort.cases, frozen=True)
        data = training_data_of(cohort, prepared)
        outputs[name] = _outputs(model, data)
    task, patients, true = cohort.task, data.patients("test"), data.true("test")
    figures = {
        name: evaluate(task, true, given, patients)[headline(task)]
        for name, given in outputs.items()
    }
    won = gain(task, true, outputs["after"], outputs["before"], patients)
    return {
        "metric": headline(task),
        "n": {s: len(data.cases[s]) for s in SPLITS},
        **{name: figure.as_dict() for name, figure in figures.items()},
        "gain": won.as_dict(),
        "verdict": verdict(won),
    }


def verdict(won: Interval) -> str:
    """What the paired interval of after minus before says."""
    return "better" if won.low > 0 else "worse" if won.high < 0 else "no evidence"


def _outputs(model: SharedModel, data: TrainingData) -> Any:
    """A probe's answers for the held-out patients."""
    task = data.cohort.task
    sets = {s: features_of(model, data.prepared, data.ids(s)) for s in SPLITS}
    train = (*sets["train"], data.targets["train"])
    patients, even = data.patients("train"), SampleWeights(balance=True)
    head = fit_probe(task, train, patients, even, groups_of(model))
    shift = prior_shift(task, data.targets["train"])
    logits = {split: head.logits(*sets[split]) + shift for split in SPLITS}
    return candidate("probe", task, data, logits, 0.0).outputs["test"]
