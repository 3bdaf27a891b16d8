"""The sample project: made on the first start from the files that ship with the studio."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fmstudio.errors import NotFound
from fmstudio.records import ProjectRecord
from fmstudio.types import PatientCase, Source

if TYPE_CHECKING:
    from fmstudio.studio.verbs import Studio

ROOT = Path(__file__).resolve().parents[2]
MANIFEST = ROOT / "data_samples" / "cohort" / "manifest.csv"
BUNDLE = ROOT / "assets" / "sample_adapter.zip"
# What the adapter answered to the synthetic patients it was evaluated on, for the page Evaluate: a
# bundle holds nothing of single patients.
ANSWERS = ROOT / "assets" / "sample_held_out.json"
NAME = "Sample"
QUESTION = "Made-up patients: will this one get worse within 48 hours?"
ROLES = {"site": "group", "age_band": "group"}


@dataclass(frozen=True)
class Sample:
    """The case to try first: which adapter to ask, and what is known of the patient."""

    project: ProjectRecord
    cohort_id: int
    adapter: str
    case_id: str
    sources: Mapping[str, tuple[Source, ...]]


def make_sample(studio: Studio) -> None:
    """Make what is not there yet: project, cohort, adapter. Raises NotFound for missing files."""
    for path in (MANIFEST, BUNDLE, ANSWERS):
        if not path.is_file():
            raise NotFound(
                f"The sample's file {path.parent.name}/{path.name} is missing.",
                hint="Clone the project again; it comes with it.",
            )
    project = _project(studio) or studio.create_project(
        _free_name(studio), "binary", describe=QUESTION, sample=True
    )
    if studio.cohort(project.id) is None:
        studio.add_cohort(project.id, MANIFEST, ROLES, name="Sample cohort")
    if not studio.count_adapters(project.id):
        adapter = studio.import_bundle(BUNDLE, project.id)
        answers = json.loads(ANSWERS.read_text(encoding="utf-8"))
        studio.registry.keep_held_out(adapter.id, answers)


def read_sample(studio: Studio, known: Sample | None = None) -> Sample | None:
    """The sample as it is, or None as long as any part of it is missing.

    `known` is given back if it still is so: reading the case anew takes a moment.
    """
    project = _project(studio)
    cohort = None if project is None else studio.cohort(project.id)
    if project is None or cohort is None:
        return None
    adapters = studio.adapters(project.id, "champion", 1) or studio.adapters(project.id, limit=1)
    if not adapters:
        return None
    champion = adapters[0]
    if known and (known.cohort_id, known.adapter) == (cohort.id, champion.id):
        return known
    case = _first_case(studio.cases(project.id))
    return Sample(project, cohort.id, champion.id, case.case_id, case.sources)


def _project(studio: Studio) -> ProjectRecord | None:
    return next(iter(studio.projects(sample=True, limit=1)), None)


def _free_name(studio: Studio) -> str:
    """A name that no project of the user has taken."""
    try:
        studio.project(NAME)
    except NotFound:
        return NAME
    return f"{NAME} of the studio"


def _first_case(cases: tuple[PatientCase, ...]) -> PatientCase:
    """The fullest held-out case, the first of several: never one that was trained on."""
    held_out = [case for case in cases if case.split == "test"] or list(cases)
    return max(held_out, key=lambda c: (len(c.sources), sum(map(len, c.sources.values()))))
