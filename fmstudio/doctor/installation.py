"""What this installation has, what it lacks and how to get that: settings in, JSON out."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement

from fmstudio import contracts
from fmstudio.settings import Settings
from fmstudio.version import __version__

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = ROOT / "requirements.txt"
INSTALL = "python -m pip install -r requirements.txt"
LEAST_MEMORY_MB = 4000  # a quick run of a few hundred cases, beside a browser
CODECS = ("h264", "hevc", "mpeg4", "vp9", "mjpeg", "aac", "mp3", "opus", "vorbis", "wmav2", "flac")

Missing = list[dict[str, str]]


def versions(missing: Missing) -> dict[str, str]:
    found = {"studio": __version__, "python": platform.python_version()}
    for requirement in _requirements():
        try:
            found[requirement.name] = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            found[requirement.name] = "not installed"
            missing.append({"what": f"the package {requirement.name}", "get": INSTALL})
            continue
        if not requirement.specifier.contains(found[requirement.name], prereleases=True):
            what = f"{requirement.name}{requirement.specifier}, found {found[requirement.name]}"
            missing.append({"what": what, "get": INSTALL})
    return found


def _requirements() -> Iterator[Requirement]:
    """What the checkout asks for, or what the installed package does."""
    if REQUIREMENTS.is_file():
        lines = REQUIREMENTS.read_text(encoding="utf-8").splitlines()
    else:
        lines = metadata.requires("fmstudio") or []
    for line in lines:
        try:
            yield Requirement(line.split("#")[0].strip())
        except InvalidRequirement:  # a comment, an empty line or an option of pip
            continue


def modalities(missing: Missing) -> dict[str, str]:
    """What each pipeline reads, or which package it needs for that."""
    found = {}
    for name, item in contracts.discover("pipelines", "PIPELINE").items():
        if isinstance(item, contracts.Unavailable):
            found[name] = str(item)
            missing.append(
                {"what": f"{item.needs}, to read {name}", "get": f"pip install {item.needs}"}
            )
        else:
            found[item.label] = " ".join(item.suffixes)
    return found


def decoders(missing: Missing) -> dict[str, Any]:
    """Codings of pixels in medical images, and of sound and moving pictures."""
    found: dict[str, Any] = {}
    try:
        from pydicom import uid
        from pydicom.pixels.decoders.base import get_decoder

        codings = (
            *uid.JPEGTransferSyntaxes,
            *uid.JPEGLSTransferSyntaxes,
            *uid.JPEG2000TransferSyntaxes,
            *uid.RLETransferSyntaxes,
        )
        for coding in codings:
            try:
                found[coding.name] = get_decoder(coding).is_available
            except NotImplementedError:  # pydicom knows the name, but nobody decodes it
                continue
        lacking = [name for name, there in found.items() if not there]
        if lacking:
            missing.append({"what": f"decoders for {', '.join(lacking)}", "get": INSTALL})
        import av

        found["sound and video"] = [name for name in CODECS if name in av.codecs_available]
    except ImportError:  # already said under versions
        pass
    return found


def device(missing: Missing) -> dict[str, Any]:
    found: dict[str, Any] = {"machine": platform.machine(), "cores": os.cpu_count()}
    try:
        import psutil

        found["memory_mb"] = round(psutil.virtual_memory().total / 1e6)
        if found["memory_mb"] < LEAST_MEMORY_MB:
            what = f"memory: {found['memory_mb']} MB, {LEAST_MEMORY_MB} are advised"
            missing.append({"what": what, "get": "Close other programs, or use a larger machine."})
        import torch

        cuda = torch.cuda.is_available()
        found["used"] = torch.cuda.get_device_name(0) if cuda else "cpu"
    except ImportError:
        pass
    return found


def disk(settings: Settings, missing: Missing) -> dict[str, Any]:
    """Room on the disk of the home folder, or of the folder where it will be made."""
    folder = settings.home
    while not folder.is_dir():
        folder = folder.parent
    free = round(shutil.disk_usage(folder).free / 1e6)
    if free < settings.limits.free_disk_mb:
        what = f"disk: {free} MB free, {settings.limits.free_disk_mb} are needed"
        missing.append({"what": what, "get": "Free some space, or choose another --home."})
    return {"home": str(settings.home), "free_mb": free, "writable": os.access(folder, os.W_OK)}


def bases(settings: Settings, missing: Missing) -> dict[str, str]:
    """Every base, and whether its weights are the ones that its card names."""
    from fmstudio.model.bases import base_folder, list_bases

    found: dict[str, str] = {}
    try:
        bases = list_bases(settings)
    except (OSError, ValueError, KeyError):
        missing.append({"what": "the embedded base in assets/base", "get": "Clone again."})
        return found
    for base in bases:
        if not base.sha256:  # the untrained one has no file
            found[base.name] = "there"
            continue
        weights = base_folder(base.name, settings) / "model.safetensors"
        whole = weights.is_file() and _sha256(weights) == base.sha256
        found[base.name] = "there" if whole else "missing or changed"
        if not whole:
            what = f"the weights of the base '{base.name}'"
            missing.append({"what": what, "get": "Clone the project again, or add the base again."})
    return found


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
