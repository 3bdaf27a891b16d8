"""What a new base is worth: a probe on its frozen features against one on its parent's.

Both are fitted on the training patients and judged on the held-out ones, whom neither base has
learned from, with a paired interval of the difference.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fmstudio.adapters.processor import Processor
from fmstudio.evaluation.metrics import evaluate, gain, headline
from fmstudio.model.shared import SharedModel
from fmstudio.preparation.inputs import Preparation
from fmstudio.preparation.outputs import features_of
from fmstudio.training.judge import groups_of, rung
from fmstudio.training.material import SPLITS, Material, material_of
from fmstudio.training.probe import fit_probe, prior_shift
from fmstudio.training.weighing import Weighing
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
        material = material_of(cohort, prepared)
        outputs[name] = _outputs(model, material)
    task, patients, true = cohort.task, material.patients("test"), material.true("test")
    figures = {
        name: evaluate(task, true, given, patients)[headline(task)]
        for name, given in outputs.items()
    }
    won = gain(task, true, outputs["after"], outputs["before"], patients)
    return {
        "metric": headline(task), "n": {s: len(material.cases[s]) for s in SPLITS},
        **{name: figure.as_dict() for name, figure in figures.items()},
        "gain": won.as_dict(), "verdict": verdict(won),
    }  # fmt: skip


def verdict(won: Interval) -> str:
    """What the paired interval of after minus before says."""
    return "better" if won.low > 0 else "worse" if won.high < 0 else "no evidence"


def _outputs(model: SharedModel, material: Material) -> Any:
    """A probe's answers for the held-out patients."""
    task = material.cohort.task
    sets = {s: features_of(model, material.prepared, material.ids(s)) for s in SPLITS}
    train = (*sets["train"], material.targets["train"])
    patients, even = material.patients("train"), Weighing(balance=True)
    head = fit_probe(task, train, patients, even, groups_of(model))
    shift = prior_shift(task, material.targets["train"])
    logits = {split: head.logits(*sets[split]) + shift for split in SPLITS}
    return rung("probe", task, material, logits, 0.0).outputs["test"]
