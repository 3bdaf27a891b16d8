"""The bundle: an adapter's folder out as a zip that anyone can verify, and a foreign zip in.

    adapter/adapter_config.json         README.md          calibration.json   manifest.json
    adapter/adapter_model.safetensors   card.json          probes.json        signature.json
    processors/*.json                   config.json        probes.safetensors
    trained_on.json

`manifest.json` holds the SHA-256 of every other file and the base and checkpoints that the adapter
fits; a checkpoint's own weights and processor files do not travel, their SHA-256 does. The metadata
of the adapter's weights hold the SHA-256 of what decides the meaning of an answer. PEFT itself
loads an adapter onto any base of the same shape without a word; here it is compared.
`signature.json` is there where the exporter signs (see `signing`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fmstudio.adapters import archive
from fmstudio.adapters.checks import check_model_config, checkpoints_of
from fmstudio.adapters.contents import MEANING, WEIGHTS, Contents, judged, meaning
from fmstudio.adapters.schema import FORMAT
from fmstudio.adapters.signing import Key, sign
from fmstudio.adapters.tensors import with_metadata
from fmstudio.errors import BundleError
from fmstudio.model.bases import RANDOM
from fmstudio.present.markdown import markdown
from fmstudio.present.model_card import model_card


def seal(folder: Path, facts: Mapping[str, Any]) -> Contents:
    """Complete an adapter's folder: README.md, the seal on the weights, then manifest.json.

    `facts`: base (its name), base_sha256, base_files {name: SHA-256}, versions {library: version},
    licence. Every check of `verify` is made here, so that nothing is sealed that a colleague could
    not import. Raises BundleError, naming the file.
    """
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    (folder / "README.md").write_text(markdown(*model_card(card)), encoding="utf-8")
    (folder / "manifest.json").unlink(missing_ok=True)
    files = archive.read_folder(folder)
    files.pop(archive.SIGNATURE, None)
    model = check_model_config("config.json", files.get("config.json", b"{}"))
    checkpoints = checkpoints_of(model)
    if WEIGHTS in files:
        files[WEIGHTS] = with_metadata(WEIGHTS, files[WEIGHTS], {MEANING: meaning(files)})
    base = {
        "name": facts["base"],
        "sha256": facts["base_sha256"],
        "files": dict(facts["base_files"]),
    }
    manifest = {
        "format": FORMAT,
        "base": base,
        "licence": facts["licence"],
        **({"checkpoints": checkpoints} if checkpoints else {}),
        "versions": dict(facts["versions"]),
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
    }
    text = json.dumps(manifest, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    files["manifest.json"] = text.encode()
    _check_places(files, folder)
    contents = judged(files)
    (folder / WEIGHTS).write_bytes(files[WEIGHTS])
    (folder / archive.SIGNATURE).unlink(missing_ok=True)
    (folder / "manifest.json").write_text(text, encoding="utf-8")
    return contents


def export(folder: Path, target: Path, key: Key | None = None) -> None:
    """Write a sealed folder as a zip, the same bytes each time; complete or not at all.

    With `key` it is signed, in the place of the signature that it came with.

    Raises BundleError if a file changed since it was sealed, ResourceError if the disk is full.
    """
    files = archive.read_folder(folder)
    judged(files)
    if key is not None:
        files[archive.SIGNATURE] = sign(files["manifest.json"], key)
    archive.write_zip(files, target)


def verify(zip_path: Path, expect_base: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Judge a foreign bundle without unpacking it, and say what it holds.

    `expect_base`: SHA-256 of the bases on this machine by name. Gives {format, name, task, labels,
    modalities, base, base_sha256, metrics, n, chosen, checkpoints, licence, versions, files}.
    Raises BundleError, naming the file and what is wrong with it.
    """
    return _fitting(archive.read_zip(zip_path), expect_base).facts()


def unpack(zip_path: Path, folder: Path, expect_base: Mapping[str, str] | None = None) -> Contents:
    """Verify a bundle and write its files to the new `folder`; complete or not at all.

    Raises BundleError as `verify` does, or if the folder exists.
    """
    files = archive.read_zip(zip_path)
    contents = _fitting(files, expect_base)
    archive.write_folder(files, folder)
    return contents


def _fitting(files: Mapping[str, bytes], expect_base: Mapping[str, str] | None) -> Contents:
    """The contents, if they are whole and the base that they need is here."""
    contents = judged(files)
    _check_base(contents.manifest["base"], expect_base or {})
    return contents


def _check_base(base: Mapping[str, Any], expect_base: Mapping[str, str]) -> None:
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


def _check_places(files: Mapping[str, bytes], folder: Path) -> None:
    """A bundle tells nobody where on this machine it was made."""
    places = {str(folder.resolve().parent), str(Path.home())} - {"/"}
    for name, content in files.items():
        if name.endswith((".json", ".md")) and any(p.encode() + b"/" in content for p in places):
            raise BundleError(f"'{name}' holds a path of this machine.", hint="Leave it out.")
