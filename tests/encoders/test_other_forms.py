"""A model in the form of another tool is called by the tool's name, and what to add is said."""

from __future__ import annotations

import json

import pytest

from fmstudio.encoders.checkpoint import inspect_config, no_config, supported
from fmstudio.errors import InputError
from tests.encoders.small import refusal


@pytest.mark.parametrize(
    ("architecture", "same"),
    [
        ("vit_tiny_patch16_224", "vit"),
        ("vit_small_patch14_dinov2.lvd142m", "dinov2"),
        ("vit_small_patch14_reg4_dinov2.lvd142m", "dinov2_with_registers"),
        ("vit_small_patch16_dinov3.lvd1689m", "dinov3_vit"),
        ("vit_base_patch16_siglip_224", "siglip"),
        ("swinv2_tiny_window8_256", "swinv2"),
    ],
)
def test_a_model_of_timm_is_named_with_the_same_design_in_our_form(architecture, same):
    config = {"architecture": architecture, "num_classes": 0, "pretrained_cfg": {}}

    with pytest.raises(InputError) as error:
        inspect_config(config)

    assert f"of timm (architecture '{architecture}')" in error.value.message
    assert f'"model_type": "{same}"' in error.value.hint


@pytest.mark.parametrize("architecture", ["resnet50.a1_in1k", "mobilevit_s", "davit_tiny"])
def test_a_model_of_timm_that_has_no_twin_here_is_refused_with_those_that_can_be(architecture):
    with pytest.raises(InputError, match="timm") as error:
        inspect_config({"architecture": architecture})

    named = error.value.hint.removesuffix(".").rsplit("reads ", 1)[1].split(", ")
    assert set(named) <= set(supported())


@pytest.mark.parametrize(
    ("config", "tool"),
    [
        ({"_class_name": "UNet2DConditionModel", "_diffusers_version": "0.30"}, "diffusers"),
        ({"model_cfg": {"embed_dim": 512}, "preprocess_cfg": {}}, "open_clip"),
        ({"module": "keras_hub.models", "class_name": "ViTBackbone"}, "Keras"),
        ({"n_mels": 80, "n_audio_ctx": 1500}, "Whisper in the form of its makers"),
        ({"hidden_size": 32}, "'None' is not one that the studio can read"),
    ],
)
def test_a_config_of_another_tool_is_named(config, tool):
    with pytest.raises(InputError, match=tool):
        inspect_config(config)


@pytest.mark.parametrize(
    ("file", "tool"),
    [
        ("adapter_config.json", "an adapter of peft without the model"),
        ("model_index.json", "diffusers"),
        ("open_clip_config.json", "open_clip"),
        ("modules.json", "sentence-transformers"),
        ("model-Q4_K_M.gguf", "GGUF"),
        ("model.onnx", "ONNX"),
        ("weights.npz", "MLX"),
        ("saved_model.pb", "TensorFlow"),
        ("speech.nemo", "NeMo"),
        ("hyperparams.yaml", "SpeechBrain"),
        ("model.mlpackage", "Core ML"),
    ],
)
def test_a_folder_of_another_tool_is_named_with_the_file_that_shows_it(file, tool, tmp_path):
    (tmp_path / file).write_bytes(b"x")

    said = refusal(tmp_path).message

    assert "has no config.json" in said
    assert tool in said
    assert f"({file})" in said


def test_known_settings_with_weights_of_another_tool_alone_are_refused_by_its_name(
    checkpoint, tmp_path
):
    vit = checkpoint("vit")
    for name in ("config.json", "preprocessor_config.json"):
        (tmp_path / name).write_bytes((vit / name).read_bytes())
    (tmp_path / "model.onnx").write_bytes(b"x")
    assert "has no weights: model.safetensors is not there, it is an ONNX" in (
        refusal(tmp_path).message
    )
    (tmp_path / "model.pt").write_bytes(b"x")
    assert "only as model.pt, which can hold code" in refusal(tmp_path).message


def test_the_folder_below_that_holds_the_checkpoint_is_named(checkpoint, tmp_path):
    below = tmp_path / "snapshots" / "0123abcd"
    below.mkdir(parents=True)
    (below / "config.json").write_text(json.dumps({}))

    assert "its folder snapshots/0123abcd has one" in refusal(tmp_path).message
    assert "is a file, not the folder" in refusal(below / "config.json").message


def test_a_model_of_the_hub_is_named_by_its_list_of_files():
    error = no_config("lab/llm", ["README.md", "llm-Q8_0.gguf"])

    assert error.message.startswith("lab/llm has no config.json: it is a model of llama.cpp")
