"""Made-up cases of every kind of data, prepared once, and a narrow model that reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from data_samples.varied.cases import MAKERS
from fmstudio.contracts import embedded_encoders, pipeline
from fmstudio.model.bases import base_folder
from fmstudio.model.config import SharedModelConfig
from fmstudio.model.shared import SharedModel
from fmstudio.pretraining.descriptors import measure
from fmstudio.pretraining.engine import Engine, Plan
from fmstudio.pretraining.stream import Example, Mixture
from fmstudio.settings import load_settings
from fmstudio.types import COLUMNS
from tests.training.conftest import Recorder

WIDTH = 32
# One modality of each kind of data.
MODALITIES = ("radiology", "audio", "device_logs", "ehr", "notes")
LIGHT = ("ehr", "notes")
STEPS, LOOK_EVERY = 12, 4


@dataclass(frozen=True)
class Kept:
    """A source whose examples are in memory."""

    name: str
    weight: float
    examples: Sequence[Example]

    def __len__(self) -> int:
        return len(self.examples)

    def example(self, number: int) -> Example:
        return self.examples[number]


@cache
def made_examples(count: int = 24) -> tuple[Example, ...]:
    """Cases with all modalities but one each, and the numbers that are known of them."""
    folder = base_folder("embedded", load_settings())
    inputs: list[dict[str, Any]] = [{} for _ in range(count)]
    known: list[dict[str, Any]] = [{} for _ in range(count)]
    families = embedded_encoders()
    for modality in MODALITIES:
        family = families[pipeline(modality).kind]
        made = [MAKERS[modality](np.random.default_rng([3, n])) for n in range(count)]
        state = family.fit(one.given for one in made) if family.fits else {}
        state = {name: value for name, value in state.items() if name != COLUMNS}
        preparer = family.preparer(family.default(), folder, state)
        for number, one in enumerate(made):
            if MODALITIES[number % len(MODALITIES)] != modality:
                prepared = preparer.prepare(one.given)
                inputs[number][modality] = prepared
                known[number][modality] = {**measure(one.given, prepared), **one.findings}
    return tuple(Example(i, k) for i, k in zip(inputs, known, strict=True))


def narrow_model(modalities: Sequence[str] = MODALITIES, seed: int = 0) -> SharedModel:
    """The shared model with random weights, 32 wide and one block deep."""
    small: Mapping[str, Any] = {"width": WIDTH, "heads": 2, "depth": 1}
    families = embedded_encoders()
    encoders = {
        kind: {"family": one.name, "config": {**one.default(), **small}}
        for kind, one in families.items()
        if kind in {pipeline(modality).kind for modality in modalities}
    }
    routes = {modality: pipeline(modality).kind for modality in modalities}
    torch.manual_seed(seed)
    return SharedModel(SharedModelConfig(**small, encoders=encoders, routes=routes))


def mixture_of(
    examples: Sequence[Example], model: SharedModel, most_cases: int = 12, seed: int = 0
) -> Mixture:
    windows = {m: model.encoders[model.config.routes[m]].window or 1 for m in model.modalities}
    return Mixture([Kept("made", 1.0, examples)], seed, most_cases, 10_000, 64, windows)


@pytest.fixture(scope="session")
def examples() -> tuple[Example, ...]:
    return made_examples()


@pytest.fixture
def model() -> SharedModel:
    return narrow_model()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "run"


def engine_in(
    folder,
    reporter=None,
    objectives=("masked", "known", "groups"),
    watch=None,
    modalities=LIGHT,
    **plan,
):
    """An engine on the made-up cases; the same each time."""
    torch.set_num_threads(1)
    model = narrow_model(modalities)
    examples = [
        type(one)({m: p for m, p in one.inputs.items() if m in modalities}, one.known)
        for one in made_examples()
        if any(m in modalities for m in one.inputs)
    ]
    settings = {"steps": STEPS, "look_every": LOOK_EVERY, "learning_rate": 2e-3} | plan
    mixture = mixture_of(examples, model, most_cases=8)
    return Engine(
        model,
        mixture,
        Plan(objectives, **settings),
        folder,
        reporter or Recorder(),
        watch or (lambda model: {}),
    )
