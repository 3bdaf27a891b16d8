"""Verbs on adapters and the bundles in which they travel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fmstudio.records import AdapterRecord
from fmstudio.studio import exchange, uploads
from fmstudio.studio.training import Training


class Adapters(Training):
    """Adapters and bundles."""

    def adapters(self, project: str | int | None = None) -> list[AdapterRecord]:
        """Adapters of a project or all."""
        return self.registry.adapters(None if project is None else self.project(project).id)

    def adapter(self, ref: str) -> AdapterRecord:
        """An adapter by id or PROJECT/ALIAS. Raises NotFound."""
        return self.registry.adapter(ref)

    def adapter_folder(self, adapter_id: str) -> Path:
        """Where an adapter's files lie."""
        return self.settings.folder("adapters") / adapter_id

    def set_alias(self, ref: str, alias: str) -> AdapterRecord:
        """Give an adapter an alias, taking it from the one of the same project that had it."""
        return self.registry.set_alias(self.adapter(ref).id, alias)

    def delete_adapter(self, ref: str) -> None:
        """Delete an adapter and its files."""
        adapter = self.adapter(ref)
        self.registry.delete_adapter(adapter.id)
        self._loaded.forget(adapter.id)
        uploads.remove([self.adapter_folder(adapter.id)])

    def export(self, ref: str, target: Path) -> Path:
        """Write an adapter as a bundle that anyone can verify. Raises InputError."""
        return exchange.export(self, self.adapter(ref), Path(target))

    def verify(self, archive: Path) -> dict[str, Any]:
        """Check a bundle and replay its stored cases. Raises BundleError, naming what is wrong."""
        return exchange.verify(Path(archive), self.settings)

    def import_bundle(self, archive: Path, project: str | int | None = None) -> AdapterRecord:
        """Take a bundle in, if it is whole and its stored cases replay. Raises BundleError.

        Without `project` it goes to the project named in its card, which is made if need be.
        """
        return exchange.take_in(self, Path(archive), project)
