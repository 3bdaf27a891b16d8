"""A base's frozen features on a cohort, and what the probe and LoRA make of few labels.

A base is a name of the studio, the path of a base's folder, or `random:SEED` and `random:PATH`:
untrained weights with another seed, or of the architecture of another base.
"""

from __future__ import annotations

import copy
import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from benchmarks.draws import Draw, Few
from benchmarks.inside import Silent
from fmstudio.adapters.lora import attach
from fmstudio.baselines.losses import prior_shift
from fmstudio.baselines.sample_weights import SampleWeights
from fmstudio.baselines.stacking import fit_probe
from fmstudio.encoders.blocks import Places
from fmstudio.features.inputs import Preparation, PreparedCases
from fmstudio.features.outputs import features_of
from fmstudio.model.bases import EMBEDDED, RANDOM, base_folder
from fmstudio.model.config import SharedModelConfig
from fmstudio.model.load import load_base, task_config
from fmstudio.model.shared import SharedModel
from fmstudio.run_config import RunConfig
from fmstudio.sandbox import Reader
from fmstudio.settings import Settings
from fmstudio.training.candidates import groups_of
from fmstudio.training.frozen_candidates import grow, install
from fmstudio.training.loop import Loop, Part
from fmstudio.types import ModalityInput, PatientCase

VALIDATION = 4  # every fourth labelled case tells LoRA when to stop


class Kept(Preparation):
    """Keeps every input that was read: here many bases are asked about the same files."""

    def inputs(
        self, modality: str, cases: Iterable[PatientCase], keep: bool
    ) -> Iterator[tuple[PatientCase, ModalityInput]]:
        """As the studio's, always kept."""
        return super().inputs(modality, cases, True)


def read(few: Few, settings: Settings) -> dict[str, dict[str, ModalityInput]]:
    """All inputs of a cohort: {modality: {case id: input}}."""
    with Reader(settings.limits) as reader:
        preparation = Kept(reader, settings)
        return {
            modality: {
                c.case_id: given for c, given in preparation.inputs(modality, few.cases, True)
            }
            for modality in few.modalities
        }


def register(given: str, settings: Settings) -> str:
    """The name under which the library finds a base, given as the head of this file says."""
    if given in (EMBEDDED, RANDOM):
        return given
    bases = settings.folder("bases")
    if given.startswith(f"{RANDOM}:"):
        return _untrained(given.removeprefix(f"{RANDOM}:"), bases, settings)
    source = Path(given).resolve()
    if not (source / "config.json").is_file():
        raise SystemExit(f"{given} is not the folder of a base: it has no config.json.")
    link = bases / f"{source.name}-{hashlib.sha256(str(source).encode()).hexdigest()[:8]}"
    if not link.exists():
        link.symlink_to(source, target_is_directory=True)
    return link.name


def _untrained(wish: str, bases: Path, settings: Settings) -> str:
    """Writes random weights as a base of their own."""
    seed = int(wish) if wish.isdigit() else 0
    source = base_folder(EMBEDDED, settings) if wish.isdigit() else Path(wish).resolve()
    stored = json.loads((source / "config.json").read_text(encoding="utf-8"))
    name = f"random-{hashlib.sha256(json.dumps([stored, seed]).encode()).hexdigest()[:8]}"
    if (bases / name).is_dir():
        return name
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = SharedModel(SharedModelConfig(**stored))
    with tempfile.TemporaryDirectory(dir=bases) as folder:
        made = shutil.copytree(source, Path(folder, "base"))
        weights = {
            key: value.contiguous()
            for key, value in model.state_dict().items()
            if not key.startswith("task_head.")
        }
        save_file(weights, made / "model.safetensors")
        made.rename(bases / name)
    return name


@dataclass(frozen=True)
class Frozen:
    """A base's features of all cases: values (n, M, F), present (n, M)."""

    model: SharedModel
    prepared: PreparedCases
    values: np.ndarray
    present: np.ndarray


class _NoTrunk(nn.Module):
    """In the trunk's place where only encoders' features are read: it is most of the work."""

    def upper(self, tokens: Tensor, places: Places, depth: int) -> Tensor:
        """Tokens as they are."""
        return tokens


def freeze(base: str, few: Few, draw: Draw, settings: Settings, trunk: bool) -> Frozen:
    """Runs the base over all cases; processors are fitted on those who are not held out.

    Without `trunk` the features that `visible` leaves out are not those of the base.
    """
    shape = task_config(base, few.modalities, few.cohort.task.outputs, settings)
    model = load_base(shape, settings)
    if not trunk:
        model.trunk = _NoTrunk()
    with Reader(settings.limits) as reader:
        preparation = Kept(reader, settings)
        own = [few.cases[row] for row in sorted(draw.pool)]
        processors = preparation.fit(model, own)
        prepared = preparation.run(model, processors, few.cases, frozen=True)
    ids = [case.case_id for case in few.cases]
    return Frozen(model, prepared, *features_of(model, prepared, ids))


def probe(few: Few, frozen: Frozen, rows: np.ndarray, draw: Draw) -> np.ndarray:
    """Logits (held out, K) of the probe that learns from `rows`, as fine-tuning fits it."""
    train = frozen.values[rows], frozen.present[rows], few.targets[rows]
    patients = [few.patients[row] for row in rows]
    head = fit_probe(
        few.cohort.task, train, patients, SampleWeights(balance=True), groups_of(frozen.model)
    )
    return head.logits(frozen.values[draw.test], frozen.present[draw.test])


def lora(few: Few, frozen: Frozen, rows: np.ndarray, draw: Draw) -> np.ndarray:
    """Logits (held out, K) of LoRA with the quick preset, started from the probe.

    A quarter of the labelled cases (whole patients) is kept to stop by, as a user must.
    """
    task = few.cohort.task
    config = RunConfig.from_preset("quick", scope="upper trunk", seed=draw.seed)
    config = config.with_modalities(few.modalities)
    held = {few.patients[row] for row in rows[VALIDATION - 1 :: VALIDATION]}
    validation = np.array([row for row in rows if few.patients[row] in held])
    train = np.array([row for row in rows if few.patients[row] not in held])
    targets, sample_weights = few.targets[train], SampleWeights(config.balance)
    head = fit_probe(
        task,
        (frozen.values[train], frozen.present[train], targets),
        [few.patients[row] for row in train],
        sample_weights,
        groups_of(frozen.model),
    )
    model = copy.deepcopy(frozen.model)
    grow(model, head)
    install(model.task_head, head)
    shift = prior_shift(task, targets)
    ids = [case.case_id for case in few.cases]
    parts = [Part([ids[row] for row in part], few.targets[part]) for part in (train, validation)]
    with tempfile.TemporaryDirectory() as folder:
        loop = Loop(
            attach(model, config),
            task,
            config,
            frozen.prepared,
            *parts,
            sample_weights,
            shift,
            head.unlearned,
            Path(folder),
            Silent(),
        )
        loop.run()
        return loop.predict([ids[row] for row in draw.test])
