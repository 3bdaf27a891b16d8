"""Adapters of older and newer peft and transformers: they answer the same, or are refused by name."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from fmstudio.adapters import lora
from fmstudio.adapters.checks import check_adapter_config
from fmstudio.errors import BundleError

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"

# Keys of the config that peft wrote at some time beside those of a plain adapter.
EVERY = {
    "auto_mapping",
    "base_model_name_or_path",
    "bias",
    "fan_in_fan_out",
    "inference_mode",
    "lora_alpha",
    "lora_dropout",
    "modules_to_save",
    "peft_type",
    "r",
    "target_modules",
    "task_type",
}
OLDER = {
    "0.3": {"enable_lora": None, "merge_weights": False, "init_lora_weights": True},
    "0.6": {
        "layers_pattern": None,
        "layers_to_transform": None,
        "revision": None,
        "init_lora_weights": True,
        "alpha_pattern": {},
        "rank_pattern": {},
    },
    "0.12": {
        "megatron_config": None,
        "megatron_core": "megatron.core",
        "loftq_config": {},
        "layer_replication": None,
        "use_dora": False,
        "use_rslora": False,
        "init_lora_weights": True,
    },
    "0.16": {
        "eva_config": None,
        "exclude_modules": None,
        "lora_bias": False,
        "corda_config": None,
        "trainable_token_indices": None,
        "init_lora_weights": True,
    },
    "later": {"peft_version": "0.99.0", "something_of_later": None, "init_lora_weights": True},
}


@pytest.mark.filterwarnings("ignore:Unexpected keyword arguments")
@pytest.mark.parametrize("version", OLDER)
@torch.inference_mode()
def test_an_adapter_with_the_settings_of_another_peft_answers_the_same(
    tuned, settings, tmp_path, version
):
    _, adapted, batch = tuned("vit")
    before = lora.shared_model(adapted)(inputs=batch).logits
    lora.save(adapted, tmp_path / "adapter")
    (tmp_path / "config.json").write_text(json.dumps(adapted.base_model.model.config.to_dict()))
    path = tmp_path / "adapter" / CONFIG
    plain = {key: value for key, value in json.loads(path.read_text()).items() if key in EVERY}
    path.write_text(json.dumps(plain | OLDER[version]))

    check_adapter_config(CONFIG, path.read_bytes())
    merged = lora.load(tmp_path, settings)

    assert torch.allclose(merged(inputs=batch).logits, before, atol=1e-4)


@pytest.mark.parametrize(
    ("key", "value"), [("use_dora", True), ("something_of_later", {"on": True}), ("bias", "all")]
)
def test_a_setting_of_another_peft_that_changes_answers_is_refused_by_name(folder, key, value):
    config = json.loads((folder / "adapter" / CONFIG).read_text()) | {key: value}

    with pytest.raises(BundleError, match=f"sets '{key}' to") as refused:
        check_adapter_config(CONFIG, json.dumps(config).encode())
    assert refused.value.hint


def test_layers_under_the_names_of_transformers_4_are_refused_by_one_of_them(
    tuned, settings, tmp_path
):
    _, adapted, _ = tuned("vit")
    lora.save(adapted, tmp_path / "adapter")
    (tmp_path / "config.json").write_text(json.dumps(adapted.base_model.model.config.to_dict()))
    path = tmp_path / "adapter" / WEIGHTS
    held = load_file(path)
    older = {
        name.replace(".layers.", ".encoder.layer.")
        .replace("q_proj", "attention.query")
        .replace("v_proj", "attention.value")
        if ".encoders." in name
        else name: value
        for name, value in held.items()
    }
    assert older.keys() != held.keys()
    save_file(older, path, metadata={"format": "pt"})

    with pytest.raises(BundleError, match=r"tensor '.*encoders.*'") as refused:
        lora.load(tmp_path, settings)
    assert refused.value.hint
