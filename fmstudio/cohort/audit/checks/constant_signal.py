"""Recordings and pictures that hold nothing: silent, flat, blank, clipped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from fmstudio.cohort.audit.evidence import Evidence
from fmstudio.cohort.audit.finding import Check, counted
from fmstudio.cohort.audit.input_summary import Digest
from fmstudio.cohort.cleaning import accept, empty
from fmstudio.contracts import pipelines
from fmstudio.errors import ConstantSignal
from fmstudio.results.finding import Finding, Mend

USUAL = 0.1  # of the cases with a channel in which it never changes
MANY = 0.2  # of the cases with a fault in part of an input: worth a warning


def find(evidence: Evidence) -> Iterator[Finding]:
    """Inputs that say nothing, then those that are spoilt in part; and columns of one value."""
    for name in evidence.cohort.modalities:
        read = evidence.read(name)
        label, columns = pipelines()[name].label, evidence.columns_of(name)
        usual, given = _flat_as_usual(read), sum(name in c.sources for c in evidence.cases)
        for extent in ("whole", "part"):
            found = {row: d.flaws[extent] for row, d in read if extent in d.flaws}
            if extent == "whole":
                found |= _refused(evidence, name)
            if extent == "part":
                found = {row: why for row, why in found.items() if row not in usual}
            if not found:
                continue
            whole = extent == "whole"
            kinds = Counter(why.split(":")[0] if whole else why for why in found.values())
            shown = "; ".join(f"{why} ({n})" for why, n in kinds.most_common(4))
            severe = whole or len(found) > MANY * len(read)
            yield Finding(
                "constant_signal",
                "warning" if severe else "note",
                f"{label}: {counted(len(found), 'case')} of {given} "
                f"{'hold nothing' if whole else 'are spoilt in part'}: {shown}.",
                "Look at these files. What holds nothing is better missing than there.",
                tuple(columns),
                tuple(sorted(found)),
                (
                    *(
                        (
                            Mend(
                                "Take them for missing",
                                tuple(empty(c, list(found)) for c in columns),
                            ),
                        )
                        if whole
                        else ()
                    ),
                    Mend("Use them as they are", (accept("constant_signal", columns),)),
                )
                if severe
                else (),
            )
    constant = [c for c in evidence.of_kind("table") if len(set(evidence.cells(c))) == 1]
    if constant:
        yield Finding(
            "constant_signal",
            "note",
            f"The same value in every case: {', '.join(constant[:8])}.",
            "Nothing can be learned from it; leave it out.",
            tuple(constant),
        )


def _refused(evidence: Evidence, modality: str) -> dict[int, str]:
    """What no pipeline takes, for it holds nothing."""
    return {
        row: "silent or flat"
        for (row, name), digest in evidence.digests.items()
        if name == modality and isinstance(digest, ConstantSignal)
    }


def _flat_as_usual(read: Sequence[tuple[int, Digest]]) -> set[int]:
    """Rows whose only flat channels are flat in many others: settings and weights, not sensors."""
    there = Counter(name for _, digest in read for name in digest.numbers)
    flat = Counter(name for _, digest in read for name in digest.flat)
    usual = {name for name, count in flat.items() if count > USUAL * there[name]}
    return {row for row, digest in read if digest.flat and set(digest.flat) <= usual}


CHECK = Check("constant_signal", find)
