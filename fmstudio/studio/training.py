"""Verbs on bases and fine-tuning runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fmstudio.records import Point, RunRecord
from fmstudio.studio import manifests, uploads
from fmstudio.studio.projects import Projects
from fmstudio.studio.waiting import wait
from fmstudio.training.config import PRESETS, RunConfig

if TYPE_CHECKING:
    from fmstudio.model.bases import BaseInfo
    from fmstudio.training.estimate import Estimate


class Training(Projects):
    """Bases, presets and runs."""

    def bases(self) -> list[BaseInfo]:
        """The base models at hand, the untrained one for comparison included."""
        from fmstudio.model.bases import list_bases

        return list_bases(self.settings)

    def base(self, name: str) -> BaseInfo:
        """A base model by name. Raises NotFound."""
        from fmstudio.model.bases import base_info

        return base_info(name, self.settings)

    def presets(self) -> dict[str, dict[str, Any]]:
        """The named settings of a run."""
        return {name: dict(values) for name, values in PRESETS.items()}

    def estimate(self, project: str | int, config: RunConfig) -> Estimate:
        """Time and memory that a run on the newest cohort will need."""
        from fmstudio.training.estimate import estimate

        return estimate(config, self.cohort_report(project))

    def start_finetune(self, project: str | int, config: RunConfig) -> RunRecord:
        """Start a run on the newest cohort; it goes on if this process ends.

        Raises InputError if cohort or settings are not fit for it, ResourceError if the disk is
        full.
        """
        from fmstudio import runs

        record, cohort = self.project(project), self._newest_cohort(project)
        self.base(config.base)
        manifests.check_ready(cohort, config.modalities)
        uploads.check_free_disk(self.settings)
        run = self.registry.create_run(
            record.id, cohort.id, "finetune", config.as_dict(), config.base
        )
        runs.start(self.settings, self.registry, run.id)
        return self.registry.run(run.id)

    def wait(
        self, run: str | RunRecord, watch: Callable[[RunRecord], None] | None = None
    ) -> RunRecord:
        """Wait until a run has ended; `watch` is called with it now and then.

        Raises RunFailed if it ended without a result.
        """
        return wait(self, run if isinstance(run, str) else run.id, watch)

    def runs(self, project: str | int | None = None) -> list[RunRecord]:
        """Runs of a project or all, as they stand now."""
        from fmstudio import runs

        runs.reconcile(self.settings, self.registry)
        return self.registry.runs(None if project is None else self.project(project).id)

    def run(self, run_id: str) -> RunRecord:
        """A run as it stands now. Raises NotFound."""
        from fmstudio import runs

        runs.reconcile(self.settings, self.registry)
        return self.registry.run(run_id)

    def points(self, run_id: str) -> list[Point]:
        """The curves of a run."""
        return self.registry.points(run_id)

    def stop_run(self, run_id: str) -> RunRecord:
        """Ask a run to stop after a checkpoint. Raises InputError if it has ended."""
        from fmstudio import runs

        runs.stop(self.settings, self.registry, run_id)
        return self.registry.run(run_id)

    def resume_run(self, run_id: str) -> RunRecord:
        """Go on with a stopped or interrupted run from its last checkpoint."""
        from fmstudio import runs

        uploads.check_free_disk(self.settings)
        runs.resume(self.settings, self.registry, run_id)
        return self.registry.run(run_id)
