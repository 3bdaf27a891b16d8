"""An input up to the moment of prediction: what was recorded later is left out, and counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from fmstudio.types import ModalityInput, Source

LEFT_OUT = "left_out_after_moment"


def until_moment(given: ModalityInput, sources: Sequence[Source]) -> ModalityInput:
    """Series and tables that carry a clock, without the steps and rows after the moment.

    How many readings that were is in the facts. Values without a time of their own stay.
    """
    moments = [source.until for source in sources if source.until is not None]
    if not moments or given.kind not in ("series", "table"):
        return given
    seconds = np.array([-1.0 if at is None else at for at in given.facts["seconds"]], np.float64)
    early = seconds <= min(moments)
    values, mask = np.asarray(given.values), given.mask
    late = int(mask[~early].sum())
    along = ("seconds",) if given.kind == "series" else ("seconds", "names", "units", "categories")
    facts = dict(given.facts) | {LEFT_OUT: late}
    for fact in along:
        facts[fact] = [one for one, kept in zip(facts[fact], early, strict=True) if kept]
    said = f"{late} readings after the time of prediction are left out."
    remarks = (*given.remarks, said) if late else given.remarks
    return replace(given, values=values[early], mask=mask[early], facts=facts, remarks=remarks)
