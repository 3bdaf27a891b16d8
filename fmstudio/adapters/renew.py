"""An adapter that an earlier version of the studio made, sealed anew as the present one does it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from fmstudio.adapters import archive
from fmstudio.adapters.bundle import seal
from fmstudio.adapters.checks import parse_json
from fmstudio.adapters.contents import Contents
from fmstudio.adapters.installed import WAY_OUT
from fmstudio.adapters.probes import write_probes
from fmstudio.adapters.schema import FORMAT
from fmstudio.errors import BundleError, InputError
from fmstudio.model.bases import base_files
from fmstudio.settings import Settings

BEFORE = FORMAT - 1


def renew(folder: Path, settings: Settings) -> Contents:
    """Hold a folder against its seal of the format before, write new probes and seal it anew.

    Weights, calibration and card stay as they are. Raises InputError for a folder of another
    format, BundleError for a file that is not as it was sealed or breaks a check of the present
    format; the folder is as before then.
    """
    files = archive.read_folder(folder)
    manifest = _sealed_before(folder.name, files)
    base = manifest["base"]["name"]
    facts = {
        "base": base,
        "base_sha256": manifest["base"]["sha256"],
        "base_files": base_files(base, settings),
        "versions": manifest["versions"],
        "licence": manifest["licence"],
    }
    try:
        write_probes(folder, settings)
        return seal(folder, facts)
    except BaseException:
        for name, content in files.items():
            (folder / name).write_bytes(content)
        raise


def _sealed_before(adapter: str, files: dict[str, bytes]) -> dict[str, Any]:
    """The manifest of the format before, if every file is as it says."""
    manifest = parse_json("manifest.json", files.get("manifest.json", b"null"))
    if not isinstance(manifest, dict) or manifest.get("format") != BEFORE:
        raise InputError(
            f"The adapter {adapter} is not of the format {BEFORE}, which is sealed anew.",
            hint="An adapter of the present format needs no renewal.",
        )
    listed = manifest.get("files")
    found = {
        name: hashlib.sha256(content).hexdigest()
        for name, content in files.items()
        if name != "manifest.json"
    }
    if listed != found:
        pairs = {**found, **(listed if isinstance(listed, dict) else {})}
        wrong = next(
            (
                n
                for n in sorted(pairs)
                if not isinstance(listed, dict) or found.get(n) != listed.get(n)
            ),
            "manifest.json",
        )
        raise BundleError(
            f"The adapter {adapter} is damaged: '{wrong}' is not as it was sealed.", hint=WAY_OUT
        )
    return manifest
