"""Published checkpoints kept on this machine as encoders: a folder in, its card out. No torch here.

<home>/checkpoints/NAME/ holds a checkpoint's own config, safetensors and processor files, and
card.json. A checkpoint is kept only after it was loaded and gave finite tokens once; what that run
cost is in its card, for the estimate of a fine-tuning run.
"""

from __future__ import annotations

import json
import logging
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fmstudio.checkpoints.hashes import sha256
from fmstudio.checkpoints.memory import check_free, weights_mb
from fmstudio.encoders.checkpoint import one_hash
from fmstudio.errors import BundleError, InputError, NotFound, ResourceError
from fmstudio.files import place_folder
from fmstudio.settings import Settings

log = logging.getLogger(__name__)

CARD = "card.json"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
UNKNOWN_LICENCE = "not stated"
SMALLER = "Choose a smaller checkpoint, or close other programs."


def checkpoint_key(checkpoint: Mapping[str, Any]) -> str:
    """The name of a checkpoint's encoder inside a shared model, from its kind and sha256."""
    return f"{checkpoint['kind']}_{checkpoint['sha256'][:12]}"


@dataclass(frozen=True)
class CheckpointInfo:
    """The card of a kept checkpoint.

    `source` is "hub" or "folder"; `id` and `revision` are the hub's, None for a folder; `config` is
    what its family builds the network from; `files` are SHA-256 by name and `sha256` one hash over
    them; `parameters` counts weights; `costs` are those of one typical input (see `trial`).
    """

    name: str
    source: str
    id: str | None
    revision: str | None
    model_type: str
    family: str
    kind: str
    width: int
    parameters: int
    size_mb: float
    sha256: str
    licence: str
    gated: bool
    trained_on: str
    description: str
    added_at: str
    config: Mapping[str, Any]
    files: Mapping[str, str]
    costs: Mapping[str, float] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Its encoder's name inside a shared model: the same wherever the same files are kept."""
        return checkpoint_key({"kind": self.kind, "sha256": self.sha256})

    def as_encoder(self) -> dict[str, Any]:
        """The entry of a shared model's config: family, config, and which checkpoint it is."""
        named = ("name", "sha256", "id", "revision", "kind")
        checkpoint = {name: getattr(self, name) for name in named}
        return {"family": self.family, "config": dict(self.config), "checkpoint": checkpoint}

    @property
    def how_to_get(self) -> str:
        """What a colleague types to have it too."""
        return f"base add {self.id or 'FOLDER'} --kind {self.kind}"


def checkpoint_folder(name: str, settings: Settings) -> Path:
    """The folder of a kept checkpoint.

    Raises NotFound if there is none of that name.
    """
    folder = settings.home / "checkpoints" / name
    if not NAME.fullmatch(name) or not (folder / CARD).is_file():
        raise NotFound(
            f"There is no checkpoint '{name}' on this machine.",
            hint=f"Add it with `base add {name}`, or give the path of a folder.",
        )
    return folder


def list_checkpoints(settings: Settings) -> list[CheckpointInfo]:
    """All kept checkpoints by name."""
    found = (_read(c) for c in sorted((settings.home / "checkpoints").glob(f"[!.]*/{CARD}")))
    return [info for info in found if info is not None]


def _read(card: Path) -> CheckpointInfo | None:
    """The card of a kept checkpoint; None, said in the log, for one that is damaged."""
    known = {item.name for item in fields(CheckpointInfo)}
    try:
        values = json.loads(card.read_text(encoding="utf-8"))
        info = CheckpointInfo(**{name: value for name, value in values.items() if name in known})
        whole = info.name == card.parent.name and info.sha256 == one_hash(info.files)
    except (OSError, ValueError, TypeError, AttributeError):
        whole = False
    if not whole:
        log.warning("The card of the checkpoint '%s' is damaged.", card.parent.name)
    return info if whole else None


def find_checkpoint(name_or_id: str, settings: Settings) -> CheckpointInfo:
    """A kept checkpoint by its name here or its id on the hub (the one added last of several).

    Raises NotFound, saying how to add it.
    """
    every = list_checkpoints(settings)
    named = [info for info in every if info.name == name_or_id]
    same_id = sorted((i for i in every if i.id == name_or_id), key=lambda i: i.added_at)
    if not named and not same_id:
        raise NotFound(
            f"There is no checkpoint '{name_or_id}' on this machine.",
            hint=f"Add it with `base add {name_or_id}`, or give the path of a folder.",
        )
    return (named or same_id)[-1]


def check_kind(info: CheckpointInfo, modality: str, kind: str) -> None:
    """Raises InputError if a checkpoint cannot read a modality of this kind."""
    if info.kind != kind:
        raise InputError(
            f"The checkpoint '{info.name}' reads {info.kind}, but {modality} is {kind}.",
            hint=f"Choose a checkpoint for {kind}: `base list` says what each one reads.",
        )


def checkpoint_of(asked: Mapping[str, Any], settings: Settings) -> CheckpointInfo:
    """The kept checkpoint that an adapter was made with, whatever its name is here.

    `asked` is {name, sha256, id, kind} of an adapter's config. Raises BundleError if it is not
    kept here, or only another version of it, saying which and how to get it.
    """
    every = list_checkpoints(settings)
    for info in every:
        if info.sha256 == asked["sha256"]:
            return info
    called = asked.get("id") or asked["name"]
    other = next((i for i in every if asked["name"] == i.name or (i.id and i.id == called)), None)
    what = asked.get("id") or "FOLDER"
    hint = f"Add the one it was made with: `base add {what} --kind {asked.get('kind', 'KIND')}`"
    if other is not None:
        raise BundleError(
            f"The adapter was made with the checkpoint '{called}' with SHA-256 "
            f"{asked['sha256'][:12]}…, and '{other.name}' on this machine has "
            f"{other.sha256[:12]}….",
            hint=f"{hint}, at the revision {asked.get('revision') or 'that its maker has'}.",
        )
    raise BundleError(
        f"The adapter was made with the checkpoint '{called}' (SHA-256 "
        f"{asked['sha256'][:12]}…), which is not on this machine.",
        hint=f"{hint}. Then try again.",
    )


def keep(
    folder: Path, settings: Settings, facts: Mapping[str, Any], kind: str | None = None
) -> CheckpointInfo:
    """Copy the files that are needed from a local folder: complete or not at all.

    `facts` may hold name, source, id, revision, licence, gated, trained_on and description. A
    checkpoint that is kept already is not kept twice; if it was damaged, it is made whole. Raises
    InputError if the folder cannot be used, reads another kind of data than `kind`, or the name is
    taken by another; ResourceError if disk or memory will not do.
    """
    from fmstudio.checkpoints.smoke_test import trial
    from fmstudio.encoders.checkpoint import inspect

    found = inspect(folder, kind)
    name = _name(folder, facts)
    for info in list_checkpoints(settings):
        if info.sha256 == found.sha256:
            if _whole(info, settings):
                return info
            name = info.name  # what is damaged is replaced, for adapters may need it
        elif info.name == name:
            raise InputError(
                f"Another checkpoint is called '{name}' already (SHA-256 {info.sha256[:12]}…).",
                hint="Give this one another name with --name NAME, or remove the other.",
            )
    check_free(weights_mb(found.parameters), f"The checkpoint '{name}'", SMALLER)
    home = settings.folder("checkpoints")
    # Below temp/, which is swept: a process that is killed has nobody to clear up after it.
    with tempfile.TemporaryDirectory(prefix="checkpoint-", dir=settings.folder("temp")) as made:
        target = Path(made) / name
        _copy(folder, found.files, target, settings)
        info = CheckpointInfo(
            name=name,
            source=facts.get("source", "folder"),
            id=facts.get("id"),
            revision=facts.get("revision"),
            model_type=found.model_type,
            family=found.family,
            kind=found.kind,
            width=found.width,
            parameters=found.parameters,
            size_mb=round(found.size_bytes / 2**20, 1),
            sha256=found.sha256,
            licence=facts.get("licence") or UNKNOWN_LICENCE,
            gated=bool(facts.get("gated", False)),
            trained_on=facts.get("trained_on") or "",
            description=facts.get("description") or "",
            added_at=datetime.now(UTC).isoformat(timespec="seconds"),
            config=found.config,
            files=dict(found.files),
            costs=trial(target, found.family, found.config),
        )
        check_unchanged(info, target)
        text = json.dumps(asdict(info), indent=1, ensure_ascii=False)
        (target / CARD).write_text(text, encoding="utf-8")
        shutil.rmtree(home / name, ignore_errors=True)
        place_folder(target, home / name)
    return info


def _name(folder: Path, facts: Mapping[str, Any]) -> str:
    """The name asked for, else the end of its id, else the folder's.

    Raises InputError for a name that cannot be a folder's.
    """
    given = facts.get("name")
    last = str(facts.get("id") or folder.resolve().name).rsplit("/", 1)[-1]
    name = given or re.sub(r"[^A-Za-z0-9._-]+", "-", last).strip(".-")
    if not NAME.fullmatch(name):
        raise InputError(
            f"'{name}' cannot be the name of a checkpoint.",
            hint="Use up to 80 letters, digits, dots, hyphens and underscores: --name NAME.",
        )
    return str(name)


def _copy(folder: Path, files: Mapping[str, str], target: Path, settings: Settings) -> None:
    size = sum((folder / name).stat().st_size for name in files) / 1e6
    free = shutil.disk_usage(settings.home).free / 1e6
    needed = size + settings.limits.free_disk_mb
    if free < needed:
        raise ResourceError(
            f"The disk of the studio's home folder has {free:.0f} MB free, but the checkpoint "
            f"needs {needed:.0f} MB.",
            hint="Free some space, or choose another folder with --home.",
        )
    for name in files:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / name, target / name)


def remove_checkpoint(name: str, settings: Settings) -> None:
    """Delete a kept checkpoint's files; whether an adapter needs it is the caller's to know.

    Raises NotFound.
    """
    folder = checkpoint_folder(name, settings)
    # The card goes first: a folder without one is not a kept checkpoint, however far we come.
    (folder / CARD).unlink()
    shutil.rmtree(folder)


def check_unchanged(info: CheckpointInfo, folder: Path) -> None:
    """Raises BundleError, naming the file, if `folder` is not what the card says."""
    for name, expected in info.files.items():
        path = folder / name
        if not path.is_file():
            raise BundleError(
                f"The checkpoint '{info.name}' lacks its file '{name}'.", hint=_again(info)
            )
        try:
            whole = sha256(path) == expected
        except OSError as fault:
            raise BundleError(
                f"'{name}' of the checkpoint '{info.name}' cannot be read: {fault.strerror}.",
                hint=_again(info),
            ) from fault
        if not whole:
            raise BundleError(
                f"'{name}' of the checkpoint '{info.name}' was changed since it was added.",
                hint=_again(info),
            )


def _whole(info: CheckpointInfo, settings: Settings) -> bool:
    """True if nothing of a kept checkpoint was changed or lost."""
    try:
        check_unchanged(info, checkpoint_folder(info.name, settings))
    except BundleError:
        return False
    return True


def _again(info: CheckpointInfo) -> str:
    return f"Add it again, which makes it whole: `{info.how_to_get}`."
