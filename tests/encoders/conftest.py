"""Small checkpoints, made once, and real inputs of every kind."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
import transformers

from fmstudio.types import ModalityInput, Source
from pipelines.audio import PIPELINE as SOUND
from pipelines.device_logs import PIPELINE as LOGS
from pipelines.notes import PIPELINE as NOTES
from pipelines.radiology import PIPELINE as FILMS
from pipelines.video import PIPELINE as CLIPS
from tests.encoders.small import save_checkpoint

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """From a model_type to the folder of a small checkpoint, made when first asked for."""
    made: dict[str, Path] = {}

    def folder(model_type: str) -> Path:
        if model_type not in made:
            made[model_type] = save_checkpoint(model_type, tmp_path_factory.mktemp("checkpoint"))
        return made[model_type]

    return folder


def _first_row(cohort: Path) -> dict[str, str]:
    with (cohort / "manifest.csv").open(newline="", encoding="utf-8") as file:
        return next(csv.DictReader(file))


@pytest.fixture(scope="session")
def inputs(shared: Path) -> dict[str, list[ModalityInput]]:
    """By kind, real inputs: the first short, the second longer."""
    data = shared / "data"
    sites = _first_row(data / "circor_heart_sounds")
    heart = [
        Source(s[6:], data / "circor_heart_sounds" / sites[s]) for s in sites if s[:6] == "audio_"
    ]
    log = data / "physionet2012_icu" / _first_row(data / "physionet2012_icu")["device_log"]
    text = _first_row(data / "mts_dialog_notes")["note"]
    return {
        "frames": [
            FILMS.read([Source("view", data / "covid_cxr" / "images" / "cxr_0000.jpg")]),
            CLIPS.read([Source("clip", data / "pocus_lung_ultrasound" / "video" / "pocus_001.mp4")]),
        ],
        "waveform": [_one_second(SOUND.read(heart[:1])), SOUND.read(heart)],
        "series": [_some_channels(LOGS.read([Source("log", log)]), 2), LOGS.read([Source("log", log)])],
        "text": [NOTES.read([Source("note", text=given)]) for given in (text[:60], text)],
    }  # fmt: skip


def _one_second(given: ModalityInput) -> ModalityInput:
    count = int(given.facts["rate"])
    facts = {"rate": given.facts["rate"]}
    return ModalityInput(given.kind, given.values[:count], given.mask[:count], facts)


def _some_channels(given: ModalityInput, count: int) -> ModalityInput:
    there = [i for i in range(len(given.facts["channels"])) if given.mask[:, i].sum() > 5][:count]
    facts = dict(given.facts)
    for name in ("channels", "units"):
        facts[name] = [facts[name][index] for index in there]
    return ModalityInput(given.kind, given.values[:, there], given.mask[:, there], facts)
