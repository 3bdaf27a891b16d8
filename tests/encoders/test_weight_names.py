"""The same weights under the names and in the numbers of other tools are the same encoder."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from torch import Tensor

from fmstudio.encoders.checkpoint import family_of, inspect, load_weights
from fmstudio.errors import InputError

# The one name under which a file may hold what is the embedding too, by architecture.
TIED = {
    "gpt2": ("transformer.wte.weight", "lm_head.weight"),
    "bert": ("bert.embeddings.word_embeddings.weight", "cls.predictions.decoder.weight"),
    "roberta": ("roberta.embeddings.word_embeddings.weight", "lm_head.decoder.weight"),
    "modernbert": ("model.embeddings.tok_embeddings.weight", "decoder.weight"),
    "qwen2": ("model.embed_tokens.weight", "lm_head.weight"),
}
WRAPPERS = [
    "module.",
    "_orig_mod.",
    "base_model.model.",
    "model.",
    "encoder.",
    "net.model.",
    "_orig_mod.module.",
    "module.base_model.model.",
    "lit.backbone.",
]


@pytest.fixture
def rewritten(checkpoint, tmp_path) -> Callable[..., Path]:
    """rewritten(model_type, change, **config) -> a copy with other weights and settings."""

    def made(
        model_type: str,
        change: Callable[[dict[str, Tensor]], Mapping[str, Tensor]],
        **config: object,
    ) -> Path:
        folder = Path(shutil.copytree(checkpoint(model_type), tmp_path / model_type))
        held = change(load_file(folder / "model.safetensors"))
        save_file(dict(held), folder / "model.safetensors", metadata={"format": "pt"})
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | config), encoding="utf-8")
        return folder

    return made


def loaded(folder: Path) -> dict[str, Tensor]:
    """The weights of the network, as the studio reads the folder."""
    found = inspect(folder)
    network = family_of(found.model_type).network(found.config)
    load_weights(network, folder)
    return dict(network.state_dict())


def assert_same(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> None:
    assert one.keys() == other.keys()
    assert all(torch.equal(value, other[name]) for name, value in one.items())


def under_other_name(model_type: str) -> Callable[[dict[str, Tensor]], dict[str, Tensor]]:
    own, other = TIED[model_type]
    return lambda held: {other if name == own else name: held[name] for name in held}


@pytest.mark.parametrize("model_type", TIED)
def test_a_tied_tensor_under_its_other_name_is_the_embedding(model_type, rewritten, checkpoint):
    tied = {"tie_word_embeddings": True}
    head = TIED[model_type][1]
    complete = rewritten(model_type, lambda h: {n: v for n, v in h.items() if n != head}, **tied)
    expected = loaded(complete)
    shutil.rmtree(complete)

    folder = rewritten(model_type, under_other_name(model_type), **tied)

    if model_type == "qwen2":  # saved untied: its head is a tensor of its own
        own = load_file(checkpoint(model_type) / "model.safetensors")[TIED[model_type][0]]
        held = load_file(folder / "model.safetensors") | {head: own}
        save_file(held, folder / "model.safetensors", metadata={"format": "pt"})
    assert_same(loaded(folder), expected)


def test_gpt2_with_the_heads_name_alone_answers_as_transformers_does(rewritten):
    folder = rewritten("gpt2", under_other_name("gpt2"))
    theirs = transformers.GPT2LMHeadModel.from_pretrained(folder).transformer.eval()
    found = inspect(folder)
    ours = family_of("gpt2").network(found.config).eval()
    load_weights(ours, folder)
    ids = torch.tensor([[4, 7, 9, 5]])

    with torch.inference_mode():
        expected, got = theirs(ids).last_hidden_state, ours.model(ids).last_hidden_state

    assert torch.allclose(got, expected, atol=1e-6)
    assert expected.std() > 0.1


def test_an_embedding_that_is_not_tied_must_be_there(rewritten):
    folder = rewritten("llama", lambda h: {n: v for n, v in h.items() if "embed_tokens" not in n})

    with pytest.raises(InputError, match=r"lack 1 .* such as 'embed_tokens\.weight'"):
        inspect(folder)


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("model_type", ["gpt2", "llama", "vit"])
def test_a_wrapper_of_the_model_changes_no_weight(model_type, wrapper, rewritten, checkpoint):
    folder = rewritten(model_type, lambda held: {wrapper + name: held[name] for name in held})

    assert_same(loaded(folder), loaded(checkpoint(model_type)))


def test_marks_of_wrappers_between_the_layers_change_no_weight(rewritten, checkpoint):
    mark = "layer.1._fsdp_wrapped_module._checkpoint_wrapped_module."
    folder = rewritten("bert", lambda h: {n.replace("layer.1.", mark): v for n, v in h.items()})

    assert_same(loaded(folder), loaded(checkpoint("bert")))


def test_a_wrapper_and_a_head_of_ones_own_and_the_tied_name_together(rewritten, checkpoint):
    def change(held: dict[str, Tensor]) -> dict[str, Tensor]:
        renamed = under_other_name("gpt2")(held)
        return {f"_orig_mod.model.{n}": v for n, v in renamed.items()} | {
            "_orig_mod.head.weight": torch.ones(2, 32)
        }

    assert_same(loaded(rewritten("gpt2", change)), loaded(checkpoint("gpt2")))


def test_of_two_models_in_one_file_none_is_chosen(rewritten):
    def change(held: dict[str, Tensor]) -> dict[str, Tensor]:
        return {
            f"{who}.{n}": v + (who == "teacher")
            for n, v in held.items()
            for who in ("student", "teacher")
        }

    with pytest.raises(InputError, match="lack"):
        inspect(rewritten("vit", change))
    folder = Path(rewritten("bert", lambda h: h | {f"module.{n}": v + 1 for n, v in h.items()}))
    with pytest.raises(InputError, match=r"hold '.*' twice"):
        inspect(folder)


def test_an_adapter_that_was_not_merged_is_refused(rewritten):
    def change(held: dict[str, Tensor]) -> dict[str, Tensor]:
        layer = "base_model.model.h.0.attn.c_attn"
        return held | {f"{layer}.lora_A.default.weight": torch.ones(2, 32)}

    with pytest.raises(InputError, match=r"an adapter beside the model.*lora_A") as refused:
        inspect(rewritten("gpt2", change))
    assert "merge_and_unload" in refused.value.hint


@pytest.mark.parametrize("stored", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_of_another_precision_are_the_same_numbers(stored, rewritten, checkpoint):
    folder = rewritten("vit", lambda h: {n: v.to(stored) for n, v in h.items()})
    whole = loaded(checkpoint("vit"))

    got = loaded(folder)

    assert {value.dtype for value in got.values()} == {torch.float32}
    assert all(torch.equal(got[n], v.to(stored).to(torch.float32)) for n, v in whole.items())


@pytest.mark.parametrize("stored", [torch.int8, torch.uint8, torch.float8_e4m3fn])
def test_quantised_weights_are_refused_by_the_name_of_one(stored, rewritten):
    name = "vit.embeddings.patch_embeddings.projection.weight"
    folder = rewritten("vit", lambda held: held | {name: held[name].to(stored)})

    with pytest.raises(InputError, match=r"projection\.weight' is stored as torch\..*quantised"):
        inspect(folder)


def test_a_file_with_more_layers_than_the_config_counts_is_refused(rewritten):
    folder = rewritten("bert", dict, num_hidden_layers=1)

    with pytest.raises(InputError, match=r"does not count, such as '.*layer\.1\.") as refused:
        inspect(folder)
    assert "belong together" in refused.value.hint
