"""The audit of a cohort that nobody has, for tests of what only counts its cases."""

from __future__ import annotations

from fmstudio.contracts import pipelines
from fmstudio.results.audit import CohortAudit


def audit_of(cases: int, patients: int | None = None) -> CohortAudit:
    """Every case has every modality; three in five are to be learned from."""
    fifth = cases // 5
    return CohortAudit(
        cases=cases,
        patients=cases if patients is None else patients,
        modalities=dict.fromkeys(pipelines(), cases),
        labels={"0": cases // 2, "1": cases - cases // 2},
        splits={"train": cases - 2 * fifth, "validation": fifth, "test": fifth},
        split_patients={},
        split_labels={},
        missing={},
        set_aside=0,
        remarks=(),
    )
