"""The commands on keys: who signs bundles, and whose signatures are known."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fmstudio.errors import NotFound

if TYPE_CHECKING:
    from fmstudio.studio import Studio

Answer = tuple[Any, str]


def make(studio: Studio, args: argparse.Namespace) -> Answer:
    key = studio.keys.make(args.name)
    return key, f"Made the key of {key.name}. Bundles are signed from now on.\n{key.fingerprint}"


def show(studio: Studio, args: argparse.Namespace) -> Answer:
    key = studio.keys.own()
    if key is None:
        raise NotFound("This studio has no key.", hint="Make one: `key make --name NAME`.")
    told = f"{key.name}: {key.fingerprint}"
    if args.file is not None:
        told += f"\nWrote {studio.keys.write_public(args.file)}."
    return key, told


def listing(studio: Studio, args: argparse.Namespace) -> Answer:
    found = studio.keys.trusted()
    lines = [f"{k.fingerprint}  {k.name}{' (this studio)' if k.own else ''}" for k in found]
    return found, "\n".join(lines) or "No key is trusted yet: `key trust FILE_OR_FINGERPRINT`."


def trust(studio: Studio, args: argparse.Namespace) -> Answer:
    key = studio.keys.trust(args.key, args.name)
    return key, f"Bundles signed with {key.fingerprint} are shown as from {key.name}."


def distrust(studio: Studio, args: argparse.Namespace) -> Answer:
    found = studio.keys.distrust(args.key)
    return {"distrusted": found}, f"{found} is trusted no longer."


def signer_text(signer: Mapping[str, Any] | None) -> str:
    """Who signed a bundle, as a sentence."""
    if signer is None:
        return "It is not signed."
    if signer["known"] == "unknown":
        return (
            f"It is signed with a key that you do not know, by somebody who goes by "
            f"'{signer['name']}': {signer['fingerprint']}."
        )
    whose = " (this studio)" if signer["known"] == "own" else ""
    return f"It is signed by {signer['name']}{whose}: {signer['fingerprint']}."
