"""What the pages say about projects, cohorts, runs and adapters as they stand in the registry."""

from __future__ import annotations

import inspect
from dataclasses import replace
from types import SimpleNamespace

import pytest

from fmstudio.records import AdapterRecord, AdapterSummary, Progress, RunRecord
from fmstudio.results.audit import IndexTime
from fmstudio.run_config import RunConfig
from fmstudio.studio.deletion import Deleted
from fmstudio.ui.deleting import left
from fmstudio.ui.pages import adapters, data, finetune, predict, runs, start
from fmstudio.ui.reports import cohort_report
from fmstudio.ui.results import cost, fusion, ladder, metrics, proof, subsets
from fmstudio.ui.review import steps_of
from fmstudio.ui.run_monitor import progress
from fmstudio.ui.shell import build

INTERVAL = {"value": 0.8, "low": 0.7, "high": 0.9}
RESULT = {
    "metrics": {"accuracy": INTERVAL, "auroc": INTERVAL},
    "ladder": [
        {"name": "probe", "auroc": INTERVAL, "seconds": 1.0},
        {"name": "lora", "auroc": INTERVAL, "seconds": 9.0},
    ],
    "chosen": "probe",
    "subsets": [
        {"modalities": ["notes"], "n": 9, "auroc": INTERVAL},
        {"modalities": ["notes", "ehr", "audio"], "n": 9, "auroc": INTERVAL},
    ],
    "fusion": {"best_single": "notes", "gain": INTERVAL, "verdict": "no evidence"},
}


@pytest.fixture
def project(studio):
    return studio.projects.create("Ward <7>", "binary", describe="Ill tomorrow?")


@pytest.fixture
def cohort(studio, project, table):
    return studio.cohorts.add(project.id, table())


def at(**query: str) -> SimpleNamespace:
    """A request for a page whose address ends with this query."""
    return SimpleNamespace(query_params=query)


def run_of(project, now, status: str, **more) -> RunRecord:
    return RunRecord(
        "run-1", project.id, 1, "finetune", status, {}, "embedded", Progress(), now, **more
    )


def test_a_new_project_asks_for_data_and_one_with_data_for_a_fine_tune(studio, project, table):
    assert start.next_step(studio, project)[1:] == ("Add data", f"/data?project={project.id}")

    studio.cohorts.add(project.id, table())

    assert start.next_step(studio, project)[1:] == ("Fine-tune", f"/finetune?project={project.id}")


def test_a_card_shows_name_and_question_as_typed(studio, project):
    shown = start.cards(studio, at())

    assert "Ward &lt;7&gt;" in shown
    assert "Ill tomorrow?" in shown


def test_the_sample_is_announced_only_while_it_is_being_prepared():
    assert "being prepared" in start.sample_card(None, waiting=True)
    assert start.sample_card(None, waiting=False) == ""


def test_the_data_page_shows_the_report_of_the_newest_cohort(studio, project, cohort):
    shown = data.present(studio, project.id)

    assert "40 cases of 40 patients" in shown
    assert "held out, for testing" in shown
    assert f"/finetune?project={project.id}" in shown


def test_any_case_can_be_looked_at_with_what_it_lacks(studio, project, cohort):
    case = studio.cohorts.cases(project.id)[0]

    shown = data.case_view(studio, case)

    assert "Cough and fever" in shown
    assert "Not given." in shown


def test_the_review_says_what_will_be_done_and_what_it_costs(studio, project, cohort):
    config = finetune.forms.config("embedded", ["ehr"], "quick", finetune.forms.of_preset("quick"))

    shown = finetune.review_step(studio, project.id, config)

    assert "estimated time" in shown
    assert "Ill tomorrow?" in shown


def test_the_review_tells_what_will_happen_step_by_step():
    thorough = RunConfig.from_preset("thorough")
    said = " ".join(steps_of(thorough))

    assert "over 5 folds" in said
    assert "up to 15 min other settings" in said
    assert "the upper trunk, then the trunk, then the trunk and encoders, each from 3 seeds" in said
    assert "simplest model within one standard error" in said
    folds = " ".join(steps_of(RunConfig(seeds=5, fold_ensemble=True)))
    assert "each from 5 seeds, each without another fold, averaged" in folds
    probe = " ".join(steps_of(RunConfig(keep="probe", search_minutes=5.0)))
    assert "LoRA" not in probe
    assert "tried" not in probe
    assert "The probe is kept, as asked" in probe


def test_a_fine_tune_on_nothing_is_refused(studio, project, cohort):
    config = finetune.forms.config("embedded", [], "quick", finetune.forms.of_preset("quick"))

    with pytest.raises(finetune.InputError, match="No modality"):
        finetune.review_step(studio, project.id, config)


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("running", "You may close this page."),
        ("interrupted", "The run was cut off."),
        ("stopped", "The run was stopped."),
    ],
)
def test_a_run_says_how_it_stands_and_what_can_be_done(project, now, status, said):
    assert said in progress(run_of(project, now, status))


def test_a_failed_run_shows_its_message_and_hint(project, now):
    shown = progress(run_of(project, now, "failed", error="Disk <full>.", hint="Free some space."))

    assert "Disk &lt;full&gt;." in shown
    assert "Free some space." in shown


def test_runs_link_to_themselves(studio, project):
    registry = studio.registry
    run = registry.create_run(project.id, None, "finetune", {"preset": "quick"}, "embedded")
    registry.claim_next_run()
    registry.finish_run(run.id, RESULT, "adapter-1", "ward", {})

    (line,), shown = runs.page_of(studio, at())

    assert line.id == run.id
    assert "Quick" in shown
    assert "AUROC 0.800 (0.700 to 0.900)" in shown
    assert f"/runs?run={run.id}&amp;project={project.id}" in shown


def test_the_headline_metric_comes_first():
    shown = metrics(RESULT["metrics"])

    assert shown.index("AUROC") < shown.index("Accuracy")


def test_the_page_says_that_the_probe_was_kept_and_why():
    _, shown = ladder(RESULT | {"reason": "Because."}).split("<tbody>")

    assert shown.index("Probe: frozen base") < shown.index("chosen") < shown.index("LoRA")
    assert "Because." in shown


def test_single_modalities_stand_beside_all_together():
    pair = {"modalities": ["notes", "ehr"], "n": 9, "auroc": INTERVAL}
    shown = subsets(RESULT | {"subsets": [*RESULT["subsets"], pair]}, {"notes": "Notes"})

    assert "Notes" in shown
    assert "All 3 together" in shown
    assert "Together:" not in shown  # of 63 subsets the page Evaluate tells


def test_one_modality_is_not_compared_with_itself():
    alone = {"modalities": ["notes"], "n": 9, "auroc": INTERVAL}

    assert not subsets({"subsets": [alone, alone]}, {"notes": "Notes"})


@pytest.mark.parametrize(
    ("name", "low", "doubted"),
    [
        ("auroc", 0.51, False),
        ("auroc", 0.5, True),
        ("auroc", 0.35, True),
        ("auroc", None, True),
        ("r2", 0.1, False),
        ("r2", -0.2, True),
    ],
)
def test_a_result_that_may_be_luck_is_called_so(name, low, doubted):
    figure = {"value": 0.6, "low": low, "high": 0.8}

    assert ("better than guessing" in proof({name: figure})) is doubted


def test_the_axis_says_where_guessing_is():
    assert "0 to 1; the line is guessing" in ladder(RESULT)


def test_what_took_how_long_is_said_in_words():
    assert "each modality alone 2 s" in cost({"seconds": {"singles": 2.0}})


def test_the_verdict_on_fusion_names_the_best_single_modality():
    shown = fusion(RESULT, {"notes": "Notes"})

    assert "No evidence" in shown
    assert "(Notes): 0.800 (0.700 to 0.900)" in shown


def test_figures_that_could_not_be_computed_break_nothing():
    unknown = {"value": None, "low": None, "high": None}
    found = {"ladder": [{"name": "lora", "auroc": unknown, "seconds": None}], "chosen": "lora"}

    assert "–" in ladder(found)


def test_the_champion_answers_unless_another_project_is_asked_for(studio, project):
    elsewhere = studio.projects.create("Elsewhere", "binary")
    for name, owner in (("old", project), ("new", project), ("other", elsewhere)):
        studio.registry.add_adapter(name, owner.id, None, name, {})
    studio.adapters.set_alias("old", "champion")

    assert [value for _, value in predict.adapter_choices(studio)] == ["old", "other", "new"]
    assert predict.preferred(studio, None) == "old"
    assert predict.preferred(studio, str(project.id)) == "old"
    assert predict.preferred(studio, str(elsewhere.id)) == "other"
    assert predict.preferred(studio, "99") == "old"


def test_no_adapter_answers_where_there_is_none(studio):
    assert predict.preferred(studio, None) is None


def test_an_adapter_from_elsewhere_with_a_bare_card_is_still_shown(studio, project, now):
    bare = AdapterRecord("a-1", project.id, None, "From <Bern>", {}, now)

    assert "From &lt;Bern&gt;" in adapters.card(studio, bare)
    line = AdapterSummary("a-1", project.id, "From <Bern>", now, {}, None)
    assert "From &lt;Bern&gt;" in adapters.adapter_table(studio, [line])


def test_the_question_is_the_projects_where_the_card_has_none(studio, project, now):
    bare = AdapterRecord("a-1", project.id, None, "A", {"task": {"kind": "binary"}}, now)
    own = replace(bare, card={"task": {"kind": "binary", "description": "Mine?"}})

    assert studio.adapters.task(bare)["description"] == "Ill tomorrow?"
    assert studio.adapters.task(own)["description"] == "Mine?"


def test_the_moment_of_prediction_is_told_on_the_card_and_in_the_report(studio, table):
    project = studio.projects.create("Later", "binary", moment=36)
    studio.cohorts.add(project.id, table())

    assert "Predicts 36 h after the beginning of a case." in start.cards(studio, at())
    assert "Predicts 36 h after the beginning of a case." in data.present(studio, project.id)
    late = IndexTime(36, {"device_logs": 1200})
    audit = replace(studio.cohorts.report(project.id), moment=late)
    told = cohort_report(audit, studio.pipelines(), studio.projects.get(project.id).task)
    assert "left out: Device logs 1,200." in told


def test_the_outcomes_of_a_cohort_are_counted_under_their_names(studio, table):
    names = {"positive_name": "Deterioration", "negative_name": "Stable"}
    project = studio.projects.create("Named", "binary", **names)
    studio.cohorts.add(project.id, table())

    shown = data.present(studio, project.id)

    assert "False (Stable)" in shown
    assert "True (Deterioration)" in shown


def test_a_cohort_is_named_after_what_a_person_recognises(tmp_path):
    table = tmp_path / "icu_2021" / "manifest.csv"

    assert data.proposed_name(data.HERE, None, table, "Sepsis") == "icu 2021"
    assert data.proposed_name(data.FILES, None, table, "Sepsis") == "Sepsis"
    assert data.proposed_name(data.ZIP, "/tmp/x/ward_7.zip", table, "Sepsis") == "ward 7"


def test_what_learned_from_a_patient_who_is_removed_is_offered_for_deletion():
    said = left(Deleted("p7", ("run-1",), ("adapter-1",)), "The patient was removed.")

    assert "1 adapter that learned from it stayed." in said
    assert 'href="/adapters?adapter=adapter-1"' in said
    assert "stayed" not in left(Deleted("p7"), "The patient was removed.")


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ("data", "Create a project on the start page first."),
        ("finetune", "There is no project yet."),
        ("evaluate", "There is no adapter to evaluate yet."),
    ],
)
def test_what_to_do_first_is_said_once_it_is_known_that_nothing_is_there(studio, page, said):
    def told() -> list[str]:
        found = [getattr(block, "value", None) for block in app.blocks.values()]
        for handler in app.fns.values():
            if handler.fn and handler.page == page and "load" in {on for _, on in handler.targets}:
                more = len(inspect.signature(handler.fn).parameters) - len(handler.inputs)
                answer = handler.fn(*[None] * len(handler.inputs), *[at()] * more)
                found += answer if isinstance(answer, tuple) else [answer]
        return [one for one in found if isinstance(one, str) and said in one]

    app = build(studio)
    assert len(told()) == 1

    project = studio.projects.create("Ward", "binary")
    studio.registry.add_adapter("adapter-1", project.id, None, "one", {})
    assert told() == []
