"""Studio: one open home folder and everything that a person can do with it."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from fmstudio import contracts, private
from fmstudio.settings import Settings, load_settings
from fmstudio.studio.adapters import Adapters
from fmstudio.studio.bases import Bases
from fmstudio.studio.cohorts import Cohorts
from fmstudio.studio.context import Context
from fmstudio.studio.evaluation import Evaluation
from fmstudio.studio.keys import Keys
from fmstudio.studio.predictions import Predictions
from fmstudio.studio.pretraining import Pretraining
from fmstudio.studio.projects import Projects
from fmstudio.studio.runs import Runs
from fmstudio.studio.sample import Sample, SampleProject
from fmstudio.studio.values import Values

if TYPE_CHECKING:
    from fmstudio.backup.listing import Listing
    from fmstudio.registry import Registry


class Studio:
    """The verbs by what they are about, and those on the studio itself. Safe for several threads.

    User faults raise a StudioError; anything else that is raised is a fault of ours.
    """

    def __init__(self, settings: Settings, registry: Registry) -> None:
        self.settings = settings
        self.registry = registry
        self.context = context = Context(settings, registry)
        self.projects = Projects(context)
        self.cohorts = Cohorts(context, self.projects)
        self.bases = Bases(context, self.projects)
        self.runs = Runs(context, self.projects, self.cohorts, self.bases)
        self.pretraining = Pretraining(context, self.projects, self.cohorts, self.bases, self.runs)
        self.keys = Keys(context)
        self.adapters = Adapters(context, self.projects, self.keys)
        self.values = Values(context, self.adapters)
        self.predictions = Predictions(context, self.adapters)
        self.evaluation = Evaluation(
            context, self.projects, self.adapters, self.runs, self.predictions
        )
        self._warm = threading.Event()
        self._sample = SampleProject(self.projects, self.cohorts, self.adapters)

    @classmethod
    def open(cls, home: str | os.PathLike[str] | None = None) -> Self:
        """The studio of a home folder (see `load_settings`), its registry brought up to date."""
        from fmstudio.registry import Registry

        settings = load_settings(home)
        opened = cls(settings, Registry.open(settings))
        private.tighten(settings.home, deep=False)
        opened.context.reconcile()
        return opened

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the reading processes and let go of models and registry."""
        self.context.close()

    @property
    def notice(self) -> str | None:
        """Why nothing can be kept for now, in a sentence; None where all is well."""
        return self.context.notice

    def pipelines(self) -> list[contracts.Pipeline]:
        """One pipeline per modality, in the order of the pages."""
        return list(contracts.pipelines().values())

    def demo(self) -> Sample:
        """Make the sample project, its cohort and adapter, where they are not there yet.

        Raises NotFound if the files that ship with the studio are missing.
        """
        self._sample.make(self.registry)
        sample = self.sample()
        assert sample is not None
        return sample

    def sample(self) -> Sample | None:
        """The sample project's adapter and first case, or None where there is no sample yet."""
        return self._sample.read()

    def warm_up(self) -> None:
        """Load torch and the newest adapter's model, so that the first prediction is quick."""
        try:
            for newest in self.adapters.list(limit=1):
                self.predictions.predictor(newest.id)
        finally:
            self._warm.set()

    @property
    def ready(self) -> bool:
        """True once `warm_up` is over."""
        return self._warm.is_set()

    def doctor(self) -> dict[str, Any]:
        """Versions, decoders, device, disk and database; what is missing and how to get it."""
        from fmstudio.doctor import examine

        return examine(self.settings)

    def audit(self) -> dict[str, Any]:
        """The event log, newest last, and whether its chain of hashes is whole."""
        whole, first_broken = self.registry.verify_chain()
        events = self.registry.events(None)[::-1]
        return {"whole": whole, "first_broken": first_broken, "events": events}

    def backup(self, target: Path) -> Listing:
        """Write all that is kept to a ZIP, also while work goes on; what it holds.

        Raises InputError for a file that is there already, ResourceError if there is no room.
        """
        from fmstudio.backup import back_up

        return back_up(self.settings, self.registry, Path(target))

    def clean_up(self) -> None:
        """Remove what broken-off work left behind."""
        from fmstudio import runs

        runs.clean_up(self.settings, self.registry)

    def tighten(self) -> None:
        """Take the rights of other users from everything in the home folder."""
        private.tighten(self.settings.home)
