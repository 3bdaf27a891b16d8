"""Text models that read forwards: GPT-2 (Radford et al. 2019) and those like Llama (Touvron et al.
2023) and Qwen (Yang et al. 2024).

Only the last subword's state knows the whole text: it is a token of its own, as in last-token
pooling. The others are means over consecutive subwords, which say what stands where; a mean over
all would be ruled by states that have read little.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from fmstudio.encoders.architectures import Architecture, CheckpointFamily, settings
from fmstudio.encoders.tokenized import FAST, SKETCH_SIZE, TextNetwork, Tokenized, tokenized


class DecoderNetwork(TextNetwork):
    """Without a cache of keys and values: nothing is generated."""

    last_alone = True
    options: Mapping[str, Any] = {"use_cache": False}

    def settle(self) -> None:
        """GPT-2 keeps its layers' weights the other way round; as Linear they are like others."""
        for name, module in list(self.model.named_modules()):
            if type(module).__name__ == "Conv1D":
                linear = nn.Linear(*module.weight.shape, device="meta")
                linear.weight = nn.Parameter(module.weight.detach().T.contiguous())
                linear.bias = module.bias
                self.model.set_submodule(name, linear)


def _decoder(prefix: str) -> Architecture:
    return Architecture(
        f"{prefix}Config",
        f"{prefix}Model",
        r"layers\.\d+\.self_attn\.(q_proj|v_proj)",
        further=("head_dim",),
    )


ARCHITECTURES = {
    # Queries, keys and values are one layer.
    "gpt2": Architecture("GPT2Config", "GPT2Model", r"h\.\d+\.attn\.c_attn"),
    "llama": _decoder("Llama"),
    "mistral": _decoder("Mistral"),
    "qwen2": _decoder("Qwen2"),
    "qwen3": _decoder("Qwen3"),
}


def prepares(config: Mapping[str, Any], folder: Path, state: Mapping[str, Any]) -> Tokenized:
    """With the tokenizer in `folder`."""
    described = settings(ARCHITECTURES[config["model_type"]], config["model"])
    return tokenized(folder, described.vocab_size, described.max_position_embeddings)


ENCODER = CheckpointFamily(
    "decoders", "text", ARCHITECTURES, (FAST,), DecoderNetwork, prepares, sketch=SKETCH_SIZE
)
