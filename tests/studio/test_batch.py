"""A manifest's answers as CSV: complete, in order, safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fmstudio.errors import InputError, NotFound, ResourceError, UnreadableFile
from fmstudio.studio.batch import FORMULA_STARTS, safe_cell


def rows(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    ("cell", "safe"),
    [
        ("=1+1", "'=1+1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("-2.5e-3", "-2.5e-3"),
        ("+3", "+3"),
        ("-.5", "-.5"),
        ("-cmd", "'-cmd"),
        ("+3 mg", "'+3 mg"),
        ("-1\n=2", "'-1\n=2"),
        ("", ""),
        ("plain", "plain"),
        ("＝1+1", "'＝1+1"),
        ("＋1", "'＋1"),
        ("－1+2", "'－1+2"),
        ("＠A1", "'＠A1"),
        ("﹦1", "'﹦1"),
        ("⁼1", "'⁼1"),
        ("−cmd", "'−cmd"),
        ("\n=1", "'\n=1"),
        ("\nplain", "'\nplain"),
        ("  =1", "'  =1"),
        ("\u200b=1", "'\u200b=1"),
        ("\ufeff@A1", "'\ufeff@A1"),
        ("\u3000=1", "'\u3000=1"),
        (" -2.5", " -2.5"),
        ("-٣", "'-٣"),
        ("3-4", "3-4"),
        ("a=b", "a=b"),
    ],
)
def test_what_a_spreadsheet_could_run_gets_a_quotation_mark(cell, safe):
    assert safe_cell(cell) == safe


@given(st.text(max_size=20))
def test_no_cell_starts_like_a_formula_unless_it_is_a_number(text):
    safe = safe_cell(text)
    assert safe.endswith(text)
    if unicodedata.normalize("NFKC", safe).strip().startswith(FORMULA_STARTS):
        float(safe)


def test_a_batch_has_a_row_per_case_in_the_manifests_order(studio, adapter, table, tmp_path):
    out = tmp_path / "out.csv"
    manifest = table("new/manifest.csv", rows=5, age=[90, 10, 60, 20, 30], label_ill=None)
    assert studio.predictions.predict_manifest(adapter.id, manifest, out) == 5
    found = rows(out)
    assert list(found[0]) == [
        "case_id",
        "prediction",
        "probability:0",
        "probability:1",
        "conformal_set",
        "missing",
        "warnings",
        "error",
    ]
    assert [row["case_id"] for row in found] == ["c0", "c1", "c2", "c3", "c4"]
    assert [row["prediction"] for row in found] == ["1", "0", "1", "0", "0"]
    assert found[0]["probability:1"] == "0.9"
    assert found[0]["conformal_set"] == "0;1"
    assert found[0]["missing"] == "notes;audio"
    assert found[0]["warnings"] == "'=Read with care."


def test_a_case_that_cannot_be_read_does_not_stop_the_others(
    studio, adapter, table, tmp_path, monkeypatch
):
    whole = type(studio.predictions.predictor(adapter.id)).predict

    def predict(self, sources, case_id="case"):
        if case_id == "=c1":
            raise UnreadableFile("a.dcm is cut short.", hint="Export it again.")
        return whole(self, sources, case_id)

    monkeypatch.setattr(type(studio.predictions.predictor(adapter.id)), "predict", predict)
    out = tmp_path / "out.csv"
    studio.predictions.predict_manifest(
        adapter.id, table("new/m.csv", rows=2, case_id=["=c1", "c2"]), out
    )
    first, second = rows(out)
    assert (first["case_id"], first["error"], first["prediction"]) == (
        "'=c1",
        "a.dcm is cut short.",
        "",
    )
    assert (second["error"], second["prediction"]) == ("", "0")


def test_no_label_of_a_new_manifest_is_an_input(studio, adapter, table, tmp_path, monkeypatch):
    seen = []
    whole = type(studio.predictions.predictor(adapter.id)).predict

    def predict(self, sources, case_id="case"):
        seen.append({source.name for source in sources["ehr"]})
        return whole(self, sources, case_id)

    monkeypatch.setattr(type(studio.predictions.predictor(adapter.id)), "predict", predict)
    dead = [0, 1] * 15
    for more in ({}, {"label_dead": dead}, {"label_ill": None, "label_dead": dead}):
        studio.predictions.predict_manifest(
            adapter.id, table("new/m.csv", **more), tmp_path / "out.csv"
        )
    assert seen == [{"age", "crp"}] * 90


def test_a_regression_gives_value_and_interval(studio, table, tmp_path, request):
    studio.projects.create("ill", "regression", label="crp")
    studio.cohorts.add("ill", table("known/manifest.csv", label_ill=None))
    adapter = request.getfixturevalue("adapter")
    out = tmp_path / "out.csv"
    studio.predictions.predict_manifest(adapter.id, table("new/m.csv", rows=1, label_ill=None), out)
    (row,) = rows(out)
    assert (row["value"], row["low"], row["high"]) == ("-30.0", "-99.5", "0.0")


def test_a_batch_that_breaks_off_leaves_what_was_there(
    studio, adapter, table, tmp_path, monkeypatch
):
    out = tmp_path / "out.csv"
    out.write_text("old")

    def full(*_args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("fmstudio.files.os.fsync", full)
    with pytest.raises(InputError, match=r"out\.csv cannot be written: No space left"):
        studio.predictions.predict_manifest(adapter.id, table("new/m.csv", rows=2), out)
    assert out.read_text() == "old"
    assert not list(tmp_path.glob(".out*"))


def test_a_registry_that_fails_ends_the_batch_instead_of_filling_every_row(
    studio, adapter, table, tmp_path, monkeypatch
):
    def full(*_args):
        raise ResourceError("The disk is full.", hint="Free some space.")

    monkeypatch.setattr(studio.registry, "add_prediction", full)
    with pytest.raises(ResourceError):
        studio.predictions.predict_manifest(
            adapter.id, table("new/m.csv", rows=2), tmp_path / "out.csv"
        )
    assert not (tmp_path / "out.csv").exists()


def test_the_folder_must_exist(studio, adapter, table, tmp_path):
    with pytest.raises(NotFound, match="'nowhere'"):
        studio.predictions.predict_manifest(
            adapter.id, table("new/m.csv"), tmp_path / "nowhere" / "out.csv"
        )
