"""Vision towers of models that learned from pictures and their captions: CLIP (Radford et al.
2021), SigLIP (Zhai et al. 2023) and SigLIP 2 of a fixed resolution (Tschannen et al. 2025)."""

from __future__ import annotations

from torch import Tensor

from fmstudio.encoders.architectures import Architecture
from fmstudio.encoders.image_encoders import StillNetwork, still_family
from fmstudio.encoders.pixels import WHOLE_PICTURES


class TowerNetwork(StillNetwork):
    """The pooled output, which was compared with captions, is the frame's summary."""

    def look(self, pixels: Tensor) -> tuple[Tensor, Tensor | None]:
        """Patches (S, K, D) and pooled output (S, 1, D), where the tower has one."""
        made = self.model(pixels, interpolate_pos_encoding=True)
        clip = self.model.config.model_type == "clip_vision_model"
        summary = None if made.pooler_output is None else made.pooler_output[:, None]
        return made.last_hidden_state[:, 1 if clip else 0 :], summary


def _tower(prefix: str, section: str) -> Architecture:
    return Architecture(
        f"{prefix}VisionConfig",
        f"{prefix}VisionModel",
        r"encoder\.layers\.\d+\.self_attn\.(q_proj|v_proj)",
        section,
    )


ARCHITECTURES = {
    "clip": _tower("CLIP", "vision_config"),
    "clip_vision_model": _tower("CLIP", ""),
    "siglip": _tower("Siglip", "vision_config"),
    "siglip_vision_model": _tower("Siglip", ""),
}

ENCODER = still_family("towers", ARCHITECTURES, TowerNetwork, ("CLIP", *WHOLE_PICTURES))
