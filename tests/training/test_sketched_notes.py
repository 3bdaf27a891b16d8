"""Notes that a language model reads: their words are not lost in its means."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

import numpy as np

from fmstudio.adapters.probes import replay
from fmstudio.checkpoints.store import keep
from fmstudio.records import ProjectRecord
from fmstudio.settings import Settings
from fmstudio.training.finetune import finetune
from fmstudio.types import Source
from tests.encoders.small import save_checkpoint
from tests.training.conftest import Recorder, run_record

NOTE = "notes"
COMMON = ("the", "a", "patient", "is", "with", "and", "of", "pain", "years", "old")


def test_the_words_that_a_language_model_drowns_are_still_told_apart(cohort, tmp_path):
    """Notes of one length in which one word, amid many that change, says the outcome."""
    settings, draw = Settings(tmp_path / "home"), np.random.default_rng(0)
    keep(save_checkpoint("bert", tmp_path / "bert"), settings, {"name": "bert"})

    def note(case) -> tuple[Source, ...]:
        words = [*draw.choice(COMMON, 40), "heart" if case.target else "cough"]
        return (Source(name="note", text=" ".join(draw.permutation(words))),)

    cases = tuple(dataclasses.replace(c, sources={NOTE: note(c)}) for c in cohort.cases)
    told = dataclasses.replace(cohort, modalities=(NOTE,), cases=cases)
    project = ProjectRecord(1, "Made", cohort.task, datetime.now(UTC))
    run = run_record(keep="probe", encoders={NOTE: "bert"})

    found = finetune(run, project, told, tmp_path, settings, Recorder())

    assert found.result["metrics"]["auroc"]["value"] > 0.9
    assert replay(found.adapter_folder, settings) < 1e-5
