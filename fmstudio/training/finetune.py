"""One fine-tuning run: a cohort in, an adapter's folder and the figures that judge it out.

Read and prepare (cached) → the ladder: boosting on the table, the probe, LoRA from the probe's
head, deeper and deeper → choose on validation patients → calibrate → judge on held-out patients →
write the adapter's folder.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fmstudio.adapters.lora import Adapted, attach, load_trained_state, shared_model, task_head
from fmstudio.adapters.readout import Readout, distances
from fmstudio.baselines.losses import prior_shift
from fmstudio.baselines.sample_weights import sample_weights_of
from fmstudio.evaluation.calibration import fit_calibration
from fmstudio.evaluation.conformal import fit_conformal
from fmstudio.evaluation.labelled_predictions import HeldOut
from fmstudio.evaluation.metrics import evaluate
from fmstudio.features.held_out import Asked, held_out
from fmstudio.features.outputs import features_of, logits_of
from fmstudio.model.feature_layout import FeatureLayout
from fmstudio.model.shared import SharedModel
from fmstudio.records import Progress, ProjectRecord, RunRecord
from fmstudio.results.json_form import as_json
from fmstudio.run_config import SCOPES, RunConfig
from fmstudio.settings import Settings
from fmstudio.training.candidates import Candidate, check_learned, ladder_json, single_probes
from fmstudio.training.choice import choose, on_held_out
from fmstudio.training.frozen_candidates import Probed, grow, head_of, install, probe_candidate
from fmstudio.training.lora_candidate import Start, Tuned
from fmstudio.training.lora_stages import StageContext, train_stages
from fmstudio.training.memory import peak_memory_mb
from fmstudio.training.package import write_adapter
from fmstudio.training.reporter import Reporter
from fmstudio.training.stages import JUDGING, SIMPLER
from fmstudio.training.stopwatch import Stopwatch
from fmstudio.training.training_data import SPLITS, TrainingData, prepare
from fmstudio.types import Cohort, TaskSpec

GUARD_SHARE = 0.99  # of the training inputs that count as like the training inputs


@dataclass(frozen=True)
class Finetuned:
    """What a run leaves: the JSON of `finetune --json`, the adapter's folder, its card, and its
    answers to held-out patients."""

    result: dict[str, Any]
    adapter_folder: Path
    card: dict[str, Any]
    held_out: HeldOut


def finetune(
    run: RunRecord,
    project: ProjectRecord,
    cohort: Cohort,
    folder: Path,
    settings: Settings,
    reporter: Reporter,
) -> Finetuned:
    """Fine-tunes on `cohort` and writes the adapter to `folder`/adapter.

    Goes on from the checkpoints in `folder` where there are any. Raises InputError for a cohort or
    config that cannot be trained on; RunFailed for a model that learned nothing; Stopped if asked
    to stop.
    """
    task, watch = cohort.task, Stopwatch()
    config = RunConfig.from_dict(run.config)
    with watch("prepare"):
        model, processors, data = prepare(config, cohort, settings, reporter)
        config = config.with_modalities(tuple(model.modalities))
    sample_weights = sample_weights_of(config, data.cases["train"])
    shift = prior_shift(task, data.targets["train"]) if config.balance else np.zeros(1)

    reporter.progress(Progress(SIMPLER))
    probed = probe_candidate(task, model, data, config, sample_weights, shift, watch)
    with watch("singles"):
        singles = single_probes(task, model, data, sample_weights)
    grow(model, probed.head)
    install(model.task_head, probed.head)
    start = Start(model, sample_weights, shift, probed.head.unlearned)
    context = StageContext(start, processors, data, settings, config)
    climbed = train_stages(context, folder, reporter)
    tuned = climbed.tuned
    watch.seconds["search"] = climbed.search_seconds
    watch.seconds["train"] = sum(each.trained.seconds for each in tuned)

    reporter.progress(Progress(JUDGING))
    with watch("evaluate"):
        candidates = [*(r for r, _ in probed.candidates), *(each.candidate for each in tuned)]
        chosen, reason = choose(task, data, candidates, config.keep)
        config, adapted, data = _kept(chosen, model, data, config, probed, tuned)
        readout = finish(task, adapted, data, shift, config.balance)
        asked = Asked(task, shared_model(adapted), readout, data.prepared)
        held = held_out(asked, data.cases, singles)
        held = replace(
            held, ladder={r.name: r.outputs["test"] for r in candidates if r is not chosen}
        )
        figures = evaluate(task, held.test.targets, held.test.outputs, held.test.patients)
    ladder = ladder_json(task, data, candidates)
    result = {
        "run": run.id,
        "status": "finished",
        "task": task.kind,
        "n": {s: len(data.cases[s]) for s in SPLITS},
        "metrics": {name: figure.as_dict() for name, figure in figures.items()},
        "ladder": ladder,
        "chosen": chosen.name,
        "reason": f"{reason} {on_held_out(task, ladder, chosen.name)}",
        "subsets": list(held.subsets),
        "fusion": held.fusion,
        "missing": list(held.missing),
        "cross_validation": probed.crossed,
        "learning_curve": probed.learned,
        **as_json(climbed.tried),
        **_cost(watch, tuned),
        "unreadable": sum(len(found) for found in data.prepared.unreadable.values()),
    }
    card = write_adapter(
        folder / "adapter",
        adapted,
        project,
        data,
        config,
        processors,
        readout,
        result,
        settings,
    )
    return Finetuned(result, folder / "adapter", card, held)


def _kept(
    chosen: Candidate,
    model: SharedModel,
    data: TrainingData,
    config: RunConfig,
    probed: Probed,
    tuned: Sequence[Tuned],
) -> tuple[RunConfig, Adapted, TrainingData]:
    """The chosen model's config, the model with its adapter, and the cases as it takes them."""
    for each in tuned:
        if each.candidate is chosen:
            adapted = attach(model, each.config)
            load_trained_state(adapted, each.state)
            return each.config, adapted, each.data
    config = config.at_scope(SCOPES[0])
    head = next(head for candidate, head in probed.candidates if candidate is chosen)
    grow(model, head)  # boosting alone has fewer trees than the probe, which stands there
    adapted = attach(model, config)
    install(task_head(adapted), head)
    return config, adapted, data


def _cost(watch: Stopwatch, tuned: Sequence[Tuned]) -> dict[str, Any]:
    """What the run took, for its result."""
    trained = [each.trained for each in tuned]
    cases = sum(each.cases for each in trained)
    return {
        "seconds": {name: round(value, 3) for name, value in watch.seconds.items()},
        "cases_per_second": round(cases / max(watch.seconds["train"], 1e-9), 2),
        "peak_memory_mb": round(peak_memory_mb()),
        "epochs": sum(each.epochs for each in trained),
        "best_epoch": max((each.best_epoch for each in trained), default=0),
    }


@torch.inference_mode()
def finish(
    task: TaskSpec, adapted: Adapted, data: TrainingData, shift: np.ndarray, balance: bool
) -> Readout:
    """Folds the shift into the head's bias and fits how its logits are to be read.

    Raises RunFailed for a model that learned nothing, see `check_learned`.
    """
    model, own = shared_model(adapted), task_head(adapted)
    own.bias += torch.as_tensor(shift, dtype=own.bias.dtype, device=own.bias.device)
    validation = logits_of(model, data.prepared, data.ids("validation"))
    found = fit_calibration(task, validation, data.targets["validation"])
    values, present = features_of(model, data.prepared, data.ids("train"))
    head = head_of(own)
    each = head.parts(values, present)
    check_learned(task, each.sum(1) + head.bias - shift, data.targets["train"], balance)
    parts = each.sum(0) / np.maximum(present.sum(0), 1)[:, None]
    far = distances(values, head.mean, head.scale, FeatureLayout.of(model.config).mean)
    guard = {
        name: float(np.quantile(far[present[:, m] > 0, m], GUARD_SHARE))
        for m, name in enumerate(model.modalities)
        if present[:, m].any()
    }
    readout = Readout(
        found.temperature,
        data.centre,
        data.spread,
        tuple(tuple(map(float, row)) for row in parts),
        {},
        guard,
        found.shift,
    )
    outputs = readout.outputs(task, validation)
    return replace(readout, conformal=fit_conformal(task, outputs, data.true("validation")))
