"""Units of electricity and pressure that differ by an SI prefix: mV and µV, A and mA."""

from __future__ import annotations

import re

from fmstudio.types import Quantity

_PREFIXES = {"n": 1e-9, "u": 1e-6, "µ": 1e-6, "μ": 1e-6, "m": 1e-3, "": 1.0, "k": 1e3}
_UNIT = re.compile(rf"([{''.join(_PREFIXES)}]?)(V|A|Pa|Ohm|Ω)")
_ANY = (-1e12, 1e12)  # what a sensor on the skin or in the heart shows depends on its amplifier
VOLTAGE = Quantity("voltage", _ANY, _ANY, {"mV": (1, 0), "µV": (1000, 0), "V": (0.001, 0)})
_VOLTS = {"V": "V", "mV": "mV", "uV": "µV", "µV": "µV", "μV": "µV"}


def factor(unit: str, into: str) -> float | None:
    """What turns a value in one unit into the other; None if it takes more than a prefix."""
    found, wanted = _UNIT.fullmatch(unit.strip()), _UNIT.fullmatch(into.strip())
    if found is None or wanted is None or found[2] != wanted[2]:
        return None
    return _PREFIXES[found[1]] / _PREFIXES[wanted[1]]


def volts(unit: str) -> str:
    """The unit of voltage that is meant, "" for another one."""
    return _VOLTS.get(unit.strip(), "")
