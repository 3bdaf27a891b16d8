"""Checkpoints as people choose them for a run: a name, an id or a folder for a modality."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fmstudio.contracts import pipeline
from fmstudio.errors import InputError, NotFound
from fmstudio.settings import Settings

if TYPE_CHECKING:
    from fmstudio.checkpoints.store import CheckpointInfo


def kept_encoders(
    encoders: Mapping[str, str], modalities: Sequence[str], settings: Settings
) -> dict[str, CheckpointInfo]:
    """The kept checkpoint for each modality; a folder that is not kept yet is kept now.

    Raises InputError for a modality that is not looked at, an encoder for another kind of data and
    a folder that cannot be used; NotFound for an id that is not on this machine.
    """
    from fmstudio.checkpoints.store import check_kind

    found = {}
    for modality, word in encoders.items():
        if modality not in modalities:
            raise InputError(
                f"An encoder was chosen for '{modality}', which the model does not look at.",
                hint=f"Choose encoders for: {', '.join(modalities)}.",
            )
        kind = pipeline(modality).kind
        found[modality] = _kept(word, kind, settings)
        check_kind(found[modality], modality, kind)
    return found


def _kept(word: str, kind: str, settings: Settings) -> CheckpointInfo:
    from fmstudio.checkpoints.store import find_checkpoint, keep

    folder = Path(word).expanduser()
    try:
        return find_checkpoint(word, settings)
    except NotFound:
        if not folder.is_dir():
            raise
    return keep(folder, settings, {}, kind)
