"""A checkpoint tried once on a synthetic input before it is kept: does it work, at what cost."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.flop_counter import FlopCounterMode

from fmstudio.contracts import discover
from fmstudio.encoders.architectures import UNFIT
from fmstudio.encoders.batching import collate
from fmstudio.encoders.blocks import Tokens
from fmstudio.encoders.checkpoint import load_weights
from fmstudio.encoders.synthetic_inputs import typical
from fmstudio.errors import InputError


def trial(folder: Path, family: str, config: Mapping[str, Any]) -> dict[str, float]:
    """What one typical input costs: {items, tokens, gigaflops, activation_mb}.

    `activation_mb` is what a pass keeps for the way back where LoRA adapts the encoder. Raises
    InputError if the checkpoint does not give finite tokens of its width.
    """
    encoder = discover("fmstudio.encoders", "ENCODER")[family]
    given = typical(encoder.kind)
    state = encoder.fit([given]) if encoder.fits else {}
    with torch.device("meta"):
        network = encoder.network(config).eval()
    load_weights(network, folder)
    adapted = _let_train(network, encoder.targets(config))
    try:
        prepared = encoder.preparer(config, folder, state).prepare(given)
        batch = collate([{"given": prepared}]).modalities["given"]
        with _Kept(network) as kept, FlopCounterMode(display=False) as counter:
            tokens: Tokens = network(batch.arrays, batch.mask)
    except UNFIT as wrong:
        raise InputError(
            f"The checkpoint cannot read {encoder.kind} as its files say: {str(wrong)[:200]}",
            hint="Its processor and config.json do not belong together: get the checkpoint again.",
        ) from wrong
    found = tokens.values[tokens.mask]
    if found.shape[-1] != network.width or not len(found) or not bool(found.isfinite().all()):
        raise InputError(
            f"The checkpoint gives no usable tokens for {encoder.kind}.",
            hint="Its weights do not fit its config.json: get the checkpoint again.",
        )
    assert adapted, f"no layer of {family} matches its LoRA targets"
    return {
        "items": prepared.length,
        "tokens": len(found),
        "gigaflops": round(counter.get_total_flops() / 1e9, 4),
        "activation_mb": round(kept.size / 2**20, 4),
    }


def _let_train(network: nn.Module, targets: str) -> int:
    """Only the layers that LoRA adapts need a gradient; how many there are."""
    pattern, count = re.compile(targets), 0
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    for name, layer in network.named_modules():
        if pattern.fullmatch(name) and isinstance(layer.weight, nn.Parameter):
            layer.weight.requires_grad_(True)
            count += 1
    return count


class _Kept:
    """Counts the bytes that autograd keeps, each once, weights left out."""

    def __init__(self, network: nn.Module) -> None:
        own = (*network.parameters(), *network.buffers())
        self._seen = {tensor.untyped_storage().data_ptr() for tensor in own}
        self.size = 0
        self._hooks = saved_tensors_hooks(self._keep, lambda tensor: tensor)

    def _keep(self, tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in self._seen:
            self._seen.add(storage.data_ptr())
            self.size += storage.nbytes()
        return tensor

    def __enter__(self) -> _Kept:
        self._hooks.__enter__()
        return self

    def __exit__(self, *fault: Any) -> None:
        self._hooks.__exit__(*fault)
