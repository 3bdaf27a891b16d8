"""A home folder -> what is not as it should be in it. Nothing in it is changed.

Each check gets the settings and the open registry and yields findings.
"""

from __future__ import annotations

import os
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from fmstudio.doctor.finding import Finding
from fmstudio.errors import BundleError, StudioError
from fmstudio.marks import MARK
from fmstudio.registry import Registry
from fmstudio.registry.connecting import BUSY_SECONDS
from fmstudio.registry.faults import FILE
from fmstudio.registry.named import Named, is_kept, named_folders
from fmstudio.registry.read_only import readable
from fmstudio.runs.clean_up import leftovers
from fmstudio.runs.launch import alive
from fmstudio.settings import Settings

OTHERS = stat.S_IRWXG | stat.S_IRWXO
BEING_MADE_SECONDS = 3600.0  # a folder whose row is still to come: no import or run takes longer
HELD = ("adapters", "cohorts", "runs")  # in which every folder has its row
SAMPLE = b"case_id,value\nc1,1\n"
FROM_BACKUP = "Bring it back from a backup (`restore`)"

Check = Callable[[Settings, Registry], Iterator[Finding]]


def look(settings: Settings, registry: Registry) -> list[Finding]:
    """All that is found in a home whose registry could be opened."""
    return [finding for check in CHECKS for finding in check(settings, registry)]


def rights(settings: Settings, registry: Registry) -> Iterator[Finding]:
    """Others may not read the home, and its owner may write to it."""
    if not os.access(settings.home, os.W_OK):
        yield Finding(
            "rights",
            "The home folder cannot be written to.",
            "Give yourself the right to write to it; until then all can be read only.",
        )
    if os.name == "posix" and settings.home.stat().st_mode & OTHERS:
        yield Finding(
            "rights",
            "Other users of this computer may read the home folder.",
            "Open the studio once: it takes that right away.",
        )


def database(settings: Settings, registry: Registry) -> Iterator[Finding]:
    """Every page of the registry's file, every row against its digest, and every reference."""
    with closing(readable(settings.home / FILE, BUSY_SECONDS)()) as connection:
        damage = [row[0] for row in connection.execute("PRAGMA integrity_check(5)")]
        broken = connection.execute("PRAGMA foreign_key_check").fetchall()
    if damage != ["ok"]:
        yield Finding(
            "registry",
            f"The registry's file is damaged: {'; '.join(damage)[:300]}.",
            f"{FROM_BACKUP}, or the newest copy in backups/.",
            lost=True,
        )
    for name, key in registry.changed_rows()[:5]:
        yield Finding(
            "registry",
            f"Row {key} of '{name}' was changed outside the studio, or by its disk.",
            f"{FROM_BACKUP}, or the newest copy in backups/.",
            lost=True,
        )
    for table, row, other, _ in broken[:5]:
        yield Finding(
            "registry",
            f"Row {row} of '{table}' points to a row of '{other}' that is not there.",
            f"{FROM_BACKUP}, or the newest copy in backups/.",
            lost=True,
        )


def rows_without_files(settings: Settings, registry: Registry) -> Iterator[Finding]:
    """What a row names is there: folders in the home, and tables that lie elsewhere."""
    begun = {f"runs/{run.id}" for run in registry.run_summaries() if run.started_at is not None}
    for named in named_folders(registry):
        if named.folder.startswith("runs/") and named.folder not in begun:
            continue
        if not (settings.home / named.folder).is_dir():
            yield Finding(
                "row without files",
                f"The files of {named.row} are gone: {named.folder}.",
                _way_back(named),
                lost=True,
            )
    for project in registry.projects():
        for cohort in registry.cohorts(project.id):
            if not is_kept(cohort.manifest) and not (settings.home / cohort.manifest).is_file():
                yield Finding(
                    "row without files",
                    f"The table of the cohort {cohort.id} is not where it was when it was added.",
                    "Put it back there, or add it again; adapters that learned from it still work.",
                    lost=True,
                )


def _way_back(named: Named) -> str:
    if named.folder.startswith("adapters/"):
        return f"{FROM_BACKUP}, import its bundle again, or fine-tune again."
    if named.folder.startswith("cohorts/"):
        return f"{FROM_BACKUP}, or add the cohort again; adapters that learned from it still work."
    return f"{FROM_BACKUP}, or start the run again; an adapter that it made is not affected."


def files_without_rows(settings: Settings, registry: Registry) -> Iterator[Finding]:
    """Folders that no row names, unless they may be in the making."""
    known = {settings.home / named.folder for named in named_folders(registry)}
    known |= set(leftovers(settings.home, registry))  # told under clean-up
    for part in HELD:
        for folder in sorted(set((settings.home / part).glob("*")) - known):
            young = time.time() - folder.lstat().st_mtime < BEING_MADE_SECONDS
            if young or folder.suffix == MARK:
                continue
            yield Finding(
                "files without a row",
                f"No row of the registry names {part}/{folder.name}.",
                "If the registry was brought back from an older copy, it may hold later work: keep "
                "a copy. Else delete it.",
            )


def adapters(settings: Settings, registry: Registry) -> Iterator[Finding]:
    """Every adapter's files against their hashes, and its manifest against the registry."""
    from fmstudio.adapters.installed import OldFormat, whole

    for adapter in registry.adapter_names():
        folder = settings.home / "adapters" / adapter.id
        if not folder.is_dir():
            continue  # told under rows without files
        try:
            whole(folder, settings, adapter.sealed)
        except OldFormat as fault:
            yield Finding("adapter", fault.message, fault.hint)
        except BundleError as fault:
            yield Finding("adapter", fault.message, fault.hint, lost=True)
        except StudioError as fault:  # its base
            yield Finding("adapter", f"{adapter.id}: {fault.message}", fault.hint, lost=True)


def stale_runs(settings: Settings, registry: Registry) -> Iterator[Finding]:
    """Runs that are said to be under way, and whose process is gone."""
    for run in registry.runs(states=("running",)):
        if run.pid is not None and not alive(run):
            yield Finding(
                "run",
                f"{run.id} is recorded as running, but its process is gone.",
                f"`run list` marks it as interrupted; then `run resume {run.id}`.",
            )


def sweep(settings: Settings, registry: Registry) -> Iterator[Finding]:
    """What broken-off work left and the next start of the app clears up."""
    left = list(leftovers(settings.home, registry))
    if left:
        yield Finding(
            "clean-up",
            f"{len(left)} leftovers of broken-off work are to be cleared up.",
            "Nothing: the app does it when it starts.",
        )


def sandbox(settings: Settings, registry: Registry) -> Iterator[Finding]:
    """A table is read in a child process with limits, as every foreign file is."""
    from fmstudio.sandbox import Reader
    from fmstudio.types import Source

    with tempfile.TemporaryDirectory() as folder, Reader(settings.limits, tables=True) as reader:
        path = Path(folder) / "table.csv"
        path.write_bytes(SAMPLE)
        try:
            reader.table(Source("table", path=path))
        except StudioError as fault:
            yield Finding(
                "sandbox",
                f"Files cannot be read in child processes: {fault.message}",
                "Check free memory, and FMSTUDIO_READ_MEMORY_MB and FMSTUDIO_READ_SECONDS.",
            )


CHECKS: tuple[Check, ...] = (
    rights,
    database,
    rows_without_files,
    files_without_rows,
    adapters,
    stale_runs,
    sweep,
    sandbox,
)
