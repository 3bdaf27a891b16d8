"""Models of frames over time: VideoMAE (Tong et al. 2022) and V-JEPA 2 (Assran et al. 2025)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from fmstudio.encoders.architectures import Architecture, CheckpointFamily, CheckpointNetwork
from fmstudio.encoders.blocks import Tokens
from fmstudio.encoders.pixels import CLIPS, WHOLE_PICTURES, Clip, Pixels
from fmstudio.encoders.token_pooling import cell_tokens


class ClipNetwork(CheckpointNetwork):
    """A clip pixel_values (B, frames, 3, H, W) to tokens of places and stretches of time."""

    def settle(self) -> None:
        """Without V-JEPA 2's predictor, which only pretraining uses."""
        if hasattr(self.model, "predictor"):
            del self.model.predictor

    def forward(self, arrays: dict[str, Tensor], mask: Tensor) -> Tokens:
        """Every case has as many frames as the checkpoint's clips: the mask is all True."""
        pixels = arrays["pixel_values"]
        described = self.model.config
        if described.model_type == "vjepa2":
            states = self.model(pixels, skip_predictor=True).last_hidden_state
        else:
            states = self.model(pixels).last_hidden_state
        rows = pixels.shape[-2] // described.patch_size
        columns = pixels.shape[-1] // described.patch_size
        moments = states.unflatten(1, (-1, rows * columns))
        real = mask[:, :1].expand(-1, moments.shape[1])
        return cell_tokens(moments.flatten(0, 1), real, rows, columns)


PROCESSORS = {
    "videomae": ("VideoMAE", *WHOLE_PICTURES),
    "vjepa2": ("VJEPA2", *WHOLE_PICTURES),
}


def prepares(config: Mapping[str, Any], folder: Path, state: Mapping[str, Any]) -> Clip:
    """Clips of the length that the checkpoint was made for."""
    kept, jepa = config["model"], config["model_type"] == "vjepa2"
    frames = kept.get("frames_per_clip", 64) if jepa else kept.get("num_frames", 16)
    return Clip(Pixels(folder, CLIPS, PROCESSORS["vjepa2" if jepa else "videomae"]), frames)


ARCHITECTURES = {
    "videomae": Architecture(
        "VideoMAEConfig",
        "VideoMAEModel",
        r"encoder\.layer\.\d+\.attention\.attention\.(query|value)",
    ),
    "vjepa2": Architecture(
        "VJEPA2Config",
        "VJEPA2Model",
        r"encoder\.layer\.\d+\.attention\.(query|value)",
        unread=r"predictor\..*",
    ),
}

ENCODER = CheckpointFamily("clips", "frames", ARCHITECTURES, CLIPS, ClipNetwork, prepares)
