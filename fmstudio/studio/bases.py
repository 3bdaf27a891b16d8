"""Verbs on what models are made of: bases, checkpoints kept as encoders, and adding more."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from fmstudio.errors import InputError, NotFound
from fmstudio.studio.context import Context
from fmstudio.studio.projects import Projects

if TYPE_CHECKING:
    from fmstudio.checkpoints.compatibility import Verdict
    from fmstudio.checkpoints.store import CheckpointInfo
    from fmstudio.model.bases import BaseInfo
    from fmstudio.runs.additions import Addition

BASE, ENCODER = "base", "encoder"
NAMED_USERS = 10  # in a message


@dataclass(frozen=True)
class Use:
    """An adapter that was made with an entry, and how it did on held-out patients."""

    adapter: str
    name: str
    project: str
    project_id: int
    metrics: Mapping[str, Any]


@dataclass(frozen=True)
class Entry:
    """A base, or a checkpoint kept as an encoder. `id` and `revision` are those of the hub;
    `adapters` is how many were made with it."""

    name: str
    what: str
    title: str
    kinds: tuple[str, ...]
    parameters: int
    size_mb: float
    licence: str
    gated: bool
    source: str
    id: str | None
    revision: str | None
    model_type: str | None
    sha256: str
    trained_on: str
    description: str
    limits: str
    adapters: int


class Bases:
    """Bases, and checkpoints that are kept as encoders."""

    def __init__(self, context: Context, projects: Projects) -> None:
        self._context = context
        self._projects = projects

    def list(self) -> list[BaseInfo]:
        """The base models at hand, the untrained one for comparison included."""
        from fmstudio.model.bases import list_bases

        return list_bases(self._context.settings)

    def get(self, name: str) -> BaseInfo:
        """A base model by name. Raises NotFound."""
        from fmstudio.model.bases import base_info

        return base_info(name, self._context.settings)

    def catalogue(self) -> Sequence[Entry]:
        """Every base, then every checkpoint kept on this machine."""
        counts = self._context.registry.count_uses()
        bases = [_of_base(base, counts.get(base.name, 0)) for base in self.list()]
        return [*bases, *(replace(e, adapters=counts.get(e.sha256, 0)) for e in self.encoders())]

    def uses(self, entry: Entry, limit: int | None = None) -> Sequence[Use]:
        """The adapters that were made with an entry, the newest first, at most `limit`, and what
        each achieved."""
        model = entry.name if entry.what == BASE else entry.sha256
        made = self._context.registry.made_with(model, limit)
        projects = self._projects.names(made)
        return [
            Use(one.id, one.name, projects[one.project_id], one.project_id, one.metrics)
            for one in made
        ]

    def encoders(self) -> Sequence[Entry]:
        """Every checkpoint kept on this machine; its adapters are not counted."""
        from fmstudio.checkpoints.store import list_checkpoints

        return [_of_checkpoint(kept) for kept in list_checkpoints(self._context.settings)]

    def entry(self, name: str) -> Entry:
        """A base or encoder by its name, or an encoder by its id.

        Raises NotFound; BundleError for a base whose card is damaged.
        """
        known = self.catalogue()
        for found in known:
            if name in (found.name, found.id):
                return found
        if (self._context.settings.home / "bases" / name / "card.json").is_file():
            self.get(name)
        raise NotFound(
            f"There is neither a base nor an encoder '{name}'.",
            hint=f"Use one of: {', '.join(found.name for found in known)}.",
        )

    def check(self, source: str, kind: str | None = None, revision: str | None = None) -> Verdict:
        """Whether a checkpoint, by its id on the hub or its folder, can become an encoder here.

        No weights are fetched. Raises a StudioError if nothing can be said about it.
        """
        from fmstudio.checkpoints.importing import FAILED
        from fmstudio.runs import additions

        attempt = additions.start(
            self._context.settings, source, kind, revision=revision, only_check=True
        )
        found = additions.wait(self._context.settings, attempt.id)
        if found.state != FAILED:  # else its log says why
            additions.forget(self._context.settings, attempt.id)
        found.raise_fault()
        assert found.verdict is not None
        return found.verdict

    def add(
        self,
        source: str,
        kind: str | None = None,
        name: str | None = None,
        revision: str | None = None,
    ) -> Addition:
        """Begin to check and add a checkpoint; it goes on if this process ends.

        `revision` pins what was checked before. Raises InputError if another is being added.
        """
        from fmstudio.runs import additions

        for ended in self.additions():
            if not ended.live:
                additions.forget(self._context.settings, ended.id)
        return additions.start(self._context.settings, source, kind, name, revision)

    def additions(self) -> Sequence[Addition]:
        """The attempts to add a checkpoint that are live or ended lately, newest first."""
        from fmstudio.runs import additions

        return additions.additions(self._context.settings)

    def addition(self, attempt: str) -> Addition:
        """An attempt as it stands. Raises NotFound."""
        from fmstudio.runs import additions

        return additions.addition(self._context.settings, attempt)

    def wait_for(
        self, attempt: str, watch: Callable[[Addition], None] | None = None
    ) -> CheckpointInfo:
        """The checkpoint once it was added; raises what spoke against it."""
        from fmstudio.checkpoints.store import find_checkpoint
        from fmstudio.runs import additions

        found = additions.wait(self._context.settings, attempt, watch)
        found.raise_fault()
        if found.name is None:
            raise InputError("Adding it was stopped.", hint="Add it again.")
        return find_checkpoint(found.name, self._context.settings)

    def stop(self, attempt: str) -> Addition:
        """End an attempt and remove what it has fetched."""
        from fmstudio.runs import additions

        return additions.stop(self._context.settings, attempt)

    def remove(self, name: str) -> str:
        """Delete a kept checkpoint; its name. Raises InputError while adapters or runs need it."""
        from fmstudio.checkpoints.store import remove_checkpoint

        entry = self.entry(name)
        if entry.what == BASE:
            raise InputError(
                f"'{name}' is a base and cannot be removed.", hint="Only added encoders can be."
            )
        if entry.adapters:
            newest = self.uses(entry, NAMED_USERS)
            users = ", ".join(f"{use.project}/{use.adapter}" for use in newest)
            if entry.adapters > len(newest):
                users += f" and {entry.adapters - len(newest)} more adapters"
            raise InputError(
                f"'{entry.name}' is needed by {users}, which cannot answer without it.",
                hint="Delete these adapters first.",
            )
        waiting = [
            run_id
            for run_id, config in self._context.registry.unfinished().items()
            if {entry.name, entry.id} & set((config.get("encoders") or {}).values())
        ]
        if waiting:
            raise InputError(
                f"'{entry.name}' is needed by {', '.join(waiting)}, which may go on.",
                hint="Let these runs finish, or delete their project.",
            )
        remove_checkpoint(entry.name, self._context.settings)
        return entry.name


def _of_base(base: BaseInfo, adapters: int) -> Entry:
    card = base.card
    sources = [f"{part['name']} ({part['cases']} cases)" for part in card.get("trained_on", ())]
    return Entry(
        base.name,
        BASE,
        base.title,
        base.kinds,
        base.parameters,
        base.size_mb,
        base.licence,
        False,
        "shipped" if not sources or base.name == "embedded" else "pretrained here",
        None,
        None,
        None,
        base.sha256,
        ", ".join(sources) or "nothing",
        base.description,
        card.get("limits", ""),
        adapters,
    )


def _of_checkpoint(kept: CheckpointInfo) -> Entry:
    return Entry(
        kept.name,
        ENCODER,
        kept.id or kept.name,
        (kept.kind,),
        kept.parameters,
        kept.size_mb,
        kept.licence,
        kept.gated,
        kept.source,
        kept.id,
        kept.revision,
        kept.model_type,
        kept.sha256,
        kept.trained_on or "not stated",
        kept.description,
        "",
        0,
    )
