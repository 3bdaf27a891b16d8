"""Patients -> train, validation and test: never a patient in two of them, every class in each.

Stratification is the greedy one for several labels at a time (Sechidis et al., "On the
Stratification of Multi-Label Data", ECML PKDD 2011): the rarest label first, each patient to the
part that still lacks most of it; here each part is owed at least one patient of every label that
three patients have.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence

import numpy as np

from fmstudio.cohort.manifest import Manifest
from fmstudio.errors import InputError

SPLITS = ("train", "validation", "test")
SHARES = {"train": 0.6, "validation": 0.2, "test": 0.2}
SPLIT_NAMES: Mapping[str, str] = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}
QUANTILE_BINS = 5

Strata = Mapping[str, frozenset[Hashable]]


def split_patients(strata: Strata, seed: int, shares: Mapping[str, float]) -> dict[str, str]:
    """Assign each patient (with the labels that its cases have) to one of the `shares`.

    The same patients, labels and seed give the same splits, in whatever order they come.
    """
    order = sorted(strata)
    np.random.default_rng(seed).shuffle(order)
    members: dict[Hashable, list[str]] = {}
    for patient in order:
        for label in strata[patient]:
            members.setdefault(label, []).append(patient)
    owed = {label: _least(len(found), shares) for label, found in members.items()}
    free = {name: len(order) * share / sum(shares.values()) for name, share in shares.items()}
    chosen: dict[str, str] = {}

    def place(patient: str, wanting: Mapping[str, int]) -> None:
        part = max(shares, key=lambda name: (max(0, wanting[name]), free[name] / shares[name]))
        chosen[patient] = part
        free[part] -= 1
        for label in strata[patient]:
            owed[label][part] -= 1

    for label in sorted(members, key=lambda label: (len(members[label]), repr(label))):
        for patient in members[label]:
            if patient not in chosen:
                place(patient, owed[label])
    for patient in order:
        if patient not in chosen:  # none of its labels is known
            place(patient, dict.fromkeys(shares, 0))
    return chosen


def _least(count: int, shares: Mapping[str, float]) -> dict[str, int]:
    """How many of `count` patients each part gets at least: its share rounded down, but one.

    Those that rounding leaves over go where the whole is short, so that many small classes do not
    all round the same way.
    """
    whole = sum(shares.values())
    least = 1 if count >= len(shares) else 0
    return {name: max(least, int(count * share / whole)) for name, share in shares.items()}


def quantile_bins(values: Mapping[str, float]) -> Strata:
    """Patients with a number each -> up to five bins of about equal size, for stratification."""
    count = max(1, min(QUANTILE_BINS, len(values) // len(SPLITS)))
    ranked = sorted(values, key=lambda patient: (values[patient], patient))
    return {
        patient: frozenset((rank * count // len(ranked),)) for rank, patient in enumerate(ranked)
    }


def given_splits(
    manifest: Manifest, column: str, rows: Sequence[int], patients: Mapping[int, str]
) -> dict[str, str]:
    """Each patient's split from a column of the manifest.

    Raises InputError for an unknown value or a patient in more than one split.
    """
    found: dict[str, str] = {}
    torn: list[str] = []
    for row in rows:
        value = manifest.rows[row][column].strip()
        if value.lower() not in SPLIT_NAMES:
            raise InputError(
                f"Column '{column}' holds '{value}' ({manifest.where([row])}).",
                hint="A split is train, validation or test; or give the column the role 'ignore' "
                "to have patients split anew.",
            )
        split = SPLIT_NAMES[value.lower()]
        if found.setdefault(patients[row], split) != split and patients[row] not in torn:
            torn.append(patients[row])
    if torn:
        raise InputError(
            f"{len(torn)} patients are in more than one split of column '{column}': "
            f"{', '.join(torn[:3])}{' and others' if len(torn) > 3 else ''}.",
            hint="Give all cases of a patient the same split, or give the column the role 'ignore' "
            "to have patients split anew.",
        )
    return found


def complete_splits(
    found: Mapping[str, str], strata: Strata, seed: int
) -> tuple[dict[str, str], str]:
    """Given splits with a missing validation or test part taken from train, and a remark.

    Raises InputError if nobody is in train.
    """
    sizes = Counter(found.values())
    if not sizes["train"]:
        raise InputError(
            "The given splits have no case in train.", hint="Mark the cases to learn from 'train'."
        )
    lacking = [name for name in SPLITS if not sizes[name]]
    if not lacking:
        return dict(found), ""
    shares = {name: SHARES[name] for name in ("train", *lacking)}
    train = {patient: strata[patient] for patient, split in found.items() if split == "train"}
    parts = " and ".join(lacking)
    return dict(found) | split_patients(train, seed, shares), (
        f"The given splits have no {parts}: taken from the patients of train."
    )


def patients_in_several_splits(manifest: Manifest, column: str, patients: str) -> list[str]:
    """The patients whose rows are in more than one part of a given split."""
    parts: dict[str, set[str]] = {}
    for row in manifest.rows:
        value = row[column].strip().lower()
        if row[patients].strip() and value:
            parts.setdefault(row[patients].strip(), set()).add(SPLIT_NAMES.get(value, value))
    return [patient for patient, found in parts.items() if len(found) > 1]
