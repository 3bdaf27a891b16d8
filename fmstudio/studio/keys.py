"""Verbs on the key that signs bundles, and on the keys of colleagues that are trusted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fmstudio.errors import InputError, NotFound
from fmstudio.studio.context import Context

if TYPE_CHECKING:
    from fmstudio.adapters.signing import Key, Signer


@dataclass(frozen=True)
class Trusted:
    """A key that the user trusts. `own` is True for this studio's."""

    name: str
    fingerprint: str
    own: bool


class Keys:
    """The key that signs bundles, and the keys whose signatures are trusted."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def make(self, name: str) -> Trusted:
        """Make this studio's key pair. Raises InputError if there is one."""
        from fmstudio.adapters import signing

        key = signing.make_key(self._context.settings, name)
        self._context.registry.record("key made", key.fingerprint)
        return Trusted(key.name, key.fingerprint, own=True)

    def own(self) -> Trusted | None:
        """This studio's key, if one was made."""
        found = self.signing()
        return None if found is None else Trusted(found.name, found.fingerprint, own=True)

    def signing(self) -> Key | None:
        """The key pair itself, for `export`."""
        from fmstudio.adapters import signing

        return signing.own_key(self._context.settings)

    def write_public(self, target: Path) -> Path:
        """Write this studio's public key as a file to give away. Raises NotFound without a key."""
        found = self.signing()
        if found is None:
            raise NotFound("This studio has no key.", hint="Make one: `key make --name NAME`.")
        try:
            target.write_bytes(found.public_pem)
        except OSError as fault:
            raise InputError(
                f"'{target.name}' could not be written: {fault.strerror}.",
                hint="Choose a folder that is there and that you may write to.",
            ) from fault
        return target

    def trusted(self) -> list[Trusted]:
        """The keys that the user trusts, by name."""
        from fmstudio.adapters import signing

        own = self.own()
        known = signing.trusted(self._context.settings)
        found = [Trusted(n, f, own is not None and f == own.fingerprint) for f, n in known.items()]
        return sorted(found, key=lambda key: (not key.own, key.name, key.fingerprint))

    def trust(self, key: str, name: str) -> Trusted:
        """Trust a key by its fingerprint or its file. Raises InputError."""
        from fmstudio.adapters import signing

        found = signing.trust(self._context.settings, key, name)
        self._context.registry.record("key trusted", found)
        return next(one for one in self.trusted() if one.fingerprint == found)

    def distrust(self, key: str) -> str:
        """Take a key off the list of trusted ones; its fingerprint. Raises NotFound."""
        from fmstudio.adapters import signing

        found = signing.distrust(self._context.settings, key)
        self._context.registry.record("key no longer trusted", found)
        return found

    def signer(self, signer: Signer | None) -> dict[str, Any] | None:
        """Who signed a bundle: {name, fingerprint, known}; None where nobody did.

        The name of a known key is the one that the user gave it, whatever the bundle says.
        """
        if signer is None:
            return None
        known = {key.fingerprint: key for key in self.trusted()}
        key = known.get(signer.fingerprint)
        state = "unknown" if key is None else "own" if key.own else "known"
        name = signer.name if key is None else key.name
        return {"name": name, "fingerprint": signer.fingerprint, "known": state}
