"""Pictures of another kind among the others: by what their header says, or by how they look.

A picture is an odd one out by its distance to its neighbours (Ramaswamy et al. 2000, "Efficient
Algorithms for Mining Outliers") in a few numbers that describe it (see looks.py), against the
distances that the others have.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from fmstudio.cohort.audit.evidence import Evidence
from fmstudio.cohort.audit.finding import Check, counted
from fmstudio.cohort.cleaning import accept, empty
from fmstudio.contracts import pipelines
from fmstudio.results.finding import Finding, Mend

MINORITY = 0.2
FEWEST_READ = 20
NEIGHBOURS = 5
FAR = 9.0  # median absolute deviations of the logarithm of the distance
GAP = 2.0  # times the distance that all but the most distant twentieth have


def find(evidence: Evidence) -> Iterator[Finding]:
    """One finding by header and one by looks for each modality of pictures."""
    for name in evidence.cohort.modalities:
        if pipelines()[name].kind != "frames":
            continue
        said = _by_header(evidence, name)
        looks = {row: "by their looks" for row in _by_looks(evidence, name) if row not in said}
        for found, how in ((said, "their header says"), (looks, "they look unlike all others")):
            if found:
                columns = evidence.columns_of(name)
                kinds = Counter(found.values())
                named = ", ".join(f"{kind} ({n})" for kind, n in kinds.most_common(4))
                yield Finding(
                    "wrong_modality",
                    "warning",
                    f"{pipelines()[name].label}: {counted(len(found), 'case')} may be of another "
                    f"kind: {how}" + (f" {named}." if found is said else "."),
                    "Look at them. A picture of another kind is better missing.",
                    tuple(columns),
                    tuple(sorted(found)),
                    (
                        Mend(
                            "Take them for missing", tuple(empty(c, list(found)) for c in columns)
                        ),
                        Mend("They belong here", (accept("wrong_modality", columns),)),
                    ),
                )


def _by_header(evidence: Evidence, name: str) -> dict[int, str]:
    """Rows whose files say another modality than nearly all others."""
    told = {
        r: " + ".join(sorted(d.about["modality"]))
        for r, d in evidence.read(name)
        if d.about.get("modality")
    }
    counts = Counter(told.values())
    rare = {kind for kind, n in counts.items() if len(counts) > 1 and n < MINORITY * len(told)}
    return {row: said for row, said in told.items() if said in rare}


def _by_looks(evidence: Evidence, name: str) -> list[int]:
    """Rows of pictures far from their nearest neighbours."""
    read = [(row, d.look) for row, d in evidence.read(name) if len(d.look)]
    if len(read) < FEWEST_READ:
        return []
    looks = np.stack([look for _, look in read]).astype(np.float64)
    squares = (looks**2).sum(1)
    distances = np.empty(len(looks))
    for start in range(0, len(looks), 1024):
        block = looks[start : start + 1024]
        all_of = squares[start : start + 1024, None] + squares - 2 * block @ looks.T
        near = np.sqrt(np.maximum(np.partition(all_of, NEIGHBOURS, axis=1)[:, : NEIGHBOURS + 1], 0))
        distances[start : start + 1024] = near.max(1)
    logs = np.log(np.maximum(distances, 1e-6))
    middle = np.median(logs)
    spread = max(float(np.median(np.abs(logs - middle))), 0.05)
    limit = max(middle + FAR * spread, np.log(GAP) + np.percentile(logs, 95))
    return [row for (row, _), log in zip(read, logs, strict=True) if log > limit]


CHECK = Check("wrong_modality", find)
