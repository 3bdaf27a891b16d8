"""Faults planted in the sample cohort's files are found; clean cohorts raise no alarm."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from data_samples.faults import FAULTS, LABEL, plant
from data_samples.generate import SITES
from data_samples.generator import note, table
from data_samples.generator.state import case_rng, draw_states
from fmstudio.cohort.audit.audit import with_doubts
from fmstudio.cohort.audit.counts import counts
from fmstudio.cohort.audit.input_summaries import read_digests
from fmstudio.settings import Settings
from tests.audit.conftest import evidence, found

SEEDS, CASES = 40, 80


@pytest.mark.parametrize("kind", [kind for kind in FAULTS if kind != "label_noise"])
def test_a_planted_fault_is_found_with_its_columns_and_rows(kind, sample, reader, cache):
    planted = plant(kind, sample)
    own = found(evidence(sample / "manifest.csv", reader, cache), kind)
    own = [one for one in own if set(planted.columns[:1]) <= set(one["columns"])]

    assert own
    assert set(planted.rows) <= {row for one in own for row in one["rows"]}
    assert own[0]["message"]
    assert own[0]["fix"]


def test_labels_that_were_turned_around_are_in_the_list(known, reader, tmp_path):
    from fmstudio.cohort.audit.label_check import doubts

    rng = np.random.default_rng(5)
    ill = np.arange(120) % 3 == 0
    told = [f"{np.exp(2 + 1.6 * one + 0.4 * rng.standard_normal()):.1f}" for one in ill]
    turned = [16, 33, 67, 90]
    label = [str(int(one != (n in turned))) for n, one in enumerate(ill)]
    made = known(label=label, troponin=told)
    before = counts(made.manifest, made.roles, made.cohort)
    report = with_doubts(before, made, doubts(made.cohort, reader, Settings(tmp_path / "home")))
    (got,) = report.findings

    assert not before.probed
    assert report.probed
    assert len(set(got.rows) & set(turned)) >= 3
    assert len(set(got.rows) - set(turned)) <= 2


def test_the_sample_cohort_is_clean_and_a_second_report_reads_no_file(sample, reader, cache):
    known = evidence(sample / "manifest.csv", reader, cache)
    again = read_digests(known.cohort, None, cache)

    assert [one for one in found(known) if one["severity"] != "note"] == []
    assert again.keys() == known.digests.keys()


def _clean(folder, seed):
    """A clean cohort of tables and notes only: its files are made in the benchmark."""
    rows = []
    for state in draw_states(CASES, 5000 + seed):
        rng = case_rng(seed, state.index, 1)
        row = {
            "case_id": state.case_id,
            "patient_id": state.person.patient_id,
            "site": str(rng.choice(SITES)),
            **table.row(state, rng),
        }
        if "note" in state.present:
            note.write(folder / "note.txt", state, rng)
            row["note"] = (folder / "note.txt").read_text(encoding="utf-8")
        rows.append(row | {"note": row.get("note", ""), LABEL: int(state.deteriorates)})
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return folder / "manifest.csv"


def test_clean_cohorts_raise_no_alarm_in_95_of_100(tmp_path, reader, cache):
    alarms = []
    for seed in range(SEEDS):
        known = evidence(_clean(tmp_path, seed), reader, cache)
        alarms.append([one["message"] for one in found(known) if one["severity"] != "note"])

    assert np.mean([not each for each in alarms]) >= 0.95, [each for each in alarms if each]
