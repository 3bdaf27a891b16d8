"""Verbs on adapters and the bundles in which they travel."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from fmstudio.records import AdapterName, AdapterRecord, AdapterSummary
from fmstudio.studio import deletion, exchange
from fmstudio.studio.keys import Keys

if TYPE_CHECKING:
    from fmstudio.adapters.contents import Contents


class Adapters(Keys):
    """Adapters and bundles."""

    def adapters(
        self,
        project: str | int | None = None,
        alias: str | None = None,
        limit: int = 100,
        skip: int = 0,
    ) -> list[AdapterRecord]:
        """The newest adapters, newest first, after `skip` of them; where given, those of one
        project, of an alias."""
        project_id = None if project is None else self.project(project).id
        return self.registry.adapters(project_id, alias, limit=limit, skip=skip)

    def adapter_summaries(
        self, project: str | int | None = None, limit: int = 100, skip: int = 0
    ) -> list[AdapterSummary]:
        """The newest adapters as lines of a list, newest first, after `skip` of them; of one
        project if given."""
        project_id = None if project is None else self.project(project).id
        return self.registry.adapter_summaries(project_id, limit, skip)

    def adapter_names(
        self, project: str | int | None = None, alias: str | None = None, limit: int = 100
    ) -> list[AdapterName]:
        """The newest adapters without their cards, newest first; where given, those of one
        project, of an alias."""
        project_id = None if project is None else self.project(project).id
        return self.registry.adapter_names(project_id, alias, limit)

    def count_adapters(self, project: str | int | None = None) -> int:
        """How many adapters there are; of one project if given."""
        return self.registry.count_adapters(None if project is None else self.project(project).id)

    def adapter(self, ref: str) -> AdapterRecord:
        """An adapter by id or PROJECT/ALIAS. Raises NotFound."""
        return self.registry.adapter(ref)

    def adapter_folder(self, adapter_id: str) -> Path:
        """Where an adapter's files lie."""
        return self.settings.folder("adapters") / adapter_id

    def contents(self, adapter: AdapterRecord) -> Contents:
        """What an adapter's files say. Raises BundleError if one is not as it was sealed."""
        from fmstudio.adapters.installed import whole

        return whole(self.adapter_folder(adapter.id), self.settings, adapter.sealed)

    def set_alias(self, ref: str, alias: str) -> AdapterRecord:
        """Give an adapter an alias, taking it from the one of the same project that had it."""
        return self.registry.set_alias(self.adapter(ref).id, alias)

    def delete_adapter(self, ref: str) -> None:
        """Delete an adapter with its files, its stored predictions and its answers to held-out
        cases. Raises InputError while it answers."""
        deletion.delete_adapter(self, self.adapter(ref))

    def export(self, ref: str, target: Path, sign_as: str | None = None) -> Path:
        """Write an adapter as a bundle that anyone can verify, signed if this studio has a key.

        `sign_as` makes the key of that name where there is none. Raises InputError.
        """
        adapter = self.adapter(ref)
        if sign_as is not None and self.key() is None:
            self.make_key(sign_as)
        return exchange.export(self, adapter, Path(target))

    def verify(self, archive: Path) -> dict[str, Any]:
        """Check a bundle, who signed it, and replay its stored cases.

        Raises BundleError, naming what is wrong.
        """
        return exchange.verify(self, Path(archive))

    def renew_adapter(self, ref: str) -> AdapterRecord:
        """Seal an adapter of an earlier version of the studio as the present one does.

        Raises InputError for an adapter that needs none, BundleError for a damaged one.
        """
        return exchange.renew(self, self.adapter(ref))

    def import_bundle(self, archive: Path, project: str | int | None = None) -> AdapterRecord:
        """Take a bundle in, if it is whole and its stored cases replay. Raises BundleError.

        Without `project` it goes to the project named in its card, which is made if need be.
        """
        return exchange.take_in(self, Path(archive), project)
