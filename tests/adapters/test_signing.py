"""Who signed a bundle is known, unknown or nobody; a signature that is not right is refused."""

from __future__ import annotations

import base64
import json
import os
import stat

import pytest

from fmstudio.adapters import archive
from fmstudio.adapters.bundle import export, seal, unpack
from fmstudio.adapters.contents import judged
from fmstudio.adapters.signing import distrust, make_key, own_key, sign, trust, trusted
from fmstudio.errors import BundleError, InputError, NotFound
from fmstudio.settings import Settings
from tests.adapters.conftest import FACTS


@pytest.fixture
def here(tmp_path) -> Settings:
    return Settings(tmp_path / "here")


@pytest.fixture
def signed(folder, tmp_path, here) -> dict[str, bytes]:
    """The files of a signed bundle."""
    seal(folder, FACTS)
    export(folder, tmp_path / "signed.zip", make_key(here, "Ward 7"))
    return archive.read_zip(tmp_path / "signed.zip")


def test_a_signed_bundle_names_its_signer_and_survives_import_and_export(signed, here, tmp_path):
    key = own_key(here)
    assert judged(signed).signer.fingerprint == key.fingerprint
    assert judged(signed).signer.name == "Ward 7"

    unpack(tmp_path / "signed.zip", tmp_path / "elsewhere")
    export(tmp_path / "elsewhere", tmp_path / "again.zip")
    assert archive.read_zip(tmp_path / "again.zip") == signed
    other = make_key(Settings(tmp_path / "other"), "Ward 8")
    export(tmp_path / "elsewhere", tmp_path / "theirs.zip", other)
    assert judged(archive.read_zip(tmp_path / "theirs.zip")).signer.fingerprint == other.fingerprint


def test_a_bundle_without_a_signature_has_no_signer(signed):
    del signed["signature.json"]
    assert judged(signed).signer is None


def test_a_signature_of_another_manifest_name_or_key_is_refused(signed, tmp_path):
    stranger = make_key(Settings(tmp_path / "stranger"), "Ward 7")
    found = json.loads(signed["signature.json"])
    flipped = bytearray(base64.b64decode(found["signature"]))
    flipped[3] ^= 1
    forged = {
        "another name": {"name": "Ward 8"},
        "another key": {"public_key": base64.b64encode(stranger.public).decode()},
        "a flipped bit": {"signature": base64.b64encode(flipped).decode()},
        "no signature": {"signature": base64.b64encode(bytes(64)).decode()},
        "no key": {"public_key": base64.b64encode(bytes(31)).decode()},
    }
    for what, changes in forged.items():
        content = json.dumps(found | changes).encode()
        with pytest.raises(BundleError, match="signature"):
            judged({**signed, "signature.json": content})
        assert what
    other = sign(signed["manifest.json"] + b" ", own_key(Settings(tmp_path / "here")))
    with pytest.raises(BundleError, match="not that of this bundle"):
        judged({**signed, "signature.json": other})


@pytest.mark.parametrize("content", [b"null", b"{}", b"[]", b"3", b'"x"', b"{", b"\xff"])
def test_a_signature_that_is_something_else_is_refused(signed, content):
    with pytest.raises(BundleError, match=r"signature\.json"):
        judged({**signed, "signature.json": content})


def test_the_private_key_is_its_owners_only_and_in_no_bundle(signed, here):
    place = here.home / "keys"
    private = (place / "private.pem").read_bytes()
    assert b"PRIVATE KEY" in private
    secret = b"".join(private.splitlines()[1:-1])
    assert all(secret not in content and b"PRIVATE" not in content for content in signed.values())
    if os.name == "posix":
        assert stat.S_IMODE(place.stat().st_mode) == 0o700
        for path in place.iterdir():
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(InputError, match="has a key already"):
        make_key(here, "Another")
    assert (place / "private.pem").read_bytes() == private


def test_keys_are_trusted_by_file_or_fingerprint_and_forgotten(here, tmp_path):
    key = make_key(Settings(tmp_path / "colleague"), "Colleague")
    file = tmp_path / "colleague.pem"
    file.write_bytes(key.public_pem)
    grouped = " ".join(key.fingerprint[i : i + 4] for i in range(0, 64, 4)).upper()

    for named in (str(file), key.fingerprint, grouped):
        assert trust(here, named, "Dr. Lind") == key.fingerprint
        assert trusted(here) == {key.fingerprint: "Dr. Lind"}
        assert distrust(here, key.fingerprint[:12]) == key.fingerprint
        assert trusted(here) == {}
    for nothing in ("", "abc", "g" * 64, str(tmp_path), str(tmp_path / "none.pem")):
        with pytest.raises(InputError):
            trust(here, nothing, "Nobody")
        with pytest.raises(NotFound):
            distrust(here, nothing)


@pytest.mark.parametrize("name", ["private.pem", "trusted.json"])
def test_damaged_files_of_keys_are_named(here, name):
    make_key(here, "Ward 7")
    (here.home / "keys" / name).write_bytes(b"\xff[")
    with pytest.raises(InputError, match=name):
        own_key(here)
