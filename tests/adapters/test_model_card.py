import re
import subprocess
import sys
from pathlib import Path

from fmstudio.adapters.bundle import seal, unpack
from fmstudio.adapters.model_card import model_card

ROOT = Path(__file__).resolve().parents[2]

# Makes the adapter of an untrained run on the embedded base, with a head of recognisable numbers.
MAKE = """
import json, sys, torch
from pathlib import Path
from fmstudio.adapters.lora import attach, save, shared_model
from fmstudio.model.load import load_base, task_config
from fmstudio.settings import load_settings
from fmstudio.training.config import RunConfig

folder, home = map(Path, sys.argv[1:])
settings = load_settings(home)
model = load_base(task_config("embedded", ["ehr", "notes"], 1, settings), settings)
torch.nn.init.constant_(model.task_head.weight, 0.25)
adapted = attach(model, RunConfig.from_preset("quick"))
save(adapted, folder / "adapter")
config = shared_model(adapted).config.to_dict()
(folder / "config.json").write_text(json.dumps(config))
print(config["base_sha256"])
"""


def run(code, place, *words):
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, words)], cwd=place, capture_output=True, text=True,
        check=False, env={"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1",
                          "HOME": str(place), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.strip()


def test_the_lines_in_a_bundles_readme_load_the_adapter_with_stock_peft(folder, tmp_path, card):
    from fmstudio.adapters.bundle import export

    sha256 = run(MAKE, tmp_path, folder, tmp_path / "home")
    facts = card | {"base_sha256": sha256}
    seal(folder, facts)
    export(folder, tmp_path / "a.zip")
    unpack(tmp_path / "a.zip", tmp_path / "elsewhere")

    page = (tmp_path / "elsewhere" / "README.md").read_text(encoding="utf-8")
    (lines,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    shown = "head = dict(model.named_parameters())\n" + (
        "print([float(v.mean()) for n, v in head.items() "
        "if 'modules_to_save' in n and n.endswith('weight')])"
    )
    assert run(lines + shown, tmp_path / "elsewhere") == "[0.25]"


def test_what_a_person_called_things_is_shown_and_not_obeyed(card):
    page = model_card(
        card | {"name": "<img src=x onerror=alert(1)>\n# Not a heading", "licence": "[x](http://y)"}
    )
    assert "# \\<img src=x onerror=alert(1)\\> # Not a heading" in page.splitlines()[0]
    assert "\\[x\\](http://y)" in page


def test_a_card_without_comparisons_or_versions_is_still_a_page(card):
    bare = {key: card[key] for key in ("name", "task", "modalities", "metrics")}
    page = model_card(bare)
    assert "not a medical device" in page
    assert "compared with" not in page


def test_each_kind_of_task_is_named(card):
    labels = {"multiclass": ["a", "b"], "multilabel": ["a", "b"], "regression": ["days"]}
    for kind, names in labels.items():
        page = model_card(card | {"task": card["task"] | {"kind": kind, "labels": names}})
        assert ", ".join(f"“{name}”" for name in names) in page
