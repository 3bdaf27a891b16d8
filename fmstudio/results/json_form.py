"""A result as the JSON of the contract, and back: its dataclass is the description of both.

Each field is a key of the object, named like the field or by its metadata `{"key": name}`. A field
whose default is None is left out of the JSON where it is None; every other field must be there.
What a field with the metadata `{"inline": True}` holds, a mapping or another result, gives its keys
to the object itself: those that no other field claims. A number that is not finite is null.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import Field, fields, is_dataclass
from functools import lru_cache
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from fmstudio.errors import InputError

Result = TypeVar("Result")
HINT = "It was written by another version of the studio, or changed by hand: make it again."
SCALARS: Mapping[type, tuple[str, tuple[type, ...]]] = {
    str: ("text", (str,)),
    bool: ("true or false", (bool,)),
    int: ("a whole number", (int,)),
    float: ("a number", (int, float)),
    NoneType: ("null", (NoneType,)),
}
"""The plain types: how an error names them, and what JSON gives for them."""


def as_json(value: object) -> Any:
    """Dataclasses, mappings and sequences as what `json.dumps` takes. Raises TypeError."""
    if is_dataclass(value) and not isinstance(value, type):
        return _object(value)
    if isinstance(value, Mapping):
        return {str(key): as_json(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(inner) for inner in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if value is None or isinstance(value, str | int):
        return value
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def _object(value: Any) -> dict[str, Any]:
    written: dict[str, Any] = {}
    for each in fields(value):
        inner = getattr(value, each.name)
        if each.metadata.get("inline"):
            written |= as_json(inner)
        elif inner is not None or each.default is not None:
            written[_key(each)] = as_json(inner)
    return written


def from_json(kind: type[Result], stored: object, path: str = "") -> Result:
    """The result of this type that `as_json` wrote.

    `path` is where it stands in a larger document. Raises InputError with the dotted path of a key
    that is missing or unknown, or of a value of another type.
    """
    result: Result = _read(kind, stored, path)
    return result


def _read(kind: Any, stored: Any, path: str) -> Any:
    origin, inner = get_origin(kind) or kind, get_args(kind)
    if kind is Any:
        return stored
    if origin in (Union, UnionType):
        return _read(max(inner, key=lambda each: _fit(each, stored)), stored, path)
    if origin is Literal:
        _expect(stored in inner, path, " or ".join(map(repr, inner)), stored)
        return stored
    if origin in SCALARS:
        return _scalar(origin, stored, path)
    if origin is tuple:
        return _tuple(inner, stored, path)
    _expect(isinstance(stored, Mapping), path, "an object", stored)
    if is_dataclass(origin):
        return _dataclass(kind, stored, path)
    return {key: _read(inner[1], each, _below(path, key)) for key, each in stored.items()}


def _scalar(kind: Any, stored: Any, path: str) -> Any:
    if kind is float and stored is None:
        return math.nan
    _expect(bool(_fit(kind, stored)), path, SCALARS[kind][0], stored)
    return float(stored) if kind is float else stored


def _tuple(kinds: tuple[Any, ...], stored: Any, path: str) -> tuple[Any, ...]:
    _expect(isinstance(stored, list | tuple), path, "a list", stored)
    if kinds[-1] is Ellipsis:
        kinds = kinds[:1] * len(stored)
    _expect(len(stored) == len(kinds), path, f"a list of {len(kinds)}", stored)
    return tuple(
        _read(kind, each, f"{path}[{place}]")
        for place, (kind, each) in enumerate(zip(kinds, stored, strict=True))
    )


def _dataclass(kind: Any, stored: Mapping[str, Any], path: str) -> Any:
    origin, kinds = get_origin(kind) or kind, _kinds_of(kind)
    left, values, inline = dict(stored), {}, ""
    for each in fields(origin):
        key = _key(each)
        if each.metadata.get("inline"):
            inline = each.name
        elif key in left:
            values[each.name] = _read(kinds[each.name], left.pop(key), _below(path, key))
        elif each.default is not None:
            raise InputError(f"'{_below(path, key)}' is missing.", hint=HINT)
    if inline:
        values[inline] = _read(kinds[inline], left, path)
    elif left:
        raise InputError(f"'{_below(path, next(iter(left)))}' is not known here.", hint=HINT)
    return origin(**values)


@lru_cache(maxsize=256)
def _kinds_of(kind: Any) -> Mapping[str, Any]:
    """The type of each field of a dataclass, with what a generic one is of put in its place."""
    origin = get_origin(kind) or kind
    bound = dict(zip(getattr(origin, "__parameters__", ()), get_args(kind), strict=True))
    kinds = get_type_hints(origin)
    for name, each in kinds.items():
        open_ones = getattr(each, "__parameters__", ())
        if isinstance(each, TypeVar):
            kinds[name] = bound[each]
        elif open_ones:
            kinds[name] = each[tuple(bound[one] for one in open_ones)]
    return kinds


def _fit(kind: Any, stored: Any) -> float:
    """How well a type suits a value, 0 for not at all: an object by its share of common keys."""
    origin = get_origin(kind) or kind
    if origin in SCALARS:
        right = isinstance(stored, SCALARS[origin][1])
        return int(right and isinstance(stored, bool) == (origin is bool))
    if origin is tuple:
        return int(isinstance(stored, list | tuple))
    if origin is Literal:
        return int(stored in get_args(kind))
    if not isinstance(stored, Mapping):
        return 0
    keys = {_key(each) for each in fields(origin)} if is_dataclass(origin) else set()
    return 1 + len(keys & stored.keys()) / max(1, len(keys | stored.keys()))


def _key(each: Field[Any]) -> str:
    return str(each.metadata.get("key", each.name))


def _below(path: str, key: object) -> str:
    return f"{path}.{key}" if path else str(key)


def _expect(holds: bool, path: str, wanted: str, stored: Any) -> None:
    if holds:
        return
    name = SCALARS.get(type(stored), ("a list" if isinstance(stored, list) else "an object",))[0]
    raise InputError(f"'{path or 'The document'}' is {name}, not {wanted}.", hint=HINT)
