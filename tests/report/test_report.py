"""A report holds what is in the registry, says what only its author knows, and opens anywhere."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from pypdf import PdfReader

from fmstudio.evaluation.conformal import fit_conformal
from fmstudio.evaluation.evaluation import judgement
from fmstudio.records import AdapterRecord, CohortRecord, ProjectRecord
from fmstudio.report.checklists import CLAIM, TRIPOD_AI, checklists
from fmstudio.report.facts import Facts
from fmstudio.report.write import write_report
from fmstudio.results.json_form import as_json
from fmstudio.types import TaskSpec
from tests.audits import audit_of
from tests.evaluation.made import BINARY, LABELS, NUMBER, drawn, held_out, judged

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CARD = {
    "n": {"train": 200, "validation": 60, "test": 90},
    "base": "embedded",
    "base_sha256": "ab" * 32,
    "fingerprint": "cd" * 32,
    "config": {"rank": 8, "balance": True},
    "set_aside": 3,
    "versions": {"fmstudio": "0.1.0"},
    "reason": "LoRA was kept: it beats the probe.",
    "intended_use": "Research <b>only</b>.",
    "licence": "Apache-2.0",
    "chosen": "lora",
    "ladder": [{"name": "lora", "auroc": {"value": 0.8, "low": 0.7, "high": 0.9}}],
}


def facts(found, task: TaskSpec = BINARY) -> Facts:
    adapter = AdapterRecord("adapter-1", 1, None, "ill", CARD, NOW)
    project = ProjectRecord(1, "Ward <7>", task, NOW)
    cohort = CohortRecord(1, 1, "2025", "m.csv", {}, "cd" * 32, as_json(audit_of(350, 300)), NOW)
    return Facts(found, adapter, project, cohort, None, "# card", {"m": "Films"})


@pytest.fixture(scope="module")
def binary() -> Facts:
    test, before = drawn(0, 90), drawn(1, 60)
    fitted = fit_conformal(BINARY, before.chance, before.truth.astype(float))
    groups = {"sex": tuple(np.random.default_rng(0).choice(["F", "M"], 90).tolist())}
    return facts(judgement("adapter-1", held_out(test, before, groups), fitted))


def test_a_report_is_html_pdf_json_card_and_figures(binary, tmp_path):
    files = write_report(binary, tmp_path / "report")
    page, paper = (files[0].read_text(encoding="utf-8"), PdfReader(files[1]))
    words = " ".join(sheet.extract_text() for sheet in paper.pages)
    kept = json.loads(files[2].read_text(encoding="utf-8"))
    figure = binary.evaluation.metrics["auroc"]
    told = f"{figure.value:.3f} ({figure.low:.3f} to {figure.high:.3f})"

    assert told in page
    assert told in words
    assert kept["judgement"]["metrics"]["auroc"] == figure.as_dict()
    names = {path.name for path in files[4:]}
    assert names >= {"roc.svg", "roc.png", "calibration.svg", "decision.png"}
    assert page.count("<svg") == len(kept["figures"])


def test_what_people_named_is_text_in_the_page_and_no_path_is_in_it(binary, tmp_path):
    page = write_report(binary, tmp_path / "report")[0].read_text(encoding="utf-8")

    assert "Ward &lt;7&gt;" in page
    assert "<b>only</b>" not in page
    assert str(tmp_path) not in page
    assert not re.search(r'(src|href)="http', page)


def test_both_checklists_have_every_item_of_theirs_in_order():
    assert list(dict.fromkeys(int(re.match(r"\d+", i.number)[0]) for i in TRIPOD_AI)) == [
        *range(1, 28)
    ]
    assert [item.number for item in CLAIM] == [str(number) for number in range(1, 45)]


def test_every_item_is_answered_or_pointed_to_or_open(binary):
    for items in checklists(binary).values():
        assert {item["state"] for item in items} == {"answered", "pointed to", "open"}
        for item in items:
            assert item["answer"]
            if item["state"] == "pointed to":
                assert item["answer"].startswith("Section ")
    answers = {item["number"]: item["answer"] for item in checklists(binary)["TRIPOD+AI"]}
    assert "200 train" in answers["10"]
    assert "3 rows" in answers["11"]
    assert "auroc" in answers["23a"]


def test_groups_that_were_weighed_evenly_are_in_methods_and_checklists(binary, tmp_path):
    config = CARD["config"] | {"balance_by": "sex"}
    even = replace(binary, adapter=replace(binary.adapter, card=CARD | {"config": config}))
    said = "within each class each group of &#39;sex&#39; counted the same"

    pages = [
        write_report(one, tmp_path / name)[0].read_text(encoding="utf-8")
        for one, name in ((even, "even"), (binary, "plain"))
    ]

    assert pages[0].count(said) >= 3  # methods, uneven classes, fairness
    assert said not in pages[1]
    answers = {item["number"]: item["answer"] for item in checklists(even)["TRIPOD+AI"]}
    assert "Kamiran" in answers["14"]
    assert "gaps tested" in answers["14"]


@pytest.mark.parametrize("task", [LABELS, NUMBER], ids=lambda task: task.kind)
def test_other_tasks_have_a_report_too(task, tmp_path):
    files = write_report(facts(judged(task), task), tmp_path / "report")

    assert all(path.stat().st_size for path in files)
    assert ("roc-1.svg" in {path.name for path in files}) == (task is LABELS)


def test_an_adapter_of_which_little_is_known_has_a_report_too(binary, tmp_path):
    bare = replace(binary, adapter=replace(binary.adapter, card={"base": "b"}), cohort=None)

    assert write_report(bare, tmp_path / "report")[0].is_file()
