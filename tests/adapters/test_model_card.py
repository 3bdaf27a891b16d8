import json
import re
import subprocess
import sys
from html import escape
from pathlib import Path

from markdown_it import MarkdownIt

from fmstudio.adapters.bundle import seal, unpack
from fmstudio.present.markdown import markdown
from fmstudio.present.model_card import model_card

ROOT = Path(__file__).resolve().parents[2]

# Makes the adapter of an untrained run on the embedded base, with a head of recognisable numbers.
MAKE = """
import json, sys, torch
from html import escape
from pathlib import Path
from fmstudio.adapters.lora import attach, save, shared_model
from fmstudio.model.load import load_base, task_config
from fmstudio.settings import load_settings
from fmstudio.run_config import RunConfig

folder, home = map(Path, sys.argv[1:])
settings = load_settings(home)
model = load_base(task_config("embedded", ["ehr"], 1, settings), settings)
model.config.columns = {"ehr": 3}
torch.nn.init.constant_(model.task_head.weight, 0.25)
adapted = attach(model, RunConfig.from_preset("quick"))
save(adapted, folder / "adapter")
config = shared_model(adapted).config.to_dict()
(folder / "config.json").write_text(json.dumps(config))
made = json.loads((folder / "processors" / "ehr.json").read_text())
made["config"] = config["encoders"]["table"]["config"]
(folder / "processors" / "ehr.json").write_text(json.dumps(made))
print(config["base_sha256"])
"""


def run(code, place, *words):
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, words)],
        cwd=place,
        capture_output=True,
        text=True,
        check=False,
        env={
            "PYTHONPATH": str(ROOT),
            "HF_HUB_OFFLINE": "1",
            "OMP_NUM_THREADS": "1",
            "HOME": str(place),
            "PATH": "/usr/bin:/bin",
        },
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.strip()


def test_the_lines_in_a_bundles_readme_load_the_adapter_with_stock_peft(folder, tmp_path, card):
    from fmstudio.adapters.bundle import export

    sha256 = run(MAKE, tmp_path, folder, tmp_path / "home")
    facts = card | {"base_sha256": sha256, "base_files": {}}
    (folder / "card.json").write_text(json.dumps(card | {"base_sha256": sha256}))
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
    signs = "<img src=x onerror=alert(1)> &lt; [x](http://y.z) *a* _b_ `c` ~~d~~ www.e.f g@h.i\n# j"
    lines = ["- k", "1. l", "2) m", "= n", "---", "+ o", "> p", "![q](r)", "| s | t |"]
    named = {"labels": [signs, *lines], "columns": [signs], "description": signs, "kind": signs}
    page = markdown(
        *model_card(
            card
            | dict.fromkeys(
                ("name", "licence", "base", "base_sha256", "fingerprint", "created_at"), signs
            )
            | {
                "task": card["task"] | named,
                "modalities": lines,
                "intended_use": "- k",
                "metrics": {signs: {"value": 0.5, "low": 0.4, "high": 0.6}},
                "versions": {signs: signs},
                "ladder": [{"name": signs}],
                "chosen": signs,
                "n": {"test": signs},
            }
        )
    )

    viewer = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    shown = viewer.render(page)
    ours = viewer.render(markdown(*model_card(card | {"ladder": [{"name": "x"}]})))
    assert not re.search(r"http://|www\.", page)  # GitHub makes links of bare addresses
    tags = re.compile(r"</?[a-z0-9]+")
    assert set(tags.findall(shown)) <= set(tags.findall(ours))
    assert shown.count("<h1>") == 1
    assert shown.count(escape(" ".join(signs.split()), quote=False)) == 16


def test_a_card_without_comparisons_or_versions_is_still_a_page(card):
    bare = {key: card[key] for key in ("name", "task", "modalities", "metrics")}
    page = markdown(*model_card(bare))
    assert "not a medical device" in page
    assert "compared with" not in page


def test_each_kind_of_task_is_named(card):
    labels = {"multiclass": ["a", "b"], "multilabel": ["a", "b"], "regression": ["days"]}
    for kind, names in labels.items():
        page = markdown(
            *model_card(card | {"task": card["task"] | {"kind": kind, "labels": names}})
        )
        assert ", ".join(f"“{name}”" for name in names) in page
