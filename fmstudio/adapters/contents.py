"""The files of an adapter, of a bundle or of a folder here, judged as a whole: bytes in, plain
values or BundleError out. Nothing of an adapter is used before it went through here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from fmstudio.adapters import archive, trained_on
from fmstudio.adapters.agreement import check_agreement
from fmstudio.adapters.checks import (
    check_adapter_config,
    check_bridges,
    check_model_config,
    checkpoints_of,
    parse_json,
    refuse_code_keys,
)
from fmstudio.adapters.processor import Processor
from fmstudio.adapters.readout import Readout
from fmstudio.adapters.schema import (
    AGAIN,
    FORMAT,
    Calibration,
    Manifest,
    Probes,
    ProcessorFile,
    checked,
)
from fmstudio.adapters.schema_card import Card
from fmstudio.adapters.signing import Signer, signer_of
from fmstudio.adapters.tensors import (
    check_adapter_weights,
    check_tensors,
    content_sha256,
    metadata,
)
from fmstudio.errors import BundleError
from fmstudio.types import TaskSpec

ADAPTER_CONFIG = "adapter/adapter_config.json"
WEIGHTS = "adapter/adapter_model.safetensors"
MEANING = "fmstudio.meaning"  # the key in the weights' metadata


@dataclass(frozen=True)
class Contents:
    """What an adapter is, from files that are whole and agree.

    `values` are its JSON files by name; `sealed` is the SHA-256 of manifest.json, and with it of
    every file. `signer` is who signed it, if somebody did.
    """

    values: Mapping[str, Any]
    sealed: str
    signer: Signer | None = None

    @property
    def manifest(self) -> Mapping[str, Any]:
        """manifest.json."""
        found: Mapping[str, Any] = self.values["manifest.json"]
        return found

    @property
    def card(self) -> dict[str, Any]:
        """card.json."""
        return dict(self.values["card.json"])

    @property
    def task(self) -> TaskSpec:
        """What it predicts."""
        return TaskSpec.from_dict(self.card["task"])

    @property
    def readout(self) -> Readout:
        """How its logits are read."""
        return Readout.from_dict(self.values["calibration.json"])

    @property
    def processors(self) -> dict[str, Processor]:
        """How inputs are prepared, by modality."""
        return {
            value["modality"]: Processor(**value)
            for name, value in sorted(self.values.items())
            if name.startswith("processors/")
        }

    def facts(self) -> dict[str, Any]:
        """What `verify` tells of it."""
        card, manifest = self.card, self.manifest
        return {
            "format": manifest["format"],
            "name": card["name"],
            "task": card["task"]["kind"],
            "labels": card["task"]["labels"],
            "modalities": card["modalities"],
            "base": manifest["base"]["name"],
            "base_sha256": manifest["base"]["sha256"],
            "metrics": card["metrics"],
            "n": card["n"],
            "chosen": card["chosen"],
            "checkpoints": checkpoints_of(self.values["config.json"]),
            "licence": manifest["licence"],
            "versions": manifest["versions"],
            "files": manifest["files"],
        }


def meaning(files: Mapping[str, bytes]) -> str:
    """The SHA-256 of what decides the meaning of an answer, to be kept with the weights: the values
    of every JSON file but the manifest, in the order of their keys, the weights themselves, and the
    stored probes.

    Raises BundleError for a file that is no JSON or no safetensors.
    """
    told = {
        name: value
        for name, value in sorted(parsed(files).items())
        if name not in ("manifest.json", archive.SIGNATURE)
    }
    told |= {
        name: content_sha256(name, content)
        for name, content in sorted(files.items())
        if name.endswith(".safetensors")
    }
    text = json.dumps(told, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def parsed(files: Mapping[str, bytes]) -> dict[str, Any]:
    """Every JSON file's value by name. Raises BundleError, naming the file."""
    return {n: parse_json(n, content) for n, content in files.items() if n.endswith(".json")}


def judged(files: Mapping[str, bytes]) -> Contents:
    """Every check on the files of an adapter: all there, unchanged, each by its schema, all in
    agreement, and the weights made for what they say.

    Raises BundleError, naming file and field.
    """
    for name in archive.REQUIRED:
        if name not in files:
            raise BundleError(f"The adapter lacks '{name}'.", hint=AGAIN)
    manifest = _manifest(parse_json("manifest.json", files["manifest.json"]))
    _check_hashes(files, manifest.files)
    values = parsed(files)
    for name, value in values.items():
        if name != ADAPTER_CONFIG:
            refuse_code_keys(name, value)
    adapter = check_adapter_config(ADAPTER_CONFIG, files[ADAPTER_CONFIG])
    model = check_model_config("config.json", files["config.json"])
    read = partial(_read, values)
    check_agreement(
        manifest,
        read("card.json", Card),
        model,
        adapter,
        read("calibration.json", Calibration),
        {
            name.split("/")[1].removesuffix(".json"): read(name, ProcessorFile)
            for name in values
            if name.startswith("processors/")
        },
        read("probes.json", Probes),
    )
    check_adapter_weights(WEIGHTS, files[WEIGHTS], adapter, check_bridges(adapter, model))
    check_tensors("probes.safetensors", files["probes.safetensors"])
    if trained_on.FILE in values:
        trained_on.check(values[trained_on.FILE])
    if metadata(WEIGHTS, files[WEIGHTS]).get(MEANING) != meaning(files):
        raise BundleError(
            f"'{WEIGHTS}' is not sealed for what the other files say: weights, labels, "
            "calibration, processors or the card were changed after training.",
            hint=archive.SENT,
        )
    sealed = files["manifest.json"]
    signed = files.get(archive.SIGNATURE)
    return Contents(
        values,
        hashlib.sha256(sealed).hexdigest(),
        None if signed is None else signer_of(sealed, signed),
    )


def _read(values: Mapping[str, Any], name: str, schema: Any) -> Any:
    return checked(name, values[name], schema)


def _manifest(value: Any) -> Manifest:
    """The manifest by its schema; another format is told before anything else."""
    given = value.get("format") if isinstance(value, dict) else None
    if type(given) is int and given != FORMAT:
        raise BundleError(
            f"The bundle has format {given}; this studio reads format {FORMAT}.",
            hint="Update the studio, or ask for it again, exported by the present version.",
        )
    return checked("manifest.json", value, Manifest)


def _check_hashes(files: Mapping[str, bytes], listed: Mapping[str, str]) -> None:
    for name, content in files.items():
        if name in ("manifest.json", archive.SIGNATURE):
            continue
        if name not in listed:
            raise BundleError(f"'{name}' is not listed in 'manifest.json'.", hint=archive.SENT)
        if hashlib.sha256(content).hexdigest() != listed[name]:
            raise BundleError(
                f"'{name}' was changed: its SHA-256 is not that of 'manifest.json'.",
                hint=archive.SENT,
            )
    for name in listed:
        if name not in files:
            raise BundleError(f"The adapter lacks '{name[:80]}'.", hint=archive.SENT)
