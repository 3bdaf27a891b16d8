"""Which cases a base may learn from: training patients and those without a label, nobody held out.

Held-out patients stay unseen, by their id and by their files, so that what the new base is worth
for them can be judged afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fmstudio.cohort import (
    Manifest,
    build_cohort,
    file_hashes,
    propose_roles,
    read_manifest,
    with_manifest,
)
from fmstudio.contracts import pipelines
from fmstudio.errors import InputError
from fmstudio.pretrain_config import PretrainConfig
from fmstudio.records import CohortRecord, ProjectRecord
from fmstudio.settings import Settings
from fmstudio.types import Cohort, PatientCase

FEWEST_CASES = 16
NAMED = ("patient_id", "case_id")  # roles of columns that name a patient


@dataclass(frozen=True)
class Gathered:
    """Cases to learn from, and the labelled cohort to judge with, None where there is none.

    `counts` says where the cases come from; `fingerprints` are those of the tables by their name.
    """

    cases: tuple[PatientCase, ...]
    labelled: Cohort | None
    counts: Mapping[str, int]
    fingerprints: Mapping[str, str]

    @property
    def modalities(self) -> dict[str, int]:
        """How many cases have each modality that any of them has, in the order of the pages."""
        counts = {m: sum(m in case.sources for case in self.cases) for m in pipelines()}
        return {modality: count for modality, count in counts.items() if count}


def gather(
    settings: Settings, project: ProjectRecord, record: CohortRecord | None, config: PretrainConfig
) -> Gathered:
    """Reads the cohort's manifest and the table of further cases.

    Raises InputError if either is not as it was, there are too few cases, or none has a modality
    that the config names.
    """
    labelled: Cohort | None = None
    sets: dict[str, list[PatientCase]] = {}
    fingerprints: dict[str, str] = {}
    known: Mapping[str, str] = {}
    if record is not None:
        labelled, whole = _cohort(settings, project, record)
        known, fingerprints[record.name] = record.roles, record.fingerprint
        aside = set(labelled.set_aside)
        sets["labelled training cases"] = list(labelled.split("train"))
        sets["cases without a label"] = [case for case in whole.cases if case.row in aside]
    if config.manifest:
        said = labelled.answers if labelled else {}
        more, fingerprint = further_cases(settings.home / config.manifest, project, known, said)
        if fingerprint != config.fingerprint:
            raise InputError(
                f"{Path(config.manifest).name} or a file that it points to has changed.",
                hint="Start pretraining anew with the table as it is.",
            )
        fingerprints[Path(config.manifest).stem] = fingerprint
        sets["cases of the further table"] = more
    kept = {name: [c for c in cases if c.sources] for name, cases in sets.items()}
    if labelled is not None:
        kept = _without_held_out(kept, labelled)
    left_out = sum(map(len, sets.values())) - sum(map(len, kept.values()))
    cases = _narrowed(_named_apart(kept), config)
    counts = {name: len(found) for name, found in kept.items()}
    return Gathered(cases, labelled, {**counts, "left out": left_out}, fingerprints)


def _cohort(
    settings: Settings, project: ProjectRecord, record: CohortRecord
) -> tuple[Cohort, Cohort]:
    """The labelled cohort, and all of its manifest's rows."""
    task = project.task
    manifest, labelled = with_manifest(settings, record, task)
    return labelled, build_cohort(manifest, record.roles, task, record.name, require_label=False)


def further_cases(
    path: Path,
    project: ProjectRecord,
    known: Mapping[str, str],
    answers: Mapping[str, str] | None = None,
) -> tuple[list[PatientCase], str]:
    """The cases of a table that needs no labels, and its fingerprint.

    Columns that the cohort has too take their role from there, and files are read as was said
    (`answers`) of those of the cohort. Raises InputError.
    """
    manifest = read_manifest(path)
    roles = _roles(manifest, project, known)
    cohort = build_cohort(
        manifest, roles, project.task, path.stem, require_label=False, answers=answers
    )
    cases = list(cohort.cases)
    if not set(NAMED) & set(roles.values()):
        # Numbers of rows are no names: row 3 here is not the patient of row 3 elsewhere.
        cases = [
            replace(
                case,
                case_id=f"{path.stem}: {case.case_id}",
                patient_id=f"{path.stem}: {case.patient_id}",
            )
            for case in cases
        ]
    return cases, cohort.fingerprint


def _roles(manifest: Manifest, project: ProjectRecord, known: Mapping[str, str]) -> dict[str, str]:
    proposed = propose_roles(manifest, None, project.task.kind)
    roles = {role.column: role.role for role in proposed}
    roles |= {column: role for column, role in known.items() if column in roles}
    # A split belongs to labels: here every patient who is not held out may be learned from.
    return {column: "ignore" if role == "split" else role for column, role in roles.items()}


def _without_held_out(
    sets: Mapping[str, list[PatientCase]], labelled: Cohort
) -> dict[str, list[PatientCase]]:
    """Without the patients of validation and test, and without any case that shares a file with
    them: the same patient may have another name elsewhere."""
    held_out = [case for case in labelled.cases if case.split != "train"]
    patients = {case.patient_id for case in held_out}
    files = {key for case in held_out for key in _files(case)}
    return {
        name: [
            c
            for c in cases
            if c.patient_id not in patients and not files & _files(c) and c.split in (None, "train")
        ]
        for name, cases in sets.items()
    }


def _files(case: PatientCase) -> set[str]:
    """SHA-256 of the case's files; typed values are not counted, for many share them."""
    only = {
        modality: tuple(source for source in sources if source.path is not None)
        for modality, sources in case.sources.items()
    }
    found = file_hashes(replace(case, sources=only))
    return {key for keys in found.values() for key in keys if key != "missing"}


def _named_apart(sets: Mapping[str, list[PatientCase]]) -> list[PatientCase]:
    """All cases; one whose id another table uses too gets a number behind it."""
    found: dict[str, PatientCase] = {}
    for cases in sets.values():
        for case in cases:
            name, number = case.case_id, 2
            while name in found:
                name, number = f"{case.case_id} ({number})", number + 1
            found[name] = replace(case, case_id=name)
    return list(found.values())


def _narrowed(cases: list[PatientCase], config: PretrainConfig) -> tuple[PatientCase, ...]:
    """With the chosen modalities only, and without cases that have none of them."""
    there = {modality for case in cases for modality in case.sources}
    strange = [name for name in config.modalities if name not in there]
    if strange:
        raise InputError(
            f"No case to learn from has the modality '{strange[0]}'.",
            hint=f"They have: {', '.join(m for m in pipelines() if m in there)}.",
        )
    chosen: Any = config.modalities or there
    narrowed = (
        replace(case, sources={m: s for m, s in case.sources.items() if m in chosen})
        for case in cases
    )
    kept = tuple(case for case in narrowed if case.sources)
    if len(kept) < FEWEST_CASES:
        raise InputError(
            f"There are {len(kept)} cases to learn from; at least {FEWEST_CASES} are needed.",
            hint="Give a table of further cases; they need no labels.",
        )
    return kept
