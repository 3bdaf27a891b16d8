"""Bundles: out of the studio, checked, and into it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fmstudio.errors import InputError, NotFound
from fmstudio.records import AdapterRecord, ProjectRecord
from fmstudio.settings import Settings
from fmstudio.studio import uploads
from fmstudio.studio.libraries import load_libraries
from fmstudio.studio.tasks import task_of
from fmstudio.types import TaskSpec

if TYPE_CHECKING:
    from fmstudio.studio.adapters import Adapters


def export(studio: Adapters, adapter: AdapterRecord, target: Path) -> Path:
    """Write the bundle of an adapter. Raises InputError for a target that is no ZIP."""
    from fmstudio.adapters import bundle

    if target.suffix.lower() != ".zip":
        raise InputError(f"'{target.name}' does not end in .zip.", hint="Name a file like a.zip.")
    uploads.check_folder_of(target)
    bundle.export(studio.adapter_folder(adapter.id), target)
    studio.registry.record("adapter exported", adapter.id)
    return target


def verify(archive: Path, settings: Settings) -> dict[str, Any]:
    """Check a bundle's structure and replay its stored cases. Raises BundleError."""
    temp = uploads.temp_folder(settings)
    try:
        facts = _unpacked(archive, temp / "bundle", settings)
    finally:
        uploads.remove([temp])
    return {"file": archive.name, "whole": True, **facts}


def _unpacked(archive: Path, folder: Path, settings: Settings) -> dict[str, Any]:
    """Unpack a bundle whose files, base and stored cases are all as they should be."""
    if not archive.is_file():
        raise NotFound(f"There is no file {archive.name}.", hint="Check its name and folder.")
    load_libraries()
    from fmstudio.adapters import bundle
    from fmstudio.adapters.probes import replay
    from fmstudio.model.bases import list_bases

    here = {base.name: base.sha256 for base in list_bases(settings) if base.sha256}
    facts = bundle.unpack(archive, folder, here)
    return facts | {"largest_difference": replay(folder, settings)}


def take_in(studio: Adapters, archive: Path, project: str | int | None) -> AdapterRecord:
    """Unpack, check, replay and register a bundle; nothing stays if any of it fails."""
    settings, registry = studio.settings, studio.registry
    uploads.check_free_disk(settings)
    temp = uploads.temp_folder(settings)
    try:
        _unpacked(archive, temp / "bundle", settings)
        card = json.loads((temp / "bundle" / "card.json").read_text(encoding="utf-8"))
        target = _project_for(studio, card, project)
        adapter_id = registry.new_adapter_id()
        folder = studio.adapter_folder(adapter_id)
        shutil.move(temp / "bundle", folder)
        try:
            registry.add_adapter(adapter_id, target.id, None, card["name"], card)
        except BaseException:
            uploads.remove([folder])
            raise
    finally:
        uploads.remove([temp])
    if not any("champion" in other.aliases for other in registry.adapters(target.id)):
        registry.set_alias(adapter_id, "champion")
    return registry.adapter(adapter_id)


def _project_for(studio: Adapters, card: dict[str, Any], ref: str | int | None) -> ProjectRecord:
    """The project that a bundle goes to: the one asked for, else that of its card.

    One that does not exist is made. Raises InputError if it predicts something else.
    """
    task = task_of(card)
    name = str(card.get("project", card["name"])) if ref is None else ref
    found = next((p for p in studio.projects() if name in (p.name, p.id)), None)
    if found is None:
        if isinstance(name, int):
            raise NotFound(f"There is no project {name}.", hint="Import it without a project.")
        return studio.registry.create_project(name, task)
    if not found.task.labels and found.task.kind == task.kind:
        return studio.registry.update_project_task(found.id, task)
    if (found.task.kind, found.task.labels) != (task.kind, task.labels):
        raise InputError(
            f"The adapter predicts {_described(task)}, but the project '{found.name}' "
            f"{_described(found.task)}.",
            hint="Import it into another project with --project NAME.",
        )
    return found


def _described(task: TaskSpec) -> str:
    return f"{task.kind} ({', '.join(task.labels) or 'labels not known yet'})"
