"""Hierarchical picture models: Swin (Liu et al. 2021), Swin V2 (Liu et al. 2022), ConvNeXt (Liu et
al. 2022) and ConvNeXt V2 (Woo et al. 2023)."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from fmstudio.encoders.architectures import Architecture
from fmstudio.encoders.image_encoders import StillNetwork, still_family
from fmstudio.encoders.pixels import WHOLE_PICTURES


class PyramidNetwork(StillNetwork):
    """The last and coarsest stage; there is no summary of a frame but the mean of its places."""

    def width_of(self, described: Any) -> int:
        """Width of the last stage."""
        sizes = getattr(described, "hidden_sizes", None)
        return int(sizes[-1] if sizes else described.hidden_size)

    def look(self, pixels: Tensor) -> tuple[Tensor, Tensor | None]:
        """Places (S, K, D)."""
        states = self.model(pixels).last_hidden_state
        return states.flatten(2).transpose(1, 2) if states.dim() == 4 else states, None


ARCHITECTURES = {
    "swin": Architecture(
        "SwinConfig",
        "SwinModel",
        r"encoder\.layers\.\d+\.blocks\.\d+\.attention\.(q_proj|v_proj)",
        arguments={"add_pooling_layer": False},
    ),
    "swinv2": Architecture(
        "Swinv2Config",
        "Swinv2Model",
        r"encoder\.layers\.\d+\.blocks\.\d+\.attention\.self\.(query|value)",
        arguments={"add_pooling_layer": False},
    ),
    # ConvNeXt has no attention: its pointwise layers do the work.
    "convnext": Architecture(
        "ConvNextConfig",
        "ConvNextModel",
        r"encoder\.stages\.\d+\.layers\.\d+\.(pwconv1|pwconv2)",
        # The norm after global pooling, which is the classifier's.
        unread=r"layernorm\.(weight|bias)",
    ),
    "convnextv2": Architecture(
        "ConvNextV2Config",
        "ConvNextV2Model",
        r"encoder\.stages\.\d+\.layers\.\d+\.(pwconv1|pwconv2)",
        unread=r"layernorm\.(weight|bias)",
    ),
}

ENCODER = still_family("pyramids", ARCHITECTURES, PyramidNetwork, ("ViT", *WHOLE_PICTURES))
