"""What is to be said of one value of a case, held against what training had.

A number in another unit is converted where the unit is named, and the conversion is offered where
it is not. What lies outside of training is named; so is what no person can have.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from fmstudio.contracts import Measured, Pipeline
from fmstudio.prediction.expected import DATE, Expected, moment, plain, short, written
from fmstudio.types import Quantity

UNSEEN = 2.0  # the excess of what cannot be measured: a word that training never had
LONGEST = 40  # characters of a value that a sentence repeats


@dataclass(frozen=True)
class Offer:
    """A number as it would be if it were meant in another `unit`: `value` is what it is then in the
    unit of training, `into`; `given` is how to write it with its own."""

    value: str
    given: str
    unit: str
    into: str


@dataclass(frozen=True)
class Verdict:
    """What is to be said of one value. Empty texts say nothing.

    `read` is the value as it was read. `refusal` says why nobody should answer with it, and
    `usable` is False where no answer can be given. `outside` says how it differs from training,
    `advice` what to do then, `remark` how it was read or converted. `excess` is how far it is from
    training: up to 1 inside.
    """

    name: str
    read: str = ""
    refusal: str = ""
    usable: bool = True
    outside: str = ""
    advice: str = ""
    remark: str = ""
    offer: Offer | None = None
    excess: float = 0.0

    @property
    def strange(self) -> bool:
        """Whether training had no such value."""
        return bool(self.refusal or self.outside)

    @property
    def warning(self) -> str:
        """What stands beside an answer."""
        advice = f" {self.advice}" if self.advice else ""
        return f"{self.name} {self.refusal or self.outside}.{advice}" if self.strange else ""


def of_word(known: Expected, said: str) -> tuple[Verdict, str]:
    """The verdict on a category, and the word of training that is meant."""
    if said in known.categories:
        return Verdict(known.name, said), said
    alike = [word for word in known.categories if word.casefold() == said.casefold()]
    if len(alike) == 1:
        return Verdict(known.name, alike[0], remark=f"'{said}' was read as '{alike[0]}'"), alike[0]
    refusal = f"'{cut(said)}' was not seen in training ({known.seen})"
    return Verdict(known.name, said, refusal, excess=UNSEEN), said


def no_number(known: Expected, said: str) -> Verdict:
    """The verdict on a word where training had numbers or dates, or a date for a number."""
    wanted = "date" if known.is_date else "number"
    seen = f"; training had {known.seen}" if known.seen else ""
    return Verdict(known.name, refusal=f"'{cut(said)}' is not a {wanted}{seen}", usable=False)


def of_number(
    pipeline: Pipeline, known: Expected, value: float, unit: str
) -> tuple[Verdict, float]:
    """The verdict on a number given in a unit ("" where none is named), and what it is in the unit
    of training."""
    is_date = unit == DATE
    if is_date != known.is_date and not (is_date and known.inside(value)):
        return no_number(known, moment(value) if is_date else plain(value)), value
    if not unit or is_date:
        return _of_size(known, value), value
    own = unit_in(pipeline, known, unit)
    if own is None:
        return _in_no_unit(known, unit), value
    if own == known.measured_in or known.quantity is None:
        return _of_size(known, value), value
    factor, offset = known.quantity.conversion(own, known.measured_in)
    converted = value * factor + offset
    verdict = _of_size(known, converted, offering=False)
    remark = f"{plain(value)} {unit} was converted to {short(converted)} {known.unit}, the unit of "
    return replace(verdict, remark=f"{remark}training"), converted


def unit_in(pipeline: Pipeline, known: Expected, unit: str) -> str | None:
    """Which unit of its quantity is named; training's own where nothing speaks against it, None
    for a unit that the quantity does not have."""
    if not known.unit or _same(unit, known.named) or _same(unit, known.unit):
        return known.measured_in
    if known.quantity is None or not isinstance(pipeline, Measured):
        return None
    return pipeline.unit(known.quantity, unit) or None


def _same(one: str, other: str) -> bool:
    """Whether two spellings of units differ in nothing but capitals and signs between letters."""

    def bare(unit: str) -> str:
        letters = unit.casefold().replace("μ", "u").replace("µ", "u")
        return "".join(sign for sign in letters if sign.isalnum() or sign in "%°")

    return bare(one) == bare(other)


def _in_no_unit(known: Expected, unit: str) -> Verdict:
    """The verdict on a number in a unit that is not one of its quantity, or not known to be one."""
    said = f"is given in {unit}, and training had it in {known.unit}"
    if known.quantity is None:
        return Verdict(known.name, outside=f"{said}; it was not converted", excess=UNSEEN)
    return Verdict(known.name, refusal=said, usable=False)


def _of_size(known: Expected, value: float, offering: bool = True) -> Verdict:
    """Whether a number in the unit of training is one that training had, or that can be."""
    said = known.said(value)
    if known.inside(value):
        return Verdict(known.name, said, excess=known.excess(value))
    beyond = _beyond(known, value)
    offer = next(offers(known, value), None) if offering else None
    outside, advice = f"{said} is outside {known.seen} seen in training", ""
    refusal = f"{outside}, and {beyond}" if beyond else ""
    if offer is not None:
        unusual = f"{said} is unusual in {known.unit} (seen in training {known.seen})"
        would = f"{_in(offer.unit)} it would be {offer.value} {known.unit}"
        outside, advice = f"{unusual}; {would}", f"If so, give it as '{offer.given}'."
        refusal = f"{unusual} and {beyond}; {would}" if beyond else ""
    return Verdict(known.name, said, refusal, True, outside, advice, "", offer, known.excess(value))


def _beyond(known: Expected, value: float) -> str:
    """'beyond what a person can have (0 to 125 years)', "" where it can be."""
    limits = known.possible
    if limits is None or limits[0] - 1e-9 <= value <= limits[1] * (1 + 1e-9):
        return ""
    ends = " to ".join(plain(float(f"{limit:.3g}")) for limit in limits)
    return f"beyond what a person can have ({ends} {known.unit}".rstrip() + ")"


def offers(known: Expected, value: float) -> Iterator[Offer]:
    """The other units in which a number would be usual: first those by which it comes to lie
    within what training had."""
    quantity = known.quantity
    if quantity is None:
        return
    unusual = not _usual(quantity, known.measured_in, value)
    found: list[tuple[bool, Offer]] = []
    for unit in quantity.units:
        if unit == known.measured_in or not _usual(quantity, unit, value):
            continue
        factor, offset = quantity.conversion(unit, known.measured_in)
        converted = value * factor + offset
        if (factor != 1 or offset) and (unusual or known.inside(converted)):
            said = written(unit)
            offer = Offer(short(converted), f"{plain(value)} {said}", said, known.unit)
            found.append((not known.inside(converted), offer))
    yield from (offer for _, offer in sorted(found, key=lambda pair: pair[0]))


def _usual(quantity: Quantity, unit: str, value: float) -> bool:
    return quantity.fitting(np.array([value]), unit) == 1


def _in(unit: str) -> str:
    return f"as a {unit}" if unit == "fraction" else f"in {unit}"


def cut(text: str) -> str:
    """A value as a sentence repeats it."""
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
