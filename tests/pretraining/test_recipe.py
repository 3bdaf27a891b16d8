"""The recipe of a base: stages, a language model as teacher, readings, and the folder of a base."""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from data_samples.varied.cases import single
from fmstudio.errors import InputError
from fmstudio.pretraining import build_plan as recipes
from fmstudio.pretraining import engine
from tests.encoders.small import save_checkpoint

COHORT = "diabetes_ward"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one cohort of made-up notes."""
    folder = tmp_path_factory.mktemp("data")
    (folder / COHORT).mkdir()
    with (folder / COHORT / "manifest.csv").open("w", encoding="utf-8", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["case_id", "patient_id", "note", "label_any_complication"])
        for index in range(100):
            note = single("notes", 23, index).given.values
            rows.writerow([f"c{index:03}", f"p{index:03}", note, index % 2])
    return folder


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_checkpoint("bert", tmp_path_factory.mktemp("teacher") / "bert")


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory, teacher: Path) -> Path:
    """Notes of one cohort and a few drawn ones, two steps."""
    own = {"folder": COHORT, "label": "label_any_complication", "weight": 1.0}
    stage = {"kinds": ["text"], "steps": 2, "look_every": 2, "most_items": 512}
    written = {
        "name": "small",
        "title": "Small base",
        "licence": "Apache-2.0",
        "description": "",
        "limits": "",
        "width": 256,
        "heads": 4,
        "depth": 4,
        "seed": 0,
        "vocabulary": 600,
        "drawn": 40,
        "drawn_weight": 1.0,
        "drawings": {"licence": "own", "source": "drawn"},
        "cohorts": [own | {"licence": "CC BY 4.0", "source": "Zhao et al. 2023"}],
        "teacher": {"package": "none", "sha256": _sha256(teacher / "model.safetensors")},
        "stages": [
            stage | {"name": "text", "objectives": ["masked", "known", "spread"]},
            stage | {"name": "trunk", "objectives": ["latent"], "encoders": False},
        ],
    }
    path = tmp_path_factory.mktemp("recipe") / "recipe.json"
    path.write_text(json.dumps(written), encoding="utf-8")
    return path


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_recipe_gives_a_base_whose_card_names_what_it_learned_from(
    recipe, data, teacher, tmp_path, monkeypatch
):
    monkeypatch.setattr(recipes, "READ_FROM", 80)
    monkeypatch.setattr(engine, "SAMPLE", 40)
    given = recipe, data, tmp_path / "work", tmp_path / "out"
    begun = recipes.make_base(*given, stages=["text"], teacher=teacher)
    card = recipes.make_base(*given, teacher=teacher)

    assert begun == {"stages": ["text"]}
    assert card["sha256"] == _sha256(tmp_path / "out" / "model.safetensors")
    assert [row["name"] for row in card["trained_on"]] == [COHORT, "drawn notes", "lists of words"]
    assert card["stages"]["trunk"]["steps"] == 2
    assert recipes.make_base(*given, teacher=teacher)["sha256"] == card["sha256"]

    words = Tokenizer.from_file(str(tmp_path / "out" / "tokenizer.json"))
    assert words.encode("Fever and COUGH").ids == words.encode("fever and cough").ids
    table = load_file(tmp_path / "out" / "model.safetensors")["encoders.text.table.weight"]
    learned, unused = np.split(table.astype(np.float32), [words.get_vocab_size()])
    spare = np.linalg.svd(unused[:400], compute_uv=False)
    told = np.linalg.svd(learned[:400], compute_uv=False)
    assert told[32] / told[0] < 0.2 < spare[32] / spare[0]  # the teacher's few directions


def test_another_language_model_than_the_recipe_names_is_refused(recipe, data, teacher, tmp_path):
    other = save_checkpoint("roberta", tmp_path / "other")

    with pytest.raises(InputError, match="have SHA-256"):
        recipes.make_base(recipe, data, tmp_path / "work", tmp_path / "out", teacher=other)
