"""Bundles: out of the studio, checked, and into it."""

from __future__ import annotations

import json
import secrets
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fmstudio.errors import BundleError, InputError, NotFound
from fmstudio.records import AdapterRecord, ProjectRecord
from fmstudio.settings import Settings
from fmstudio.studio import uploads
from fmstudio.studio.names import check_project_name
from fmstudio.types import TaskSpec

if TYPE_CHECKING:
    from fmstudio.studio.verbs import Studio


def export(folder: Path, target: Path, settings: Settings) -> Path:
    """Write the bundle of an adapter folder. Raises InputError for a target that is no ZIP."""
    from fmstudio.adapters.bundle import export as write

    if target.suffix.lower() != ".zip":
        raise InputError(f"'{target.name}' does not end in .zip.", hint="Name a file like a.zip.")
    if not target.absolute().parent.is_dir():
        raise NotFound(
            f"There is no folder '{target.parent.name}' to write {target.name} to.",
            hint="Make the folder first.",
        )
    write(folder, target)
    return target


def verify(archive: Path, settings: Settings) -> dict[str, Any]:
    """Check a bundle's structure and replay its stored cases. Raises BundleError."""
    folder = uploads.temp_folder(settings)
    try:
        facts, difference = _unpacked(archive, folder / "bundle", settings)
        return {"file": archive.name, "whole": True, "largest_difference": difference, **facts}
    finally:
        uploads.remove([folder])


def _unpacked(archive: Path, folder: Path, settings: Settings) -> tuple[dict[str, Any], float]:
    from fmstudio.adapters.bundle import unpack
    from fmstudio.adapters.probes import replay

    if not archive.is_file():
        raise NotFound(f"There is no file {archive.name}.", hint="Check its name and folder.")
    facts = unpack(archive, folder)
    return facts, replay(folder, settings)


def take_in(studio: Studio, archive: Path, project: str | int | None) -> AdapterRecord:
    """Unpack, check, replay and register a bundle; nothing stays if any of it fails."""
    settings, registry = studio.settings, studio.registry
    uploads.check_free_disk(settings)
    temp = uploads.temp_folder(settings)
    adapter_id = f"adapter-{secrets.token_hex(3)}"
    folder = studio.adapter_folder(adapter_id)
    try:
        _unpacked(archive, temp / "bundle", settings)
        card = _card(temp / "bundle")
        target = _project_for(studio, card, project)
        shutil.move(temp / "bundle", folder)
        try:
            adapter = registry.add_adapter(adapter_id, target.id, None, card["name"], card)
        except BaseException:
            uploads.remove([folder])
            raise
    finally:
        uploads.remove([temp])
    if not any("champion" in other.aliases for other in registry.adapters(target.id)):
        registry.set_alias(adapter.id, "champion")
    return registry.adapter(adapter.id)


def _card(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "card.json").read_text(encoding="utf-8"))


def _project_for(studio: Studio, card: dict[str, Any], ref: str | int | None) -> ProjectRecord:
    """The project that a bundle goes to: the one asked for, else that of its card's name."""
    task = task_of(card)
    wanted = card["project"] if ref is None else ref
    try:
        found = studio.project(wanted)
    except NotFound:
        if isinstance(wanted, int):
            raise
        return studio.registry.create_project(check_project_name(wanted), task)
    if not found.task.labels and found.task.kind == task.kind:
        studio.registry.update_project_task(found.id, task)
    elif (found.task.kind, found.task.labels) != (task.kind, task.labels):
        raise InputError(
            f"The adapter predicts {_described(task)}, but the project '{found.name}' "
            f"{_described(found.task)}.",
            hint="Import it into another project with --project NAME.",
        )
    return found


def task_of(card: dict[str, Any]) -> TaskSpec:
    """The task in an adapter's card. Raises BundleError if it has none that makes sense."""
    try:
        task = card["task"]
        return TaskSpec(
            task["kind"], tuple(task["columns"]), tuple(task["labels"]), task["positive"],
            task["description"],
        )  # fmt: skip
    except (KeyError, TypeError) as fault:
        raise BundleError(
            "The bundle's card.json does not say what the adapter predicts.",
            hint="Export the adapter again.",
        ) from fault


def _described(task: TaskSpec) -> str:
    return f"{task.kind} ({', '.join(task.labels) or 'labels not known yet'})"
