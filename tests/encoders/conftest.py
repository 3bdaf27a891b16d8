"""Small checkpoints, made once, and the sample patient's inputs of every kind."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import transformers

from fmstudio.types import ModalityInput, Source
from pipelines.audio import PIPELINE as SOUND
from pipelines.device_logs import PIPELINE as LOGS
from pipelines.notes import PIPELINE as NOTES
from pipelines.radiology import PIPELINE as FILMS
from pipelines.video import PIPELINE as CLIPS
from tests.encoders.small import save_checkpoint

PATIENT = Path(__file__).resolve().parents[2] / "data_samples" / "new_patient"

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


@pytest.fixture
def copy(checkpoint: Callable[[str], Path], tmp_path: Path) -> Callable[[str], Path]:
    """A copy of a small checkpoint, free to be spoiled."""
    return lambda model_type: Path(shutil.copytree(checkpoint(model_type), tmp_path / model_type))


@pytest.fixture(scope="session")
def inputs() -> dict[str, list[ModalityInput]]:
    """By kind, inputs of the sample patient as they are read: the first short, the second longer."""
    sound = SOUND.read([Source("site", PATIENT / "breath_sound.wav")])
    log = LOGS.read([Source("log", PATIENT / "monitor.csv")])
    text = (PATIENT / "note.txt").read_text(encoding="utf-8")
    return {
        "frames": [
            FILMS.read([Source("view", PATIENT / "film.dcm")]),
            CLIPS.read([Source("clip", PATIENT / "echo_clip.mp4")]),
        ],
        "waveform": [_seconds(sound, 1), _seconds(sound, 18)],
        "series": [_some_channels(log, 2), log],
        "text": [NOTES.read([Source("note", text=given)]) for given in (text[:60], text)],
    }


def _seconds(given: ModalityInput, seconds: int) -> ModalityInput:
    """So much of a recording, from its start again where it is shorter."""
    rate = given.facts["rate"]
    values = np.resize(given.values, int(rate * seconds))
    return ModalityInput(given.kind, values, np.ones(len(values), bool), {"rate": rate})


def _some_channels(given: ModalityInput, count: int) -> ModalityInput:
    there = [i for i in range(len(given.facts["channels"])) if given.mask[:, i].sum() > 5][:count]
    facts = dict(given.facts)
    for name in ("channels", "units"):
        facts[name] = [facts[name][index] for index in there]
    return ModalityInput(given.kind, given.values[:, there], given.mask[:, there], facts)
