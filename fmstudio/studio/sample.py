"""The sample project: made on the first start from the files that ship with the studio."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fmstudio.errors import NotFound
from fmstudio.records import ProjectRecord
from fmstudio.studio.adapters import Adapters
from fmstudio.studio.cohorts import Cohorts
from fmstudio.studio.projects import Projects
from fmstudio.types import PatientCase, Source

if TYPE_CHECKING:
    from fmstudio.registry import Registry

ROOT = Path(__file__).resolve().parents[2]
MANIFEST = ROOT / "data_samples" / "cohort" / "manifest.csv"
BUNDLE = ROOT / "assets" / "sample_adapter.zip"
# What the adapter answered to the synthetic patients it was evaluated on, for the page Evaluate: a
# bundle holds nothing of single patients.
ANSWERS = ROOT / "assets" / "sample_held_out.json"
NAME = "Sample"
QUESTION = "Synthetic patients: will this one deteriorate within 48 hours?"
OUTCOMES = ("Deterioration within 48 h", "Stable for 48 h")
ROLES = {"site": "group", "age_band": "group"}


@dataclass(frozen=True)
class Sample:
    """The case to try first: which adapter to ask, and what is known of the patient."""

    project: ProjectRecord
    cohort_id: int
    adapter: str
    case_id: str
    sources: Mapping[str, tuple[Source, ...]]


class SampleProject:
    """Makes the sample and finds it again."""

    def __init__(self, projects: Projects, cohorts: Cohorts, adapters: Adapters) -> None:
        self._projects = projects
        self._cohorts = cohorts
        self._adapters = adapters
        self._known: Sample | None = None

    def make(self, registry: Registry) -> None:
        """Make what is not there yet: project, cohort, adapter with its answers.

        Raises NotFound if the files that ship with the studio are missing.
        """
        for path in (MANIFEST, BUNDLE, ANSWERS):
            if not path.is_file():
                raise NotFound(
                    f"The sample's file {path.parent.name}/{path.name} is missing.",
                    hint="Clone the project again; it comes with it.",
                )
        project = self._project() or self._projects.create(
            self._free_name(),
            "binary",
            describe=QUESTION,
            sample=True,
            positive_name=OUTCOMES[0],
            negative_name=OUTCOMES[1],
        )
        if self._cohorts.newest(project.id) is None:
            self._cohorts.add(project.id, MANIFEST, ROLES, name="Sample cohort")
        if not self._adapters.count(project.id):
            adapter = self._adapters.import_bundle(BUNDLE, project.id)
            answers = json.loads(ANSWERS.read_text(encoding="utf-8"))
            registry.keep_held_out(adapter.id, answers)

    def read(self) -> Sample | None:
        """The sample as it is, or None as long as any part of it is missing.

        What was read before is given back if it still is so: reading a case takes a moment.
        """
        project = self._project()
        cohort = None if project is None else self._cohorts.newest(project.id)
        if project is None or cohort is None:
            self._known = None
            return None
        named = self._adapters.list(project.id, "champion", 1)
        adapters = named or self._adapters.list(project.id, limit=1)
        if not adapters:
            self._known = None
            return None
        there = (cohort.id, adapters[0].id)
        if self._known is None or there != (self._known.cohort_id, self._known.adapter):
            case = _first_case(self._cohorts.cases(project.id))
            self._known = Sample(project, *there, case.case_id, case.sources)
        return self._known

    def _project(self) -> ProjectRecord | None:
        return next(iter(self._projects.list(sample=True, limit=1)), None)

    def _free_name(self) -> str:
        """A name that no project of the user has taken."""
        try:
            self._projects.get(NAME)
        except NotFound:
            return NAME
        return f"{NAME} of the studio"


def _first_case(cases: tuple[PatientCase, ...]) -> PatientCase:
    """The fullest held-out case, the first of several: never one that was trained on."""
    held_out = [case for case in cases if case.split == "test"] or list(cases)
    return max(held_out, key=lambda c: (len(c.sources), sum(map(len, c.sources.values()))))
