"""A checkpoint that cannot be used is refused before anything of it is, and the message says why."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from fmstudio.encoders.checkpoint import (
    family_of,
    inspect,
    inspect_config,
    load_weights,
    needed,
    supported,
)
from fmstudio.errors import InputError
from tests.encoders.small import refusal, rewrite

Change = Callable[[dict], object]


def test_an_architecture_that_is_not_known_is_refused_with_those_that_are(copy):
    folder = copy("vit")
    rewrite(folder / "config.json", model_type="sam")

    refused = refusal(folder)

    assert "'sam'" in refused.message
    assert all(name in refused.hint for name in supported())


@pytest.mark.parametrize("config", [{}, {"model_type": None}, {"model_type": ["vit"]}])
def test_a_config_that_names_no_architecture_is_refused(config):
    with pytest.raises(InputError, match="is not one that the studio can read"):
        inspect_config(config)


def test_remote_code_is_refused(copy):
    folder = copy("bert")
    rewrite(folder / "config.json", auto_map={"AutoModel": "modeling.Model"})

    assert "brings code of its own (auto_map" in refusal(folder).message


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("trust_remote_code", True),
        ("_attn_implementation_internal", "someone/kernels"),
        ("attn_implementation", "someone/kernels:flash"),
        ("quantization_config", {"quant_method": "awq"}),
        ("custom_pipelines", {"x": {"impl": "x.X"}}),
    ],
)
def test_a_key_that_could_reach_code_is_refused_however_deep(copy, key, value):
    for place in ({key: value}, {"nested": [{"deeper": {key: value}}]}):
        folder = copy("vit")
        rewrite(folder / "config.json", **place)

        assert f"'{key}', which can reach code" in refusal(folder).message
        shutil.rmtree(folder)


def test_a_key_of_attention_that_transformers_itself_computes_is_no_harm(copy):
    folder = copy("vit")
    rewrite(folder / "config.json", attn_implementation="sdpa", _attn_implementation_autoset=True)

    assert "attn_implementation" not in inspect(folder).config["model"]


def test_code_in_a_processors_file_is_refused(copy):
    folder = copy("vit")
    rewrite(folder / "preprocessor_config.json", auto_map={"AutoImageProcessor": "x.X"})

    assert "preprocessor_config.json has the key 'auto_map'" in refusal(folder).message


def test_keys_that_the_architecture_does_not_declare_are_left_out(copy):
    folder = copy("vit")
    rewrite(folder / "config.json", torchscript=True, strange={"a": 1}, id2label={"0": "x"})

    kept = inspect(folder).config["model"]

    assert {"strange", "torchscript", "id2label", "architectures"}.isdisjoint(kept)
    assert kept["hidden_size"] == 32


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"num_hidden_layers": 100_000}, "'num_hidden_layers' = 100000, which cannot be"),
        ({"hidden_size": 2**40}, "'hidden_size'"),
        ({"hidden_size": "many"}, "does not describe a ViT"),
        ({"hidden_size": -8}, "does not describe a"),
        ({"num_attention_heads": 0}, "does not describe a"),
        ({"hidden_act": "no such"}, "does not describe a"),
        ({"layer_norm_eps": float("nan")}, "'layer_norm_eps' = nan"),
        ({"layer_norm_eps": 10**400}, "'layer_norm_eps' = 1000"),
    ],
)
def test_a_value_that_cannot_be_is_refused_with_key_and_value(copy, changes, said):
    folder = copy("vit")
    rewrite(folder / "config.json", **changes)

    assert said in refusal(folder).message


def test_an_encoder_of_another_kind_is_refused_with_those_of_the_kind(copy):
    refused = refusal(copy("vit"), "text")

    assert refused.message == "A vit reads frames, not text."
    assert "bert" in refused.hint
    assert "vit" not in refused.hint.split()


def test_there_is_no_published_encoder_for_tables(copy):
    assert "use the embedded one" in refusal(copy("vit"), "table").hint


@pytest.mark.parametrize("pickled", ["pytorch_model.bin", "model.pt", "flax_model.msgpack"])
def test_weights_as_pickle_only_are_refused(copy, pickled):
    folder = copy("vit")
    (folder / "model.safetensors").rename(folder / pickled)

    assert f"only as {pickled}, which can hold code" in refusal(folder).message


def test_a_folder_without_weights_or_config_or_processor_is_refused(copy):
    folder = copy("vit")
    (folder / "preprocessor_config.json").unlink()
    assert "no processor: preprocessor_config.json is not there" in refusal(folder).message
    (folder / "model.safetensors").unlink()
    assert "has no weights: model.safetensors" in refusal(folder).message
    (folder / "config.json").unlink()
    assert "The folder vit has no config.json" in refusal(folder).message


@pytest.mark.parametrize("content", ["[]", "{", "[" * 10_000, "\x00"])
def test_a_config_that_is_no_object_is_refused(copy, content):
    folder = copy("vit")
    (folder / "config.json").write_text(content)

    assert "not the JSON object" in refusal(folder).message


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: content[: len(content) // 2],
        lambda content: b"\xff" * 8 + content[8:],
        lambda content: content.replace(b"[32,32]", b"[64,64]", 1),
        lambda content: b"PK\x03\x04" + content,
    ],
    ids=["cut off", "a header beyond the file", "a shape that does not fit", "not safetensors"],
)
def test_a_weights_file_whose_header_lies_is_refused(copy, spoil):
    folder = copy("vit")
    path = folder / "model.safetensors"
    before = path.read_bytes()
    path.write_bytes(spoil(before))
    assert path.read_bytes() != before

    assert "model.safetensors is not a whole safetensors file" in refusal(folder).message


def _change_weights(folder: Path, change: Change) -> None:
    held = load_file(folder / "model.safetensors")
    change(held)
    save_file(held, folder / "model.safetensors", metadata={"format": "pt"})


def test_a_checkpoint_that_lacks_a_weight_is_refused_by_its_name(copy):
    folder = copy("bert")
    _change_weights(folder, lambda held: held.pop("bert.encoder.layer.1.output.dense.bias"))

    said = refusal(folder).message

    assert "lack 1 that its architecture has, such as 'encoder.layer.1.output.dense.bias'" in said


def test_a_weight_of_another_shape_is_refused_with_both_shapes(copy):
    folder = copy("bert")
    key = "bert.embeddings.word_embeddings.weight"
    _change_weights(folder, lambda held: held.update({key: torch.zeros(50, 32)}))

    said = refusal(folder).message

    assert (
        "embeddings.word_embeddings.weight' is (50, 32), and config.json asks for (64, 32)" in said
    )


def test_weights_of_another_architecture_are_refused(copy):
    folder = copy("vit")
    shutil.copy(copy("bert") / "model.safetensors", folder / "model.safetensors")

    assert "belong together" in refusal(folder).hint


def test_a_series_model_that_numbers_its_channels_is_refused(copy):
    folder = copy("patchtst")
    rewrite(folder / "config.json", channel_attention=True)

    assert "knows its channels by their number" in refusal(folder).message


def _sharded(folder: Path) -> dict[str, str]:
    """The weights in two files and an index; the index."""
    held = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    places = {}
    for number, keys in enumerate((sorted(held)[::2], sorted(held)[1::2]), 1):
        name = f"model-0000{number}-of-00002.safetensors"
        save_file({key: held[key] for key in keys}, folder / name, metadata={"format": "pt"})
        places |= dict.fromkeys(keys, name)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    return places


def test_weights_in_several_files_are_the_same_weights(copy, checkpoint):
    folder = copy("vit")
    _sharded(folder)
    found, single = inspect(folder), inspect(checkpoint("vit"))
    states = []
    for one in (folder, checkpoint("vit")):
        network = family_of("vit").network(single.config)
        load_weights(network, one)
        states.append(network.state_dict())

    assert len(found.files) == 5
    assert found.sha256 != single.sha256
    assert all(torch.equal(value, states[1][key]) for key, value in states[0].items())


def test_a_missing_shard_and_a_lying_index_are_refused(copy):
    folder = copy("vit")
    places = _sharded(folder)
    first = "model-00001-of-00002.safetensors"
    wrong = dict.fromkeys(places, first)
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": wrong}))
    assert f"says that {first} holds" in refusal(folder).message
    index.write_text(json.dumps({"weight_map": {"a": "../../elsewhere.safetensors"}}))
    assert "which it does not" in refusal(folder).message
    index.write_text("{}")
    assert "does not list weights" in refusal(folder).message
    (folder / first).unlink()
    assert "Of the 2 files of weights 1 are there" in refusal(folder).message


def test_an_adapter_or_code_beside_the_weights_is_never_touched(copy, checkpoint):
    folder = copy("vit")
    lie = '{"peft_type": "LORA", "base_model_name_or_path": "elsewhere"}'
    (folder / "adapter_config.json").write_text(lie)
    (folder / "modeling.py").write_text("raise SystemExit('ran')")

    assert inspect(folder) == inspect(checkpoint("vit"))


def test_the_hash_changes_with_any_file_that_is_used(copy, checkpoint):
    found = inspect(checkpoint("vit"))
    folder = copy("vit")
    rewrite(folder / "preprocessor_config.json", image_mean=[0.1, 0.1, 0.1])

    changed = inspect(folder)

    assert set(found.files) == {"config.json", "model.safetensors", "preprocessor_config.json"}
    assert changed.sha256 != found.sha256
    keys = {
        family_of("vit").preparer(found.config, one, {}).key for one in (folder, checkpoint("vit"))
    }
    assert len(keys) == 2


def test_a_config_and_a_list_of_names_are_enough_before_a_download(checkpoint):
    config = json.loads((checkpoint("clip") / "config.json").read_text())

    assert inspect_config(config, "frames") == ("towers", "frames")
    names = ["README.md", "config.json", "model.safetensors", "preprocessor_config.json", "x.bin"]
    assert needed(config, names) == ("config.json", "model.safetensors", "preprocessor_config.json")
    with pytest.raises(InputError, match="has no processor"):
        needed(config, names[:3])


def test_the_studio_starts_without_loading_transformers():
    code = (
        "import sys; from fmstudio.encoders.checkpoint import supported; assert len(supported()) > 20;"
        "assert not {'transformers', 'peft'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])
