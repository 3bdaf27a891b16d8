"""One fine-tuning run: a cohort in, an adapter's folder and the figures that judge it out.

Read and prepare (cached) → baseline and probe → LoRA from the probe's head → choose on validation
patients → calibrate → judge on held-out patients → write the adapter's folder.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fmstudio.adapters.lora import (
    Adapted,
    attach,
    load_trained_state,
    shared_model,
    task_head,
    trained_state,
)
from fmstudio.adapters.readout import Readout, distances
from fmstudio.contracts import pipeline
from fmstudio.evaluation.answered import HeldOut, Question
from fmstudio.evaluation.baselines import table_baseline
from fmstudio.evaluation.calibration import fit_temperature, probabilities
from fmstudio.evaluation.conformal import fit_conformal
from fmstudio.evaluation.metrics import evaluate, headline
from fmstudio.evaluation.recalibration import platt_beats_temperature
from fmstudio.model.shared import token_means
from fmstudio.preparation.held_out import Asked, held_out
from fmstudio.preparation.inputs import Preparation
from fmstudio.preparation.outputs import features_of, logits_of
from fmstudio.records import Progress, ProjectRecord, RunRecord
from fmstudio.sandbox import Reader
from fmstudio.settings import Settings
from fmstudio.training.config import RunConfig
from fmstudio.training.judge import (
    Rung,
    beats,
    ladder_json,
    rung,
    single_probes,
)
from fmstudio.training.loop import Loop
from fmstudio.training.material import SPLITS, Material, prepare
from fmstudio.training.memory import peak_memory_mb
from fmstudio.training.package import write_adapter
from fmstudio.training.probe import prior_shift
from fmstudio.training.probing import head_of, install, probe_rung
from fmstudio.training.reporter import Reporter
from fmstudio.training.stopwatch import Stopwatch
from fmstudio.types import Cohort, TaskSpec

GRADIENT_BOOSTING = "baseline: gradient boosting on table"
NAMES = {"auroc": "AUROC", "macro_auroc": "macro AUROC", "r2": "R²"}
GUARD_SHARE = 0.99  # of the training inputs that count as like the training inputs


@dataclass(frozen=True)
class Finetuned:
    """What a run leaves: the JSON of `finetune --json`, the adapter's folder, its card, and its
    answers to held-out patients."""

    result: dict[str, Any]
    adapter_folder: Path
    card: dict[str, Any]
    held_out: HeldOut


class _Middle:
    """A reporter whose progress fills the part between preparing and judging."""

    def __init__(self, reporter: Reporter) -> None:
        self.points, self.should_stop, self._reporter = (
            reporter.points,
            reporter.should_stop,
            reporter,
        )

    def progress(self, progress: Progress) -> None:
        """Passes on, with the fraction squeezed to 0.55 to 0.95."""
        self._reporter.progress(replace(progress, fraction=0.55 + 0.4 * progress.fraction))


def finetune(
    run: RunRecord,
    project: ProjectRecord,
    cohort: Cohort,
    folder: Path,
    settings: Settings,
    reporter: Reporter,
) -> Finetuned:
    """Fine-tunes on `cohort` and writes the adapter to `folder`/adapter.

    Goes on from the checkpoint in `folder` where there is one. Raises InputError for a cohort or
    config that cannot be trained on; Stopped if asked to stop.
    """
    task, watch = cohort.task, Stopwatch()
    config = RunConfig.from_dict(run.config)
    with watch("prepare"):
        model, processors, material = prepare(config, cohort, settings, reporter)
        config = config.with_modalities(tuple(model.modalities))
    shift = prior_shift(task, material.targets["train"]) if config.balance else np.zeros(1)

    reporter.progress(Progress("Fitting the baseline and the probe", 0.5))
    with watch("baseline"):
        baseline = _baseline(task, material, config, settings)
    head, probe, crossed, learned = probe_rung(task, model, material, config, shift, watch)
    with watch("singles"):
        singles = single_probes(task, model, material, config.balance)

    install(model.task_head, head)
    adapted = attach(model, config)
    start = trained_state(adapted)
    loop = Loop(
        adapted, task, config, material.prepared, material.part("train"),
        material.part("validation"), shift, folder, _Middle(reporter),
    )  # fmt: skip
    trained = loop.run()
    tuned = {s: loop.predict(material.ids(s)) for s in SPLITS}
    lora = rung("lora", task, material, tuned, trained.seconds)

    reporter.progress(Progress("Judging on held-out patients", 0.95))
    with watch("evaluate"):
        chosen = lora if trained.best_epoch and beats(task, material, lora, probe) else probe
        if chosen is probe:
            load_trained_state(adapted, start)
        readout = finish(task, adapted, material, shift)
        asked = Asked(task, shared_model(adapted), readout, material.prepared)
        held = held_out(asked, material.cases, singles)
        rungs = [*([baseline] if baseline else []), probe, lora]
        held = replace(held, ladder={r.name: r.outputs["test"] for r in rungs if r is not chosen})
        figures = evaluate(task, held.test.targets, held.test.outputs, held.test.patients)
        result = {
            "run": run.id,
            "status": "finished",
            "task": task.kind,
            "n": {s: len(material.cases[s]) for s in SPLITS},
            "metrics": {name: figure.as_dict() for name, figure in figures.items()},
            "ladder": ladder_json(task, material, rungs),
            "chosen": chosen.name,
            "reason": _reason(task, material, chosen, probe, lora),
            "subsets": list(held.subsets),
            "fusion": held.fusion,
            "missing": list(held.missing),
            "cross_validation": crossed,
            "learning_curve": learned,
        }
    watch.seconds["train"] = trained.seconds
    result |= {
        "seconds": {name: round(value, 3) for name, value in watch.seconds.items()},
        "cases_per_second": round(trained.cases / max(trained.seconds, 1e-9), 2),
        "peak_memory_mb": round(peak_memory_mb()),
        "epochs": trained.epochs,
        "best_epoch": trained.best_epoch,
        "unreadable": sum(len(found) for found in material.prepared.unreadable.values()),
    }
    card = write_adapter(
        folder / "adapter",
        adapted,
        project,
        material,
        config,
        processors,
        readout,
        result,
        settings,
    )
    return Finetuned(result, folder / "adapter", card, held)


def _baseline(
    task: TaskSpec, material: Material, config: RunConfig, settings: Settings
) -> Rung | None:
    """Gradient boosting on the table columns; None where the cohort has no table."""
    tables = [name for name in config.modalities if pipeline(name).kind == "table"]
    if not tables:
        return None
    started = time.monotonic()
    with Reader(settings.limits) as reader:
        preparation = Preparation(reader, settings)
        cases = [case for split in SPLITS for case in material.cases[split]]
        read = {c.case_id: given for c, given in preparation.inputs(tables[0], cases, keep=True)}
    rows = {split: [read.get(i) for i in material.ids(split)] for split in SPLITS}
    held_out = [*rows["validation"], *rows["test"]]
    found = table_baseline(
        task, rows["train"], material.true("train"), held_out, config.balance, config.seed
    )
    cut = len(rows["validation"])
    outputs = {"validation": found[:cut], "test": found[cut:]}
    return Rung(GRADIENT_BOOSTING, outputs, time.monotonic() - started)


@torch.inference_mode()
def finish(task: TaskSpec, adapted: Adapted, material: Material, shift: np.ndarray) -> Readout:
    """Folds the shift into the head's bias and fits how its logits are to be read."""
    model, own = shared_model(adapted), task_head(adapted)
    own.bias += torch.as_tensor(shift, dtype=own.bias.dtype, device=own.bias.device)
    validation = logits_of(model, material.prepared, material.ids("validation"))
    temperature, cut = _calibrated(task, validation, material)
    values, present = features_of(model, material.prepared, material.ids("train"))
    head = head_of(own)
    parts = head.parts(values, present).sum(0) / np.maximum(present.sum(0), 1)[:, None]
    far = distances(values, head.mean, head.scale, token_means(model.config))
    guard = {
        name: float(np.quantile(far[present[:, m] > 0, m], GUARD_SHARE))
        for m, name in enumerate(model.modalities)
        if present[:, m].any()
    }
    readout = Readout(
        temperature, material.centre, material.spread,
        tuple(tuple(map(float, row)) for row in parts), {}, guard, cut,
    )  # fmt: skip
    outputs = readout.outputs(task, validation)
    return replace(readout, conformal=fit_conformal(task, outputs, material.true("validation")))


def _calibrated(task: TaskSpec, logits: np.ndarray, material: Material) -> tuple[float, float]:
    """The temperature, and the shift if validation patients call for one as well (Platt)."""
    targets = material.targets["validation"]
    temperature = fit_temperature(task, logits, targets).value
    if task.kind == "binary":
        _, patients = np.unique(material.patients("validation"), return_inverse=True)
        chances = probabilities(task, logits, temperature)
        rows = np.arange(len(targets))
        question = Question(task.labels[-1], targets > 0.5, chances, patients, rows)
        found = platt_beats_temperature(question)
        if found is not None:
            return temperature / found[0], found[1]
    return temperature, 0.0


def _reason(task: TaskSpec, material: Material, chosen: Rung, probe: Rung, lora: Rung) -> str:
    """One sentence on why this model was kept."""
    figures = {r.name: r.validation(task, material) for r in (probe, lora)}
    compared = (
        f"({NAMES[headline(task)]} {figures['lora']:.3f} against {figures['probe']:.3f}, "
        f"loss {lora.validation_loss:.3f} against {probe.validation_loss:.3f})."
    )
    if chosen is lora:
        return f"LoRA was kept: it beats the probe on validation patients {compared}"
    return f"The probe was kept: fine-tuning did not beat it on validation patients {compared}"
