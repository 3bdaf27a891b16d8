"""The values of a whole input held against training: converted, named, or refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fmstudio.contracts import Pipeline
from fmstudio.errors import InputError
from fmstudio.prediction.expected import Expected, plain, short
from fmstudio.prediction.verdicts import (
    UNSEEN,
    Verdict,
    no_number,
    of_number,
    of_word,
    offers,
    unit_in,
)
from fmstudio.types import ModalityInput


@dataclass(frozen=True)
class Checked:
    """An input in the units of training, with a verdict for each row of a table, or for each
    channel of a series whose quantity is known."""

    given: ModalityInput
    verdicts: tuple[Verdict, ...] = ()

    @property
    def remarks(self) -> list[str]:
        """How values were converted."""
        said = (f"{one.name}: {one.remark}." for one in self.verdicts if one.remark)
        return list(dict.fromkeys(said))

    @property
    def warnings(self) -> list[str]:
        """What is to be said of each feature with a strange value: of several the strangest."""
        strange = [one for one in self.verdicts if one.strange]
        count = Counter(one.name for one in strange)
        worst: dict[str, Verdict] = {}
        for one in strange:
            if one.name not in worst or one.excess > worst[one.name].excess:
                worst[one.name] = one
        return [one.warning + _more(count[name] - 1) for name, one in worst.items()]

    @property
    def guard(self) -> dict[str, Any]:
        """How far the values are from those of training, each by itself, so that an empty cell is
        no difference: {score, flag}; up to 1 inside of what training had."""
        score = max((one.excess for one in self.verdicts), default=0.0)
        return {"score": score, "flag": any(one.strange for one in self.verdicts)}

    def refuse(self) -> None:
        """Raises InputError for a value with which no answer can be given."""
        for one in self.verdicts:
            if not one.usable:
                raise InputError(
                    f"{one.name} {one.refusal}.", hint="Correct it, or leave it out if unknown."
                )


def _more(count: int) -> str:
    if not count:
        return ""
    return " So is another of its values." if count == 1 else f" So are {count} more of its values."


def checked(pipeline: Pipeline, given: ModalityInput, expected: Mapping[str, Expected]) -> Checked:
    """A table or a series held against training; anything else as it is."""
    if given.kind == "table":
        return _table(pipeline, given, expected)
    if given.kind == "series":
        return _series(pipeline, given, expected)
    return Checked(given)


def _table(pipeline: Pipeline, given: ModalityInput, expected: Mapping[str, Expected]) -> Checked:
    values, facts = np.array(given.values, np.float32), given.facts
    units, categories = list(facts["units"]), list(facts["categories"])
    verdicts = []
    for i, name in enumerate(facts["names"]):
        known, word = expected.get(name), categories[i]
        verdict = Verdict(name)
        if known is None or not given.mask[i]:
            pass
        elif known.categories:
            said = plain(float(values[i])) if word is None else word
            verdict, categories[i] = of_word(known, said)
        elif word is not None:
            verdict = no_number(known, word)
        else:
            verdict, values[i] = of_number(pipeline, known, float(values[i]), units[i])
            units[i] = known.unit or units[i]
        verdicts.append(verdict)
    facts = {**facts, "units": units, "categories": categories}
    return Checked(replace(given, values=values, facts=facts), tuple(verdicts))


def _series(pipeline: Pipeline, given: ModalityInput, expected: Mapping[str, Expected]) -> Checked:
    values, mask, facts = np.array(given.values, np.float32), np.asarray(given.mask), given.facts
    units = list(facts.get("units") or [""] * len(facts["channels"]))
    verdicts: list[Verdict] = []
    for i, name in enumerate(facts["channels"]):
        known, there = expected.get(name), mask[:, i]
        if known is None or known.quantity is None or not there.any():
            continue
        verdict, (factor, offset) = _channel(pipeline, known, values[there, i], units[i])
        values[there, i] = values[there, i] * factor + offset
        units[i] = known.unit
        verdicts.append(verdict)
    return Checked(replace(given, values=values, facts={**facts, "units": units}), tuple(verdicts))


def _channel(
    pipeline: Pipeline, known: Expected, readings: np.ndarray, unit: str
) -> tuple[Verdict, tuple[float, float]]:
    """The verdict on a channel by its median, and (factor, offset) into the unit of training."""
    own = unit_in(pipeline, known, unit) if unit else None
    if known.quantity is not None and own and own != known.measured_in:
        remark = f"was converted from {unit} to {known.unit}, the unit of training"
        return Verdict(known.name, remark=remark), known.quantity.conversion(own, known.measured_in)
    middle = float(np.median(readings))
    offer = None if known.inside(middle) else next(offers(known, middle), None)
    if offer is None:
        return Verdict(known.name), (1.0, 0.0)
    seen = " to ".join(short(end) for end in (known.low, known.high) if end is not None)
    outside = (
        f"has readings around {short(middle)}, unusual in {known.unit} (seen in training "
        f"{seen}); in {offer.unit} they would be around {offer.value} {known.unit}"
    )
    advice = f"If so, export the recording in {known.unit}, or with its unit named."
    return Verdict(known.name, "", "", True, outside, advice, "", offer, UNSEEN), (1.0, 0.0)


def fields(
    pipeline: Pipeline, read: ModalityInput, texts: Sequence[str], expected: Mapping[str, Expected]
) -> list[Verdict]:
    """A verdict for each text from which one row of a table was read, with how it was read where
    the text does not say so by itself.

    A text from which nothing could be read is refused with the reason.
    """
    found = []
    for i, verdict in enumerate(checked(pipeline, read, expected).verdicts):
        start = f"{verdict.name}: "
        remarks = [r.removeprefix(start).rstrip(".") for r in read.remarks if r.startswith(start)]
        if not read.mask[i] and remarks:
            verdict = replace(verdict, refusal="; ".join(remarks), usable=False)
        elif not verdict.remark and verdict.read and not _plainly(texts[i].strip(), verdict.read):
            known = expected[verdict.name]
            unit = f" {known.unit}" if known.unit and not known.is_date else ""
            verdict = replace(verdict, remark=f"read as {verdict.read}{unit}")
        found.append(verdict)
    return found


def _plainly(text: str, read: str) -> bool:
    """Whether a text says by itself what was read."""
    try:
        return text == read or float(text) == float(read)
    except ValueError:
        return False
