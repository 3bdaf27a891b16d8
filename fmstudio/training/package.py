"""Writes what a run has made as an adapter folder, laid out as in a bundle."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from fmstudio.adapters import trained_on
from fmstudio.adapters.bundle import seal
from fmstudio.adapters.lora import Adapted, save, shared_model
from fmstudio.adapters.probes import write_probes
from fmstudio.adapters.processor import Processor, write_processors
from fmstudio.adapters.readout import Readout
from fmstudio.checkpoints.store import find_checkpoint
from fmstudio.cohort.fingerprint import contents
from fmstudio.contracts import pipeline
from fmstudio.model.bases import base_files, base_info
from fmstudio.records import ProjectRecord
from fmstudio.run_config import RunConfig
from fmstudio.settings import Settings
from fmstudio.training.training_data import TrainingData
from fmstudio.version import __version__

INTENDED_USE = (
    "Research on patients like those of the training cohort. Not a medical device: not for "
    "diagnosis or treatment."
)


def write_adapter(
    folder: Path,
    adapted: Adapted,
    project: ProjectRecord,
    data: TrainingData,
    config: RunConfig,
    processors: Mapping[str, Processor],
    readout: Readout,
    result: Mapping[str, Any],
    settings: Settings,
) -> dict[str, Any]:
    """Writes `folder` anew and returns the card."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    model = shared_model(adapted)
    save(adapted, folder / "adapter")
    _write(folder / "config.json", model.config.to_dict())
    write_processors(folder, processors)
    _write(folder / "calibration.json", readout.as_dict())
    card = _card(project, data, config, processors, result, settings, model.config.base_sha256)
    _write(folder / "card.json", card)
    seen = [case for split in ("train", "validation") for case in data.cases[split]]
    known = contents(seen, card["columns"])
    _write(folder / trained_on.FILE, trained_on.as_json(known, data.cohort.fingerprint))
    write_probes(folder, settings)
    seal(folder, card | {"base_files": base_files(config.base, settings)})
    return card


def _card(
    project: ProjectRecord,
    data: TrainingData,
    config: RunConfig,
    processors: Mapping[str, Processor],
    result: Mapping[str, Any],
    settings: Settings,
    base_sha256: str,
) -> dict[str, Any]:
    base = base_info(config.base, settings)
    checkpoints = _checkpoints(config, settings)
    cohort = data.cohort
    table = [p for p in processors.values() if pipeline(p.modality).kind == "table"]
    kept = (
        "n",
        "metrics",
        "ladder",
        "chosen",
        "reason",
        "subsets",
        "fusion",
        "missing",
        "learning_curve",
        "cross_validation",
        "seconds",
    )
    return {
        "name": project.name,
        "task": cohort.task.as_dict(),
        "modalities": list(config.modalities),
        "columns": {name: _columns(data, name) for name in config.modalities},
        **({"answers": dict(cohort.answers)} if cohort.answers else {}),
        "table_columns": {p.modality: p.state.get("features", {}) for p in table},
        "base": base.name,
        "base_sha256": base_sha256,
        "checkpoints": checkpoints,
        "config": config.as_dict(),
        "fingerprint": cohort.fingerprint,
        "set_aside": len(cohort.set_aside),
        **{name: result[name] for name in kept},
        "licence": "; ".join(
            [base.licence, *(f"{made['name']}: {made['licence']}" for made in checkpoints)]
        ),
        "intended_use": " ".join([INTENDED_USE, *map(_terms, checkpoints)]),
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {
            "fmstudio": __version__,
            **{name: version(name) for name in ("torch", "transformers", "peft", "safetensors")},
        },
    }


def _checkpoints(config: RunConfig, settings: Settings) -> list[dict[str, Any]]:
    """What the adapter's users must know of each checkpoint that it was made with."""
    modalities: dict[str, list[str]] = {}
    for modality, name in config.encoders.items():
        modalities.setdefault(find_checkpoint(name, settings).name, []).append(modality)
    known = (
        "name",
        "source",
        "id",
        "revision",
        "sha256",
        "model_type",
        "kind",
        "parameters",
        "licence",
        "gated",
        "trained_on",
        "description",
    )
    infos = [find_checkpoint(name, settings) for name in modalities]
    return [
        {name: getattr(info, name) for name in known} | {"modalities": modalities[info.name]}
        for info in infos
    ]


def _terms(checkpoint: Mapping[str, Any]) -> str:
    """A sentence on what holds for a checkpoint and so for adapters made with it."""
    gated = " and access that its makers grant one by one" if checkpoint["gated"] else ""
    return (
        f"It works only together with the checkpoint {checkpoint['id'] or checkpoint['name']}, "
        f"whose own licence ({checkpoint['licence']}){gated} and intended use hold as well."
    )


def _columns(data: TrainingData, modality: str) -> list[str]:
    """The manifest's columns that gave a modality, in the order in which cases first had them."""
    sources = (s for case in data.cohort.cases for s in case.sources.get(modality, ()))
    return list(dict.fromkeys(source.name for source in sources))


def _write(path: Path, value: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False), encoding="utf-8")
