"""Verbs on pretraining: what can be learned from, what it will take, and the run."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fmstudio.errors import InputError
from fmstudio.files import sync_all
from fmstudio.pretrain_config import PretrainConfig
from fmstudio.records import LIVE_STATES, CohortRecord, ProjectRecord, RunRecord
from fmstudio.studio import uploads
from fmstudio.studio.bases import Bases
from fmstudio.studio.cohorts import Cohorts
from fmstudio.studio.context import Context
from fmstudio.studio.gate import check_answered
from fmstudio.studio.libraries import load_libraries
from fmstudio.studio.projects import Projects
from fmstudio.studio.runs import Runs
from fmstudio.types import PatientCase

if TYPE_CHECKING:
    from fmstudio.pretraining.cases import Gathered
    from fmstudio.training.estimate import Estimate

log = logging.getLogger(__name__)

KIND = "pretrain"


@dataclass(frozen=True)
class Objective:
    """What a base can learn from, in words."""

    name: str
    label: str
    help: str


@dataclass(frozen=True)
class Planned:
    """What a run would learn from, by where it is from and by modality, and what it would take."""

    config: PretrainConfig
    counts: Mapping[str, int]
    modalities: Mapping[str, int]
    cases: int
    labelled: bool
    estimate: Estimate


class Pretraining:
    """Objectives and pretraining runs."""

    def __init__(
        self, context: Context, projects: Projects, cohorts: Cohorts, bases: Bases, runs: Runs
    ) -> None:
        self._context = context
        self._projects = projects
        self._cohorts = cohorts
        self._bases = bases
        self._runs = runs

    def objectives(self) -> list[Objective]:
        """What a base can learn from without labels."""
        load_libraries()
        from fmstudio.contracts import discover

        found = discover("fmstudio.pretraining.objectives", "OBJECTIVE").values()
        return [Objective(one.name, one.label, one.help) for one in found]

    def plan(
        self, project: str | int, config: PretrainConfig, manifest: Path | None = None
    ) -> Planned:
        """What a run on the project's cohort and a table of further cases would be.

        Raises InputError where nothing can be learned, NotFound for a base that is not here.
        """
        from fmstudio.pretraining.estimate import estimate

        record, cohort = self._projects.get(project), self._cohorts.newest(project)
        self._bases.get(config.base)
        known = {one.name for one in self.objectives()}
        for name in config.objectives:
            if name not in known:
                raise InputError(
                    f"There is no objective '{name}'.", hint=f"Use: {', '.join(sorted(known))}."
                )
        config = self._with_table(config, record, cohort, manifest)
        gathered = self._gathered(record, cohort, config)
        cost = estimate(config, gathered.modalities)
        return Planned(
            config,
            gathered.counts,
            gathered.modalities,
            len(gathered.cases),
            cohort is not None,
            cost,
        )

    def start(
        self,
        project: str | int,
        config: PretrainConfig,
        manifest: Path | None = None,
        copy: bool = False,
    ) -> RunRecord:
        """Start a run; it goes on if this process ends.

        With `copy` the folder of the table is kept below home, for uploads that will be swept
        away; else its files must stay in place. Raises InputError if cases, settings or the name
        are not fit for it, ResourceError if the disk is full.
        """
        from fmstudio import runs

        self._check_name(config.name)
        uploads.check_free_disk(self._context.settings)
        planned = self.plan(project, config, manifest)
        record, cohort = self._projects.get(project), self._cohorts.newest(project)
        if cohort is not None:
            check_answered(cohort)
        with ExitStack() as keeping:
            if manifest is not None and copy:
                folder = keeping.enter_context(uploads.cohort_folder(self._context.settings))
                kept = uploads.keep(Path(manifest), folder, self._context.settings)
                sync_all(folder)
                config = self._with_table(planned.config, record, cohort, kept)
                planned = replace(planned, config=config)
            run = self._context.registry.create_run(
                record.id,
                cohort.id if cohort else None,
                KIND,
                planned.config.as_dict(),
                config.base,
                planned.estimate.stages,
            )
        runs.start(self._context.settings, self._context.registry, run.id)
        return self._context.registry.run(run.id)

    def make_base(
        self,
        recipe: Path,
        data: Path,
        work: Path,
        out: Path,
        stages: Sequence[str] = (),
        teacher: Path | None = None,
        say: Callable[[str], object] = log.info,
    ) -> dict[str, Any]:
        """Make a base from its recipe in this process, stage by stage; `say` is told lines.

        Gives its card, or with `stages` those that are done. Raises InputError.
        """
        from fmstudio.pretraining.build_plan import make_base

        return make_base(recipe, data, work, out, stages, teacher, say)

    def learned_case(self, run_id: str, case_id: str) -> PatientCase | None:
        """A case that a run learned from, with its files; None where it is not there any more."""
        run = self._runs.get(run_id)
        record = self._projects.get(run.project_id)
        cohort = None if run.cohort_id is None else self._context.registry.cohort(run.cohort_id)
        gathered = self._gathered(record, cohort, PretrainConfig.from_dict(run.config))
        return next((case for case in gathered.cases if case.case_id == case_id), None)

    def free_name(self, project: str | int) -> str:
        """A name for a new base that is not taken: from the project's, with a number behind it."""
        words = "".join(
            c if c.isalnum() and c.isascii() else "-"
            for c in self._projects.get(project).name.lower()
        )
        stem = words.strip("-")[:30] or "base"
        taken = self._taken_names()
        return next(
            name for name in (f"{stem}-{number}" for number in range(1, 10**6)) if name not in taken
        )

    def _gathered(
        self, project: ProjectRecord, cohort: CohortRecord | None, config: PretrainConfig
    ) -> Gathered:
        from fmstudio.pretraining.cases import gather

        return gather(self._context.settings, project, cohort, config)

    def _with_table(
        self,
        config: PretrainConfig,
        project: ProjectRecord,
        cohort: CohortRecord | None,
        manifest: Path | None,
    ) -> PretrainConfig:
        """The config with the table's place, relative to home where it lies below, and its hash."""
        if manifest is None:
            if cohort is None:
                raise InputError(
                    f"The project '{project.name}' has no cases to learn from.",
                    hint="Add a cohort, or give a table of cases; they need no labels.",
                )
            return config
        from fmstudio.pretraining.cases import further_cases

        path, home = Path(manifest).resolve(), self._context.settings.home.resolve()
        _, fingerprint = further_cases(path, project, cohort.roles if cohort else {})
        kept = path.relative_to(home) if path.is_relative_to(home) else path
        return replace(config, manifest=kept.as_posix(), fingerprint=fingerprint)

    def _check_name(self, name: str) -> None:
        if name in self._taken_names():
            raise InputError(
                f"There is a base '{name}', or a run that makes one, already.",
                hint="Give the new base another name.",
            )

    def _taken_names(self) -> set[str]:
        live = self._runs.list(states=LIVE_STATES, kind=KIND, limit=1000)
        return {base.name for base in self._bases.list()} | {
            str(run.config["name"]) for run in live
        }
