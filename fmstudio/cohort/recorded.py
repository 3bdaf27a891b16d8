"""A cohort that the registry knows, turned back into its cases."""

from __future__ import annotations

from fmstudio.cohort.build import build_cohort
from fmstudio.cohort.cleaning import read_manifest
from fmstudio.cohort.manifest import Manifest
from fmstudio.errors import InputError
from fmstudio.records import CohortRecord
from fmstudio.settings import Settings
from fmstudio.types import Cohort, TaskSpec


def recorded_cohort(settings: Settings, record: CohortRecord, task: TaskSpec) -> Cohort:
    """The cases of a recorded cohort as they were when it was added.

    Raises InputError if the manifest or a file that it points to has changed since.
    """
    return with_manifest(settings, record, task)[1]


def with_manifest(
    settings: Settings, record: CohortRecord, task: TaskSpec
) -> tuple[Manifest, Cohort]:
    """The same, with the manifest that it was read from."""
    path = settings.home / record.manifest
    manifest = read_manifest(path)
    cohort = build_cohort(manifest, record.roles, task, record.name)
    if cohort.fingerprint != record.fingerprint:
        raise InputError(
            f"Cohort '{record.name}' changed since it was added: {path.name} or a file that it "
            "points to is not as it was.",
            hint="Add the manifest to the project again, so that results belong to the data they "
            "come from.",
        )
    return manifest, cohort
