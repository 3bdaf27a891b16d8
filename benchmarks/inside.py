"""For parts that work inside the studio, and not through its commands: its data, and no page."""

from __future__ import annotations

from collections.abc import Sequence

from fmstudio.cohort import build_cohort, read_manifest
from fmstudio.records import Point, Progress
from fmstudio.registry import Registry
from fmstudio.settings import Settings
from fmstudio.types import Cohort


class Silent:
    """Nobody watches."""

    def progress(self, progress: Progress) -> None:
        """Says nothing."""

    def points(self, points: Sequence[Point]) -> None:
        """Draws nothing."""

    def should_stop(self) -> bool:
        """Never."""
        return False


def newest_cohort(settings: Settings, project: str) -> Cohort:
    """The newest cohort of a project of a home."""
    with Registry.open(settings) as registry:
        owner = registry.project(project)
        kept = registry.cohorts(owner.id)[-1]
    manifest = read_manifest(settings.home / kept.manifest)
    return build_cohort(manifest, kept.roles, owner.task, kept.name)
