"""One pretraining run: cases without labels in, a new base's folder and what it is worth out.

Read and prepare (cached) → learn from the objectives → write the weights → judge them against the
parent's on the labelled cohort, if there is one → find groups → write the card.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from fmstudio.adapters.processor import Processor
from fmstudio.contracts import Preparer, pipeline
from fmstudio.errors import InputError
from fmstudio.features.inputs import Preparation
from fmstudio.model.bases import base_info
from fmstudio.model.load import load_base, task_config
from fmstudio.model.shared import SharedModel
from fmstudio.pretrain_config import PretrainConfig
from fmstudio.pretraining.base_folder import CARD, ends, versions, write_child, write_json
from fmstudio.pretraining.cases import Gathered
from fmstudio.pretraining.descriptors import measure
from fmstudio.pretraining.engine import Engine, Plan
from fmstudio.pretraining.features import features
from fmstudio.pretraining.groups import find_groups
from fmstudio.pretraining.linear_readouts import carry_over
from fmstudio.pretraining.sources import Beside, StoredSource, store_cases
from fmstudio.pretraining.state import State
from fmstudio.pretraining.stream import Mixture
from fmstudio.pretraining.usefulness import Usefulness
from fmstudio.pretraining.verdict import before_and_after
from fmstudio.records import Point, Progress, RunRecord
from fmstudio.sandbox import Reader
from fmstudio.settings import Settings
from fmstudio.training.memory import peak_memory_mb
from fmstudio.training.reporter import Reporter, Stopped
from fmstudio.training.stages import COMPARING, READING
from fmstudio.training.training_data import device
from fmstudio.types import Cohort, ModalityInput, PatientCase, target_array, to_json

MOST_ITEMS = 2048
SOUNDED = 64  # cases whose sizes say how many steps an epoch has
LOOKS = 20  # in all, where there are steps enough
LEAST_BETWEEN_LOOKS, MOST_BETWEEN_LOOKS = 10, 250
MOST_GROUPED = 1500
LIMITS = "It was trained further on these cases; evaluate it on your own. Not for diagnosis."


@dataclass(frozen=True)
class Pretrained:
    """What a run leaves: the JSON of `pretrain --json`, the base's folder, and its card."""

    result: dict[str, Any]
    base_folder: Path
    card: dict[str, Any]


@dataclass
class _InEpochs:
    """A reporter that is told steps and tells epochs."""

    reporter: Reporter
    steps_per_epoch: int

    def progress(self, progress: Progress) -> None:
        """Passes on, with epochs in place of steps."""
        epochs = progress.epochs // self.steps_per_epoch
        at = min(epochs, progress.epoch // self.steps_per_epoch)
        self.reporter.progress(replace(progress, epoch=at, epochs=epochs))

    def points(self, points: Sequence[Point]) -> None:
        """Passes on."""
        self.reporter.points(points)

    def should_stop(self) -> bool:
        """True once somebody asked for a stop."""
        return self.reporter.should_stop()


def pretrain(
    run: RunRecord, gathered: Gathered, folder: Path, settings: Settings, reporter: Reporter
) -> Pretrained:
    """Learns from `gathered` and writes the new base to `folder`/base.

    Goes on from the checkpoint in `folder` where there is one. Raises InputError for cases that
    cannot be learned from, RunFailed for features that collapse, Stopped if asked to stop.
    """
    config = PretrainConfig.from_dict(run.config)
    modalities = config.modalities or tuple(gathered.modalities)
    model = load_base(task_config(config.base, modalities, 1, settings), settings).to(device())
    parent_sha256 = model.config.base_sha256

    def report(share: float) -> None:
        reporter.progress(Progress(READING, share))
        if reporter.should_stop():
            raise Stopped

    with Reader(settings.limits, workers=max(1, psutil.cpu_count() or 1)) as reader:
        preparation = Preparation(reader, settings, report)
        processors = preparation.fit(model, gathered.cases)
        source = _source(gathered.cases, model, processors, preparation)
        engine, per_epoch = _engine(config, model, source, gathered, folder, reporter)
        state = engine.run()
        parent = _parent(config, model, settings)
        for key in model.readings:
            carry_over(parent, model, key, source)
        reporter.progress(Progress(COMPARING, message="writing the new base"))
        facts = write_child(folder / "base", model, config.base, settings)
        reporter.progress(Progress(COMPARING, 0.1))
        preparation.report = lambda share: None
        judged = _judged(parent, model, processors, gathered.labelled, preparation, facts["sha256"])
    reporter.progress(Progress(COMPARING, 0.8, message="finding groups"))
    groups = find_groups(_features(model, source), config.seed)
    ids = [source.ids[row] for row in _grouped(source)]
    result = {
        "run": run.id,
        "status": "finished",
        "base": config.name,
        "base_sha256": facts["sha256"],
        "parent": config.base,
        "modalities": list(modalities),
        "n": dict(gathered.counts),
        "learned_from": len(source),
        "unreadable": _unreadable(preparation, gathered.cases),
        "objectives": list(config.objectives),
        "steps": state.step,
        "epochs": config.epochs,
        "curves": ends(state),
        "verdict": judged,
        "groups": None if groups is None else groups.as_dict(ids),
        "seconds": {"train": round(state.seconds, 3)},
        "peak_memory_mb": round(peak_memory_mb()),
        "cases_per_second": round(_cases_per_second(state, per_epoch, len(source)), 2),
    }
    card = _card(config, gathered, result, facts, settings, parent_sha256)
    write_json(folder / "base" / CARD, card)
    return Pretrained(result, folder / "base", card)


def _cases_per_second(state: State, steps_per_epoch: int, cases: int) -> float:
    """Cases learned from in a second of the loop."""
    return state.step / steps_per_epoch * cases / max(state.seconds, 1e-9)


def _source(
    cases: Sequence[PatientCase],
    model: SharedModel,
    processors: Mapping[str, Processor],
    preparation: Preparation,
) -> StoredSource:
    """The cases in the cache, with their tables written beside every other input."""
    preparers = {
        name: processor.preparer(model.config.base, preparation.settings)
        for name, processor in processors.items()
    }
    beside, key = _tables(cases, preparers, preparation)
    source = store_cases("cases", 1.0, cases, preparers, preparation, beside, key)
    if len(source) < 2:
        raise InputError(
            "No two of the cases can be read.",
            hint="See the cohort report for the reasons, file by file.",
        )
    return source


def _tables(
    cases: Sequence[PatientCase], preparers: Mapping[str, Preparer], preparation: Preparation
) -> tuple[Beside, str]:
    """What a case's tables say, for its other modalities to be asked for; a key of all of it."""
    told: dict[str, dict[str, float]] = {}
    for modality in (m for m in preparers if pipeline(m).kind == "table"):
        for case, given in preparation.inputs(modality, cases, keep=True):
            numbers = measure(given, preparers[modality].prepare(given))
            own = told.setdefault(case.case_id, {})
            own |= {f"{modality}/{name}": value for name, value in numbers.items()}

    def beside(given: ModalityInput, case_id: str) -> Mapping[str, float]:
        return {} if given.kind == "table" else told.get(case_id, {})

    return beside, to_json(told) if told else ""


def _engine(
    config: PretrainConfig,
    model: SharedModel,
    source: StoredSource,
    gathered: Gathered,
    folder: Path,
    reporter: Reporter,
) -> tuple[Engine, int]:
    """The loop, ready to run, and how many steps an epoch has."""
    windows = {m: model.encoders[model.config.routes[m]].window or 1 for m in model.modalities}
    mixture = Mixture([source], config.seed, config.batch_size, MOST_ITEMS, windows=windows)
    sounded = [mixture.at(place) for place in mixture.places(SOUNDED)]
    items = sum(min(one.length, mixture.longest) for e in sounded for one in e.inputs.values())
    a_batch = min(config.batch_size, MOST_ITEMS * len(sounded) / max(items, 1))
    per_epoch = max(1, round(len(source) / max(a_batch, 2)))
    steps = config.epochs * per_epoch
    between = min(MOST_BETWEEN_LOOKS, max(LEAST_BETWEEN_LOOKS, steps // LOOKS))
    plan = Plan(config.objectives, steps, config.learning_rate, look_every=between)
    watches = _watches(gathered.labelled, source, model)

    def watch(model: SharedModel) -> dict[str, float]:
        return {name: value for one in watches for name, value in one(model).items()}

    return Engine(model, mixture, plan, folder, _InEpochs(reporter, per_epoch), watch), per_epoch


def _watches(cohort: Cohort | None, source: StoredSource, model: SharedModel) -> list[Usefulness]:
    """A probe for each modality on the labelled training patients."""
    if cohort is None:
        return []
    labelled = {case.case_id: case for case in cohort.split("train")}
    rows = [row for row, case_id in enumerate(source.ids) if case_id in labelled]
    if not rows:
        return []
    own = replace(source, cases=[source.cases[r] for r in rows], ids=[source.ids[r] for r in rows])
    kept = [labelled[case_id] for case_id in own.ids]
    targets = target_array(kept)
    if cohort.task.kind == "regression":
        targets = (targets - targets.mean()) / max(float(targets.std()), 1e-9)
    patients = [case.patient_id for case in kept]
    return [Usefulness(m, m, cohort.task, own, targets, patients) for m in model.modalities]


def _parent(config: PretrainConfig, model: SharedModel, settings: Settings) -> SharedModel:
    """The base that the model started from, as it was."""
    return load_base(task_config(config.base, model.modalities, 1, settings), settings).to(
        model.device
    )


def _judged(
    parent: SharedModel,
    model: SharedModel,
    processors: Mapping[str, Processor],
    cohort: Cohort | None,
    preparation: Preparation,
    sha256: str,
) -> dict[str, Any]:
    """The verdict; {"verdict": None, "reason"} where there is nobody to judge on."""
    if cohort is None:
        return {"verdict": None, "reason": "The project has no labelled cohort to evaluate it on."}
    model.config.base_sha256 = sha256
    try:
        return before_and_after(parent, model.eval(), processors, cohort, preparation)
    except InputError as fault:  # no reason to lose a base that is made
        return {"verdict": None, "reason": fault.message}


def _grouped(source: StoredSource) -> list[int]:
    """Rows of the cases that are grouped: all, or so many spread evenly."""
    count = min(MOST_GROUPED, len(source))
    return [int(row) for row in np.linspace(0, len(source) - 1, count).round()]


def _features(model: SharedModel, source: StoredSource) -> np.ndarray:
    """All modalities' features (n, M · 2D) of the cases that are grouped, in standard units.

    An absent modality is 0, the mean of the others: neither near to nor far from any.
    """
    chosen = _grouped(source)
    parts = []
    for modality in model.modalities:
        rows = [row for row, number in enumerate(chosen) if modality in source.cases[number]]
        found = features(model, modality, (source.example(chosen[row]) for row in rows))
        table = np.zeros((len(chosen), found.shape[1]))
        if len(rows) > 1:
            table[rows] = (found - found.mean(0)) / np.maximum(found.std(0), 1e-6)
        parts.append(table)
    return np.concatenate(parts, 1)


def _unreadable(preparation: Preparation, cases: Sequence[PatientCase]) -> int:
    """How many inputs of the cases could not be read."""
    ours = {case.case_id for case in cases}
    return sum(len(found) for name, found in preparation.unreadable.items() if name in ours)


def _card(
    config: PretrainConfig,
    gathered: Gathered,
    result: Mapping[str, Any],
    facts: Mapping[str, Any],
    settings: Settings,
    parent_sha256: str,
) -> dict[str, Any]:
    """The data card: where the weights come from, and what they are worth. No case is named."""
    parent = base_info(config.base, settings)
    groups = result["groups"] or {}
    return {
        "name": config.name,
        "title": f"{config.name}, from {parent.title[:1].lower()}{parent.title[1:]}",
        **facts,
        "licence": parent.licence,
        "description": f"'{parent.name}' pretrained on {result['learned_from']} unlabelled cases.",
        "limits": LIMITS,
        "lineage": [
            {"name": parent.name, "sha256": parent_sha256},
            *parent.card.get("lineage", []),
        ],
        "trained_on": [
            {
                "name": "cases of one's own",
                "cases": result["learned_from"],
                "counts": result["n"],
                "modalities": dict(gathered.modalities),
                "fingerprints": list(gathered.fingerprints.values()),
            }
        ],
        **{
            name: result[name]
            for name in (
                "modalities",
                "objectives",
                "steps",
                "epochs",
                "curves",
                "verdict",
                "unreadable",
            )
        },
        "groups": {name: groups[name] for name in ("count", "silhouette", "stability") if groups},
        "config": {k: v for k, v in config.as_dict().items() if k != "manifest"},
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions(),
    }
