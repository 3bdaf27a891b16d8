"""What files of a bundle could say that they must not.

The forger's manifest is right: only what is inside gives these away.
"""

import json
import zipfile

import numpy as np
import pytest
from safetensors.numpy import load, save

from fmstudio.adapters.bundle import verify

BASE_SHA256 = "ab" * 32
WEIGHTS = "adapter/adapter_model.safetensors"


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
def test_settings_that_no_plain_lora_needs_are_refused(forged, folder, changes, refused):
    path = forged({"adapter/adapter_config.json": config(folder, **changes)})
    refused(path, f"adapter_config.json' sets '{next(iter(changes))}'")


def test_the_pattern_for_trunk_and_encoders_is_allowed(forged, folder):
    pattern = r"(trunk|encoders\.\w+\.stack)\.blocks\.\d+\.(q_proj|v_proj|fc1|fc2)"
    verify(forged({"adapter/adapter_config.json": config(folder, target_modules=pattern)}))


def test_a_head_that_peft_would_not_load_is_refused(forged, folder, refused):
    path = forged({"adapter/adapter_config.json": config(folder, modules_to_save=["score"])})
    refused(path, "no head")


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
def test_json_that_is_more_than_data_is_refused(forged, content, match, refused):
    refused(forged({"calibration.json": content}), rf"calibration\.json.*{match}")


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
def test_a_model_config_that_leads_elsewhere_is_refused(forged, folder, changes, refused):
    model = json.loads((folder / "config.json").read_text()) | changes
    refused(forged({"config.json": json.dumps(model).encode()}), r"config\.json")


def test_the_config_that_the_shared_model_writes_is_allowed(forged):
    from fmstudio.model.config import SharedModelConfig

    model = SharedModelConfig(
        encoders={"table": {"family": "cells", "config": {}}},
        routes={"ehr": "table"},
        base="embedded",
        base_sha256=BASE_SHA256,
        columns={"ehr": 3},
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
def test_weights_that_are_not_as_safetensors_must_be_are_refused(forged, name, content, refused):
    refused(forged({name: content}), name.split("/")[-1])


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
}


@pytest.mark.parametrize(("changes", "match"), TAMPERED.values(), ids=TAMPERED.keys())
def test_weights_that_are_no_adapter_with_its_head_are_refused(
    forged, bundle, changes, match, refused
):
    refused(forged({WEIGHTS: weights(bundle, **changes)}), match)


def test_bfloat16_weights_are_read_and_their_nan_is_found(forged, bundle, refused):
    def bias(bits):
        data = np.array([bits], np.uint16).tobytes()
        plain = weights(bundle, **{"task_head.bias": None})
        length = int.from_bytes(plain[:8], "little")
        listed = json.loads(plain[8 : 8 + length])
        size = len(plain) - 8 - length
        listed["base_model.model.task_head.bias"] = entry(size, size + 2, [1], "BF16")
        return header(listed, plain[8 + length :] + data)

    verify(forged({WEIGHTS: bias(0x3F80)}))
    refused(forged({WEIGHTS: bias(0x7FC0)}), "not finite")


@pytest.mark.parametrize("card", [[], {}, {"name": "x"}, {"name": 3}])
def test_a_card_that_does_not_say_what_it_is_is_refused(forged, card, refused):
    refused(forged({"card.json": json.dumps(card).encode()}), r"card\.json")
