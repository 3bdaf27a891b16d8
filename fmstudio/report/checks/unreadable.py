"""Files that cannot be read, and cases that have nothing else."""

from __future__ import annotations

from collections.abc import Iterator

from fmstudio.cohort.mending import accept, leave_out
from fmstudio.contracts import pipelines
from fmstudio.errors import ConstantSignal, StudioError
from fmstudio.report.evidence import Evidence
from fmstudio.report.finding import Check, Finding, Mend, counted

STOP_SHARE = 0.5
REASONS_SHOWN = 3


def find(evidence: Evidence) -> Iterator[Finding]:
    """One finding a modality, and one for the cases that are left with nothing."""
    faults = _faults(evidence)
    for name, every in faults.items():
        found = {row: why for row, why in every.items()
                 if not isinstance(evidence.digests[row, name], ConstantSignal)}  # fmt: skip
        if not found:
            continue
        given = sum(name in case.sources for case in evidence.cases)
        reasons = list(dict.fromkeys(found.values()))
        shown = " ".join(reasons[:REASONS_SHOWN])
        more = f" And {len(reasons) - REASONS_SHOWN} more." if len(reasons) > REASONS_SHOWN else ""
        columns = evidence.columns_of(name)
        yield Finding(
            "unreadable", "stop" if len(found) > STOP_SHARE * given else "warning",
            f"{pipelines()[name].label}: {len(found)} of {given} cases cannot be read and count as "
            f"missing. {shown}{more}",
            "Export these files again, or go on without them.",
            tuple(columns), tuple(sorted(found)),
            (
                Mend("Go on without these files", (accept("unreadable", columns),)),
                Mend(f"Leave out {counted(len(found), 'row')}", (leave_out(list(found)),)),
            ),
        )  # fmt: skip
    bare = [
        case.row for case in evidence.cases
        if case.sources and all(case.row in faults[name] for name in case.sources)
    ]  # fmt: skip
    if bare:
        yield Finding(
            "no_input", "warning",
            f"{counted(len(bare), 'case')} have no input that can be read and are set aside.",
            "Export their files again, or add another input.", (), tuple(bare),
            (Mend("Leave them out", (leave_out(bare),)),),
        )  # fmt: skip


def _faults(evidence: Evidence) -> dict[str, dict[int, str]]:
    faults: dict[str, dict[int, str]] = {name: {} for name in evidence.cohort.modalities}
    for (row, name), digest in evidence.digests.items():
        if isinstance(digest, StudioError):
            faults[name][row] = digest.message
        elif digest.empty:
            files = _files(evidence, row, name)
            faults[name][row] = f"Nothing could be made out in {files}."
    return faults


def _files(evidence: Evidence, row: int, modality: str) -> str:
    case = next(case for case in evidence.cases if case.row == row)
    return ", ".join(s.path.name if s.path else s.name for s in case.sources[modality][:3])


CHECK = Check("unreadable", find)
