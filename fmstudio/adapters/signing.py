"""Who exported a bundle: an Ed25519 signature (RFC 8032) over its manifest; and trusted keys.

Hashes show that nothing was changed by accident; whoever changes a bundle on purpose can make them
right again, but not the signature. `<home>/keys/` holds this studio's private key, which never
leaves it, and the fingerprints that its user trusts. A fingerprint is the SHA-256 of a public key.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import StringConstraints

from fmstudio.adapters.schema import SHA256, Strict, read
from fmstudio.errors import BundleError, InputError, NotFound
from fmstudio.files import write_whole
from fmstudio.settings import Settings

FOLDER, PRIVATE, TRUSTED = "keys", "private.pem", "trusted.json"
CONTEXT = b"fmstudio bundle\n"  # so that no signature over anything else can be passed off as ours
PEM, RAW = serialization.Encoding.PEM, serialization.Encoding.Raw
BAD = "Do not use this bundle: it was changed after it was signed, or signed by somebody else."

Person = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,100}$")]
Base64 = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/]{20,120}={0,2}$")]


class Signature(Strict):
    """signature.json. `name` is what the signer is called; only the key proves who that is."""

    algorithm: Literal["Ed25519"]
    name: Person
    public_key: Base64
    signature: Base64


@dataclass(frozen=True)
class Signer:
    """Whose signature a bundle has. `name` is theirs; see `trusted` for whether it is believed."""

    name: str
    fingerprint: str


@dataclass(frozen=True)
class Key:
    """This studio's own key."""

    name: str
    private: Ed25519PrivateKey

    @property
    def public(self) -> bytes:
        """The 32 bytes of the public key."""
        return self.private.public_key().public_bytes(RAW, serialization.PublicFormat.Raw)

    @property
    def fingerprint(self) -> str:
        """What a colleague compares."""
        return fingerprint(self.public)

    @property
    def public_pem(self) -> bytes:
        """The public key as a file to give away."""
        public = self.private.public_key()
        return public.public_bytes(PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def fingerprint(public: bytes) -> str:
    """The SHA-256 of a public key's 32 bytes."""
    return hashlib.sha256(public).hexdigest()


def make_key(settings: Settings, name: str) -> Key:
    """Make this studio's key pair, readable by its owner only, and trust it.

    Raises InputError if there is one already, or for a name of no or more than 100 letters.
    """
    if own_key(settings) is not None:
        raise InputError(
            "This studio has a key already.",
            hint="`key show` names it. Colleagues know it: another one would be unknown to them.",
        )
    if not 1 <= len(name) <= 100 or not name.isprintable():
        raise InputError(f"'{name[:40]}' cannot be a signer's name.", hint="Use 1 to 100 letters.")
    key = Key(name, Ed25519PrivateKey.generate())
    trust(settings, key.fingerprint, name)
    private = key.private.private_bytes(
        PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    _write(settings, PRIVATE, private)
    return key


def own_key(settings: Settings) -> Key | None:
    """This studio's key; None if none was made. Raises InputError if its file is damaged."""
    path = settings.home / FOLDER / PRIVATE
    if not path.is_file():
        return None
    try:
        private = serialization.load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError) as fault:
        raise InputError(
            f"The studio's key {FOLDER}/{PRIVATE} cannot be read.",
            hint="Bring the file back from a backup, or delete it and make a new key.",
        ) from fault
    if not isinstance(private, Ed25519PrivateKey):
        raise InputError(f"{FOLDER}/{PRIVATE} is no Ed25519 key.", hint="Make a new key.")
    key = Key("", private)
    return Key(trusted(settings).get(key.fingerprint, "this studio"), private)


def sign(manifest: bytes, key: Key) -> bytes:
    """The signature.json for a manifest.json."""
    signed = key.private.sign(_message(manifest, key.name))
    values = {
        "algorithm": "Ed25519",
        "name": key.name,
        "public_key": base64.b64encode(key.public).decode(),
        "signature": base64.b64encode(signed).decode(),
    }
    return (json.dumps(values, indent=1, ensure_ascii=False) + "\n").encode()


def signer_of(manifest: bytes, signature: bytes) -> Signer:
    """Who signed a manifest. Raises BundleError for a signature that is not right."""
    name = "signature.json"
    found = read(name, signature, Signature)
    try:
        public, signed = (
            base64.b64decode(value, validate=True) for value in (found.public_key, found.signature)
        )
        Ed25519PublicKey.from_public_bytes(public).verify(signed, _message(manifest, found.name))
    except (ValueError, InvalidSignature) as fault:
        raise BundleError(f"The signature in '{name}' is not that of this bundle.", BAD) from fault
    return Signer(found.name, fingerprint(public))


def trusted(settings: Settings) -> dict[str, str]:
    """Fingerprints that the user trusts, with the names that the user gave them."""
    path = settings.home / FOLDER / TRUSTED
    if not path.is_file():
        return {}
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        if not all(SHA256.fullmatch(key) and isinstance(n, str) for key, n in kept.items()):
            raise ValueError("not fingerprints and names")
    except (OSError, ValueError, TypeError, AttributeError) as fault:
        raise InputError(
            f"The list of trusted keys, {FOLDER}/{TRUSTED}, is damaged.",
            hint="Delete the file, then trust your colleagues' keys again.",
        ) from fault
    return dict(kept)


def trust(settings: Settings, key: str, name: str) -> str:
    """Trust a key by its fingerprint or the path of its public file; gives the fingerprint.

    Raises InputError for a text that is neither.
    """
    found = _fingerprint_of(key)
    _write_trusted(settings, trusted(settings) | {found: name})
    return found


def distrust(settings: Settings, key: str) -> str:
    """Take a key off the list; the start of its fingerprint will do. Raises NotFound."""
    known = trusted(settings)
    meant = [each for each in known if each.startswith(_plain(key) or "-")]
    if len(meant) != 1:
        raise NotFound(
            f"{'No' if not meant else 'More than one'} trusted key begins with '{key[:70]}'.",
            hint="`key list` names them.",
        )
    _write_trusted(settings, {each: name for each, name in known.items() if each != meant[0]})
    return meant[0]


def _fingerprint_of(key: str) -> str:
    if SHA256.fullmatch(_plain(key)):
        return _plain(key)
    path = Path(key)
    try:
        public = serialization.load_pem_public_key(path.read_bytes())
    except (OSError, ValueError) as fault:
        raise InputError(
            f"'{path.name[:70]}' is neither a fingerprint nor the file of a public key.",
            hint="Ask for the file that `key show FILE.pem` writes, or its 64 hexadecimal digits.",
        ) from fault
    if not isinstance(public, Ed25519PublicKey):
        raise InputError(f"'{path.name}' is no Ed25519 key.", hint="Ask for the right file.")
    return fingerprint(public.public_bytes(RAW, serialization.PublicFormat.Raw))


def _plain(key: str) -> str:
    """A fingerprint however it was grouped."""
    return "".join(key.split()).replace(":", "").lower()


def _message(manifest: bytes, name: str) -> bytes:
    return CONTEXT + hashlib.sha256(manifest).hexdigest().encode() + b"\n" + name.encode()


def _write_trusted(settings: Settings, known: Mapping[str, str]) -> None:
    _write(settings, TRUSTED, json.dumps(dict(known), indent=1, ensure_ascii=False).encode())


def _write(settings: Settings, name: str, content: bytes) -> None:
    """Whole or not at all, and for its owner only from the first byte."""
    folder = settings.folder(FOLDER)
    folder.chmod(0o700)
    write_whole(folder / name, content)
