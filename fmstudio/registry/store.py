"""The registry: everything the studio remembers, as verbs that take and give plain records."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from sqlalchemy import func, select

from fmstudio.errors import ReadOnlyRegistry, ResourceError
from fmstudio.registry.adapters import Adapters
from fmstudio.registry.connecting import BUSY_SECONDS
from fmstudio.registry.events import Events
from fmstudio.registry.faults import FILE
from fmstudio.registry.forgetting import Forgetting
from fmstudio.registry.opening import open_database, open_to_read
from fmstudio.registry.projects import Projects
from fmstudio.registry.row_seals import Seals
from fmstudio.registry.runs import Runs
from fmstudio.registry.tables import Adapter, Cohort, Prediction, Project, Run
from fmstudio.settings import Settings


class Registry(Projects, Runs, Adapters, Events, Forgetting, Seals):
    """The local registry. A session per verb; any thread and any process may use it.

    Every verb that changes something writes its line of the event log in the same transaction.
    Every verb raises RegistryError if the file is locked for longer than the busy time, damaged,
    or gone; verbs that change something also ReadOnlyRegistry if it may not be written, and
    ResourceError if the disk is full.
    """

    @classmethod
    def open(cls, settings: Settings, busy_seconds: float = BUSY_SECONDS) -> Self:
        """Open the registry of a home folder, made or migrated if need be.

        One that is there and cannot be written, as on a full disk, is opened to be read: `notice`
        then says why. Raises RegistryError, and the file is left as it is, if it is locked,
        damaged, or was made by a newer version of the studio.
        """
        try:
            return cls(settings.home, open_database(settings, busy_seconds))
        except (ReadOnlyRegistry, ResourceError) as fault:
            if not (settings.home / FILE).is_file():
                raise
            return cls(
                settings.home,
                open_to_read(settings, busy_seconds),
                fault,
                lambda: open_database(settings, busy_seconds),
            )

    def counts(self) -> dict[str, int]:
        """How many projects, cohorts, runs, adapters and predictions there are."""
        tables = (Project, Cohort, Run, Adapter, Prediction)
        with self.reading() as session:
            return {
                table.__tablename__: session.scalar(select(func.count()).select_from(table)) or 0
                for table in tables
            }

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
