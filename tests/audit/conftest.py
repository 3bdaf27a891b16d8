"""Cohorts to report on: small tables, and the sample cohort with its files."""

from __future__ import annotations

import csv
import io
import shutil
from pathlib import Path

import numpy as np
import pytest

from data_samples.generate import LABEL
from fmstudio.cohort import build_cohort, make_task, propose_roles, read_manifest
from fmstudio.cohort.audit.audit import checks, found_by, numbered
from fmstudio.cohort.audit.evidence import Evidence
from fmstudio.cohort.audit.input_summaries import read_digests, read_left_open
from fmstudio.features.cache import Cache
from fmstudio.results.json_form import as_json
from fmstudio.sandbox import Reader
from fmstudio.settings import Limits

ROWS = 60
# Ones and noughts in no order: one in three is a one.
LABELS = [str(int(value)) for value in np.random.default_rng(3).random(200) < 0.35]
SAMPLE = Path(__file__).parents[2] / "data_samples" / "cohort"


@pytest.fixture(scope="session")
def reader():
    with Reader(Limits()) as reader:
        yield reader


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    return Cache(tmp_path_factory.mktemp("digests"))


@pytest.fixture
def known(tmp_path, reader, cache):
    """known(columns…, kind=, roles={…}) -> what checks look at; None leaves a column out."""

    def make(kind="binary", outcome="label", roles=None, **columns):
        rows = max((len(cells) for cells in columns.values() if cells is not None), default=ROWS)
        columns = {
            "patient_id": [f"P{n:03d}" for n in range(rows)],
            "age": [str(30 + 7 * n % 53) for n in range(rows)],
            outcome: LABELS[:rows],
        } | columns
        text = io.StringIO()
        writer = csv.writer(text)
        kept = {name: cells for name, cells in columns.items() if cells is not None}
        writer.writerow(kept)
        writer.writerows(zip(*kept.values(), strict=True))
        path = tmp_path / "manifest.csv"
        path.write_text(text.getvalue(), encoding="utf-8")
        return evidence(path, reader, cache, outcome, kind, roles)

    return make


def evidence(path, reader, cache, label=LABEL, kind="binary", roles=None) -> Evidence:
    manifest = read_manifest(path)
    chosen = {role.column: role.role for role in propose_roles(manifest, label)} | (roles or {})
    cohort = build_cohort(manifest, chosen, make_task(manifest, chosen, kind), "test")
    digests = read_digests(cohort, reader, cache)
    left_open = read_left_open(cohort, reader, digests)
    return Evidence(manifest, chosen, cohort, digests, left_open=left_open)


def found(known: Evidence, kind: str | None = None) -> list[dict]:
    """The findings of every check, or those of one kind."""
    every = as_json(numbered(found_by(checks(), known)))
    return [one for one in every if kind in (None, one["kind"])]


@pytest.fixture
def sample(tmp_path):
    """A copy of the sample cohort to plant faults in."""
    return Path(shutil.copytree(SAMPLE, tmp_path / "cohort"))
