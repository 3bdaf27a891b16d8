"""Vital signs and laboratory values: what they are in health and what illness makes of them.

`vocabulary/parameters.tsv` has one row each. `names` are written as in hospitals, with the unit in
brackets and, where the unit is another one, `*factor +offset`; a name always stands for one unit.
Numbers of health are round ones of any laboratory handbook: plausible and nothing more.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from data_samples.varied.patient import Patient
from data_samples.varied.wording import rows

_FORM = re.compile(
    r"(?P<name>[^\[*]+?)(?: \[(?P<unit>[^\]]*)\])?(?: \*(?P<factor>\S+))?(?: (?P<add>[+-]\S+))?"
)
_FADES = 4.0  # years in which most of the difference between a newborn and an adult is gone
_HEAVY = ("sbp", "trig", "glu", "uric")  # higher in heavy people


@dataclass(frozen=True)
class Form:
    """A name and unit of a quantity: written value = factor · value + offset."""

    name: str
    unit: str
    factor: float
    offset: float


@dataclass(frozen=True)
class Parameter:
    """One quantity. `loads` are changes at full severity of a state, in units of `spread`.

    With `ratio` the quantity is lognormal: `median` is that of the healthy and `spread` that of its
    logarithm. `hours` is the usual time between two measurements in intensive care; `at_birth` is
    added to the median of a newborn and fades within years.
    """

    key: str
    median: float
    spread: float
    limits: tuple[float, float]
    hours: float
    ratio: bool
    vital: bool
    at_birth: float
    loads: Mapping[str, float]
    forms: tuple[Form, ...]

    def level(self, z: np.ndarray | float, age: float) -> np.ndarray:
        """Values for standard scores `z`, for a patient of this age (years), within limits."""
        median = self.median + self.at_birth * np.exp(-age / _FADES)
        if self.ratio:
            value = median * np.exp(self.spread * np.asarray(z))
        else:
            value = median + self.spread * np.asarray(z)
        return np.clip(value, *self.limits)

    def pull(self, states: Mapping[str, float]) -> float:
        """The standard score that the states add."""
        return sum(load * states.get(state, 0.0) for state, load in self.loads.items())

    def score(self, patient: Patient, states: Mapping[str, float], own: float) -> float:
        """The standard score of a patient; `own` is standard normal and the patient's own."""
        heavy = 0.35 * patient.habitus if self.key in _HEAVY else 0.0
        return 0.8 * own + heavy + self.pull(states)


def _parameter(row: Mapping[str, str]) -> Parameter:
    loads = (load.rsplit(" ", 1) for load in row["states"].split(", ") if load)
    return Parameter(
        key=row["key"],
        median=float(row["median"]),
        spread=float(row["spread"]),
        limits=(float(row["lowest"]), float(row["highest"])),
        hours=float(row["hours"]),
        ratio="ratio" in row["form"],
        vital="vital" in row["form"],
        at_birth=float(row["at_birth"]),
        loads={state: float(load) for state, load in loads},
        forms=tuple(_form(written) for written in row["names"].split(" | ")),
    )


def _form(written: str) -> Form:
    found = _FORM.fullmatch(written)
    if found is None:
        raise ValueError(f"parameters.tsv: '{written}' is no name [unit] *factor +offset")
    name, unit, factor, add = found.group("name", "unit", "factor", "add")
    return Form(name, unit or "", float(factor or 1), float(add or 0))


PARAMETERS: tuple[Parameter, ...] = tuple(_parameter(row) for row in rows("parameters"))
BY_KEY = {parameter.key: parameter for parameter in PARAMETERS}
