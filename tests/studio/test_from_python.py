"""The notebook of the documentation runs, and its tables hold what the verbs find."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = json.loads((ROOT / "docs" / "from-python.ipynb").read_text(encoding="utf-8"))
CODE = [cell for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]
LOADED = """
import sys
from fmstudio import Studio
print(sorted({"torch", "pandas", "sklearn", "transformers", "sqlalchemy"} & sys.modules.keys()))
"""


@pytest.fixture(scope="module")
def names(tmp_path_factory) -> dict[str, Any]:
    """What the notebook's cells leave behind, run one after the other in an empty folder."""
    found: dict[str, Any] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("notebook"))
        for number, cell in enumerate(CODE):
            exec(compile("".join(cell["source"]), f"cell {number}", "exec"), found)
    return found


def test_the_notebook_keeps_no_outputs():
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in CODE)


@pytest.mark.timeout(600)
def test_the_notebook_goes_from_a_manifest_to_predictions(names):
    run, cases = names["run"], names["cases"]
    assert run.status == "finished"
    assert {"severity", "message"} <= set(names["findings"].columns)
    assert cases["split"].value_counts().to_dict() == run.result["n"]
    assert cases["ehr"].all()
    assert cases["notes"].sum() == 52
    assert sum(names["answer"].probabilities.values()) == pytest.approx(1)


def test_tables_hold_what_the_verbs_find(names):
    run, metrics = names["run"], names["metrics"].set_index("metric")
    (row,) = names["runs"].to_dict("records")
    assert (row["run"], row["project"], row["adapter"]) == (run.id, "deterioration", run.adapter_id)
    for name, metric in run.result["metrics"].items():
        assert row[name] == pytest.approx(metric["value"])
        assert metrics.loc[name, "value"] == pytest.approx(metric["value"], abs=1e-4)
    predictions = names["predictions"]
    assert predictions["case_id"].tolist() == names["cases"]["case_id"].tolist()
    assert predictions["probability:0"].to_numpy() == pytest.approx(
        1 - predictions["probability:1"].to_numpy()
    )


def test_importing_the_studio_loads_nothing_slow():
    done = subprocess.run(
        [sys.executable, "-c", LOADED], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.stdout.strip() == "[]", done.stderr
