"""Every architecture of published checkpoints inside the shared model: tuned, saved, read back."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from fmstudio.adapters import lora
from fmstudio.adapters.checks import check_adapter_config, check_bridges, check_model_config
from fmstudio.adapters.tensors import check_adapter_weights
from fmstudio.encoders.checkpoint import supported
from fmstudio.errors import BundleError
from fmstudio.training.bridge import TOKEN_SIZE, principal

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"


@pytest.mark.parametrize("model_type", list(supported()))
@torch.inference_mode()
def test_an_adapter_of_any_architecture_passes_the_checks_and_answers_the_same_again(
    tuned, settings, tmp_path, model_type
):
    info, adapted, batch = tuned(model_type)
    before = lora.shared_model(adapted)(inputs=batch).logits
    lora.save(adapted, tmp_path / "adapter")
    (tmp_path / "config.json").write_text(json.dumps(adapted.base_model.model.config.to_dict()))

    content = (tmp_path / "adapter" / WEIGHTS).read_bytes()
    config = check_adapter_config(CONFIG, (tmp_path / "adapter" / CONFIG).read_bytes())
    model = check_model_config("config.json", (tmp_path / "config.json").read_bytes())
    check_adapter_weights(WEIGHTS, content, config, check_bridges(config, model))
    merged = lora.load(tmp_path, settings)

    assert set(config["modules_to_save"]) - {"classifier", "score"} == {
        "task_head",
        f"bridges.{info.key}",
    }
    assert any(
        f"encoders.{info.key}" in name and "lora_A" in name
        for name, _ in adapted.named_parameters()
    )
    assert float(before.abs().max()) > 0
    assert torch.allclose(merged(inputs=batch).logits, before, atol=1e-4)


def test_a_bundle_may_name_the_bridges_of_its_own_checkpoints_and_no_other(tuned, tmp_path):
    info, adapted, _ = tuned("vit")
    lora.save(adapted, tmp_path / "adapter")
    config = json.loads((tmp_path / "adapter" / CONFIG).read_text())
    model = adapted.base_model.model.config.to_dict()
    content = (tmp_path / "adapter" / WEIGHTS).read_bytes()

    def check(*saved: str) -> None:
        changed = json.dumps(config | {"modules_to_save": ["task_head", *saved]}).encode()
        check_bridges(check_adapter_config(CONFIG, changed), model)

    check(f"bridges.{info.key}")
    for saved, match in (
        ([], "saves the bridges of no checkpoint"),
        (["bridges.text_0123456789ab"], "saves the bridges of text_0123456789ab"),
        ([f"bridges.{info.key}", "bridges.text_0123456789ab"], "saves the bridges of"),
        (["trunk"], "modules_to_save"),
        ([f"bridges.{info.key}.weight"], "modules_to_save"),
    ):
        with pytest.raises(BundleError, match=match):
            check(*saved)
    with pytest.raises(BundleError, match="unexpected tensor"):
        check_adapter_weights(WEIGHTS, content, config)
    with pytest.raises(BundleError, match="lacks the bridge"):
        check_adapter_weights(WEIGHTS, content, config, frozenset({info.key, "text_0123456789ab"}))


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"sha256": "zz"}, "sha256"),
        ({"id": "../../etc/passwd"}, "the id"),
        ({"name": "/home/somebody"}, "the name"),
        ({"kind": "smell"}, "the kind"),
        ({"sha256": "cd" * 32}, "after another checkpoint"),
        ({"url": "http://elsewhere"}, "does not describe"),
    ],
)
def test_a_config_that_describes_a_checkpoint_in_another_way_is_refused(tuned, changes, match):
    info, adapted, _ = tuned("vit")
    model = adapted.base_model.model.config.to_dict()
    model["encoders"][info.key]["checkpoint"] |= changes

    with pytest.raises(BundleError, match=match):
        check_model_config("config.json", json.dumps(model).encode())


def test_a_bridge_keeps_most_of_the_tokens_differences_in_the_size_that_the_trunk_knows():
    draw = np.random.default_rng(3)
    spread = np.r_[np.linspace(5, 1, 8), np.full(24, 0.01)]
    tokens = (
        7
        + draw.standard_normal((400, 32)) * spread @ np.linalg.qr(draw.standard_normal((32, 32)))[0]
    )

    weight, bias = principal([tokens[:150], tokens[150:]], 16, 32)
    made = tokens @ weight.T + bias

    assert np.abs(made.mean(0)).max() < 1e-9
    assert np.sqrt((made**2).mean()) == pytest.approx(TOKEN_SIZE)
    lost = tokens - tokens.mean(0) - made @ np.linalg.pinv(weight).T
    assert (lost**2).sum() < 0.001 * ((tokens - tokens.mean(0)) ** 2).sum()
    assert (weight[np.arange(16), np.abs(weight).argmax(1)] > 0).all()


def test_a_bridge_of_few_tokens_leaves_the_rows_zero_for_which_nothing_differs():
    tokens = np.random.default_rng(0).standard_normal((5, 12))

    weight, bias = principal([tokens], 16, 12)

    assert (weight[:4] != 0).any(1).all()
    assert not weight[4:].any()
    assert not bias[4:].any()
    assert not principal([], 16, 12)[0].any()
