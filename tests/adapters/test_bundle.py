import errno
import hashlib
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from fmstudio.adapters.bundle import export, seal, unpack, verify
from fmstudio.errors import BundleError, InputError, ResourceError

BASE_SHA256 = "ab" * 32
FACTS = {
    "base": "embedded",
    "base_sha256": BASE_SHA256,
    "licence": "Apache-2.0",
    "base_files": {"tokenizer.json": "ef" * 32},
    "versions": {"fmstudio": "0.1.0"},
}


def contents(place: Path) -> dict[str, bytes]:
    return {
        path.relative_to(place).as_posix(): path.read_bytes()
        for path in place.rglob("*")
        if path.is_file()
    }


def test_what_is_unpacked_is_what_was_exported(folder, bundle, tmp_path):
    facts = unpack(bundle, tmp_path / "elsewhere" / "adapter").facts()

    assert contents(tmp_path / "elsewhere" / "adapter") == contents(folder)
    assert facts["task"] == "binary"
    assert facts["labels"] == ["no", "yes"]
    assert (facts["base"], facts["base_sha256"]) == ("embedded", BASE_SHA256)
    assert facts["modalities"] == ["ehr"]
    assert facts["metrics"]["auroc"]["value"] == 0.87
    assert facts["licence"] == "Apache-2.0"
    assert facts["format"] == 2


def test_the_manifest_lists_the_hash_of_every_other_file(folder, bundle):
    listed = json.loads((folder / "manifest.json").read_text())["files"]
    assert listed == {
        name: hashlib.sha256(content).hexdigest()
        for name, content in contents(folder).items()
        if name != "manifest.json"
    }
    assert verify(bundle)["files"] == listed


def test_the_same_folder_gives_the_same_bytes_later_and_elsewhere(folder, bundle, tmp_path):
    copy = tmp_path / "copy"
    unpack(bundle, copy)
    export(copy, tmp_path / "second.zip")
    assert (tmp_path / "second.zip").read_bytes() == bundle.read_bytes()


def test_sealing_twice_changes_nothing(folder):
    seal(folder, FACTS)
    first = contents(folder)
    seal(folder, FACTS)
    assert contents(folder) == first


def test_the_model_card_says_what_it_is_for_how_good_and_how_to_load_it(folder):
    seal(folder, FACTS)
    page = (folder / "README.md").read_text(encoding="utf-8")
    assert "# Pneumonia \\| quick" in page
    assert "not a medical device" in page
    assert "| AUROC | 0.870 | 0.800 to 0.930 |" in page
    assert "| Brier score (lower is better) | 0.100 | not defined |" in page
    assert "20 cases" in page
    assert "PeftModel.from_pretrained(load_base(" in page
    assert "cd" * 32 in page
    assert "Apache-2.0" in page


def test_a_folder_with_a_file_that_does_not_belong_is_not_sealed(folder):
    (folder / "patients.csv").write_text("name\nAda")
    with pytest.raises(BundleError, match=r"patients\.csv"):
        seal(folder, FACTS)


def test_a_folder_that_tells_where_it_was_made_is_not_sealed(folder):
    (folder / "calibration.json").write_text(json.dumps({"from": str(folder.parent / "x")}))
    with pytest.raises(BundleError, match=r"calibration\.json.*path"):
        seal(folder, FACTS)
    assert not (folder / "manifest.json").exists()


def test_a_file_changed_after_sealing_is_not_exported(folder, tmp_path):
    seal(folder, FACTS)
    (folder / "calibration.json").write_text('{"temperature": 9.0}')
    with pytest.raises(BundleError, match=r"calibration\.json.*changed"):
        export(folder, tmp_path / "late.zip")
    assert not (tmp_path / "late.zip").exists()


def test_an_export_that_fails_leaves_the_old_file_and_no_trace(folder, bundle, monkeypatch):
    before = bundle.read_bytes()

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "writestr", full)
    with pytest.raises(ResourceError, match=r"disk is full: 'good\.zip'"):
        export(folder, bundle)
    assert bundle.read_bytes() == before
    assert not list(bundle.parent.glob(".exporting*"))


def test_an_import_that_fails_leaves_nothing_half_written(bundle, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(ResourceError, match="disk is full"):
        unpack(bundle, tmp_path / "home" / "adapter")
    assert list((tmp_path / "home").iterdir()) == []


def test_an_adapter_that_is_there_already_is_not_overwritten(bundle, folder):
    with pytest.raises(BundleError, match="there already"):
        unpack(bundle, folder)


def test_a_missing_bundle_is_a_mistake_of_the_request(tmp_path):
    with pytest.raises(InputError, match=r"no file 'none\.zip'"):
        verify(tmp_path / "none.zip")


def test_verifying_needs_neither_torch_nor_peft():
    code = "import sys, fmstudio.adapters.bundle; print({'torch', 'peft'} & set(sys.modules))"
    got = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert got.stdout.strip() == "set()"
