"""Every architecture that can be read: outputs as transformers' own, no leaks, LoRA that trains."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import peft
import pytest
import torch
from torch import nn

from fmstudio.encoders.batching import collate
from fmstudio.encoders.checkpoint import family_of, inspect, load_weights, supported
from fmstudio.types import BESIDE, Prepared
from tests.encoders.by_hand import expected_tokens
from tests.encoders.small import RECIPES

MOST = {"frames": 16, "waveform": 16, "text": 16, "series": 48}


def _loaded(model_type, folder):
    """What inspect found, the family and the network with the checkpoint's weights."""
    found = inspect(folder)
    family = family_of(model_type)
    network = family.network(found.config)
    load_weights(network, folder)
    return found, family, network.eval()


def _run(network, *prepared: Prepared):
    batch = collate([{"x": one} for one in prepared]).modalities["x"]
    return network(batch.arrays, batch.mask)


def test_every_supported_architecture_has_a_small_checkpoint_here():
    assert set(supported()) == set(RECIPES)


@pytest.mark.parametrize("model_type", RECIPES)
def test_tokens_are_the_pooled_output_of_transformers_own_model(model_type, checkpoint, inputs):
    folder = checkpoint(model_type)
    found, family, network = _loaded(model_type, folder)
    preparer = family.preparer(found.config, folder, {})
    assert (found.family, found.kind) == supported()[model_type] == (family.name, family.kind)
    assert found.parameters == sum(weight.numel() for weight in network.parameters())

    for given in inputs[family.kind]:
        prepared = preparer.prepare(given)
        with torch.inference_mode():
            tokens = _run(network, prepared)
            wanted = expected_tokens(model_type, folder, prepared)

        assert tokens.values.shape[-1] == network.width == found.width
        assert tokens.mask.sum() <= MOST[family.kind]
        values = tokens.values[0][tokens.mask[0]][:, : wanted.shape[1]]
        assert values.shape == wanted.shape
        assert torch.allclose(values, wanted, atol=2e-5)
        assert values.std(0).max() > 1e-4 or len(values) == 1


@pytest.mark.parametrize("model_type", RECIPES)
def test_a_case_alone_and_beside_a_longer_one_gives_the_same_tokens(model_type, checkpoint, inputs):
    folder = checkpoint(model_type)
    found, family, network = _loaded(model_type, folder)
    preparer = family.preparer(found.config, folder, {})
    short, long = (preparer.prepare(given) for given in inputs[family.kind])
    assert family.name == "clips" or short.length < long.length

    with torch.inference_mode():
        mixed = _run(network, long, short)
        for row, prepared in enumerate((long, short)):
            alone = _run(network, prepared)
            # What is cached of a case is its values alone: none may be empty.
            assert alone.mask.all()
            own = mixed.values[row][mixed.mask[row]]
            assert torch.allclose(own, alone.values[0][alone.mask[0]], atol=1e-5)


class _Classifier(nn.Module):
    """A network under the name that it has in the shared model, and a head."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.encoders = nn.ModuleDict({"a_key": network})
        self.task_head = nn.Linear(network.width, 1)

    def forward(self, prepared: tuple[Prepared, ...]) -> torch.Tensor:
        tokens = _run(self.encoders["a_key"], *prepared)
        return self.task_head((tokens.values * tokens.mask[..., None]).sum(1))


@pytest.mark.parametrize("model_type", RECIPES)
def test_an_adapter_trains_saves_and_reloads_bit_by_bit(
    model_type, checkpoint, inputs, tmp_path: Path
):
    folder = checkpoint(model_type)
    found, family, network = _loaded(model_type, folder)
    preparer = family.preparer(found.config, folder, {})
    cases = tuple(preparer.prepare(given) for given in inputs[family.kind])
    targets = rf"encoders\.a_key\.{family.targets(found.config)}"
    lora = peft.LoraConfig(r=2, target_modules=targets, modules_to_save=["task_head"])
    torch.manual_seed(0)
    adapted = peft.get_peft_model(_Classifier(network), lora)
    frozen = {
        name: value.clone()
        for name, value in adapted.state_dict().items()
        if "lora" not in name and "task_head" not in name
    }
    before = adapted.eval()(cases).detach()

    adapted.train()
    optimizer = torch.optim.SGD((p for p in adapted.parameters() if p.requires_grad), lr=0.5)
    for _ in range(2):  # the first step moves only B, which starts at zero; the second A as well
        optimizer.zero_grad()
        adapted(cases).square().sum().backward()
        nn.utils.clip_grad_norm_(adapted.parameters(), 1.0)
        optimizer.step()
    adapted.eval()
    with torch.inference_mode():
        after = adapted(cases)
        with adapted.disable_adapter():
            assert torch.equal(adapted(cases), before)
    moved = [name for name, value in adapted.named_parameters() if "lora_B" in name and value.any()]
    state = adapted.state_dict()
    assert moved
    assert len(moved) == len([name for name in state if "lora_B" in name])
    assert not torch.allclose(after, before, atol=1e-4)
    assert all(torch.equal(state[name], value) for name, value in frozen.items())

    adapted.save_pretrained(tmp_path, save_embedding_layers=False)
    _, _, again = _loaded(model_type, folder)
    reloaded = peft.PeftModel.from_pretrained(_Classifier(again), tmp_path).eval()
    weights = reloaded.state_dict()
    assert weights.keys() == state.keys()
    # The head below `modules_to_save` that nothing reads is drawn anew.
    read = [name for name in state if "original_module" not in name]
    assert all(torch.equal(state[name], weights[name]) for name in read)
    with torch.inference_mode():
        # The last bit of a product by so thin a matrix depends on where it lies in memory.
        assert torch.allclose(reloaded(cases), after, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("model_type", RECIPES)
def test_the_same_input_is_prepared_in_the_same_way(model_type, checkpoint, inputs):
    folder = checkpoint(model_type)
    family = family_of(model_type)
    config = inspect(folder).config
    for given in inputs[family.kind]:
        first, again = (family.preparer(config, folder, {}).prepare(given) for _ in range(2))

        assert first.arrays.keys() == again.arrays.keys()
        assert all(np.array_equal(first.arrays[key], again.arrays[key]) for key in first.arrays)
        counted = [array for name, array in first.arrays.items() if name not in BESIDE]
        assert all(len(array) == first.length for array in counted)
        assert all(np.isfinite(array).all() for array in first.arrays.values())
