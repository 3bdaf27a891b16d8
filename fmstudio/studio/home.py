"""What all verbs stand on: one open home folder, its registry and what is loaded."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Self

from fmstudio.errors import ReadOnlyRegistry, ResourceError
from fmstudio.private import tighten
from fmstudio.settings import Settings, load_settings
from fmstudio.studio.label_check import LabelChecks
from fmstudio.studio.loaded import Loaded

if TYPE_CHECKING:
    from fmstudio.registry import Registry
    from fmstudio.sandbox import Reader
    from fmstudio.studio.places import Cut
    from fmstudio.training.sample import Size

log = logging.getLogger(__name__)


class Home:
    """One open home folder. Verbs may be called from several threads."""

    def __init__(self, settings: Settings, registry: Registry) -> None:
        self.settings = settings
        self.registry = registry
        self._loaded = Loaded(settings)
        self._doubting = LabelChecks()
        self._cut_out: dict[tuple[int, str], list[Cut]] = {}  # by cohort and finding
        self._sampled: dict[int, Mapping[str, Size]] = {}  # by cohort

    @classmethod
    def open(cls, home: str | os.PathLike[str] | None = None) -> Self:
        """The studio of a home folder (see `load_settings`), its registry brought up to date."""
        from fmstudio.registry import Registry

        settings = load_settings(home)
        opened = cls(settings, Registry.open(settings))
        tighten(settings.home, deep=False)
        opened.reconcile()
        return opened

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
        self._loaded.close()
        self._doubting.close()
        self.registry.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def is_looked_at(self, cohort: int) -> bool:
        """Whether the labels of a cohort are being looked at."""
        return self._doubting.state(cohort)[0]

    def let_go(self, adapters: Iterable[str]) -> None:
        """Forget what is in memory of adapters, and of all cohorts."""
        for adapter in adapters:
            self._loaded.forget(adapter)
        self._cut_out.clear()
        self._sampled.clear()

    def reader(self) -> Reader:
        """The child processes that decode foreign files; started when first used."""
        return self._loaded.reader()
