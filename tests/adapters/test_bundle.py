import errno
import hashlib
import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load, save

from fmstudio.adapters.bundle import export, seal, unpack, verify
from fmstudio.errors import BundleError, InputError, ResourceError

BASE_SHA256 = "ab" * 32
FACTS = {
    "base": "embedded", "base_sha256": BASE_SHA256, "licence": "Apache-2.0",
    "versions": {"fmstudio": "0.1.0"},
}  # fmt: skip
WEIGHTS = "adapter/adapter_model.safetensors"


def contents(place: Path) -> dict[str, bytes]:
    return {
        path.relative_to(place).as_posix(): path.read_bytes()
        for path in place.rglob("*")
        if path.is_file()
    }


def test_what_is_unpacked_is_what_was_exported(folder, bundle, tmp_path):
    facts = unpack(bundle, tmp_path / "elsewhere" / "adapter")

    assert contents(tmp_path / "elsewhere" / "adapter") == contents(folder)
    assert facts["task"] == "binary"
    assert facts["labels"] == ["no", "yes"]
    assert (facts["base"], facts["base_sha256"]) == ("embedded", BASE_SHA256)
    assert facts["modalities"] == ["ehr"]
    assert facts["metrics"]["auroc"]["value"] == 0.87
    assert facts["licence"] == "Apache-2.0"
    assert facts["format"] == 1


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


# What a careless or a hostile sender could do (numbers: section G of the abuse list).


def refused(path, match, tmp_path):
    """Verify and unpack both refuse, and nothing is written."""
    with pytest.raises(BundleError, match=match) as caught:
        verify(path)
    with pytest.raises(BundleError, match=match):
        unpack(path, tmp_path / "target")
    assert not (tmp_path / "target").exists()
    assert str(tmp_path) not in caught.value.message + caught.value.hint


def rewritten(bundle, target, change):
    """The bundle with `change(archive)` made to its zip on the way."""
    shutil.copy(bundle, target)
    with zipfile.ZipFile(target, "a") as archive:
        change(archive)
    return target


@pytest.mark.parametrize(
    "name",
    [
        "../../evil.json", "/etc/evil.json", "C:\\evil.json", "adapter/../../evil.json",
        "processors/../evil.json", "adapter\\adapter_config.json", "processors/UPPER.json",
        "processors/a/b.json", "adapter/adapter_model.bin", "weights.pkl", "head.pt", "run.py",
        "inner.zip", "adapter/", "x" * 300, "a\nb.json", "cafe\u202egnp.json", "probes.npy",
    ],
)  # fmt: skip
def test_106_107_a_file_that_is_no_part_of_a_bundle_is_refused(bundle, tmp_path, name):
    path = rewritten(bundle, tmp_path / "b.zip", lambda z: z.writestr(name, b"x"))
    refused(path, "no part of a bundle", tmp_path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", ["card.json", "CARD.json", "Adapter/adapter_config.json"])
def test_106_names_that_come_twice_or_differ_in_case_are_refused(bundle, tmp_path, name):
    path = rewritten(bundle, tmp_path / "b.zip", lambda z: z.writestr(name, b"{}"))
    refused(path, "twice", tmp_path)


def test_106_a_symbolic_link_is_refused(bundle, tmp_path):
    entry = zipfile.ZipInfo("processors/link.json")
    entry.create_system, entry.external_attr = 3, 0o120777 << 16
    path = rewritten(bundle, tmp_path / "b.zip", lambda z: z.writestr(entry, "/etc/passwd"))
    refused(path, r"processors/link\.json.*is a link", tmp_path)


def test_106_a_hundred_thousand_files_are_refused_before_they_are_listed(tmp_path):
    path = tmp_path / "many.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for i in range(70_000):
            archive.writestr(zipfile.ZipInfo(f"{i}"), b"")
    refused(path, "many.zip", tmp_path)


def test_106_a_thousand_files_are_refused(bundle, tmp_path):
    def change(archive):
        for i in range(1000):
            archive.writestr(f"processors/p{i}.json", b"{}")

    refused(rewritten(bundle, tmp_path / "b.zip", change), "lists 1010 files", tmp_path)


def test_106_a_bomb_is_refused_before_it_is_unpacked(bundle, tmp_path):
    def change(archive):
        archive.writestr(
            "processors/bomb.json", b" " * 2_000_000, compress_type=zipfile.ZIP_DEFLATED
        )

    refused(rewritten(bundle, tmp_path / "b.zip", change), "grows more than 200-fold", tmp_path)


def test_106_a_file_over_its_limit_is_refused(bundle, tmp_path):
    path = rewritten(
        bundle, tmp_path / "b.zip", lambda z: z.writestr("processors/big.json", b" " * 3_000_000)
    )
    refused(path, r"processors/big\.json' has 3 MB", tmp_path)


def test_106_a_zip_that_lies_about_sizes_is_refused(bundle, tmp_path):
    content = bytearray(bundle.read_bytes())
    entry = content.rfind(b"PK\x01\x02")  # central directory: sizes at 20 and 24
    content[entry + 24 : entry + 28] = (5).to_bytes(4, "little")
    path = tmp_path / "b.zip"
    path.write_bytes(content)
    refused(path, "b.zip|not as long", tmp_path)


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
def test_106_something_beside_the_files_is_refused(bundle, tmp_path, wrap):
    path = tmp_path / "b.zip"
    path.write_bytes(wrap(bundle.read_bytes()))
    refused(path, "no plain zip|something beside", tmp_path)


@pytest.mark.parametrize("content", [b"", b"PK", b"hello", b"\x80\x04\x95pickle", bytes(1000)])
def test_106_what_is_no_zip_is_refused(tmp_path, content):
    path = tmp_path / "b.zip"
    path.write_bytes(content)
    refused(path, r"'b\.zip' is not a bundle", tmp_path)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_106_half_a_bundle_is_refused(bundle, tmp_path, share):
    path = tmp_path / "b.zip"
    content = bundle.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    refused(path, "not a bundle", tmp_path)


def test_107_a_pickle_under_the_name_of_weights_is_refused(forged, tmp_path):
    import pickle

    path = forged({WEIGHTS: pickle.dumps({"weight": [1.0] * 100})})
    refused(path, "not a safetensors file", tmp_path)


@pytest.mark.parametrize("name", [WEIGHTS, "card.json", "README.md", "processors/ehr.json"])
def test_114_a_file_altered_by_one_byte_is_named(bundle, tmp_path, name):
    with zipfile.ZipFile(bundle) as archive:
        files = {each: archive.read(each) for each in archive.namelist()}
    files[name] = files[name][:-1] + bytes([files[name][-1] ^ 1])
    path = tmp_path / "b.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for each, content in files.items():
            archive.writestr(each, content)
    refused(path, f"'{name}' was changed", tmp_path)


def test_114_any_flipped_byte_of_the_zip_is_refused_or_harmless(bundle, tmp_path):
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
def test_a_missing_file_is_named(forged, tmp_path, name):
    refused(forged({name: None}), f"lacks '{name}'", tmp_path)


def test_a_file_that_the_manifest_does_not_list_is_named(bundle, tmp_path):
    path = rewritten(
        bundle, tmp_path / "b.zip", lambda z: z.writestr("processors/extra.json", b"{}")
    )
    refused(path, r"processors/extra\.json' is not listed", tmp_path)


def test_a_bundle_of_a_newer_format_says_so(forged, tmp_path):
    refused(forged({}, manifest={"format": 2}), "format 2; this studio reads format 1", tmp_path)


@pytest.mark.parametrize("base", [{}, {"name": "../x", "sha256": BASE_SHA256}, {"name": "a"}])
def test_a_manifest_without_a_proper_base_is_refused(forged, tmp_path, base):
    refused(forged({}, manifest={"base": base}), r"manifest\.json", tmp_path)


def test_110_a_bundle_for_another_base_names_both(bundle, tmp_path):
    with pytest.raises(BundleError, match=r"abababababab….*cdcdcdcdcdcd…"):
        verify(bundle, expect_base={"embedded": "cd" * 32})
    with pytest.raises(BundleError, match="was made for the base 'embedded'"):
        unpack(bundle, tmp_path / "target", expect_base={"embedded": "cd" * 32})
    assert not (tmp_path / "target").exists()
    assert verify(bundle, expect_base={"embedded": BASE_SHA256, "other": "cd" * 32})


def test_110_config_and_manifest_must_agree_on_the_base(forged, tmp_path):
    path = forged({}, manifest={"base": {"name": "embedded", "sha256": "cd" * 32}})
    refused(path, "different bases", tmp_path)


def config(folder, **changes):
    return json.dumps(
        json.loads((folder / "adapter/adapter_config.json").read_text()) | changes
    ).encode()


@pytest.mark.parametrize(
    "changes",
    [
        {"auto_mapping": {"parent_library": "os", "base_model_class": "system"}},
        {"megatron_config": {"a": 1}, "megatron_core": "evil.module"},
        {"megatron_core": "evil.module"},
        {"tokenizer_kwargs": {"trust_remote_code": True}},
        {"auto_map": {"AutoModel": "evil.Model"}},
        {"trust_remote_code": True},
        {"base_model_name_or_path": "../../etc"},
        {"base_model_name_or_path": "/home/x"},
        {"base_model_name_or_path": "https://evil.example/x"},
        {"peft_type": "ADALORA"},
        {"task_type": "CAUSAL_LM"},
        {"r": 0},
        {"r": 4096},
        {"r": True},
        {"r": 2.0},
        {"lora_alpha": 1e9},
        {"lora_alpha": "16"},
        {"rank_pattern": {".*": 4096}},
        {"layer_replication": [[0, 10_000]]},
        {"bias": "all"},
        {"use_dora": True},
        {"target_modules": "(a+)+$"},
        {"target_modules": ".*.*.*x"},
        {"target_modules": "("},
        {"target_modules": "(a|aa)+$"},
        {"target_modules": []},
        {"modules_to_save": ["trunk", "task_head"]},
        {"modules_to_save": None},
        {"revision": "main"},
        {"something_new": 1},
    ],
    ids=lambda changes: "-".join(f"{k}={v}" for k, v in changes.items())[:60],
)
def test_108_119_settings_that_no_plain_lora_needs_are_refused(forged, folder, tmp_path, changes):
    path = forged({"adapter/adapter_config.json": config(folder, **changes)})
    refused(path, f"adapter_config.json' sets '{next(iter(changes))}'", tmp_path)


def test_the_pattern_for_trunk_and_encoders_is_allowed(forged, folder):
    pattern = r"(trunk|encoders\.\w+\.stack)\.blocks\.\d+\.(q_proj|v_proj|fc1|fc2)"
    verify(forged({"adapter/adapter_config.json": config(folder, target_modules=pattern)}))


def test_112_a_head_that_peft_would_not_load_is_refused(forged, folder, tmp_path):
    path = forged({"adapter/adapter_config.json": config(folder, modules_to_save=["score"])})
    refused(path, "no head", tmp_path)


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b'{"a": NaN}', "no finite number"),
        (b'{"a": 1e999}', "no finite number"),
        (b'{"a": 1, "a": 2}', "key twice"),
        (b"[" * 100_000 + b"]" * 100_000, "nested too deeply"),
        (b"[" * 40 + b"]" * 40, "nested too deeply"),
        (b'{"a": ' + b"1" * 5000 + b"}", "not valid JSON"),
        (b"\xff\xfe", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b'{"x": [{"auto_map": {"AutoModel": "a.B"}}]}', "auto_map"),
    ],
    ids=range(9),
)
def test_108_json_that_is_more_than_data_is_refused(forged, tmp_path, content, match):
    refused(forged({"calibration.json": content}), rf"calibration\.json.*{match}", tmp_path)


@pytest.mark.parametrize(
    "changes",
    [
        {"_attn_implementation_internal": "kernels/evil"},
        {"auto_map": {"AutoConfig": "evil.Config"}},
        {"model_type": "llama"},
        {"depth": 10**9},
        {"width": -1},
        {"routes": {}},
        {"_commit_hash": "x"},
        {"something_new": 1},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_108_120_a_model_config_that_leads_elsewhere_is_refused(forged, folder, tmp_path, changes):
    model = json.loads((folder / "config.json").read_text()) | changes
    refused(forged({"config.json": json.dumps(model).encode()}), r"config\.json", tmp_path)


def test_the_config_that_the_shared_model_writes_is_allowed(forged):
    from fmstudio.model.shared import SharedModelConfig

    model = SharedModelConfig(
        encoders={"table": {}}, routes={"ehr": "table"}, base="embedded", base_sha256=BASE_SHA256
    )
    verify(forged({"config.json": json.dumps(model.to_dict()).encode()}))


def header(entries, data=b""):
    text = json.dumps(entries).encode() if not isinstance(entries, bytes) else entries
    return len(text).to_bytes(8, "little") + text + data


def entry(start, stop, shape=None, dtype="F32"):
    shape = [(stop - start) // 4] if shape is None else shape
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, stop]}


HOSTILE = {
    "header longer than the file": (2**60).to_bytes(8, "little") + b"{}",
    "header bomb": header(b" " * 2_000_000 + b"{}"),
    "header is a list": header([]),
    "no data": header({"a": entry(0, 4)}),
    "overlap": header({"a": entry(0, 8), "b": entry(4, 12)}, bytes(12)),
    "hole": header({"a": entry(0, 4), "b": entry(8, 12)}, bytes(12)),
    "left over": header({"a": entry(0, 4)}, bytes(8)),
    "shape overflow": header({"a": entry(0, 4, [2**39, 2**39, 2**39])}, bytes(4)),
    "negative shape": header({"a": entry(0, 4, [-1, -1])}, bytes(4)),
    "backwards": header({"a": entry(4, 0, [1])}, bytes(4)),
    "unknown type": header({"a": entry(0, 4, dtype="OBJECT")}, bytes(4)),
    "no type": header({"a": {"shape": [1], "data_offsets": [0, 4]}}, bytes(4)),
    "number for an entry": header({"a": 3}),
    "same name twice": header(b'{"a": 1, "a": 2}'),
    "empty": b"",
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE.keys())
@pytest.mark.parametrize("name", [WEIGHTS, "probes.safetensors"])
def test_109_weights_that_are_not_as_safetensors_must_be_are_refused(
    forged, tmp_path, name, content
):
    refused(forged({name: content}), name.split("/")[-1], tmp_path)


def weights(bundle, **changes):
    """The bundle's weights with tensors replaced by their short names; None leaves one out."""
    with zipfile.ZipFile(bundle) as archive:
        held = load(archive.read(WEIGHTS))
    held |= {f"base_model.model.{name}": value for name, value in changes.items()}
    return save({name: value for name, value in held.items() if value is not None})


NAN = np.full((1, 24, 1), np.nan, np.float32)
TAMPERED = {
    "NaN": ({"task_head.weight": NAN}, "24 values that are not finite"),
    "infinity": ({"task_head.bias": np.array([np.inf], np.float16)}, "not finite"),
    "no head": ({"task_head.weight": None, "task_head.bias": None}, "lacks the task head"),
    "half a pair": ({"trunk.blocks.0.q_proj.lora_B.weight": None}, "only half"),
    "wrong rank": (
        {"trunk.blocks.0.q_proj.lora_A.weight": np.ones((3, 8), np.float32)},
        r"shape \[3, 8\], not rank 2",
    ),
    "one dimension": (
        {"trunk.blocks.0.q_proj.lora_A.weight": np.ones(16, np.float32)},
        r"shape \[16\]",
    ),
    "weights of the base": (
        {"trunk.blocks.0.q_proj.weight": np.ones((8, 8), np.float32)},
        "unexpected tensor",
    ),
    "integers": ({"task_head.bias": np.array([1])}, "type I64"),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "match"), TAMPERED.values(), ids=TAMPERED.keys())
def test_109_112_weights_that_are_no_adapter_with_its_head_are_refused(
    forged, bundle, tmp_path, changes, match
):
    refused(forged({WEIGHTS: weights(bundle, **changes)}), match, tmp_path)


def test_109_bfloat16_weights_are_read_and_their_nan_is_found(forged, bundle, tmp_path):
    def bias(bits):
        data = np.array([bits], np.uint16).tobytes()
        plain = weights(bundle, **{"task_head.bias": None})
        length = int.from_bytes(plain[:8], "little")
        listed = json.loads(plain[8 : 8 + length])
        size = len(plain) - 8 - length
        listed["base_model.model.task_head.bias"] = entry(size, size + 2, [1], "BF16")
        return header(listed, plain[8 + length :] + data)

    verify(forged({WEIGHTS: bias(0x3F80)}))
    refused(forged({WEIGHTS: bias(0x7FC0)}), "not finite", tmp_path)


@pytest.mark.parametrize("card", [[], {}, {"name": "x"}, {"name": 3}])
def test_a_card_that_does_not_say_what_it_is_is_refused(forged, tmp_path, card):
    refused(forged({"card.json": json.dumps(card).encode()}), r"card\.json", tmp_path)
