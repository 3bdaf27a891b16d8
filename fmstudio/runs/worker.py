"""The worker process: `python -m fmstudio.runs.worker RUN --home HOME` does one run and ends.

It rebuilds the cohort from the registry, does the work of the run's kind, puts the files of the
adapter or base in place, and then finishes the run in the registry. Then it starts the run that
waits next.
"""

from __future__ import annotations

import argparse
import hashlib
import logging
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from fmstudio.errors import InputError, StudioError, of_disk
from fmstudio.evaluation.labelled_predictions import HeldOut
from fmstudio.files import place_folder
from fmstudio.records import OUR_FAULT, Progress, ProjectRecord, RunRecord
from fmstudio.registry import Registry
from fmstudio.runs.launch import (
    ENVIRONMENT,
    FULL_DISK,
    process_started,
    run_folder,
    start_next,
)
from fmstudio.runs.reporting import RunReporter
from fmstudio.runs.run_log import LOG, kept_small
from fmstudio.settings import Settings, load_settings
from fmstudio.traces import WithoutWords
from fmstudio.training.reporter import Reporter, Stopped
from fmstudio.training.stages import READING
from fmstudio.types import Cohort

if TYPE_CHECKING:
    from fmstudio.pretraining.pretrain import Pretrained

log = logging.getLogger(__name__)

PRETRAIN = "pretrain"  # the kind of run that makes a base; any other makes an adapter
NICENESS = 5  # pages and predictions come first


class Done(Protocol):
    """What work hands back: the result's JSON, the adapter's files, its card, and its answers to
    held-out cases."""

    @property
    def result(self) -> dict[str, Any]: ...
    @property
    def adapter_folder(self) -> Path: ...
    @property
    def card(self) -> dict[str, Any]: ...
    @property
    def held_out(self) -> HeldOut: ...


Work = Callable[[RunRecord, ProjectRecord, Cohort, Path, Settings, Reporter], Done]


def execute(settings: Settings, run_id: str, work: Work | None = None) -> str:
    """Do one run to its end in this process; `work` is fine-tuning unless given.

    Returns the state in which the run was left, or "not claimed" if it was not for us to do.
    """
    pid = os.getpid()
    with Registry.open(settings) as registry:
        expected = registry.run(run_id).progress.expected
        reporter = RunReporter(registry, run_id, pid, expected)
        with reporter.obeying_signals():
            if not registry.attach_worker(run_id, pid, process_started(pid)):
                log.info("%s is already done or being worked on.", run_id)
                return "not claimed"
            try:
                if registry.run(run_id).kind == PRETRAIN:
                    made = _pretrain(settings, registry, reporter)
                    _finish_base(settings, registry, run_id, made)
                else:
                    done = _work_on(settings, registry, reporter, work)
                    _finish(settings, registry, run_id, done)
            except Stopped:
                _leave(registry, run_id, pid, status="stopped")
            except Exception as fault:
                log.exception("%s failed.", run_id)
                error, hint = explain(fault)
                _leave(registry, run_id, pid, status="failed", error=error, hint=hint)
        status = registry.run(run_id).status
        log.info("%s is %s.", run_id, status)
        start_next(settings, registry)
        return status


def _work_on(
    settings: Settings, registry: Registry, reporter: RunReporter, work: Work | None
) -> Done:
    run = registry.run(reporter.run_id)
    project = registry.project(run.project_id)
    with reporter:
        reporter.progress(Progress(READING, message="the cohort's table"))
        cohort = rebuild(settings, registry, run, project)
        done = (work or _finetuning())(
            run, project, cohort, run_folder(settings, run.id), settings, reporter
        )
    if reporter.lost:  # the run was taken from us: what we made is not its result
        raise Stopped
    return done


def _finetuning() -> Work:
    """The real work; it imports torch, so not before the cohort is known to be good."""
    from fmstudio.training.finetune import finetune

    return finetune


def _pretrain(settings: Settings, registry: Registry, reporter: RunReporter) -> Pretrained:
    from fmstudio.pretrain_config import PretrainConfig
    from fmstudio.pretraining.cases import gather

    run = registry.run(reporter.run_id)
    project = registry.project(run.project_id)
    with reporter:
        reporter.progress(Progress(READING, message="the cohort's table"))
        kept = None if run.cohort_id is None else registry.cohort(run.cohort_id)
        gathered = gather(settings, project, kept, PretrainConfig.from_dict(run.config))
        from fmstudio.pretraining.pretrain import pretrain  # torch, once the cases are known good

        done = pretrain(run, gathered, run_folder(settings, run.id), settings, reporter)
    if reporter.lost:
        raise Stopped
    return done


def _finish_base(settings: Settings, registry: Registry, run_id: str, done: Pretrained) -> None:
    """Files first, row second, as for an adapter."""
    name, target = done.card["name"], settings.folder("bases") / done.card["name"]
    if target.exists():
        raise InputError(
            f"There is a base '{name}' by now.",
            hint="Rename the folder of that base, then resume the run.",
        )
    place_folder(done.base_folder, target)
    registry.finish_run_with_base(run_id, done.result, name, done.card["sha256"])


def _finish(settings: Settings, registry: Registry, run_id: str, done: Done) -> None:
    """Files first, rows second: a row never points to files that are not there."""
    adapter_id = registry.new_adapter_id()
    folder = settings.folder("adapters") / adapter_id
    place_folder(done.adapter_folder, folder)
    sealed = hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()
    result = done.result | {"run": run_id, "adapter": adapter_id, "status": "finished"}
    held_out = done.held_out.as_dict()
    registry.finish_run(run_id, result, adapter_id, done.card["name"], done.card, held_out, sealed)


def _leave(registry: Registry, run_id: str, pid: int, **changes: str) -> None:
    """End a run without a result, if it is still ours."""
    run = registry.run(run_id)
    if run.status == "running" and run.pid == pid:
        registry.update_run(run_id, **changes)


def rebuild(
    settings: Settings, registry: Registry, run: RunRecord, project: ProjectRecord
) -> Cohort:
    """The cohort of a run as it was when it was added, read from its manifest again.

    Raises InputError if the manifest or a file that it points to has changed since.
    """
    from fmstudio.cohort import recorded_cohort

    if run.cohort_id is None:
        raise InputError(f"The cohort of {run.id} was removed.", hint="Start a new run.")
    return recorded_cohort(settings, registry.cohort(run.cohort_id), project.task)


def explain(fault: BaseException) -> tuple[str, str]:
    """What to tell a person about the end of a run: what happened, and what to do."""
    if isinstance(fault, StudioError):
        return fault.message, fault.hint
    words = str(fault).lower()
    short_of_memory = ("out of memory", "can't allocate memory", "not enough memory")
    if isinstance(fault, MemoryError) or any(sign in words for sign in short_of_memory):
        return (
            "The computer's memory was not enough for the run.",
            "Choose a smaller batch size or fewer modalities in a new run, or close other "
            "programs and resume this one.",
        )
    told = of_disk(fault)
    if told is not None:
        return FULL_DISK if told.message == FULL_DISK[0] else (told.message, told.hint)
    return OUR_FAULT, f"The details are in {LOG} of the run."


def main(arguments: Sequence[str] | None = None) -> int:
    """Do the run that the command line names. Returns 0, 1 if it failed, 2 if there is none."""
    parser = argparse.ArgumentParser(prog="python -m fmstudio.runs.worker", description=__doc__)
    parser.add_argument("run")
    parser.add_argument("--home")
    given = parser.parse_args(arguments)
    # Before torch is imported: its thread pool reads the environment once.
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    logging.Formatter.converter = time.gmtime
    handler = logging.StreamHandler()
    handler.setFormatter(WithoutWords("%(asctime)sZ %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    try:
        settings = load_settings(given.home)
        with kept_small(settings.home / "runs" / given.run):
            status = execute(settings, given.run)
    except StudioError as fault:
        log.error("%s %s", fault.message, fault.hint)
        return 2
    return 1 if status == "failed" else 0


if __name__ == "__main__":
    sys.exit(main())
