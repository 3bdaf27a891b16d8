"""Units of electricity and pressure that differ by an SI prefix: mV and µV, A and mA."""

from __future__ import annotations

import re

_PREFIXES = {"n": 1e-9, "u": 1e-6, "µ": 1e-6, "μ": 1e-6, "m": 1e-3, "": 1.0, "k": 1e3}
_UNIT = re.compile(rf"([{''.join(_PREFIXES)}]?)(V|A|Pa|Ohm|Ω)")


def factor(unit: str, into: str) -> float | None:
    """What turns a value in one unit into the other; None if it takes more than a prefix."""
    found, wanted = _UNIT.fullmatch(unit.strip()), _UNIT.fullmatch(into.strip())
    if found is None or wanted is None or found[2] != wanted[2]:
        return None
    return _PREFIXES[found[1]] / _PREFIXES[wanted[1]]
