"""Files that cannot be read, and cases that have nothing else."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from fmstudio.cohort.audit.evidence import Evidence
from fmstudio.cohort.audit.finding import Check, counted
from fmstudio.cohort.cleaning import accept, leave_out
from fmstudio.contracts import pipelines
from fmstudio.errors import ConstantSignal, StudioError
from fmstudio.results.finding import Finding, Mend
from fmstudio.types import Source

STOP_SHARE = 0.5
REASONS_SHOWN = 3


def find(evidence: Evidence) -> Iterator[Finding]:
    """One finding a modality, and one for the cases that are left with nothing."""
    faults = _faults(evidence)
    for name, every in faults.items():
        found = {
            row: why
            for row, why in every.items()
            if not isinstance(evidence.digests[row, name], ConstantSignal)
            and not any(one.needed for one in evidence.left_open.get((row, name), ()))
        }
        if not found:
            continue
        given = sum(name in case.sources for case in evidence.cases)
        columns = evidence.columns_of(name)
        yield Finding(
            "unreadable",
            "stop" if len(found) > STOP_SHARE * given else "warning",
            f"{pipelines()[name].label}: {len(found)} of {given} cases cannot be read and count as "
            f"missing. {_reasons(evidence, name, found)}",
            _way_out(evidence, name, found),
            tuple(columns),
            tuple(sorted(found)),
            (
                Mend("Go on without these files", (accept("unreadable", columns),)),
                Mend(f"Leave out {counted(len(found), 'row')}", (leave_out(list(found)),)),
            ),
        )
    bare = [
        case.row
        for case in evidence.cases
        if case.sources and all(case.row in faults[name] for name in case.sources)
    ]
    if bare:
        yield Finding(
            "no_input",
            "warning",
            f"{counted(len(bare), 'case')} have no input that can be read and are excluded.",
            "Export their files again, or add another input.",
            (),
            tuple(bare),
            (Mend("Leave them out", (leave_out(bare),)),),
        )


def _faults(evidence: Evidence) -> dict[str, dict[int, str]]:
    faults: dict[str, dict[int, str]] = {name: {} for name in evidence.cohort.modalities}
    for (row, name), digest in evidence.digests.items():
        if isinstance(digest, StudioError):
            faults[name][row] = digest.message
        elif digest.empty:
            files = _files(evidence, row, name)
            faults[name][row] = f"Nothing could be made out in {files}."
    return faults


def _reasons(evidence: Evidence, modality: str, found: Mapping[int, str]) -> str:
    """The reasons with the first file of each and how often, the most frequent first.

    What differs from file to file, its name and numbers, does not make another reason.
    """
    alike: dict[str, list[str]] = {}
    for row, why in found.items():
        plain = why
        for source in _sources(evidence, row, modality):
            plain = plain.replace(source.path.name if source.path else source.name, "")
        alike.setdefault(re.sub(r"\d+", "", plain), []).append(why)
    ordered = sorted(alike.values(), key=len, reverse=True)
    shown = [
        f"{len(whys)} like this: {whys[0]}" if len(whys) > 1 else whys[0]
        for whys in ordered[:REASONS_SHOWN]
    ]
    more = len(ordered) - REASONS_SHOWN
    return " ".join([*shown, *([f"And {more} more."] if more > 0 else [])])


def _way_out(evidence: Evidence, modality: str, found: Mapping[int, str]) -> str:
    """What the reader of the files said most often to do; else to export them again."""
    faults = (evidence.digests[row, modality] for row in found)
    hints = Counter(fault.hint for fault in faults if isinstance(fault, StudioError) and fault.hint)
    first = hints.most_common(1)[0][0] if hints else "Export these files again."
    return f"{first} Or go on without these files."


def _sources(evidence: Evidence, row: int, modality: str) -> Sequence[Source]:
    case = next(case for case in evidence.cases if case.row == row)
    return case.sources[modality]


def _files(evidence: Evidence, row: int, modality: str) -> str:
    sources = _sources(evidence, row, modality)
    return ", ".join(s.path.name if s.path else s.name for s in sources[:3])


CHECK = Check("unreadable", find)
