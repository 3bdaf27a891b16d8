"""Where slices lie and when they were taken -> the order in which they are read.

One rule for the frames of a file and for the single slices of a series: parallel slices from feet
to head, moments of one place after each other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

# Two slices nearer than this (mm) lie at one place: headers round positions to some 0.001 mm.
SAME_PLACE_MM = 0.01
# A step of more than so many usual ones is a gap.
GAP_STEPS = 1.5


@dataclass(frozen=True)
class Place:
    """Where a slice lies: `group` is that of the slices parallel to it, `position` in mm.

    `position` counts along the normal of the slices and is None where it is not known; `moment`
    sorts slices of one place in time (or by whatever else tells them apart).
    """

    group: Hashable = ()
    position: float | None = None
    moment: tuple[float | str, ...] = ()


NOWHERE = Place()


def normal_of(cosines: Sequence[float]) -> np.ndarray:
    """The unit normal (3,) of a slice with these six direction cosines (DICOM PS3.3 C.7.6.2.1.1).

    Of transverse slices it points to the head, whichever way rows and columns run.
    """
    normal = np.cross(cosines[:3], cosines[3:])
    length = float(np.linalg.norm(normal))
    normal = normal / length if length > 0 else normal
    return -normal if is_transverse(normal) and normal[2] < 0 else normal


def is_transverse(normal: np.ndarray) -> bool:
    """True if the normal lies nearer to the patient's long axis than to the others."""
    return int(np.argmax(np.abs(normal))) == 2


def in_order(places: Sequence[Place]) -> list[int]:
    """Indices of `places` group by group, volume by volume, each along its normal.

    Where several slices lie at one place, the first of every place make up the first volume, and so
    on. Slices of unknown position keep their moments' order, else the order given.
    """
    groups: dict[Hashable, list[int]] = defaultdict(list)
    for index, place in enumerate(places):
        groups[place.group, place.position is None].append(index)
    ordered: list[int] = []
    for indices in groups.values():
        keys: dict[int, tuple[int, int]] = {}
        for level, layer in enumerate(_layers(places, indices)):
            layer.sort(key=lambda index: (places[index].moment, index))
            keys |= {index: (volume, level) for volume, index in enumerate(layer)}
        ordered += sorted(indices, key=keys.__getitem__)
    return ordered


def volumes(places: Sequence[Place]) -> int:
    """How many slices the fullest place has: the number of moments, echoes or the like."""
    return max((len(layer) for layer in _all_layers(places)), default=0)


def missing(places: Sequence[Place]) -> int:
    """How many slices seem to be missing between those that are there, by the usual step."""
    absent = 0
    for group in {place.group for place in places}:
        same = [place.position for place in places if place.group == group]
        known = sorted(position for position in same if position is not None)
        steps = [b - a for a, b in pairwise(known) if b - a > SAME_PLACE_MM]
        usual = float(np.median(steps)) if len(steps) > 1 else np.inf
        absent += sum(round(step / usual) - 1 for step in steps if step > GAP_STEPS * usual)
    return absent


def are_spread(places: Sequence[Place]) -> bool:
    """True if the slices lie at more than one place."""
    return len(_all_layers(places)) > 1


def _all_layers(places: Sequence[Place]) -> list[list[int]]:
    groups: dict[Hashable, list[int]] = defaultdict(list)
    for index, place in enumerate(places):
        groups[place.group, place.position is None].append(index)
    return [layer for indices in groups.values() for layer in _layers(places, indices)]


def _layers(places: Sequence[Place], indices: Sequence[int]) -> list[list[int]]:
    """The slices of one group by the place where they lie, along the normal."""
    layers: list[list[int]] = []
    last: float | None = None
    for index in sorted(indices, key=lambda each: (places[each].position or 0.0, each)):
        position = places[index].position
        if not layers or (position is not None and position - (last or 0.0) > SAME_PLACE_MM):
            layers.append([])
        layers[-1].append(index)
        last = position
    return layers
