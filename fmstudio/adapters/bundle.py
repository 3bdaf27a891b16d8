"""The bundle: an adapter's folder out as a zip that anyone can verify, and a foreign zip in.

    adapter/adapter_config.json         README.md          calibration.json   manifest.json
    adapter/adapter_model.safetensors   card.json          probes.json
    processors/*.json                   config.json        probes.safetensors
    trained_on.json

`manifest.json` holds the SHA-256 of every other file and the base and checkpoints that the adapter
fits; a checkpoint's own weights and processor files do not travel, their SHA-256 does. PEFT itself
loads an adapter onto any base of the same shape without a word; here it is compared.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fmstudio.adapters import archive, trained_on
from fmstudio.adapters.checks import (
    PLAIN_NAME,
    check_adapter_config,
    check_bridges,
    check_model_config,
    checkpoints_of,
    parse_json,
    refuse_code_keys,
)
from fmstudio.adapters.model_card import model_card
from fmstudio.adapters.tensors import check_adapter_weights, check_tensors
from fmstudio.errors import BundleError
from fmstudio.model.bases import RANDOM

FORMAT = 1
SHA256 = re.compile(r"[0-9a-f]{64}")
AGAIN = "Export it again from the studio that made it."


def seal(folder: Path, facts: Mapping[str, Any]) -> None:
    """Complete an adapter's folder: write README.md from card.json, then manifest.json.

    `facts`: base (its name), base_sha256, versions {library: version}, licence. Every check of
    `verify` is made here, so that nothing is sealed that a colleague could not import.
    Raises BundleError, naming the file.
    """
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    (folder / "README.md").write_text(model_card(card), encoding="utf-8")
    (folder / "manifest.json").unlink(missing_ok=True)
    files = archive.read_folder(folder)
    model = check_model_config("config.json", files.get("config.json", b"{}"))
    checkpoints = checkpoints_of(model)
    manifest = {
        "format": FORMAT,
        "base": {"name": facts["base"], "sha256": facts["base_sha256"]},
        "licence": facts["licence"],
        **({"checkpoints": checkpoints} if checkpoints else {}),
        "versions": dict(facts["versions"]),
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
    }
    text = json.dumps(manifest, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    files["manifest.json"] = text.encode()
    _check_places(files, folder)
    _checked(files)
    (folder / "manifest.json").write_text(text, encoding="utf-8")


def export(folder: Path, target: Path) -> None:
    """Write a sealed folder as a zip, the same bytes each time; complete or not at all.

    Raises BundleError if a file changed since it was sealed, ResourceError if the disk is full.
    """
    files = archive.read_folder(folder)
    _checked(files)
    archive.write_zip(files, target)


def verify(zip_path: Path, expect_base: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Judge a foreign bundle without unpacking it, and say what it holds.

    `expect_base`: SHA-256 of the bases on this machine by name. Gives {format, name, task, labels,
    modalities, base, base_sha256, metrics, n, chosen, checkpoints, licence, versions, files}.
    Raises BundleError, naming the file and what is wrong with it.
    """
    return _checked(archive.read_zip(zip_path), expect_base)


def unpack(
    zip_path: Path, folder: Path, expect_base: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Verify a bundle and write its files to the new `folder`; complete or not at all.

    Returns what `verify` returns. Raises BundleError as it does, or if the folder exists.
    """
    files = archive.read_zip(zip_path)
    facts = _checked(files, expect_base)
    archive.write_folder(files, folder)
    return facts


def _checked(
    files: Mapping[str, bytes], expect_base: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Every check on the files of a bundle, whole first, then one by one."""
    for name in archive.REQUIRED:
        if name not in files:
            raise BundleError(f"The bundle lacks '{name}'.", hint=AGAIN)
    manifest = _manifest(files["manifest.json"])
    _check_hashes(files, manifest["files"])
    base = manifest["base"]
    _check_base(base, expect_base or {})
    values = {name: parse_json(name, content) for name, content in files.items() if _is_json(name)}
    config = check_adapter_config(
        "adapter/adapter_config.json", files["adapter/adapter_config.json"]
    )
    model = check_model_config("config.json", files["config.json"])
    for name, value in values.items():
        if name != "adapter/adapter_config.json":
            refuse_code_keys(name, value)
    if (model.get("base"), model.get("base_sha256")) != (base["name"], base["sha256"]):
        raise BundleError("'config.json' and 'manifest.json' name different bases.", hint=AGAIN)
    if checkpoints_of(model) != manifest.get("checkpoints", []):
        raise BundleError(
            "'config.json' and 'manifest.json' name different checkpoints.", hint=AGAIN
        )
    weights = "adapter/adapter_model.safetensors"
    check_adapter_weights(weights, files[weights], config, check_bridges(config, model))
    _check_processors(values, model)
    check_tensors("probes.safetensors", files["probes.safetensors"])
    if trained_on.FILE in values:
        trained_on.check(values[trained_on.FILE])
    card = _card(values["card.json"])
    return {
        "format": manifest["format"],
        "name": card["name"],
        "task": card["task"]["kind"],
        "labels": card["task"]["labels"],
        "modalities": card["modalities"],
        "base": base["name"],
        "base_sha256": base["sha256"],
        "metrics": card["metrics"],
        "n": card.get("n", {}),
        "chosen": card.get("chosen"),
        "checkpoints": checkpoints_of(model),
        "licence": manifest["licence"],
        "versions": manifest["versions"],
        "files": manifest["files"],
    }


def _check_processors(values: Mapping[str, Any], model: Mapping[str, Any]) -> None:
    """A modality is prepared for the very checkpoint that reads it."""
    for modality, key in model["routes"].items():
        name, encoder = f"processors/{modality}.json", model["encoders"].get(key)
        wanted = encoder.get("checkpoint") if isinstance(encoder, dict) else None
        found = values.get(name)
        given = found.get("checkpoint") if isinstance(found, dict) else None
        if given != wanted or (wanted and found["config"] != encoder["config"]):
            raise BundleError(
                f"'{name}' is not for the encoder that 'config.json' gives {modality}.",
                hint=AGAIN,
            )


def _is_json(name: str) -> bool:
    return name.endswith(".json") and name != "manifest.json"


def _manifest(content: bytes) -> dict[str, Any]:
    manifest = parse_json("manifest.json", content)
    if not isinstance(manifest, dict) or type(manifest.get("format")) is not int:
        raise BundleError("'manifest.json' does not say which format the bundle has.", hint=AGAIN)
    if manifest["format"] != FORMAT:
        raise BundleError(
            f"The bundle has format {manifest['format']}; this studio reads format {FORMAT}.",
            hint="Update the studio, or ask for a bundle of this format.",
        )
    for key, kind in {"base": dict, "files": dict, "versions": dict, "licence": str}.items():
        if not isinstance(manifest.get(key), kind):
            raise BundleError(f"'manifest.json' lacks '{key}'.", hint=AGAIN)
    base = manifest["base"]
    name, sha256 = base.get("name"), base.get("sha256")
    if not isinstance(name, str) or not PLAIN_NAME.fullmatch(name):
        raise BundleError("'manifest.json' names no base, or a path.", hint=AGAIN)
    if not isinstance(sha256, str) or not SHA256.fullmatch(sha256):
        raise BundleError(f"'manifest.json' gives no SHA-256 for the base '{name}'.", hint=AGAIN)
    return manifest


def _check_hashes(files: Mapping[str, bytes], listed: Mapping[str, Any]) -> None:
    for name, content in files.items():
        if name == "manifest.json":
            continue
        if name not in listed:
            raise BundleError(f"'{name}' is not listed in 'manifest.json'.", hint=archive.SENT)
        if hashlib.sha256(content).hexdigest() != listed[name]:
            raise BundleError(
                f"'{name}' was changed after the export: its SHA-256 is not that of "
                "'manifest.json'.",
                hint=archive.SENT,
            )
    for name in listed:
        if name not in files:
            raise BundleError(f"The bundle lacks '{name[:80]}'.", hint=archive.SENT)


def _check_base(base: Mapping[str, str], expect_base: Mapping[str, str]) -> None:
    here = expect_base.get(base["name"])
    if expect_base and here is None and base["name"] != RANDOM:
        raise BundleError(
            f"The adapter was made for the base '{base['name']}' with SHA-256 "
            f"{base['sha256'][:12]}…, which is not on this machine.",
            hint=f"Copy the folder bases/{base['name']} of the studio that made it into bases/ of "
            "your home folder, then import again.",
        )
    if here is not None and here != base["sha256"]:
        raise BundleError(
            f"The adapter was made for the base '{base['name']}' with SHA-256 "
            f"{base['sha256'][:12]}…, but '{base['name']}' on this machine has {here[:12]}….",
            hint="Install the base that the adapter was made for, or fine-tune again.",
        )


def _card(card: Any) -> dict[str, Any]:
    if not isinstance(card, dict):
        raise BundleError("'card.json' is not a JSON object.", hint=AGAIN)
    for key, kind in {"name": str, "task": dict, "modalities": list, "metrics": dict}.items():
        if not isinstance(card.get(key), kind):
            raise BundleError(f"'card.json' lacks '{key}'.", hint=AGAIN)
    for key, kind in {"kind": str, "labels": list}.items():
        if not isinstance(card["task"].get(key), kind):
            raise BundleError(f"'card.json' lacks '{key}' of its task.", hint=AGAIN)
    return card


def _check_places(files: Mapping[str, bytes], folder: Path) -> None:
    """A bundle tells nobody where on this machine it was made."""
    places = {str(folder.resolve().parent), str(Path.home())} - {"/"}
    for name, content in files.items():
        if name.endswith((".json", ".md")) and any(p.encode() + b"/" in content for p in places):
            raise BundleError(f"'{name}' holds a path of this machine.", hint="Leave it out.")
