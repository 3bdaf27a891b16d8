"""What pretraining has made, in words that a clinician can act on."""

from __future__ import annotations

import pytest

from fmstudio.pretrain_config import PretrainConfig
from fmstudio.records import Point, Progress, RunRecord
from fmstudio.ui.forms import settings_table
from fmstudio.ui.pages.pretrain import case_choices
from fmstudio.ui.pages.runs import run_table
from fmstudio.ui.plots import curves, groups_map
from fmstudio.ui.pretraining_results import in_brief, learned

GROUPS = {
    "count": 2,
    "cases": 5,
    "silhouette": 0.3,
    "stability": 0.9,
    "groups": [
        {"group": 0, "cases": 3, "nearest": ["a", "b"]},
        {"group": 1, "cases": 2, "nearest": ["<d>", "e"]},
    ],
    "points": [
        {"case": case, "group": int(case in "<d>e"), "x": i, "y": -i}
        for i, case in enumerate(["a", "b", "c", "<d>", "e"])
    ],
}


def judged(verdict: str, gain: float) -> dict:
    figure = {"value": 0.7, "low": 0.6, "high": 0.8}
    return {
        "metric": "auroc",
        "n": {"test": 40},
        "before": figure,
        "after": figure,
        "gain": {"value": gain, "low": gain - 0.1, "high": gain + 0.1},
        "verdict": verdict,
    }


def finished(now, verdict, groups=GROUPS) -> RunRecord:
    result = {
        "base": "mine",
        "parent": "embedded",
        "learned_from": 52,
        "verdict": verdict,
        "n": {"labelled training cases": 40, "left out": 1},
        "unreadable": 0,
        "steps": 60,
        "seconds": {"train": 61.0},
        "peak_memory_mb": 900,
        "groups": groups,
    }
    config = PretrainConfig(name="mine").as_dict()
    return RunRecord(
        "run-1", 1, 1, "pretrain", "finished", config, "embedded", Progress(), now, result=result
    )


@pytest.mark.parametrize(
    ("verdict", "gain", "said"),
    [
        ("better", 0.2, "The new base is better for your patients."),
        ("no evidence", 0.0, "No evidence that the new base is better or worse"),
        ("worse", -0.2, "stay with the one before"),
    ],
)
def test_the_verdict_is_a_sentence_with_its_interval(now, verdict, gain, said):
    page = learned(finished(now, judged(verdict, gain)))

    assert said in page
    assert f"Gain: {gain:.3f} ({gain - 0.1:.3f} to {gain + 0.1:.3f})" in page
    assert "40 held-out cases" in page
    assert in_brief(judged(verdict, gain)) == f"{verdict}, AUROC {gain:+.3f}"


def test_a_base_that_nobody_could_judge_says_why(now):
    page = learned(finished(now, {"verdict": None, "reason": "There is no labelled cohort."}, None))

    assert "The new base was not evaluated." in page
    assert "There is no labelled cohort." in page
    assert "Groups" not in page


def test_groups_that_do_not_come_again_are_called_shaky(now):
    steady = learned(finished(now, judged("better", 0.2)))
    shaky = learned(finished(now, judged("better", 0.2), GROUPS | {"stability": 0.2}))

    assert "come again with other seeds" in steady
    assert "do not read much into them" in shaky
    assert "&lt;d&gt;" in steady
    assert "<d>" not in steady


def test_the_map_has_a_trace_for_each_group_and_no_markup_of_a_case(now):
    figure = groups_map(GROUPS)

    assert [trace.name for trace in figure.data] == ["Group 1 (3)", "Group 2 (2)"]
    assert list(figure.data[1].text) == ["&lt;d&gt;", "e"]
    assert list(figure.data[0].marker.size) == [12, 12, 8]
    assert len({trace.marker.symbol for trace in figure.data}) == 2


def test_typical_cases_are_offered_first(now):
    names = [name for _, name in case_choices(GROUPS)]

    assert names == ["a", "b", "<d>", "e", "c"]


def test_curves_of_pretraining_have_panels_of_their_own_and_a_legend():
    points = [
        Point(name, step, 0.5)
        for name in ("loss: masked", "loss: known", "probe auroc: notes", "directions: notes")
        for step in (0, 10)
    ]
    figure = curves(points)

    assert [note.text for note in figure.layout.annotations] == [
        "Loss of each objective",
        "Probe on training patients",
        "Effective directions of the features",
    ]
    assert [trace.name for trace in figure.data] == ["masked", "known", "notes", "notes"]
    assert [trace.showlegend for trace in figure.data] == [True, True, True, False]
    assert figure.data[2].line.color == figure.data[3].line.color != figure.data[0].line.color
    assert figure.layout.showlegend
    assert {axis.title.text for axis in (figure.layout.xaxis, figure.layout.xaxis3)} == {"Step"}


def test_a_run_that_makes_a_base_is_told_apart_in_the_list(studio):
    project, registry = studio.projects.create("Ward", "binary"), studio.registry
    run = registry.create_run(project.id, None, "pretrain", {"name": "mine"}, "embedded")
    registry.claim_next_run()
    registry.finish_run_with_base(run.id, {"verdict": judged("better", 0.2)}, "mine", "0" * 64)

    page = run_table(studio, studio.runs.summaries())

    assert "Base mine" in page
    assert "better, AUROC +0.200" in page


def test_the_settings_of_a_pretraining_run_are_named_in_words():
    page = settings_table(PretrainConfig(name="mine", epochs=12))

    assert "Objectives" in page
    assert "masked, known, spread" in page
    assert "Fingerprint" not in page
