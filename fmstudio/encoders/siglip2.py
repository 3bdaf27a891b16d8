"""Vision tower of SigLIP 2 of any shape (NaFlex; Tschannen et al. 2025): pictures keep their shape.

Checkpoints of a fixed resolution call themselves "siglip": see vision_towers.py.
"""

from __future__ import annotations

import torch
from torch import Tensor

from fmstudio.encoders.architectures import Architecture
from fmstudio.encoders.blocks import Tokens
from fmstudio.encoders.image_encoders import StillNetwork, still_family
from fmstudio.encoders.token_pooling import cell_tokens

SIDE = 16  # cells a side: patches of any shape are averaged onto this grid


class Siglip2Network(StillNetwork):
    """Patches with their grid's shape to tokens; the pooled output is the frame's summary."""

    def forward(self, arrays: dict[str, Tensor], mask: Tensor) -> Tokens:
        """pixel_values (B, N, patches, 3 · size²), their mask, spatial_shapes (B, N, 2)."""
        shapes = arrays["spatial_shapes"][mask].long()
        made = self.model(
            pixel_values=arrays["pixel_values"][mask],
            pixel_attention_mask=arrays["pixel_attention_mask"][mask],
            spatial_shapes=shapes,
        )
        grids = [
            torch.nn.functional.adaptive_avg_pool2d(
                states[: rows * columns].T.unflatten(1, (rows, columns)), SIDE
            ).flatten(1)
            for states, (rows, columns) in zip(made.last_hidden_state, shapes.tolist(), strict=True)
        ]
        places = torch.stack(grids).transpose(1, 2)
        if made.pooler_output is not None:
            places = torch.cat([made.pooler_output[:, None], places], 1)
        return cell_tokens(places, mask, SIDE, SIDE)


def _tower(section: str) -> Architecture:
    return Architecture(
        "Siglip2VisionConfig",
        "Siglip2VisionModel",
        r"encoder\.layers\.\d+\.self_attn\.(q_proj|v_proj)",
        section,
    )


ARCHITECTURES = {"siglip2": _tower("vision_config"), "siglip2_vision_model": _tower("")}

ENCODER = still_family("siglip2", ARCHITECTURES, Siglip2Network, ("Siglip2",))
