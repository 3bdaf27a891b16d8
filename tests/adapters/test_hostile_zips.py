"""What a careless or hostile sender could do to the zip."""

import pickle
import shutil
import zipfile

import pytest

from fmstudio.adapters.bundle import unpack, verify
from fmstudio.errors import BundleError

BASE_SHA256 = "ab" * 32
WEIGHTS = "adapter/adapter_model.safetensors"


def rewritten(bundle, target, change):
    """The bundle with `change(archive)` made to its zip on the way."""
    shutil.copy(bundle, target)
    with zipfile.ZipFile(target, "a") as archive:
        change(archive)
    return target


@pytest.mark.parametrize(
    "name",
    [
        "../../evil.json",
        "/etc/evil.json",
        "C:\\evil.json",
        "adapter/../../evil.json",
        "processors/../evil.json",
        "adapter\\adapter_config.json",
        "processors/UPPER.json",
        "processors/a/b.json",
        "adapter/adapter_model.bin",
        "weights.pkl",
        "head.pt",
        "run.py",
        "inner.zip",
        "adapter/",
        "x" * 300,
        "a\nb.json",
        "cafe\u202egnp.json",
        "probes.npy",
    ],
)
def test_a_file_that_is_no_part_of_a_bundle_is_refused(bundle, tmp_path, name, refused):
    path = rewritten(bundle, tmp_path / "b.zip", lambda z: z.writestr(name, b"x"))
    refused(path, "no part of a bundle")


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", ["card.json", "CARD.json", "Adapter/adapter_config.json"])
def test_names_that_come_twice_or_differ_in_case_are_refused(bundle, tmp_path, name, refused):
    path = rewritten(bundle, tmp_path / "b.zip", lambda z: z.writestr(name, b"{}"))
    refused(path, "twice")


def test_a_symbolic_link_is_refused(bundle, tmp_path, refused):
    entry = zipfile.ZipInfo("processors/link.json")
    entry.create_system, entry.external_attr = 3, 0o120777 << 16
    path = rewritten(bundle, tmp_path / "b.zip", lambda z: z.writestr(entry, "/etc/passwd"))
    refused(path, r"processors/link\.json.*is a link")


def test_a_hundred_thousand_files_are_refused_before_they_are_listed(tmp_path, refused):
    path = tmp_path / "many.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for i in range(70_000):
            archive.writestr(zipfile.ZipInfo(f"{i}"), b"")
    refused(path, "many.zip")


def test_a_thousand_files_are_refused(bundle, tmp_path, refused):
    def change(archive):
        for i in range(1000):
            archive.writestr(f"processors/p{i}.json", b"{}")

    refused(rewritten(bundle, tmp_path / "b.zip", change), "lists 1010 files")


def test_a_bomb_is_refused_before_it_is_unpacked(bundle, tmp_path, refused):
    def change(archive):
        archive.writestr(
            "processors/bomb.json", b" " * 2_000_000, compress_type=zipfile.ZIP_DEFLATED
        )

    refused(rewritten(bundle, tmp_path / "b.zip", change), "grows more than 200-fold")


def test_a_file_over_its_limit_is_refused(bundle, tmp_path, refused):
    path = rewritten(
        bundle, tmp_path / "b.zip", lambda z: z.writestr("processors/big.json", b" " * 3_000_000)
    )
    refused(path, r"processors/big\.json' has 3 MB")


def test_a_zip_that_lies_about_sizes_is_refused(bundle, tmp_path, refused):
    content = bytearray(bundle.read_bytes())
    entry = content.rfind(b"PK\x01\x02")  # central directory: sizes at 20 and 24
    content[entry + 24 : entry + 28] = (5).to_bytes(4, "little")
    path = tmp_path / "b.zip"
    path.write_bytes(content)
    refused(path, "b.zip|not as long")


@pytest.mark.parametrize(
    "wrap",
    [
        lambda c: b"#!/bin/sh\n" + c,
        lambda c: b"PK\x03\x04#!/bin/sh\n" + c,
        lambda c: c[:-22] + b"extra" + c[-22:],
        lambda c: c + b"extra",
        lambda c: c[:-2] + b"\x05\x00extra",
    ],
    ids=["script before", "disguised before", "inside", "behind", "comment"],
)
def test_something_beside_the_files_is_refused(bundle, tmp_path, wrap, refused):
    path = tmp_path / "b.zip"
    path.write_bytes(wrap(bundle.read_bytes()))
    refused(path, "no plain zip|something beside")


@pytest.mark.parametrize("content", [b"", b"PK", b"hello", b"\x80\x04\x95pickle", bytes(1000)])
def test_what_is_no_zip_is_refused(tmp_path, content, refused):
    path = tmp_path / "b.zip"
    path.write_bytes(content)
    refused(path, r"'b\.zip' is not a bundle")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_half_a_bundle_is_refused(bundle, tmp_path, share, refused):
    path = tmp_path / "b.zip"
    content = bundle.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    refused(path, "not a bundle")


def test_a_pickle_under_the_name_of_weights_is_refused(forged, refused):
    path = forged({WEIGHTS: pickle.dumps({"weight": [1.0] * 100})})
    refused(path, "not a safetensors file")


@pytest.mark.parametrize("name", [WEIGHTS, "card.json", "README.md", "processors/ehr.json"])
def test_a_file_altered_by_one_byte_is_named(bundle, tmp_path, name, refused):
    with zipfile.ZipFile(bundle) as archive:
        files = {each: archive.read(each) for each in archive.namelist()}
    files[name] = files[name][:-1] + bytes([files[name][-1] ^ 1])
    path = tmp_path / "b.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for each, content in files.items():
            archive.writestr(each, content)
    refused(path, f"'{name}' was changed")


def test_any_flipped_byte_of_the_zip_is_refused_or_harmless(bundle, tmp_path):
    content = bundle.read_bytes()
    with zipfile.ZipFile(bundle) as archive:
        whole = {name: archive.read(name) for name in archive.namelist()}
    path = tmp_path / "b.zip"
    for position in range(0, len(content), 37):
        path.write_bytes(
            content[:position] + bytes([content[position] ^ 0x55]) + content[position + 1 :]
        )
        try:
            verify(path)
        except BundleError:
            continue
        with zipfile.ZipFile(path) as archive:  # a timestamp, say: the files are the same
            assert {name: archive.read(name) for name in archive.namelist()} == whole


@pytest.mark.parametrize("name", ["card.json", "probes.safetensors", "adapter/adapter_config.json"])
def test_a_missing_file_is_named(forged, name, refused):
    refused(forged({name: None}), f"lacks '{name}'")


def test_a_file_that_the_manifest_does_not_list_is_named(bundle, tmp_path, refused):
    path = rewritten(
        bundle, tmp_path / "b.zip", lambda z: z.writestr("processors/extra.json", b"{}")
    )
    refused(path, r"processors/extra\.json' is not listed")


def test_a_bundle_of_a_newer_format_says_so(forged, refused):
    refused(forged({}, manifest={"format": 3}), "format 3; this studio reads format 2")


def test_a_bundle_of_the_format_before_says_how_to_get_a_present_one(forged, refused):
    refused(forged({}, manifest={"format": 1}), "format 1; this studio reads format 2")


@pytest.mark.parametrize("base", [{}, {"name": "../x", "sha256": BASE_SHA256}, {"name": "a"}])
def test_a_manifest_without_a_proper_base_is_refused(forged, base, refused):
    refused(forged({}, manifest={"base": base}), r"manifest\.json")


def test_a_bundle_for_another_base_names_both(bundle, tmp_path):
    with pytest.raises(BundleError, match=r"abababababab….*cdcdcdcdcdcd…"):
        verify(bundle, expect_base={"embedded": "cd" * 32})
    with pytest.raises(BundleError, match="was made for the base 'embedded'"):
        unpack(bundle, tmp_path / "target", expect_base={"embedded": "cd" * 32})
    assert not (tmp_path / "target").exists()
    assert verify(bundle, expect_base={"embedded": BASE_SHA256, "other": "cd" * 32})


def test_config_and_manifest_must_agree_on_the_base(forged, refused):
    base = {"name": "embedded", "sha256": "cd" * 32, "files": {}}
    refused(forged({}, manifest={"base": base}), "config.json': 'base' is another one")
