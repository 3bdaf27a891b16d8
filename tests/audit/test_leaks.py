"""What gives the outcome away is found, and what chance makes is not."""

from __future__ import annotations

import numpy as np
import pytest

from tests.audit.conftest import LABELS, ROWS, found

RNG = np.random.default_rng(0)
ILL = np.array(LABELS[:ROWS]) == "1"


def test_a_column_that_is_the_outcome_under_another_name_stops_a_run(known):
    copy = ["severe" if ill else "mild" for ill in ILL]
    (got,) = found(known(severity=copy, roles={"severity": "ehr"}), "column_gives_label")

    assert (got["severity"], got["columns"]) == ("stop", ["severity"])
    assert got["mends"][0]["steps"] == [{"do": "role", "column": "severity", "role": "ignore"}]


def test_a_copy_that_is_left_out_already_is_only_a_note(known):
    copy = ["severe" if ill else "mild" for ill in ILL]
    (got,) = found(known(severity=copy), "column_gives_label")

    assert (got["severity"], got["columns"]) == ("note", ["severity"])


def test_a_number_that_tells_the_outcome_alone_is_warned_of_with_its_auroc(known):
    score = [f"{5 * ill + noise:.2f}" for ill, noise in zip(ILL, RNG.random(ROWS), strict=True)]
    (got,) = found(known(score=score), "column_gives_label")

    assert got["severity"] == "warning"
    assert "AUROC of 1.000" in got["message"]


def test_a_good_predictor_is_no_leak(known):
    noise = RNG.normal(0, 1, ROWS)
    marker = [f"{1.5 * ill + more:.2f}" for ill, more in zip(ILL, noise, strict=True)]

    assert [one for one in found(known(marker=marker)) if one["severity"] != "note"] == []


def test_a_column_that_is_filled_once_the_outcome_is_known_is_found(known):
    dose = [f"{RNG.random():.2f}" if ill or n == 7 else "" for n, ill in enumerate(ILL)]
    (got,) = found(known(dose=dose), "after_outcome")

    assert (got["severity"], got["columns"]) == ("warning", ["dose"])


def test_a_name_that_says_afterwards_is_found_as_input_and_noted_where_left_out(known):
    days = [str(n % 11) for n in range(ROWS)]
    left = found(known(OUTCOME_days=days), "after_outcome")
    used = found(known(OUTCOME_days=days, roles={"OUTCOME_days": "ehr"}), "after_outcome")

    assert [one["severity"] for one in left] == ["note"]
    assert [one["severity"] for one in used] == ["warning"]


def test_a_site_that_sends_the_ill_is_found_and_one_that_does_not_is_not(known):
    fair = ["north" if RNG.random() < 0.5 else "south" for _ in ILL]
    unfair = ["north" if ill != (RNG.random() < 0.1) else "south" for ill in ILL]

    assert found(known(site=fair), "site_gives_label") == []
    (got,) = found(known(site=unfair), "site_gives_label")
    assert (got["severity"], got["columns"]) == ("warning", ["site"])


def test_recordings_of_one_length_that_were_read_more_often_of_the_ill_are_found(known, tmp_path):
    logs = []
    for n, ill in enumerate(ILL):
        step = 5 if ill else 10
        lines = [f"{t},{70 + RNG.normal():.1f}" for t in range(0, 601, step)]
        (tmp_path / f"log{n}.csv").write_text("time_s,heart_rate\n" + "\n".join(lines))
        logs.append(f"log{n}.csv")

    (got,) = found(known(log=logs, roles={"log": "device_logs"}), "site_gives_label")

    assert (got["severity"], got["columns"]) == ("warning", ["log"])
    assert got["message"].startswith("The number of readings in log tells 'label'")


def test_sorted_rows_and_rows_in_blocks_are_found(known):
    in_blocks = ["1" if n // 6 % 2 else "0" for n in range(ROWS)]

    (trend,) = found(known(label=sorted(LABELS[:ROWS])), "order_gives_label")
    (blocks,) = found(known(label=in_blocks), "order_gives_label")
    assert "AUROC of 1.00" in trend["message"]
    assert "stand together" in blocks["message"]
    assert found(known(), "order_gives_label") == []


NEUTRAL = ("Seen on the ward.", "No complaints today.", "Slept well, eats little.", "Walks alone.")


def test_a_word_that_only_the_ill_have_is_named_with_its_counts(known):
    note = [
        f"{NEUTRAL[n % 4]} Day {n}. {'Moved to intensive care.' if ill else 'Stays here.'}"
        for n, ill in enumerate(ILL)
    ]
    (got,) = found(known(note=note), "label_in_notes")

    assert got["severity"] == "warning"
    assert f"'intensive' ({ILL.sum()} with, 0 without)" in got["message"]
    assert set(np.flatnonzero(ILL)) <= set(got["rows"])


def test_the_name_of_the_outcome_in_the_notes_is_found_though_few_notes_hold_it(known):
    note = [
        f"{NEUTRAL[n % 4]} {'Likely pneumonia.' if ill and n % 2 else ''} Plan as discussed."
        for n, ill in enumerate(ILL)
    ]
    roles = {"note": "notes"}
    (got,) = found(known(outcome="label_pneumonia", note=note, roles=roles), "label_in_notes")

    assert got["severity"] == "warning"
    assert "'pneumonia'" in got["message"]


def test_notes_without_a_bearing_on_the_outcome_say_nothing(known):
    note = [f"{NEUTRAL[n % 4]} {NEUTRAL[n * 7 % 4]} Day {n}." for n in range(ROWS)]

    assert found(known(note=note, roles={"note": "notes"}), "label_in_notes") == []


def test_a_given_split_that_tears_patients_is_named_with_their_rows(known):
    patients = [f"P{n // 2}" for n in range(ROWS)]
    split = ["train" if n % 3 else "test" for n in range(ROWS)]
    (got,) = found(known(patient_id=patients, split=split), "patient_across_splits")

    assert got["columns"] == ["split", "patient_id"]
    assert {0, 1} <= set(got["rows"])


def test_a_patient_under_two_spellings_is_found_and_can_be_written_one_way(known):
    patients = [f"P-{n:03d}" for n in range(ROWS)]
    patients[10:12] = ["P-020", "p 021"]
    (got,) = found(known(patient_id=patients), "patient_across_splits")

    assert got["rows"] == [11, 21]
    assert got["mends"][0]["steps"][0]["spellings"] in ({"p 021": "P-021"}, {"P-021": "p 021"})


@pytest.mark.parametrize("kind", ["multiclass", "multilabel", "regression"])
def test_every_kind_of_task_is_looked_at(known, kind):
    label = {
        "multiclass": [("a", "b", "c")[n * 5 % 7 % 3] for n in range(ROWS)],
        "multilabel": LABELS[:ROWS],
        "regression": [f"{value:.3f}" for value in np.random.default_rng(4).random(ROWS)],
    }[kind]
    told = {
        "multiclass": lambda c: 5.0 * "abc".index(c),
        "multilabel": lambda c: 5.0 * (c == "1"),
        "regression": lambda c: 9.0 * float(c),
    }[kind]
    score = [
        f"{told(cell) + noise:.3f}" for cell, noise in zip(label, RNG.random(ROWS) / 9, strict=True)
    ]
    got = found(known(kind, label=label, score=score), "column_gives_label")

    assert [one["columns"] for one in got] == [["score"]]
