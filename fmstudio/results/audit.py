"""The data audit of a cohort: its counts, and what was found in it. The JSON of `cohort report`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fmstudio.results.finding import Finding
from fmstudio.results.json_form import from_json


@dataclass(frozen=True)
class LabelRange:
    """The numbers that a regression predicts."""

    low: float
    median: float
    high: float


@dataclass(frozen=True)
class IndexTime:
    """When the project predicts, in hours after the beginning of a case, and how many readings of
    each modality are later."""

    hours: float
    left_out: Mapping[str, int]


@dataclass(frozen=True)
class Mended:
    """What was cleaned last: from which cohort, the kind of finding, in which way, who said so."""

    cohort: int = field(metadata={"key": "from"})
    finding: str
    way: str
    by: str | None = None


@dataclass(frozen=True, kw_only=True)
class CohortAudit:
    """What is known of a cohort.

    Cases by modality, by label and by split; patients and labels by split; in how many cases each
    column says nothing. `set_aside` counts rows without a label or an input, `left_out` are rows
    that a person took out. `probed` says whether labels were checked yet.
    """

    cases: int
    patients: int
    modalities: Mapping[str, int]
    labels: Mapping[str, int]
    splits: Mapping[str, int]
    split_patients: Mapping[str, int]
    split_labels: Mapping[str, Mapping[str, int]]
    missing: Mapping[str, int]
    set_aside: int
    remarks: tuple[str, ...]
    label_range: LabelRange | None = None
    left_out: tuple[int, ...] = ()
    moment: IndexTime | None = None
    probed: bool = False
    findings: tuple[Finding, ...] = ()
    mended: Mended | None = None

    @property
    def present(self) -> tuple[str, ...]:
        """The modalities that some case has."""
        return tuple(name for name, count in self.modalities.items() if count)

    @property
    def stops(self) -> tuple[Finding, ...]:
        """The findings because of which nothing may be learned from the cohort yet."""
        return tuple(one for one in self.findings if one.stops)

    @property
    def unanswered(self) -> tuple[Finding, ...]:
        """The findings that a person must answer before anything is learned."""
        return tuple(one for one in self.findings if one.must_answer)


_SINCE_FIRST: Mapping[str, Any] = {
    "split_patients": {},
    "split_labels": {},
    "missing": {},
    "set_aside": 0,
    "remarks": [],
    "left_out": [],
    "probed": False,
}
_OF_A_FINDING: Mapping[str, Any] = {"id": "", "mends": []}


def read_audit(stored: Mapping[str, Any]) -> CohortAudit:
    """The audit that the registry keeps, also one of an earlier version of the studio.

    Raises InputError for what no version has written, with the key.
    """
    findings = [{**_OF_A_FINDING, **one} for one in stored.get("findings", [])]
    return from_json(CohortAudit, {**_SINCE_FIRST, **stored, "findings": findings}, "report")
