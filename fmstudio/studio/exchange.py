"""Bundles: out of the studio, checked, and into it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from fmstudio.errors import BundleError, InputError, NotFound
from fmstudio.files import place_folder
from fmstudio.records import AdapterRecord, ProjectRecord
from fmstudio.settings import Settings
from fmstudio.studio import uploads
from fmstudio.studio.libraries import load_libraries
from fmstudio.studio.tasks import task_of
from fmstudio.types import TaskSpec

if TYPE_CHECKING:
    from fmstudio.adapters.contents import Contents
    from fmstudio.studio.adapters import Adapters


def export(studio: Adapters, adapter: AdapterRecord, target: Path) -> Path:
    """Write the bundle of an adapter. Raises InputError for a target that is no ZIP."""
    from fmstudio.adapters import bundle

    if target.suffix.lower() != ".zip":
        raise InputError(f"'{target.name}' does not end in .zip.", hint="Name a file like a.zip.")
    uploads.check_folder_of(target)
    studio.contents(adapter)
    with uploads.writing(studio.settings, target):
        bundle.export(studio.adapter_folder(adapter.id), target, studio.signing_key())
    studio.registry.record("adapter exported", adapter.id)
    return target


def verify(studio: Adapters, archive: Path) -> dict[str, Any]:
    """Check a bundle, replay its stored cases, say who signed it. Raises BundleError."""
    temp = uploads.temp_folder(studio.settings)
    try:
        contents, difference = _unpacked(archive, temp / "bundle", studio.settings)
    finally:
        uploads.remove([temp])
    facts = contents.facts() | {"largest_difference": difference}
    facts["signer"] = studio.signer(contents.signer)
    return {"file": archive.name, "whole": True, **facts}


def _unpacked(archive: Path, folder: Path, settings: Settings) -> tuple[Contents, float]:
    """Unpack a bundle whose files, base and stored cases are all as they should be: its contents,
    and the largest difference of any stored answer."""
    if not archive.is_file():
        raise NotFound(f"There is no file {archive.name}.", hint="Check its name and folder.")
    load_libraries()
    from fmstudio.adapters import bundle
    from fmstudio.adapters.probes import replay
    from fmstudio.model.bases import check_base, list_bases

    here = {base.name: base.sha256 for base in list_bases(settings) if base.sha256}
    contents = bundle.unpack(archive, folder, here)
    base = contents.manifest["base"]
    check_base(base["name"], base["files"], settings)
    return contents, replay(folder, settings)


def take_in(studio: Adapters, archive: Path, project: str | int | None) -> AdapterRecord:
    """Unpack, check, replay and register a bundle; nothing stays if any of it fails.

    If the project has the adapter of this very bundle and a file of it is damaged or gone, that one
    is made whole instead, under its id.
    """
    settings, registry = studio.settings, studio.registry
    uploads.check_free_disk(settings)
    temp = uploads.temp_folder(settings)
    try:
        contents, _ = _unpacked(archive, temp / "bundle", settings)
        card = contents.card
        target = _project_for(studio, card, project)
        for known in registry.adapters(target.id, sealed=contents.sealed):
            if _made_whole(studio, known, temp):
                return known
        adapter_id = registry.new_adapter_id()
        folder = studio.adapter_folder(adapter_id)
        place_folder(temp / "bundle", folder)
        try:
            registry.add_adapter(adapter_id, target.id, None, card["name"], card, contents.sealed)
        except BaseException:
            uploads.remove([folder])
            raise
    finally:
        uploads.remove([temp])
    if not registry.adapters(target.id, "champion", limit=1):
        registry.set_alias(adapter_id, "champion")
    return registry.adapter(adapter_id)


def renew(studio: Adapters, adapter: AdapterRecord) -> AdapterRecord:
    """Seal an adapter of the format before anew, and keep the seal."""
    load_libraries()
    from fmstudio.adapters.renew import renew as renewed

    contents = renewed(studio.adapter_folder(adapter.id), studio.settings)
    return studio.registry.seal_adapter(adapter.id, contents.sealed)


def _made_whole(studio: Adapters, known: AdapterRecord, temp: Path) -> bool:
    """Replace the files of an adapter by those of its bundle, if any is not as it was sealed."""
    folder = studio.adapter_folder(known.id)
    try:
        studio.contents(known)
    except BundleError:
        if folder.exists():
            folder.rename(temp / "damaged")
        place_folder(temp / "bundle", folder)
        studio.registry.record("adapter made whole", known.id)
        return True
    return False


def _project_for(studio: Adapters, card: dict[str, Any], ref: str | int | None) -> ProjectRecord:
    """The project that a bundle goes to: the one asked for, else that of its card.

    One that does not exist is made. Raises InputError if it predicts something else.
    """
    task = task_of(card)
    name = str(card.get("project", card["name"])) if ref is None else ref
    found = _project(studio, name)
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


def _project(studio: Adapters, ref: str | int) -> ProjectRecord | None:
    """A project by its id or, even if that is a number, its name; None where there is none."""
    try:
        found = studio.project(ref)
    except NotFound:
        return None
    return found if ref in (found.name, found.id) else None


def _described(task: TaskSpec) -> str:
    return f"{task.kind} ({', '.join(task.labels) or 'labels not known yet'})"
