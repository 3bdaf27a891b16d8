"""Stored probes: inputs that are nobody's, and what the adapter answered to them, by label.

An import that does not give the same answers is not the same model. The inputs are stored as they
were given, before anything of the adapter touched them, and as they were prepared: scales, units
and categories that were changed since prepare them in another way, and labels or a calibration that
were changed answer in another way.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import load_file, save_file

from fmstudio.adapters.lora import load
from fmstudio.adapters.processor import Processor, read_processors
from fmstudio.adapters.readout import Readout
from fmstudio.contracts import pipeline
from fmstudio.encoders.batching import collate
from fmstudio.encoders.synthetic_inputs import synthetic_input, synthetic_tables
from fmstudio.errors import BundleError
from fmstudio.model.shared import SharedModel
from fmstudio.settings import Settings
from fmstudio.types import ModalityInput, Prepared, TaskSpec

TOLERANCE = 1e-3  # logits; other processors round otherwise, other weights are off by far more
SHARE_TOLERANCE = 1e-3  # probabilities; of a number, the share of its size
WEIGHTS = "probes.safetensors"


def write_probes(folder: Path, settings: Settings) -> None:
    """Adds probes to an adapter folder that has everything but its manifest."""
    model = load(folder, settings)
    inputs, prepared, tensors = [], [], {}
    for modality, processor in sorted(read_processors(folder).items()):
        for given in _drawn(processor):
            number = len(inputs)
            inputs.append(given)
            prepared.append((modality, _prepare(given, processor, model, settings)))
            if not isinstance(given.values, str):
                tensors[f"given/{number}/values"] = np.ascontiguousarray(given.values)
            tensors[f"given/{number}/mask"] = np.ascontiguousarray(given.mask).astype(np.uint8)
            for name, array in prepared[-1][1].arrays.items():
                tensors[f"prepared/{number}/{name}"] = np.ascontiguousarray(array)
    asked = list(_asked(model.modalities, [modality for modality, _ in prepared]))
    tensors["logits"] = _logits(model, prepared, asked)
    task, readout = _read_out(folder)
    save_file(tensors, folder / WEIGHTS)
    facts = {
        "inputs": [
            {
                "modality": modality,
                "kind": given.kind,
                "facts": given.facts,
                "remarks": list(made.remarks),
                **({"text": given.values} if isinstance(given.values, str) else {}),
            }
            for given, (modality, made) in zip(inputs, prepared, strict=True)
        ],
        "answers": [
            {"inputs": numbers, "answer": readout.labelled(task, logits.astype(np.float64))}
            for numbers, logits in zip(asked, tensors["logits"], strict=True)
        ],
    }
    text = json.dumps(facts, indent=1, ensure_ascii=False)
    (folder / "probes.json").write_text(text, encoding="utf-8")


def replay(folder: Path, settings: Settings) -> float:
    """Gives an adapter folder's probes to its model; the largest difference of any logit.

    The inputs are prepared anew and must come out as stored, and every answer, label by label, must
    be the stored one. Raises BundleError where they are not, or where the base is another.
    """
    model = load(folder, settings)
    stored = load_file(folder / WEIGHTS)
    told = json.loads((folder / "probes.json").read_text(encoding="utf-8"))
    processors, prepared = read_processors(folder), []
    for number, one in enumerate(told["inputs"]):
        modality = one["modality"]
        given = _given(number, one, stored)
        made = _prepare(given, processors[modality], model, settings)
        different = [
            name
            for name, array in made.arrays.items()
            if (before := stored.get(f"prepared/{number}/{name}")) is None
            or before.shape != array.shape
            or not _close(before, array)
        ]
        if different or list(made.remarks) != one["remarks"]:
            raise BundleError(
                f"The stored probe for {modality} is prepared in another way here: "
                f"'{', '.join(different) or 'remarks'}' differ.",
                hint="Scales, units or categories of the adapter were changed, or this is "
                "another version of the studio: ask for the bundle again.",
            )
        prepared.append((modality, made))
    asked = [one["inputs"] for one in told["answers"]]
    difference = _compare(_logits(model, prepared, asked), stored)
    _compare_answers(folder, stored["logits"], [one["answer"] for one in told["answers"]])
    return difference


def _drawn(processor: Processor) -> list[ModalityInput]:
    """Made-up inputs of a modality; of a table as many as show every word of every category."""
    kind, draw = pipeline(processor.modality).kind, np.random.default_rng(0)
    features = processor.state.get("features")
    if kind == "table" and features:
        return synthetic_tables(features, draw)
    return [synthetic_input(kind, processor.state, draw)]


def _asked(modalities: Sequence[str], given: Sequence[str]) -> Iterator[list[int]]:
    """Which inputs are asked about: each alone, and the first of every modality together."""
    yield from ([number] for number in range(len(given)))
    if len(modalities) > 1:
        yield [given.index(modality) for modality in modalities]


def _given(number: int, told: Mapping[str, Any], stored: Mapping[str, np.ndarray]) -> ModalityInput:
    """A stored input as it was before it was prepared. Raises BundleError for one not all there."""
    values, mask = stored.get(f"given/{number}/values"), stored.get(f"given/{number}/mask")
    if mask is None or (values is None) == ("text" not in told):
        raise BundleError(
            f"'{WEIGHTS}' lacks a part of the probe {number}.", hint="Ask for the bundle again."
        )
    content = told["text"] if values is None else values
    return ModalityInput(told["kind"], content, mask.astype(bool), told["facts"])


def _prepare(
    given: ModalityInput, processor: Processor, model: SharedModel, settings: Settings
) -> Prepared:
    try:
        return processor.preparer(model.config.base, settings).prepare(given)
    except (ValueError, LookupError, TypeError, AttributeError, RuntimeError) as fault:
        raise BundleError(
            f"The stored probe for {processor.modality} cannot be prepared: it is no {given.kind}.",
            hint="Ask for the bundle again.",
        ) from fault


@torch.inference_mode()
def _logits(
    model: SharedModel, prepared: Sequence[tuple[str, Prepared]], asked: Sequence[Sequence[int]]
) -> np.ndarray:
    """Logits (answers, K)."""
    found = [
        model(inputs=collate([dict(prepared[i] for i in numbers)])).logits for numbers in asked
    ]
    return np.concatenate([logits.numpy() for logits in found])


def _read_out(folder: Path) -> tuple[TaskSpec, Readout]:
    card, calibration = (
        json.loads((folder / name).read_text(encoding="utf-8"))
        for name in ("card.json", "calibration.json")
    )
    return TaskSpec.from_dict(card["task"]), Readout.from_dict(calibration)


def _compare(logits: np.ndarray, stored: Mapping[str, np.ndarray]) -> float:
    if "logits" not in stored or stored["logits"].shape != logits.shape:
        raise BundleError(
            "The stored probes do not fit the adapter's outputs.",
            hint="The bundle is incomplete: ask for it again.",
        )
    difference = float(np.abs(logits - stored["logits"]).max())
    if not difference <= TOLERANCE:
        raise BundleError(
            f"The adapter answers its stored probes differently here (by {difference:.3g}).",
            hint="Adapter, task head and base do not belong together: ask for the bundle again.",
        )
    return difference


def _compare_answers(
    folder: Path, logits: np.ndarray, answers: Sequence[Mapping[str, float]]
) -> None:
    """The answers as people read them: the right chance beside the right label."""
    task, readout = _read_out(folder)
    for row, before in zip(logits.astype(np.float64), answers, strict=True):
        now = readout.labelled(task, row)
        for label in task.labels:
            size = max(1.0, abs(now[label]))
            if label not in before or not abs(now[label] - before[label]) <= SHARE_TOLERANCE * size:
                raise BundleError(
                    f"The adapter answers {now[label]:.3g} for '{label}' to a stored probe, where "
                    f"{before.get(label, float('nan')):.3g} is stored.",
                    hint="Labels or calibration were changed: ask for the bundle again.",
                )


def _close(a: np.ndarray, b: np.ndarray) -> bool:
    return bool(np.allclose(a.astype(np.float64), b.astype(np.float64), atol=1e-4, equal_nan=True))
