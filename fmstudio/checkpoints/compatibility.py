"""Whether a checkpoint can become an encoder here: facts in, a yes or why not out.

Every fact that the answer rests on is one `Check`, so that people see what was looked at and not
only what went wrong. For a checkpoint of the hub all of it is known before any weight is fetched.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Self

import psutil

from fmstudio.checkpoints.memory import check_free, weights_mb
from fmstudio.checkpoints.store import SMALLER
from fmstudio.errors import InputError, ResourceError
from fmstudio.settings import Settings

if TYPE_CHECKING:
    from fmstudio.checkpoints.hub import Offer
    from fmstudio.encoders.checkpoint import Checkpoint

GOOD, NOTE, STOP = "good", "note", "stop"
ACCESS, CODE, ARCHITECTURE, KIND = "Access", "Code", "Architecture", "Kind of data"
FILES, LICENCE, DISK, MEMORY = "Files", "Licence", "Room on the disk", "Memory"
STORED_BYTES: Mapping[str, int] = {"float32": 4, "float16": 2, "bfloat16": 2, "float64": 8}


@dataclass(frozen=True)
class Check:
    """One thing that was looked at; `found` is a phrase, and a sentence where the tone is stop."""

    what: str
    found: str
    tone: str = GOOD
    hint: str = ""


@dataclass(frozen=True)
class Verdict:
    """What is known about a checkpoint, and every check of it, in the order in which it was made.

    `id` and `revision` are those of the hub, None for a folder. `size_mb` is what is fetched and
    kept, `memory_mb` what its weights take when they are loaded; `files` are those it needs.
    """

    source: str
    id: str | None
    revision: str | None
    model_type: str
    family: str
    kind: str
    licence: str
    gated: bool
    trained_on: str
    description: str
    parameters: int
    size_mb: float
    memory_mb: float
    files: tuple[str, ...]
    checks: tuple[Check, ...]

    @property
    def fits(self) -> bool:
        """True if nothing speaks against adding it."""
        return all(check.tone != STOP for check in self.checks)

    def raise_fault(self) -> None:
        """Raises the first check that failed: InputError, or ResourceError if room is short."""
        for check in self.checks:
            if check.tone == STOP:
                error = ResourceError if check.what in (DISK, MEMORY) else InputError
                raise error(check.found, hint=check.hint)

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self) | {"checks": [asdict(check) for check in self.checks]}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The verdict that `as_dict` wrote."""
        checks = tuple(Check(**check) for check in values["checks"])
        return cls(**{**values, "files": tuple(values["files"]), "checks": checks})


def of_offer(
    offer: Offer, config: Mapping[str, Any], wanted: str | None, settings: Settings
) -> Verdict:
    """The verdict on a model of the hub, from its list of files and its config.json alone.

    `wanted` is the kind of data that it should read; None takes the kind that it was made for.
    """
    family, kind, architecture = _architecture(offer.id, config)
    checks = [_access(offer), architecture]
    files: tuple[str, ...] = ()
    if kind:
        files, complete = _files(offer, config)
        checks += [_kind(offer.id, kind, wanted), complete]
    size_mb = sum(offer.sizes[name] for name in files) / 1e6
    parameters = offer.parameters or _parameters(offer, files, config)
    memory_mb = weights_mb(parameters)
    checks.append(_licence(offer.licence))
    if files:
        # Twice: as it is fetched, and as it is put in place once all of it was found in order.
        checks += [_disk(2 * size_mb, settings), _memory(memory_mb, offer.id)]
    return Verdict(
        "hub",
        offer.id,
        offer.revision,
        str(config.get("model_type", "")),
        family,
        kind,
        offer.licence,
        offer.gated,
        offer.trained_on,
        offer.description,
        parameters,
        size_mb,
        memory_mb,
        files,
        tuple(checks),
    )


def of_folder(found: Checkpoint, name: str, wanted: str | None, settings: Settings) -> Verdict:
    """The verdict on a folder whose files `inspect` found to be in order."""
    size_mb, memory_mb = found.size_bytes / 1e6, weights_mb(found.parameters)
    checks = (
        _read_by(found.model_type, found.family),
        _kind(name, found.kind, wanted),
        _complete(found.files, size_mb),
        _licence(""),
        _disk(size_mb, settings),
        _memory(memory_mb, name),
    )
    return Verdict(
        "folder",
        None,
        None,
        found.model_type,
        found.family,
        found.kind,
        "",
        False,
        "",
        "",
        found.parameters,
        size_mb,
        memory_mb,
        tuple(found.files),
        checks,
    )


def _access(offer: Offer) -> Check:
    if offer.gated:
        return Check(
            ACCESS,
            "gated by its owner; your token has access",
            NOTE,
            "A colleague who imports your adapter needs access of their own.",
        )
    return Check(ACCESS, "open to everybody")


def _architecture(name: str, config: Mapping[str, Any]) -> tuple[str, str, Check]:
    """(family, kind, check); both empty where no family reads the architecture."""
    from fmstudio.encoders.checkpoint import inspect_config

    try:
        family, kind = inspect_config(config)
    except InputError as fault:
        what = CODE if config.get("auto_map") else ARCHITECTURE
        return "", "", Check(what, f"{name}: {fault.message}", STOP, fault.hint)
    return family, kind, _read_by(config["model_type"], family)


def _read_by(model_type: str, family: str) -> Check:
    return Check(ARCHITECTURE, f"{model_type}, read by the family {family}; no code of its own")


def _kind(name: str, kind: str, wanted: str | None) -> Check:
    if wanted in (None, kind):
        return Check(KIND, kind)
    return Check(
        KIND,
        f"{name} reads {kind}, not {wanted}.",
        STOP,
        f"Add it for {kind}, or choose a checkpoint that reads {wanted}.",
    )


def _files(offer: Offer, config: Mapping[str, Any]) -> tuple[tuple[str, ...], Check]:
    """The files that would be fetched, and whether they are enough."""
    from fmstudio.encoders.checkpoint import needed

    try:
        files = needed(config, tuple(offer.sizes))
    except InputError as fault:
        return (), Check(FILES, f"{offer.id}: {fault.message}", STOP, fault.hint)
    return files, _complete(files, sum(offer.sizes[name] for name in files) / 1e6)


def _complete(files: Mapping[str, str] | tuple[str, ...], size_mb: float) -> Check:
    return Check(FILES, f"{len(files)} needed, {size_mb:,.1f} MB; weights are safetensors")


def _parameters(offer: Offer, files: tuple[str, ...], config: Mapping[str, Any]) -> int:
    """How many weights the files can hold, where the hub did not count them."""
    stored = STORED_BYTES.get(str(config.get("dtype") or config.get("torch_dtype")), 4)
    return sum(offer.sizes[name] for name in files if name.endswith(".safetensors")) // stored


def _licence(licence: str) -> Check:
    if not licence:
        return Check(LICENCE, "not stated", NOTE, "Ask its owner before you pass an adapter on.")
    if licence == "other" or any(sign in licence.lower() for sign in ("-nc", "non-commercial")):
        return Check(LICENCE, licence, NOTE, "Read its terms: they limit what you may do with it.")
    return Check(LICENCE, licence)


def _disk(size_mb: float, settings: Settings) -> Check:
    needed = size_mb + settings.limits.free_disk_mb
    free = shutil.disk_usage(settings.folder("temp")).free / 1e6
    if free < needed:
        return Check(
            DISK,
            f"The disk has {free:,.0f} MB free, but {needed:,.0f} MB are needed.",
            STOP,
            "Free some space, or keep the studio's home folder on a larger disk.",
        )
    return Check(DISK, f"{_size(size_mb)} needed while it is added, {_size(free)} free")


def _memory(memory_mb: float, name: str) -> Check:
    try:
        check_free(memory_mb, name, SMALLER)
    except ResourceError as fault:
        return Check(MEMORY, fault.message, STOP, fault.hint)
    free = psutil.virtual_memory().available / 2**20
    return Check(MEMORY, f"{_size(memory_mb)} needed to load it, {_size(free)} free")


def _size(mb: float) -> str:
    return f"{mb / 1000:,.1f} GB" if mb >= 1000 else f"{mb:,.1f} MB"
