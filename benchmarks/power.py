"""What a full disk, a failing disk and a power cut leave, at every step of what the studio writes.

Each piece of work is done in a process of its own whose Nth call on the disk goes wrong, for
N = 1, 2, 3 … until the work gets through. After each the home is examined: the registry is whole,
no row lacks its files, nothing half-written is taken for whole, and the same work goes through when
it is done again.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
import signal
import sqlite3
import sys
import tempfile
from argparse import Namespace
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from benchmarks.faults import POWER, WAYS, Faults

TITLE = "Power cuts"
THROUGH, TOLD = 0, 3  # exit statuses of the process that does the work
MOST = 500  # calls of one piece of work: more would be a loop without end
ASSETS = Path(__file__).resolve().parents[1] / "assets"
BUNDLE, ANSWERS = ASSETS / "sample_adapter.zip", ASSETS / "sample_held_out.json"


@dataclass(frozen=True)
class Work:
    """A piece of work on a home: `prepare` before any fault, `do`, and what must hold after."""

    name: str
    prepare: Callable[[Path], None]
    do: Callable[[Path], None]
    check: Callable[[Path, bool], str]  # (folder, done): what is wrong, "" if nothing


def home_of(folder: Path) -> Path:
    """The home in a folder of a trial."""
    return folder / "home"


def _studio(folder: Path) -> Any:
    from fmstudio.studio import Studio

    return Studio.open(home_of(folder))


def _project(folder: Path) -> None:
    with _studio(folder) as studio:
        studio.projects.create("made", "binary")
    rows = [f"c{i},p{i},{30 + i},{int(i % 3 == 0)}" for i in range(24)]
    (folder / "cases").mkdir()
    lines = ["case_id,patient_id,age,label_ill", *rows]
    (folder / "cases" / "manifest.csv").write_text("\n".join(lines) + "\n")
    (folder / "cases" / "note.txt").write_text("Nothing to be seen. " * 200)


def _add_cohort(folder: Path) -> None:
    """Without the checks that read its files in processes of their own and write nothing."""
    with (
        _studio(folder) as studio,
        mock.patch("fmstudio.cohort.reading.read_cells", _cells),
        mock.patch("fmstudio.studio.manifests.report_on", return_value={}),
        mock.patch("fmstudio.studio.uploads.strip_headers"),
    ):
        studio.cohorts.add("made", folder / "cases" / "manifest.csv", copy=True)


def _cells(path: Path) -> Any:
    from fmstudio.sandbox.tables import Cells

    content = path.read_bytes()
    header, *rows = csv.reader(content.decode().splitlines())
    columns = {name: [row[i] for row in rows] for i, name in enumerate(header)}
    lines = list(range(2, len(rows) + 2))
    return Cells(columns, lines, hashlib.sha256(content).hexdigest(), ())


def _check_cohort(folder: Path, done: bool) -> str:
    with _studio(folder) as studio:
        cohorts = studio.registry.cohorts(studio.projects.get("made").id)
        kept = [(studio.settings.home / cohort.manifest).parent for cohort in cohorts]
    for path in (folder / "cases").iterdir():
        if any((each / path.name).read_bytes() != path.read_bytes() for each in kept):
            return f"{path.name} of a kept cohort is not whole"
    return "" if cohorts or not done else "the cohort is not there"


def _states(folder: Path) -> Any:
    from fmstudio.training.saved import States

    return States(home_of(folder) / "runs" / "run-1")


def _first_states(folder: Path) -> None:
    _project(folder)
    for _ in range(2):
        _write_state(folder)


def _write_state(folder: Path) -> None:
    import torch

    states = _states(folder)
    newest = states.newest()
    step = newest.step + 1 if newest else 1
    states.write(step, {"w": torch.full((1000,), float(step))}, {"epoch": step})


def _check_state(folder: Path, done: bool) -> str:
    newest = _states(folder).newest()
    if newest is None or newest.step < (3 if done else 2):
        return "the state before is lost"
    whole = (
        bool((newest.tensors["w"] == newest.step).all()) and newest.facts["epoch"] == newest.step
    )
    return "" if whole else "a half state is used"


def _made_adapter(folder: Path) -> None:
    _project(folder)
    with _studio(folder) as studio:
        studio.registry.create_run(studio.projects.get("made").id, None, "finetune", {}, "embedded")
        run = studio.registry.claim_next_run()
        studio.registry.attach_worker(run.id, os.getpid(), 0.0)
        made = studio.settings.folder(f"runs/{run.id}") / "adapter"
    _unpack(made)


def _unpack(target: Path) -> None:
    from fmstudio.adapters import archive

    archive.write_folder(archive.read_zip(BUNDLE), target)


@dataclass(frozen=True)
class _Done:
    adapter_folder: Path
    card: dict[str, Any]
    held_out: Any
    result: dict[str, Any]


class _Answers:
    """Those of the sample adapter, as they are kept."""

    def as_dict(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(ANSWERS.read_text(encoding="utf-8"))
        return found


def _register(folder: Path) -> None:
    from fmstudio.runs.worker import _finish

    with _studio(folder) as studio:
        (run,) = studio.registry.runs()
        if run.status == "finished":
            return
        if run.status != "running":
            studio.registry.requeue_run(run.id)
            studio.registry.claim_next_run()
        made = studio.settings.folder(f"runs/{run.id}") / "adapter"
        if not made.exists():  # it was moved to its place before the row was written
            _unpack(made)
        done = _Done(made, {"name": "made"}, _Answers(), {"metrics": {}})
        _finish(studio.settings, studio.registry, run.id, done)


def _check_adapter(folder: Path, done: bool) -> str:
    from fmstudio.adapters.installed import whole

    with _studio(folder) as studio:
        found = studio.registry.adapters()
        for adapter in found:
            whole(studio.settings.home / "adapters" / adapter.id, studio.settings, adapter.sealed)
    return "" if len(found) == 1 or not done else "the adapter is not there"


def _registered(folder: Path) -> None:
    _made_adapter(folder)
    _register(folder)


def _export(folder: Path) -> None:
    with _studio(folder) as studio:
        studio.adapters.export("made/champion", folder / "out.zip")


def _check_export(folder: Path, done: bool) -> str:
    from fmstudio.adapters import archive, contents

    if (folder / "out.zip").exists():
        contents.judged(archive.read_zip(folder / "out.zip"))
        return ""
    return "the bundle is not there" if done else ""


def _back_up(folder: Path) -> None:
    (folder / "out.zip").unlink(missing_ok=True)
    with _studio(folder) as studio:
        studio.backup(folder / "out.zip")


def _check_backup(folder: Path, done: bool) -> str:
    from fmstudio.backup import restore
    from fmstudio.settings import Settings

    if (folder / "out.zip").exists():
        restore(folder / "out.zip", Settings(folder / "restored"))
        shutil.rmtree(folder / "restored")
        return ""
    return "the backup is not there" if done else ""


WORKS = (
    Work("adding a cohort", _project, _add_cohort, _check_cohort),
    Work("writing a state", _first_states, _write_state, _check_state),
    Work("registering an adapter", _made_adapter, _register, _check_adapter),
    Work("exporting an adapter", _registered, _export, _check_export),
    Work("making a backup", _registered, _back_up, _check_backup),
)


def attempt(work: Work, template: Path, folder: Path, number: int, way: str) -> tuple[bool, str]:
    """Do a piece of work on a copy of a home with its Nth call going wrong.

    Whether it got through, and what is wrong afterwards: "" if nothing is.
    """
    shutil.copytree(template, folder)
    status = _apart(lambda: _do(work, folder, number, way))
    through = status == THROUGH
    if status not in (THROUGH, TOLD, -signal.SIGKILL):
        return False, f"it ended as a fault of the studio (status {status})"
    told = folder / "wrong.txt"

    def look() -> int:
        wrong = _home_wrong(folder) or work.check(folder, through)
        if not wrong and not through:
            work.do(folder)
            wrong = _home_wrong(folder) or work.check(folder, True)
        told.write_text(wrong)
        return THROUGH

    status = _apart(look)
    if status != THROUGH:
        return through, f"it cannot be looked at or done again (status {status})"
    return through, told.read_text()


def _do(work: Work, folder: Path, number: int, way: str) -> int:
    from fmstudio.errors import StudioError, of_disk

    faults = Faults(folder, number, way)
    try:
        with faults.at_work():
            work.do(folder)
    except StudioError:
        return TOLD
    except OSError as fault:
        return TOLD if of_disk(fault) else 1
    if way == POWER:
        faults.lose()  # the power goes just after it was said to be done
    return THROUGH if faults.count < number else TOLD  # it may live with a fault, too


def _home_wrong(folder: Path) -> str:
    from fmstudio.doctor.home import rows_without_files

    with closing(sqlite3.connect(home_of(folder) / "registry.sqlite")) as connection:
        if connection.execute("PRAGMA integrity_check").fetchone()[0] != "ok":
            return "the registry is damaged"
        if connection.execute("PRAGMA foreign_key_check").fetchone():
            return "a row points to nothing"
    with _studio(folder) as studio:
        if studio.registry.verify_chain() != (True, None):
            return "the event log is not whole"
        lost = [finding.what for finding in rows_without_files(studio.settings, studio.registry)]
    return "; ".join(lost)


def _apart(call: Callable[[], int]) -> int:
    """The exit status of a call in a process of its own; below zero, the signal that ended it."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            status = call()
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            sys.stderr.flush()
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def try_all(work: Work, folder: Path, way: str, most: int = MOST) -> tuple[int, list[str]]:
    """How many calls went wrong, one in each trial, and what was wrong afterwards.

    Every call until the work gets through, or `most` of them, evenly spread.
    """
    template, once = folder / "template", folder / "once"
    template.mkdir(parents=True)
    work.prepare(template)
    shutil.copytree(template, once)
    faults = Faults(once, 0, way)
    with faults.at_work():  # in this process, so that those to come need not import anything
        work.do(once)
    if _home_wrong(once) or work.check(once, True):
        raise RuntimeError(f"{work.name} does not go through without any fault")
    tried, wrong = 0, []
    for number in range(1, MOST, max(1, faults.count // most)):
        number = number if tried < most else MOST  # at last none of its calls goes wrong
        through, what = attempt(work, template, folder / "trial", number, way)
        if what:
            wrong.append(f"call {number}, {way}: {what}")
        shutil.rmtree(folder / "trial")
        if through:
            break
        tried += 1
    return tried, wrong


def measure(options: Namespace, before: dict[str, Any]) -> dict[str, Any]:
    """Every call of every piece of work, in every way."""
    found: dict[str, Any] = {}
    for work in WORKS:
        for way in WAYS:
            with tempfile.TemporaryDirectory(dir=options.work) as folder:
                tried, wrong = try_all(work, Path(folder), way)
            found.setdefault(work.name, {})[way] = {"calls": tried, "wrong": wrong}
    return found


def section(found: dict[str, Any]) -> str:
    """A row for each piece of work: the calls that went wrong, and how often something was lost."""
    lines = [
        "Each call on the disk (open, write, fsync, rename, commit) went wrong once, in each way.",
        "Afterwards the registry, the files of its rows and what was written had to be whole, and",
        "the same work had to go through when done again.",
        "",
        f"| work | {' | '.join(WAYS)} | not whole afterwards |",
        "|---|" + "---|" * (len(WAYS) + 1),
    ]
    for name, ways in found.items():
        calls = " | ".join(str(ways[way]["calls"]) for way in WAYS)
        lines.append(f"| {name} | {calls} | {sum(len(ways[way]['wrong']) for way in WAYS)} |")
    return "\n".join(lines)
