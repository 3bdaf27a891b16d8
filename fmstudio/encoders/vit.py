"""Vision transformers: ViT (Dosovitskiy et al. 2021), DeiT (Touvron et al. 2021)."""

from __future__ import annotations

from torch import Tensor

from fmstudio.encoders.architectures import Architecture
from fmstudio.encoders.image_encoders import StillNetwork, still_family
from fmstudio.encoders.pixels import WHOLE_PICTURES


class VitNetwork(StillNetwork):
    """The class token is the frame's summary."""

    def look(self, pixels: Tensor) -> tuple[Tensor, Tensor | None]:
        """Patches (S, K, D) and class token (S, 1, D); DeiT's second token is left out."""
        states = self.model(pixels, interpolate_pos_encoding=True).last_hidden_state
        ahead = 2 if self.model.config.model_type == "deit" else 1
        return states[:, ahead:], states[:, :1]


ARCHITECTURES = {
    "vit": Architecture(
        "ViTConfig",
        "ViTModel",
        r"layers\.\d+\.attention\.(q_proj|v_proj)",
        arguments={"add_pooling_layer": False},
    ),
    "deit": Architecture(
        "DeiTConfig",
        "DeiTModel",
        r"layers\.\d+\.attention\.(q_proj|v_proj)",
        arguments={"add_pooling_layer": False},
    ),
}

ENCODER = still_family("vit", ARCHITECTURES, VitNetwork, ("ViT", *WHOLE_PICTURES))
