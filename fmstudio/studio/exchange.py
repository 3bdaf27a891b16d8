"""Bundles: out of the studio, checked, and into it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from fmstudio.errors import BundleError, InputError, NotFound
from fmstudio.files import place_folder
from fmstudio.records import AdapterRecord, ProjectRecord
from fmstudio.settings import Settings
from fmstudio.studio import uploads
from fmstudio.studio.context import Context
from fmstudio.studio.libraries import load_libraries
from fmstudio.studio.tasks import task_of
from fmstudio.types import TaskSpec

if TYPE_CHECKING:
    from fmstudio.adapters.contents import Contents
    from fmstudio.adapters.signing import Key


def export(context: Context, adapter: AdapterRecord, target: Path, key: Key | None) -> Path:
    """Write the bundle of an adapter, signed where there is a key. Raises InputError: no ZIP."""
    from fmstudio.adapters import bundle

    if target.suffix.lower() != ".zip":
        raise InputError(f"'{target.name}' does not end in .zip.", hint="Name a file like a.zip.")
    uploads.check_folder_of(target)
    context.contents(adapter)
    with uploads.writing(context.settings, target):
        bundle.export(context.adapter_folder(adapter.id), target, key)
    context.registry.record("adapter exported", adapter.id)
    return target


def verify(context: Context, archive: Path) -> tuple[Contents, float]:
    """Check a bundle and replay its stored cases: what it holds, and the largest difference of any
    stored answer. Raises BundleError."""
    temp = uploads.temp_folder(context.settings)
    try:
        return _unpacked(archive, temp / "bundle", context.settings)
    finally:
        uploads.remove([temp])


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


def take_in(context: Context, archive: Path, project: str | int | None) -> AdapterRecord:
    """Unpack, check, replay and register a bundle; nothing stays if any of it fails.

    If the project has the adapter of this very bundle and a file of it is damaged or gone, that one
    is made whole instead, under its id.
    """
    settings, registry = context.settings, context.registry
    uploads.check_free_disk(settings)
    temp = uploads.temp_folder(settings)
    try:
        contents, _ = _unpacked(archive, temp / "bundle", settings)
        card = contents.card
        target = _project_for(context, card, project)
        for known in registry.adapters(target.id, sealed=contents.sealed):
            if _made_whole(context, known, temp):
                return known
        adapter_id = registry.new_adapter_id()
        folder = context.adapter_folder(adapter_id)
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


def renew(context: Context, adapter: AdapterRecord) -> AdapterRecord:
    """Seal an adapter of the format before anew, and keep the seal."""
    load_libraries()
    from fmstudio.adapters.renew import renew as renewed

    contents = renewed(context.adapter_folder(adapter.id), context.settings)
    return context.registry.seal_adapter(adapter.id, contents.sealed)


def _made_whole(context: Context, known: AdapterRecord, temp: Path) -> bool:
    """Replace the files of an adapter by those of its bundle, if any is not as it was sealed."""
    folder = context.adapter_folder(known.id)
    try:
        context.contents(known)
    except BundleError:
        if folder.exists():
            folder.rename(temp / "damaged")
        place_folder(temp / "bundle", folder)
        context.registry.record("adapter made whole", known.id)
        return True
    return False


def _project_for(context: Context, card: dict[str, Any], ref: str | int | None) -> ProjectRecord:
    """The project that a bundle goes to: the one asked for, else that of its card.

    One that does not exist is made. Raises InputError if it predicts something else.
    """
    task = task_of(card)
    name = str(card.get("project", card["name"])) if ref is None else ref
    found = _project(context, name)
    if found is None:
        if isinstance(name, int):
            raise NotFound(f"There is no project {name}.", hint="Import it without a project.")
        return context.registry.create_project(name, task)
    if not found.task.labels and found.task.kind == task.kind:
        return context.registry.update_project_task(found.id, task)
    if (found.task.kind, found.task.labels) != (task.kind, task.labels):
        raise InputError(
            f"The adapter predicts {_described(task)}, but the project '{found.name}' "
            f"{_described(found.task)}.",
            hint="Import it into another project with --project NAME.",
        )
    return found


def _project(context: Context, ref: str | int) -> ProjectRecord | None:
    """A project by its id or, even if that is a number, its name; None where there is none."""
    try:
        found = context.registry.project(ref)
    except NotFound:
        return None
    return found if ref in (found.name, found.id) else None


def _described(task: TaskSpec) -> str:
    return f"{task.kind} ({', '.join(task.labels) or 'labels not known yet'})"
