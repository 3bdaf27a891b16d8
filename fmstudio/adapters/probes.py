"""Stored probes: inputs that are nobody's, and what the adapter answered to them.

An import that does not give the same answers is not the same model. The inputs are drawn from a
seed for every kind of data, with the names of the processors' features and channels.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file, save_file

from fmstudio.adapters.lora import load
from fmstudio.adapters.processor import Processor, read_processors
from fmstudio.contracts import pipeline
from fmstudio.errors import BundleError
from fmstudio.model.batching import collate
from fmstudio.model.made_up import made_up
from fmstudio.model.shared import SharedModel
from fmstudio.settings import Settings
from fmstudio.types import Prepared

TOLERANCE = 1e-3  # logits; other processors round otherwise, other weights are off by far more


def _subsets(modalities: Sequence[str]) -> list[list[str]]:
    """Each modality alone, and all together."""
    alone = [[modality] for modality in modalities]
    return alone if len(modalities) == 1 else [*alone, list(modalities)]


@torch.inference_mode()
def _answers(model: SharedModel, inputs: Mapping[str, Prepared]) -> np.ndarray:
    """Logits (subsets, K) of the prepared probe inputs."""
    return np.concatenate(
        [
            model(inputs=collate([{name: inputs[name] for name in subset}])).logits.numpy()
            for subset in _subsets(model.modalities)
        ]
    )


def write_probes(folder: Path, settings: Settings) -> None:
    """Adds probes to an adapter folder: `probes.safetensors` with prepared inputs and logits."""
    model = load(folder, settings)
    inputs, tensors = {}, {}
    for processor in read_processors(folder).values():
        inputs[processor.modality] = _prepare(processor, model, settings)
        for name, array in inputs[processor.modality].arrays.items():
            tensors[f"inputs/{processor.modality}/{name}"] = np.ascontiguousarray(array)
    tensors["logits"] = _answers(model, inputs)
    save_file(tensors, folder / "probes.safetensors")
    facts = {"subsets": _subsets(model.modalities), "tolerance": TOLERANCE, "seed": 0}
    (folder / "probes.json").write_text(json.dumps(facts, indent=2), encoding="utf-8")


def _prepare(processor: Processor, model: SharedModel, settings: Settings) -> Prepared:
    kind = pipeline(processor.modality).kind
    given = made_up(kind, processor.state, np.random.default_rng(0))
    return processor.preparer(model.config.base, settings).prepare(given)


def replay(folder: Path, settings: Settings) -> float:
    """Gives an adapter folder's probes to its model; the largest difference of any logit.

    The inputs are prepared anew and must come out as stored. Raises BundleError where an answer
    or a prepared input is not the stored one, or where the base is another.
    """
    model = load(folder, settings)
    stored = load_file(folder / "probes.safetensors")
    inputs = {}
    for processor in read_processors(folder).values():
        made = _prepare(processor, model, settings)
        inputs[processor.modality] = made
        for name, array in made.arrays.items():
            before = stored.get(f"inputs/{processor.modality}/{name}")
            if before is None or before.shape != array.shape or not _close(before, array):
                raise BundleError(
                    f"The stored probe for {processor.modality} is prepared in another way here.",
                    hint="Use the version of the studio that the adapter was made with.",
                )
    answers = _answers(model, inputs)
    if "logits" not in stored or stored["logits"].shape != answers.shape:
        raise BundleError(
            "The stored probes do not fit the adapter's outputs.",
            hint="The bundle is incomplete: ask for it again.",
        )
    difference = float(np.abs(answers - stored["logits"]).max())
    if not difference <= TOLERANCE:
        raise BundleError(
            f"The adapter answers its stored probes differently here (by {difference:.3g}).",
            hint="Adapter, task head and base do not belong together: ask for the bundle again.",
        )
    return difference


def _close(a: np.ndarray, b: np.ndarray) -> bool:
    return bool(np.allclose(a.astype(np.float64), b.astype(np.float64), atol=1e-4))
