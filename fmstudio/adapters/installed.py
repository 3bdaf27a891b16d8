"""An adapter's folder in the home, held against its seal each time it is taken into use."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from fmstudio.adapters import archive
from fmstudio.adapters.checks import checkpoints_of, parse_json
from fmstudio.adapters.contents import Contents, judged
from fmstudio.adapters.schema import FORMAT
from fmstudio.checkpoints.hashes import Stamp, stamp
from fmstudio.checkpoints.store import checkpoint_folder, checkpoint_of
from fmstudio.errors import BundleError, StudioError
from fmstudio.model.bases import base_folder, check_base
from fmstudio.settings import Settings

WAY_OUT = (
    "Import its bundle again, which makes it whole. Without a bundle: export it from a studio that "
    "has it whole, or fine-tune again."
)


class OldFormat(BundleError):
    """An adapter that is sealed as the format before had it."""


def whole(folder: Path, settings: Settings, sealed: str | None = None) -> Contents:
    """What an adapter's folder holds, every file as it was sealed, and its base as well.

    `sealed` is what the registry keeps of the seal. Raises BundleError, naming the file.
    """
    try:
        files = archive.read_folder(folder)
        _check_format(folder.name, files)
        contents = judged(files)
        if sealed is not None and contents.sealed != sealed:
            raise BundleError("'manifest.json' was changed: its SHA-256 is not the registered one.")
    except OldFormat:
        raise
    except BundleError as fault:
        message = f"The adapter {folder.name} is damaged. {fault.message}"
        raise BundleError(message, hint=WAY_OUT) from fault
    base = contents.manifest["base"]
    check_base(base["name"], base["files"], settings)
    return contents


def _check_format(adapter: str, files: Mapping[str, bytes]) -> None:
    manifest = parse_json("manifest.json", files.get("manifest.json", b"null"))
    if isinstance(manifest, dict) and manifest.get("format") == FORMAT - 1:
        raise OldFormat(
            f"The adapter {adapter} was made by an earlier version of the studio, which sealed "
            "adapters in another way.",
            hint=f"Seal it anew with `adapter renew {adapter}`, which checks its old seal first.",
        )


def stamps(folder: Path, contents: Contents, settings: Settings) -> frozenset[Stamp] | None:
    """The stamps of all files that an adapter rests on: its own, and those of base and checkpoints.

    They differ if any was changed, added or lost since; None if something cannot be looked at.
    """
    base = contents.manifest["base"]
    paths = [path for path in folder.rglob("*") if not path.is_dir()]
    try:
        paths += [base_folder(base["name"], settings) / name for name in base["files"]]
        for one in checkpoints_of(contents.values["config.json"]):
            kept = checkpoint_of(one, settings)
            paths += [checkpoint_folder(kept.name, settings) / name for name in kept.files]
        return frozenset(map(stamp, paths))
    except (OSError, StudioError):
        return None
