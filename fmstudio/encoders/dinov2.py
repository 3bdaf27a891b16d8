"""Self-supervised picture models: DINOv2 (Oquab et al. 2023), with registers (Darcet et al. 2024),
and DINOv3 (Siméoni et al. 2025)."""

from __future__ import annotations

from torch import Tensor

from fmstudio.encoders.architectures import Architecture
from fmstudio.encoders.image_encoders import StillNetwork, still_family
from fmstudio.encoders.pixels import WHOLE_PICTURES


class DinoNetwork(StillNetwork):
    """The class token is the frame's summary; registers are left out, they hold no place."""

    def look(self, pixels: Tensor) -> tuple[Tensor, Tensor | None]:
        """Patches (S, K, D) and class token (S, 1, D)."""
        states = self.model(pixels).last_hidden_state
        ahead = 1 + getattr(self.model.config, "num_register_tokens", 0)
        return states[:, ahead:], states[:, :1]


# The mask token stands for hidden patches in pretraining only.
UNREAD = r"embeddings\.mask_token"
ARCHITECTURES = {
    "dinov2": Architecture(
        "Dinov2Config",
        "Dinov2Model",
        r"encoder\.layer\.\d+\.attention\.(q_proj|v_proj)",
        unread=UNREAD,
    ),
    "dinov2_with_registers": Architecture(
        "Dinov2WithRegistersConfig",
        "Dinov2WithRegistersModel",
        r"encoder\.layer\.\d+\.attention\.(q_proj|v_proj)",
        unread=UNREAD,
    ),
    "dinov3_vit": Architecture(
        "DINOv3ViTConfig",
        "DINOv3ViTModel",
        r"model\.layer\.\d+\.attention\.(q_proj|v_proj)",
        # Shifts and stretches of positions in training would be drawn at random.
        fixed={"pos_embed_shift": None, "pos_embed_jitter": None, "pos_embed_rescale": None},
        unread=UNREAD,
    ),
}

ENCODER = still_family("dinov2", ARCHITECTURES, DinoNetwork, ("Bit", *WHOLE_PICTURES, "DINOv3ViT"))
