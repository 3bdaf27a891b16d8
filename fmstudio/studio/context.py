"""What all verbs share: one open home folder, its registry, and what is kept in memory."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from fmstudio.errors import ReadOnlyRegistry, ResourceError
from fmstudio.records import AdapterRecord
from fmstudio.settings import Settings
from fmstudio.studio.label_check import LabelChecks
from fmstudio.studio.loaded import Loaded

if TYPE_CHECKING:
    from fmstudio.adapters.contents import Contents
    from fmstudio.registry import Registry
    from fmstudio.sandbox import Reader

log = logging.getLogger(__name__)


class Context:
    """One open home folder. Safe for several threads."""

    def __init__(self, settings: Settings, registry: Registry) -> None:
        self.settings = settings
        self.registry = registry
        self.loaded = Loaded(settings)
        self.label_checks = LabelChecks()
        self._forget: list[Callable[[Collection[str]], None]] = []

    @property
    def notice(self) -> str | None:
        """Why nothing can be kept for now, in a sentence; None where all is well."""
        fault = self.registry.notice
        return None if fault is None else f"{fault.message} Until then all can be read only."

    def reconcile(self) -> None:
        """Bring the states of runs up to date; where that cannot be written, they stay as kept."""
        from fmstudio import runs

        try:
            runs.reconcile(self.settings, self.registry)
        except (ReadOnlyRegistry, ResourceError) as fault:
            log.warning("The runs were not brought up to date: %s", fault.message)

    def close(self) -> None:
        """End the reading processes and let go of models and registry."""
        self.loaded.close()
        self.label_checks.close()
        self.registry.close()

    def is_looked_at(self, cohort: int) -> bool:
        """Whether the labels of a cohort are being looked at."""
        return self.label_checks.state(cohort)[0]

    def when_let_go(self, forget: Callable[[Collection[str]], None]) -> None:
        """Have `forget` called with the ids of adapters whenever something is deleted: what is in
        memory of them, and of any cohort, must not be used again."""
        self._forget.append(forget)

    def let_go(self, adapters: Iterable[str]) -> None:
        """Forget what is in memory of adapters, and of all cohorts."""
        gone = tuple(adapters)
        for adapter in gone:
            self.loaded.forget(adapter)
        for forget in self._forget:
            forget(gone)

    def reader(self) -> Reader:
        """The child processes that decode foreign files; started when first used."""
        return self.loaded.reader()

    def adapter_folder(self, adapter_id: str) -> Path:
        """Where an adapter's files lie."""
        return self.settings.folder("adapters") / adapter_id

    def contents(self, adapter: AdapterRecord) -> Contents:
        """What an adapter's files say. Raises BundleError if one is not as it was sealed."""
        from fmstudio.adapters.installed import whole

        return whole(self.adapter_folder(adapter.id), self.settings, adapter.sealed)
