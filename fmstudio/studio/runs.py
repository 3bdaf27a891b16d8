"""Verbs on bases and fine-tuning runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fmstudio.baselines.sample_weights import check_group_column
from fmstudio.records import CohortRecord, Point, RunRecord, RunSummary
from fmstudio.results.audit import CohortAudit
from fmstudio.run_config import PRESETS, RunConfig
from fmstudio.studio import cohort_cases, frames, recipes, uploads
from fmstudio.studio.bases import Bases
from fmstudio.studio.cohorts import Cohorts
from fmstudio.studio.context import Context
from fmstudio.studio.encoders import kept_encoders
from fmstudio.studio.projects import Projects
from fmstudio.studio.waiting import wait

if TYPE_CHECKING:
    import pandas as pd

    from fmstudio.studio.recipes import Planned
    from fmstudio.training.estimate import Estimate
    from fmstudio.training.run_settings import Recipe
    from fmstudio.training.sample import Size


class Runs:
    """Fine-tuning runs: their settings, what they will take, and their course."""

    def __init__(
        self, context: Context, projects: Projects, cohorts: Cohorts, bases: Bases
    ) -> None:
        self._context = context
        self._projects = projects
        self._cohorts = cohorts
        self._bases = bases
        self._sampled: dict[int, Mapping[str, Size]] = {}  # by cohort
        context.when_let_go(lambda _: self._sampled.clear())

    def presets(self) -> dict[str, dict[str, Any]]:
        """The named settings of a run."""
        return {name: dict(values) for name, values in PRESETS.items()}

    def estimate(self, project: str | int, config: RunConfig) -> Estimate:
        """Time and memory that a run on the newest cohort will need.

        A few of the cohort's inputs are read for it. Raises NotFound for an encoder that is not
        kept on this machine, InputError if the files have changed since the cohort was added.
        """
        from fmstudio.checkpoints.store import find_checkpoint
        from fmstudio.training.estimate import estimate

        chosen = {
            m: find_checkpoint(name, self._context.settings) for m, name in config.encoders.items()
        }
        cohort = self._cohorts.current(project)
        return estimate(config, cohort.audit, chosen, self._sizes(project, cohort))

    def _sizes(self, project: str | int, cohort: CohortRecord) -> Mapping[str, Size]:
        """What the inputs of a cohort are like, looked at once while the studio is open."""
        from fmstudio.training.sample import sizes

        if cohort.id not in self._sampled:
            loaded = cohort_cases.load(self._context.settings, self._projects.get(project), cohort)
            self._sampled[cohort.id] = sizes(self._context.reader(), loaded.cases)
        return self._sampled[cohort.id]

    def start(self, project: str | int, config: RunConfig) -> RunRecord:
        """Start a run on the newest cohort; it goes on if this process ends.

        A run of the same settings on it that waits or works is given back instead of a second one.
        An encoder given as a folder is kept first. Raises InputError if cohort, settings or
        encoders are not fit for it, or the cohort lacks the column to balance by; ResourceError if
        the disk is full or memory will not do.
        """
        from fmstudio import runs

        record, cohort = self._projects.get(project), self._cohorts.current(project)
        self._bases.get(config.base)
        cohort_cases.check_ready(cohort, config.modalities)
        check_group_column(config, cohort_cases.group_columns(cohort))
        uploads.check_free_disk(self._context.settings)
        config = self._within_memory(config, cohort.audit)
        run = self._context.registry.create_run(
            record.id,
            cohort.id,
            "finetune",
            config.as_dict(),
            config.base,
            self.estimate(record.id, config).stages,
            once=True,
        )
        runs.start(self._context.settings, self._context.registry, run.id)
        return self._context.registry.run(run.id)

    def recipe(self, run_id: str, target: Path | None = None) -> Recipe:
        """The recipe of a fine-tuning run, written to `target` if given.

        Raises InputError for a run of another kind or a folder that is not there.
        """
        recipe = recipes.recipe_of(self.get(run_id), self._context.settings, self._context.registry)
        if target is not None:
            recipes.write(recipe, target)
        return recipe

    def plan_from_recipe(
        self, project: str | int, file: Path, changes: Mapping[str, Any] | None = None
    ) -> Planned:
        """The settings of a recipe's file for the newest cohort, with `changes` on top.

        Raises InputError, naming what is wrong in the file or what is not here as it was.
        """
        record, cohort = self._projects.get(project), self._cohorts.current(project)
        return recipes.plan(
            recipes.read(Path(file)), changes or {}, record, cohort, self._context.settings
        )

    def plan_again(self, run_id: str) -> Planned:
        """The settings of an earlier run for the newest cohort of its project.

        Raises InputError where something is not here as it was then.
        """
        run = self.get(run_id)
        recipe = recipes.recipe_of(run, self._context.settings, self._context.registry)
        record, cohort = self._projects.get(run.project_id), self._cohorts.current(run.project_id)
        return recipes.plan(recipe, {}, record, cohort, self._context.settings)

    def _within_memory(self, config: RunConfig, audit: CohortAudit) -> RunConfig:
        """The config with the names of kept checkpoints and a batch size that fits into memory."""
        from fmstudio.training.estimate import within_memory

        modalities = config.modalities or audit.present
        kept = kept_encoders(config.encoders, modalities, self._context.settings)
        config = config.with_encoders({modality: info.name for modality, info in kept.items()})
        return within_memory(config, audit, kept)

    def wait(
        self, run: str | RunRecord, watch: Callable[[RunRecord], None] | None = None
    ) -> RunRecord:
        """Wait until a run has ended; `watch` is called with it now and then.

        Raises RunFailed if it ended without a result.
        """
        return wait(self.get, run if isinstance(run, str) else run.id, watch)

    def list(
        self,
        project: str | int | None = None,
        states: Sequence[str] = (),
        kind: str | None = None,
        limit: int = 100,
        skip: int = 0,
    ) -> list[RunRecord]:
        """The newest runs as they stand now, newest first, after `skip` of them; where given,
        those of one project, of some states, of a kind."""
        self._context.reconcile()
        project_id = None if project is None else self._projects.get(project).id
        return self._context.registry.runs(project_id, states, kind, limit, skip)

    def summaries(
        self,
        project: str | int | None = None,
        states: Sequence[str] = (),
        limit: int = 100,
        skip: int = 0,
    ) -> Sequence[RunSummary]:
        """The newest runs as lines of a list, as they stand now, newest first, after `skip` of
        them; where given, those of one project, of some states."""
        self._context.reconcile()
        project_id = None if project is None else self._projects.get(project).id
        return self._context.registry.run_summaries(project_id, states, limit, skip)

    def frame(self, project: str | int | None = None, limit: int = 100) -> pd.DataFrame:
        """The newest runs as a table, newest first, with their metrics on held-out patients; of
        one project if given."""
        runs = self.summaries(project, limit=limit)
        return frames.of_runs(runs, self._projects.names(runs))

    def count(self, project: str | int | None = None) -> int:
        """How many runs there are; of one project if given."""
        return self._context.registry.count_runs(
            None if project is None else self._projects.get(project).id
        )

    def get(self, run_id: str) -> RunRecord:
        """A run as it stands now. Raises NotFound."""
        self._context.reconcile()
        return self._context.registry.run(run_id)

    def points(self, run_id: str) -> Sequence[Point]:
        """The curves of a run."""
        return self._context.registry.points(run_id)

    def stop(self, run_id: str) -> RunRecord:
        """Ask a run to stop after a checkpoint. Raises InputError if it has ended."""
        from fmstudio import runs

        runs.stop(self._context.settings, self._context.registry, run_id)
        return self._context.registry.run(run_id)

    def resume(self, run_id: str) -> RunRecord:
        """Go on with a stopped or interrupted run from its last checkpoint."""
        from fmstudio import runs

        uploads.check_free_disk(self._context.settings)
        runs.resume(self._context.settings, self._context.registry, run_id)
        return self._context.registry.run(run_id)
