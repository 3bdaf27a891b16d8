"""Verbs on adapters and the bundles in which they travel."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fmstudio.records import AdapterName, AdapterRecord, AdapterSummary
from fmstudio.studio import deletion, exchange
from fmstudio.studio.context import Context
from fmstudio.studio.keys import Keys
from fmstudio.studio.projects import Projects

if TYPE_CHECKING:
    from fmstudio.adapters.contents import Contents


class Adapters:
    """Adapters and bundles."""

    def __init__(self, context: Context, projects: Projects, keys: Keys) -> None:
        self._context = context
        self._projects = projects
        self._keys = keys

    def list(
        self,
        project: str | int | None = None,
        alias: str | None = None,
        limit: int = 100,
        skip: int = 0,
    ) -> list[AdapterRecord]:
        """The newest adapters, newest first, after `skip` of them; where given, those of one
        project, of an alias."""
        project_id = None if project is None else self._projects.get(project).id
        return self._context.registry.adapters(project_id, alias, limit=limit, skip=skip)

    def summaries(
        self, project: str | int | None = None, limit: int = 100, skip: int = 0
    ) -> Sequence[AdapterSummary]:
        """The newest adapters as lines of a list, newest first, after `skip` of them; of one
        project if given."""
        project_id = None if project is None else self._projects.get(project).id
        return self._context.registry.adapter_summaries(project_id, limit, skip)

    def names(
        self, project: str | int | None = None, alias: str | None = None, limit: int = 100
    ) -> Sequence[AdapterName]:
        """The newest adapters without their cards, newest first; where given, those of one
        project, of an alias."""
        project_id = None if project is None else self._projects.get(project).id
        return self._context.registry.adapter_names(project_id, alias, limit)

    def count(self, project: str | int | None = None) -> int:
        """How many adapters there are; of one project if given."""
        return self._context.registry.count_adapters(
            None if project is None else self._projects.get(project).id
        )

    def get(self, ref: str) -> AdapterRecord:
        """An adapter by id or PROJECT/ALIAS. Raises NotFound."""
        return self._context.registry.adapter(ref)

    def task(self, adapter: AdapterRecord) -> dict[str, Any]:
        """What an adapter answers, by its card.

        The question, and the names of outcomes, are its project's where the card has none.
        """
        task = dict(adapter.card.get("task") or {})
        own = self._projects.get(adapter.project_id).task
        task["description"] = task.get("description") or own.description
        if task.get("positive") == own.positive and not task.get("positive_name"):
            task |= {"positive_name": own.positive_name, "negative_name": own.negative_name}
        return task

    def folder(self, adapter_id: str) -> Path:
        """Where an adapter's files lie."""
        return self._context.adapter_folder(adapter_id)

    def contents(self, adapter: AdapterRecord) -> Contents:
        """What an adapter's files say. Raises BundleError if one is not as it was sealed."""
        return self._context.contents(adapter)

    def set_alias(self, ref: str, alias: str) -> AdapterRecord:
        """Give an adapter an alias, taking it from the one of the same project that had it."""
        return self._context.registry.set_alias(self.get(ref).id, alias)

    def delete(self, ref: str) -> None:
        """Delete an adapter with its files, its stored predictions and its answers to held-out
        cases. Raises InputError while it answers."""
        deletion.delete_adapter(self._context, self.get(ref))

    def export(self, ref: str, target: Path, sign_as: str | None = None) -> Path:
        """Write an adapter as a bundle that anyone can verify, signed if this studio has a key.

        `sign_as` makes the key of that name where there is none. Raises InputError.
        """
        adapter = self.get(ref)
        if sign_as is not None and self._keys.own() is None:
            self._keys.make(sign_as)
        return exchange.export(self._context, adapter, Path(target), self._keys.signing())

    def verify(self, archive: Path) -> dict[str, Any]:
        """Check a bundle, who signed it, and replay its stored cases.

        Raises BundleError, naming what is wrong.
        """
        archive = Path(archive)
        contents, difference = exchange.verify(self._context, archive)
        facts = contents.facts() | {"largest_difference": difference}
        facts["signer"] = self._keys.signer(contents.signer)
        return {"file": archive.name, "whole": True, **facts}

    def renew(self, ref: str) -> AdapterRecord:
        """Seal an adapter of an earlier version of the studio as the present one does.

        Raises InputError for an adapter that needs none, BundleError for a damaged one.
        """
        return exchange.renew(self._context, self.get(ref))

    def import_bundle(self, archive: Path, project: str | int | None = None) -> AdapterRecord:
        """Take a bundle in, if it is whole and its stored cases replay. Raises BundleError.

        Without `project` it goes to the project named in its card, which is made if need be.
        """
        return exchange.take_in(self._context, Path(archive), project)
