"""The shape of a JSON document: its keys, and the types of what they hold.

A list has the shape of all its items together; a key that only some of them have ends in `?`.
What is null fits every type, since a metric that is undefined on few cases is null.
"""

from __future__ import annotations

from functools import reduce
from typing import Any

NULL = "null"


def shape(value: Any) -> Any:
    """Keys and types of a parsed JSON document, itself fit for JSON."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [reduce(_together, map(shape, value))] if value else []
    if isinstance(value, bool):
        return "boolean"
    if value is None:
        return NULL
    return "text" if isinstance(value, str) else "number"


def differences(expected: Any, found: Any, where: str = "") -> list[str]:
    """Each place where one shape has what the other lacks."""
    if NULL in (expected, found):
        return []
    if isinstance(expected, dict) and isinstance(found, dict):
        bare = {key.rstrip("?"): key for key in found}
        wanted = {key.rstrip("?"): key for key in expected}
        missing = [
            f"{where}.{key} is missing"
            for key in wanted.keys() - bare.keys()
            if not wanted[key].endswith("?")
        ]
        new = [f"{where}.{key} is new" for key in bare.keys() - wanted.keys()]
        both = wanted.keys() & bare.keys()
        inner = [differences(expected[wanted[k]], found[bare[k]], f"{where}.{k}") for k in both]
        return sorted([*missing, *new, *(line for lines in inner for line in lines)])
    if isinstance(expected, list) and isinstance(found, list):
        return differences(expected[0], found[0], f"{where}[]") if expected and found else []
    return [] if expected == found else [f"{where} is {found}, not {expected}"]


def _together(one: Any, other: Any) -> Any:
    if isinstance(one, dict) and isinstance(other, dict):
        return _keys_together(one, other)
    if isinstance(one, list) and isinstance(other, list):
        return [_together(one[0], other[0])] if one and other else one or other
    if one == NULL:
        return other
    if other in (NULL, one):
        return one
    return f"{one} or {other}"


def _keys_together(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    names = {key.rstrip("?"): None for key in (*one, *other)}
    found: dict[str, Any] = {}
    for name in names:
        sides = [side[key] for side in (one, other) for key in (name, f"{name}?") if key in side]
        everywhere = name in one and name in other
        found[name if everywhere else f"{name}?"] = reduce(_together, sides)
    return found
