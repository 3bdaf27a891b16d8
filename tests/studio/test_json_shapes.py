"""The JSON that others script against keeps every key and type, for each kind of task.

After a change of the contract that is meant: FMSTUDIO_WRITE_SHAPES=1 with this file's tests.
"""

from __future__ import annotations

import csv
import io
import json
import os
import random
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from fmstudio.__main__ import main
from tests.studio.json_shape import differences, shape

SHAPES = Path(__file__).parent / "shapes"
LABELS = {
    "binary": ["label_ill"],
    "multiclass": ["label_state"],
    "multilabel": ["label_fever", "label_cough"],
    "regression": ["label_days"],
}


def outcome(kind: str, degree: int, draw: random.Random) -> list[object]:
    return {
        "binary": [int(degree > 0)],
        "multiclass": ["abc"[degree]],
        "multilabel": [degree % 2, int(degree > 1)],
        "regression": [round(degree * 3 + draw.random(), 2)],
    }[kind]


def manifest(folder: Path, kind: str) -> Path:
    """45 patients of two wards with an age, a value that follows the outcome, and a note."""
    draw = random.Random(7)
    path = folder / "manifest.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["case_id", "age", "crp", "note", "group_ward", *LABELS[kind]])
        for i in range(45):
            degree = i % 3
            note = f"Seen on day {1 + i % 4}, {'feverish' if degree else 'well'}." if i % 5 else ""
            values = [draw.randint(20, 90), round(draw.gauss(20 + 30 * degree, 25), 1), note]
            writer.writerow([f"c{i}", *values, "AB"[i % 2], *outcome(kind, degree, draw)])
    return path


def said(home: Path, *words: object) -> Any:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        status = main([*map(str, words), "--home", str(home), "--json"])
    assert status == 0, err.getvalue()
    return json.loads(out.getvalue())


@pytest.mark.parametrize("kind", LABELS)
def test_the_json_of_every_verb_keeps_its_keys_and_types(kind, tmp_path):
    home = tmp_path / "home"
    said(home, "project", "create", "p", "--task", kind)
    said(home, "cohort", "add", "p", manifest(tmp_path, kind))
    result = said(home, "finetune", "p", "--preset", "quick", "--epochs", 1)
    adapter = result["adapter"]
    found = {
        "cohort report": said(home, "cohort", "report", "p"),
        "finetune": result,
        "evaluate": said(home, "evaluate", adapter),
        "adapter show": said(home, "adapter", "show", adapter),
        "predict": said(home, "predict", adapter, "--set", "age=70", "--set", "crp=50"),
    }
    shapes = json.loads(json.dumps({verb: shape(document) for verb, document in found.items()}))
    kept = SHAPES / f"{kind}.json"
    if os.environ.get("FMSTUDIO_WRITE_SHAPES"):
        kept.write_text(json.dumps(shapes, indent=1) + "\n", encoding="utf-8")
    assert differences(json.loads(kept.read_text(encoding="utf-8")), shapes) == []


def test_a_key_that_is_gone_new_or_of_another_type_is_named():
    kept = shape({"a": [{"b": 1}, {"b": 2, "c": "x"}], "d": None, "e": 1})
    assert kept == {"a": [{"b": "number", "c?": "text"}], "d": "null", "e": "number"}
    assert differences(kept, shape({"a": [{"b": 1}], "d": 5, "e": 2})) == []
    found = shape({"a": [{"b": "1", "x": 1}], "d": 5})
    assert differences(kept, found) == [
        ".a[].b is text, not number",
        ".a[].x is new",
        ".e is missing",
    ]
