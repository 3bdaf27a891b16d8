"""A frozen checkpoint of the size of ViT-B/16: what its first epoch costs, and later ones."""

from __future__ import annotations

import json
import tempfile
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import ViTConfig, ViTModel

from benchmarks.command import studio
from benchmarks.made import PROJECT, made_cohort, made_project

TITLE = "A published checkpoint as encoder"
EPOCHS = 10
MODALITY = "radiology"
# As in the published ViT-B/16 at 224 pixels.
PROCESSOR = {
    "image_processor_type": "ViTImageProcessor",
    "do_resize": True,
    "resample": 2,
    "size": {"height": 224, "width": 224},
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": [0.5] * 3,
    "image_std": [0.5] * 3,
}


def measure(options: Namespace, before: Mapping[str, Any]) -> dict[str, Any]:
    """Seconds of preparing and of an epoch, of a first run and of one that finds all prepared."""
    manifest = made_cohort(options.work, options.cases)
    folder = _checkpoint(options.work / "vit-base-random")
    with tempfile.TemporaryDirectory(dir=options.work) as home:
        made_project(Path(home), manifest)
        first, again = (_run(Path(home), folder, options) for _ in range(2))
    return {"first": first, "again": again}


def _checkpoint(folder: Path) -> Path:
    """A ViT-B/16 (86 million weights) from its config, weights drawn from a seed."""
    if not (folder / "preprocessor_config.json").is_file():
        torch.manual_seed(0)
        ViTModel(ViTConfig()).save_pretrained(folder)
        text = json.dumps(PROCESSOR)
        (folder / "preprocessor_config.json").write_text(text, encoding="utf-8")
    return folder


def _run(home: Path, folder: Path, options: Namespace) -> dict[str, Any]:
    epochs = options.epochs or EPOCHS
    result = studio(
        home,
        "finetune",
        PROJECT,
        "--modalities",
        MODALITY,
        "--encoder",
        f"{MODALITY}={folder}",
        "--preset",
        "quick",
        "--epochs",
        str(epochs),
        "--patience",
        str(epochs),
    )
    n, seconds = result["n"], result["seconds"]
    share = n["train"] / sum(n.values())
    epoch = seconds["train"] / result["epochs"]
    return {
        "cases": sum(n.values()),
        "train": n["train"],
        "prepare": seconds["prepare"],
        "epoch": epoch,
        "first_epoch": share * seconds["prepare"] + epoch,
        "epochs": result["epochs"],
    }


def section(found: Mapping[str, Any]) -> str:
    """The part's page."""
    first, again = found["first"], found["again"]
    ratio = first["first_epoch"] / first["epoch"]
    return (
        "| | seconds |\n|---|---|\n"
        f"| first epoch over {first['train']} films, encoder included | "
        f"{first['first_epoch']:.1f} |\n"
        f"| each of the {first['epochs'] - 1} epochs after it | {first['epoch']:.2f} |\n"
        f"| **ratio** (at least 10) | **{ratio:.0f}** |\n"
        f"| preparing all {first['cases']} films in a second run | {again['prepare']:.1f}, against "
        f"{first['prepare']:.1f} |\n\n"
        "A ViT-B/16 with random weights, frozen (scope 'upper trunk'). It runs once over each film "
        "and its tokens are kept on disk; the first epoch is the share of training films in "
        "reading, preparing and running them, and one epoch as the later ones, which are the time "
        "of training divided by its epochs, validation included."
    )
