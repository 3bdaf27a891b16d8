"""Studio: one method per thing that a person can do. Heavy packages are imported inside verbs."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fmstudio import private
from fmstudio.settings import Settings
from fmstudio.studio.judgements import Judgements
from fmstudio.studio.pretraining import Pretraining
from fmstudio.studio.sample import Sample, make_sample, read_sample

if TYPE_CHECKING:
    from fmstudio.backup.listing import Listing
    from fmstudio.registry import Registry


class Studio(Judgements, Pretraining):
    """Every verb: those of Projects, Training, Adapters, Answers, Judgements, Pretraining, its own.

    User faults raise a StudioError; anything else that is raised is a fault of ours.
    """

    def __init__(self, settings: Settings, registry: Registry) -> None:
        super().__init__(settings, registry)
        self._warm = threading.Event()
        self._sample: Sample | None = None

    def demo(self) -> Sample:
        """Make the sample project, its cohort and adapter, where they are not there yet.

        Raises NotFound if the files that ship with the studio are missing.
        """
        make_sample(self)
        sample = self.sample()
        assert sample is not None
        return sample

    def sample(self) -> Sample | None:
        """The sample project's adapter and first case, or None where there is no sample yet."""
        self._sample = read_sample(self, self._sample)
        return self._sample

    def warm_up(self) -> None:
        """Load torch and the newest adapter's model, so that the first prediction is quick."""
        try:
            for newest in self.adapters(limit=1):
                self.predictor(newest.id)
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
