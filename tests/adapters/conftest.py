"""A small adapter folder, as a run leaves it, and bundles that were tampered with."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save

from fmstudio.adapters import lora
from fmstudio.adapters.bundle import export, seal, unpack, verify
from fmstudio.adapters.contents import MEANING, meaning
from fmstudio.adapters.processor import Processor
from fmstudio.adapters.tensors import with_metadata
from fmstudio.checkpoints.store import keep
from fmstudio.contracts import discover, pipelines
from fmstudio.encoders.batching import collate
from fmstudio.encoders.synthetic_inputs import typical
from fmstudio.errors import BundleError
from fmstudio.model.load import load_base, task_config
from fmstudio.run_config import RunConfig
from fmstudio.settings import Settings
from tests.encoders.small import save_checkpoint

BASE_SHA256 = "ab" * 32
WEIGHTS = "adapter/adapter_model.safetensors"
CONFIG = "adapter/adapter_config.json"

# As peft 0.21 writes it, the empty keys cut to a few.
PEFT_CONFIG = {
    "alpha_pattern": {},
    "auto_mapping": None,
    "base_model_name_or_path": "embedded",
    "bias": "none",
    "fan_in_fan_out": False,
    "inference_mode": True,
    "init_lora_weights": True,
    "loftq_config": {},
    "lora_alpha": 16.0,
    "lora_dropout": 0.05,
    "megatron_config": None,
    "megatron_core": "megatron.core",
    "modules_to_save": ["task_head", "classifier", "score"],
    "peft_type": "LORA",
    "peft_version": "0.21.2",
    "qalora_group_size": 16,
    "r": 2,
    "rank_pattern": {},
    "target_modules": r"trunk\.blocks\.\d+\.(q_proj|v_proj|fc1|fc2)",
    "task_type": "SEQ_CLS",
    "use_dora": False,
    "use_rslora": False,
}
MODEL_CONFIG = {
    "model_type": "fmstudio",
    "width": 8,
    "heads": 2,
    "depth": 1,
    "outputs": 1,
    "encoders": {"table": {"family": "cells", "config": {}}},
    "routes": {"ehr": "table"},
    "modalities": ["ehr"],
    "columns": {"ehr": 3},
    "base": "embedded",
    "base_sha256": BASE_SHA256,
}
FEATURES = {
    "age": {"quantiles": [20.0, 30.0, 40.0, 50.0, 60.0, 65.0, 70.0, 80.0, 90.0]},
    "sex": {"categories": ["F", "M"]},
}
CARD = {
    "name": "Pneumonia | quick",
    "project": "Pneumonia",
    "base": "embedded",
    "base_sha256": BASE_SHA256,
    "licence": "Apache-2.0",
    "modalities": ["ehr"],
    "columns": {"ehr": ["age", "sex"]},
    "table_columns": {"ehr": FEATURES},
    "checkpoints": [],
    "config": RunConfig(modalities=("ehr",)).as_dict(),
    "task": {
        "kind": "binary",
        "columns": ["outcome"],
        "labels": ["no", "yes"],
        "positive": "yes",
        "description": "Pneumonia at admission.",
    },
    "metrics": {
        "auroc": {"value": 0.87, "low": 0.8, "high": 0.93},
        "brier": {"value": 0.1, "low": None, "high": None},
    },
    "n": {"train": 60, "validation": 20, "test": 20},
    "chosen": "lora",
    "ladder": [
        {
            "name": "probe",
            "auroc": {"value": 0.85, "low": 0.78, "high": 0.9},
            "validation": 0.84,
            "seconds": 1.0,
        },
        {
            "name": "lora",
            "auroc": {"value": 0.87, "low": 0.8, "high": 0.93},
            "validation": 0.86,
            "seconds": 20.5,
        },
    ],
    "reason": "LoRA was kept.",
    "fusion": None,
    "missing": [],
    "learning_curve": None,
    "subsets": [
        {
            "modalities": ["ehr"],
            "n": 20,
            "model": "adapter",
            "auroc": {"value": 0.87, "low": 0.8, "high": 0.93},
        }
    ],
    "cross_validation": None,
    "seconds": {"train": 20.5},
    "set_aside": 0,
    "intended_use": "Research.",
    "created_at": "2026-12-01T04:30:00+00:00",
    "fingerprint": "cd" * 32,
    "versions": {"fmstudio": "0.1.0"},
}
CALIBRATION = {
    "temperature": 1.2,
    "shift": 0.1,
    "centre": 0.0,
    "spread": 1.0,
    "typical": [[0.3]],
    "conformal": {
        "method": "split conformal, LAC",
        "coverage": 0.9,
        "n": [20],
        "thresholds": [0.7],
        "notes": [],
    },
    "guard": {"ehr": 1.5},
}
PROCESSOR = {
    "modality": "ehr",
    "family": "cells",
    "config": {},
    "state": {
        "features": FEATURES,
        "columns": [["age", "last", ""], ["sex", "is", "F"], ["sex", "is", "M"]],
    },
}
PROBES = {
    "inputs": [{"modality": "ehr", "kind": "table", "facts": {"names": ["age"]}, "remarks": []}],
    "answers": [{"inputs": [0], "answer": {"no": 0.25, "yes": 0.75}}],
}
FACTS = {
    "base": "embedded",
    "base_sha256": BASE_SHA256,
    "licence": "Apache-2.0",
    "base_files": {"tokenizer.json": "ef" * 32},
    "versions": {"fmstudio": "0.1.0"},
}


def tensors(**changes: np.ndarray | None) -> dict[str, np.ndarray]:
    """The weights of a rank-2 adapter with its head; `changes` by short name, None leaves out."""
    prefix = "base_model.model."
    weights: dict[str, np.ndarray | None] = {
        "trunk.blocks.0.q_proj.lora_A.weight": np.ones((2, 8), np.float32),
        "trunk.blocks.0.q_proj.lora_B.weight": np.ones((8, 2), np.float32),
        "task_head.weight": np.ones((1, 24, 1), np.float32),
        "task_head.bias": np.zeros(1, np.float32),
    } | changes
    return {prefix + name: value for name, value in weights.items() if value is not None}


@pytest.fixture
def card() -> dict[str, object]:
    """What a run says about its adapter."""
    return dict(CARD)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An adapter's folder before it is sealed."""
    place = tmp_path / "adapter-1a2b3c"
    (place / "adapter").mkdir(parents=True)
    (place / "processors").mkdir()
    for name, value in {
        CONFIG: PEFT_CONFIG,
        "config.json": MODEL_CONFIG,
        "card.json": CARD,
        "calibration.json": CALIBRATION,
        "probes.json": PROBES,
        "processors/ehr.json": PROCESSOR,
    }.items():
        (place / name).write_text(json.dumps(value), encoding="utf-8")
    (place / WEIGHTS).write_bytes(save(tensors()))
    (place / "probes.safetensors").write_bytes(save({"0.values": np.arange(3, dtype=np.int64)}))
    return place


@pytest.fixture
def bundle(folder: Path, tmp_path: Path) -> Path:
    """A good bundle."""
    seal(folder, FACTS)
    export(folder, tmp_path / "good.zip")
    return tmp_path / "good.zip"


@pytest.fixture
def forged(bundle: Path, tmp_path: Path) -> Callable[..., Path]:
    """Makes a bundle with other files (None leaves one out) whose hashes are right again, and the
    seal on the weights as well if `bound`.

    This is what a forger can do, who can write a manifest as well as we can.
    """

    def make(
        changes: dict[str, bytes | None],
        manifest: dict[str, object] | None = None,
        bound: bool = True,
    ) -> Path:
        with zipfile.ZipFile(bundle) as archive:
            files = {name: archive.read(name) for name in archive.namelist()}
        files |= changes
        files = {name: content for name, content in files.items() if content is not None}
        if bound:
            with suppress(BundleError, RecursionError, ValueError):
                seal_on = {MEANING: meaning(files)}
                files[WEIGHTS] = with_metadata(WEIGHTS, files[WEIGHTS], seal_on)
        if "manifest.json" not in changes:
            listed = {
                n: hashlib.sha256(c).hexdigest() for n, c in files.items() if n != "manifest.json"
            }
            facts = json.loads(files["manifest.json"]) | {"files": listed} | (manifest or {})
            files["manifest.json"] = json.dumps(facts).encode()
        target = tmp_path / "forged.zip"
        with zipfile.ZipFile(target, "w") as archive:
            for name, content in files.items():
                archive.writestr(name, content)
        return target

    return make


@pytest.fixture
def refused(tmp_path: Path) -> Callable[[Path, str], None]:
    """Checks that verify and unpack both refuse a bundle, and that nothing is written."""

    def check(path: Path, match: str) -> None:
        with pytest.raises(BundleError, match=match) as caught:
            verify(path)
        with pytest.raises(BundleError, match=match):
            unpack(path, tmp_path / "target")
        assert caught.value.hint
        assert not (tmp_path / "target").exists()
        assert str(tmp_path) not in caught.value.message + caught.value.hint

    return check


@pytest.fixture(scope="module")
def settings(tmp_path_factory) -> Settings:
    return Settings(tmp_path_factory.mktemp("home"))


@pytest.fixture
def tuned(settings, tmp_path):
    """Makes a shared model with one checkpoint, its adapter moved, and a batch for it."""

    def make(model_type: str):
        (tmp_path / model_type).mkdir()
        info = keep(save_checkpoint(model_type, tmp_path / model_type), settings, {})
        modality = next(name for name, one in pipelines().items() if one.kind == info.kind)
        model = load_base(
            task_config("embedded", [modality], 1, settings, {modality: info.name}), settings
        )
        encoder = discover("fmstudio.encoders", "ENCODER")[info.family]
        given = typical(info.kind)
        state = encoder.fit([given]) if encoder.fits else {}
        processor = Processor(
            modality, info.family, info.config, state, info.as_encoder()["checkpoint"]
        )
        batch = collate([{modality: processor.preparer("embedded", settings).prepare(given)}])
        adapted = lora.attach(model, RunConfig(scope="trunk and encoders", rank=2))
        draw = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for weight in adapted.parameters():
                if weight.requires_grad:
                    weight += 0.1 * torch.randn(weight.shape, generator=draw)
        return info, adapted.eval(), batch

    return make
