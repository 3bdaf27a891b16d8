"""From a finding to a cleaned cohort: the verbs, the command line, what is logged and what stays."""

from __future__ import annotations

import json
import threading
import time

import numpy as np
import pydicom
import pytest

from data_samples.generate import generate
from fmstudio.errors import InputError, NotFound

ROWS = 60
ILL = [int(value) for value in np.random.default_rng(3).random(ROWS) < 0.35]


@pytest.fixture
def mixed(studio, table):
    """A project with degrees of two kinds and two spellings."""
    draw = np.random.default_rng(0).normal(37.4, 0.7, ROWS)
    temp = [f"{c * 1.8 + 32 if n % 10 == 0 else c:.1f}" for n, c in enumerate(draw)]
    sex = ["Female" if n == 5 else ("female", "male")[n % 2] for n in range(ROWS)]
    path = table(rows=ROWS, temp_c=temp, sex=sex, crp=None, label_ill=ILL)
    studio.projects.create("ill", "binary")
    studio.cohorts.add("ill", path)
    return path


def kinds(report):
    return [one["kind"] for one in report["findings"] if one["severity"] != "note"]


def test_a_finding_is_mended_and_the_table_and_the_old_cohort_stay(studio, mixed):
    before, text = studio.cohorts.newest("ill"), mixed.read_text()
    after = studio.cohorts.clean("ill", "mixed_units")

    assert kinds(before.summary) == ["mixed_units", "spelling"]
    assert kinds(after.summary) == ["spelling"]
    assert after.id != before.id
    assert after.fingerprint != before.fingerprint
    assert mixed.read_text() == text
    values = [
        s.text
        for case in studio.cohorts.cases("ill")
        for s in case.sources["ehr"]
        if s.name == "temp_c"
    ]
    assert max(map(float, values)) < 42
    assert studio.registry.cohort(before.id).fingerprint == before.fingerprint


def test_cleaning_is_logged_with_what_was_found_and_how(studio, mixed):
    before = studio.cohorts.newest("ill")
    after = studio.cohorts.clean("ill", "spelling", 2)
    line = studio.audit()["events"][-1]

    assert (line.kind, line.subject) == ("cohort cleaned", f"cohort {after.id}")
    assert line.details["from"] == before.id
    assert line.details["finding"] == "spelling"
    assert line.details["way"] == "They are different"
    assert studio.audit()["whole"]


def test_deleting_a_project_deletes_its_mended_tables(studio, mixed, home):
    studio.cohorts.clean("ill", "spelling")
    studio.cohorts.clean("ill", "mixed_units")
    assert len(list((home / "cohorts").iterdir())) == 2
    studio.projects.delete("ill")

    assert list((home / "cohorts").iterdir()) == []
    assert mixed.is_file()


def test_what_cannot_be_mended_is_refused_and_nothing_changes(studio, mixed, home):
    with pytest.raises(NotFound, match="no finding 'nothing'"):
        studio.cohorts.clean("ill", "nothing")
    with pytest.raises(InputError, match="has 2 ways"):
        studio.cohorts.clean("ill", "spelling", 3)
    with pytest.raises(InputError, match="has no way"):
        studio.cohorts.clean("ill", "few_cases")

    assert len(studio.registry.cohorts(studio.projects.get("ill").id)) == 1
    assert list((home / "cohorts").glob("*")) == []


def test_report_and_mend_on_the_command_line(run, studio, mixed):
    report = json.loads(run("cohort", "report", "ill", "--quick", "--json").out)
    (units,) = [one for one in report["findings"] if one["kind"] == "mixed_units"]
    assert set(units) >= {"kind", "severity", "columns", "rows", "message", "fix"}
    assert units["rows"] == list(range(0, ROWS, 10))
    assert f"warning [{units['id']}]" in run("cohort", "report", "ill", "--quick").out

    said = run("cohort", "clean", "ill", units["id"], "--way", "1", "--json")
    assert said.status == 0
    assert "mixed_units" not in kinds(json.loads(said.out)["summary"])
    assert run("cohort", "clean", "ill", "mixed_units").status == 2


def test_a_complete_report_is_made_once_and_kept(studio, mixed, monkeypatch):
    first = studio.cohorts.check_labels("ill")
    monkeypatch.setattr(
        "fmstudio.cohort.audit.label_check.doubts", lambda *_: pytest.fail("asked again")
    )

    assert first.probed
    assert studio.cohorts.check_labels("ill") == first
    assert studio.cohorts.report("ill") == first


def test_copies_of_films_that_the_studio_keeps_do_not_name_the_patient(studio, tmp_path, home):
    made = generate(tmp_path / "made", 40, 7)
    studio.projects.create("films", "binary")
    record = studio.cohorts.add("films", made, {"site": "group", "age_band": "group"}, copy=True)
    kept = sorted((home / "cohorts").rglob("*.dcm"))

    assert kept
    assert not any(b"SAMPLE-P" in path.read_bytes() for path in kept)
    assert pydicom.dcmread(kept[0]).PatientIdentityRemoved == "YES"
    assert b"SAMPLE-P" in next((made.parent / "films").glob("*.dcm")).read_bytes()
    assert [f for f in record.summary["findings"] if f["kind"] == "identifiers"] == []
    assert len(studio.cohorts.cases("films")) == 40


def test_a_cleaning_is_undone_step_by_step_and_nothing_is_lost(studio, mixed):
    first = studio.cohorts.newest("ill")
    studio.cohorts.clean("ill", "mixed_units")
    mended = studio.cohorts.clean("ill", "spelling")

    once = studio.cohorts.undo_cleaning("ill")
    line = studio.audit()["events"][-1]
    assert kinds(once.summary) == ["spelling"]
    assert (line.kind, line.subject) == ("cleaning undone", f"cohort {once.id}")
    assert (line.details["from"], line.details["finding"]) == (mended.id, "spelling")
    twice = studio.cohorts.undo_cleaning("ill")
    assert (twice.fingerprint, kinds(twice.summary)) == (first.fingerprint, kinds(first.summary))
    assert studio.cohorts.newest("ill").id == twice.id
    with pytest.raises(NotFound, match="Nothing was cleaned"):
        studio.cohorts.undo_cleaning("ill")

    assert len(studio.registry.cohorts(studio.projects.get("ill").id)) == 5
    assert studio.registry.cohort(mended.id).fingerprint == mended.fingerprint
    assert studio.audit()["whole"]


def test_undo_on_the_command_line(run, studio, mixed):
    run("cohort", "clean", "ill", "spelling")

    assert run("cohort", "clean", "ill").status == 2
    said = run("cohort", "clean", "ill", "--undo", "--json")
    assert kinds(json.loads(said.out)["summary"]) == ["mixed_units", "spelling"]
    assert run("cohort", "clean", "ill", "--undo").status == 2


def test_labels_are_doubted_by_a_thread_that_outlives_who_asked(studio, mixed, monkeypatch):
    go, begun, asked = threading.Event(), threading.Event(), []

    def slowly(*_):
        asked.append(threading.current_thread())
        begun.set()
        assert go.wait(60)
        return []

    monkeypatch.setattr("fmstudio.cohort.audit.label_check.doubts", slowly)
    studio.cohorts.start_label_check("ill")
    studio.cohorts.start_label_check("ill")
    assert begun.wait(60)
    assert studio.cohorts.label_check_state("ill") == (True, "")
    assert not studio.cohorts.report("ill").probed
    go.set()
    asked[0].join(60)

    assert len(asked) == 1
    assert studio.cohorts.label_check_state("ill") == (False, "")
    assert studio.cohorts.report("ill").probed


def test_why_labels_could_not_be_doubted_is_told(studio, mixed, monkeypatch):
    def refuse(*_):
        raise InputError("No room.")

    monkeypatch.setattr("fmstudio.cohort.audit.label_check.doubts", refuse)
    studio.cohorts.start_label_check("ill")
    for _ in range(6_000):
        if not studio.cohorts.label_check_state("ill")[0]:
            break
        time.sleep(0.05)

    assert studio.cohorts.label_check_state("ill") == (False, "No room.")
