"""What a finding points to in pictures: cut out of them, for a person to look at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fmstudio.contracts import pipelines
from fmstudio.errors import StudioError
from fmstudio.records import CohortRecord
from fmstudio.results.finding import Finding
from fmstudio.studio import cohort_cases
from fmstudio.types import PatientCase, Source

if TYPE_CHECKING:
    from fmstudio.studio.context import Context

MOST_PLACES = 6
MARGIN = 0.03  # of the picture, around what is cut out

Cut = tuple[np.ndarray, str]


def cut_out(context: Context, record: CohortRecord, finding: Finding) -> list[Cut]:
    """(picture uint8, caption) of the first places of a finding; none where files have changed."""
    try:
        cohort = cohort_cases.load(
            context.settings, context.registry.project(record.project_id), record
        )
    except StudioError:
        return []
    cases = {case.row: case for case in cohort.cases}
    found: list[Cut] = []
    for row, place in finding.places or ():
        *box, file = place.split(" ", 4)
        known = _source(cases.get(row), finding.columns, file) if len(box) == 4 else None
        if known is not None and len(found) < MOST_PLACES:
            found += _cut(context, known, [float(share) for share in box], cases[row].case_id)
    return found


def _source(
    case: PatientCase | None, columns: Sequence[str], file: str
) -> tuple[str, Source] | None:
    for modality, sources in case.sources.items() if case else ():
        for source in sources:
            if source.path is not None and source.path.name == file and source.name in columns:
                return modality, source
    return None


def _cut(
    context: Context, known: tuple[str, Source], box: Sequence[float], case_id: str
) -> list[Cut]:
    modality, source = known
    try:
        images = context.reader().preview(modality, [source]).images
    except StudioError:
        return []
    if not images:
        return []
    picture = images[0][0]
    height, width = picture.shape[:2]
    top, left, bottom, right = box
    rows = slice(int(max(0, top - MARGIN) * height), int(min(1, bottom + MARGIN) * height) + 1)
    columns = slice(int(max(0, left - MARGIN) * width), int(min(1, right + MARGIN) * width) + 1)
    return [(picture[rows, columns], f"{case_id} · {pipelines()[modality].label}")]
