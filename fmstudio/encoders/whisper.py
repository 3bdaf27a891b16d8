"""The encoder of Whisper (Radford et al. 2022): log-mel windows of thirty seconds."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from fmstudio.encoders.architectures import Architecture, CheckpointFamily
from fmstudio.encoders.audio_chunks import SOUND, WindowNetwork, Windows, window_preparer


class WhisperWindows(Windows):
    """Windows of the extractor's `chunk_length`, shorter ones filled up with silence."""

    @property
    def seconds(self) -> float:
        """Thirty seconds in every published checkpoint."""
        return float(self.extractor.call.chunk_length)

    def extract(self, window: np.ndarray) -> tuple[np.ndarray, int]:
        """Log-mel (bins, frames); frames that are not filled up."""
        return self.extractor(window, "input_features"), -(
            -len(window) // self.extractor.call.hop_length
        )


class WhisperNetwork(WindowNetwork):
    """Two mel frames are one step, by the second convolution."""

    def listen(self, values: Tensor, real: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Log-mel (S, bins, frames) to steps (S, T, D)."""
        steps = self.model(values).last_hidden_state
        return steps, ((real + 1) // 2).clamp(max=steps.shape[1]), None


ARCHITECTURES = {
    "whisper": Architecture(
        "WhisperConfig",
        "whisper.modeling_whisper:WhisperEncoder",
        r"layers\.\d+\.self_attn\.(q_proj|v_proj)",
        fixed={"apply_spec_augment": False, "encoder_layerdrop": 0.0},
        renames={r"^(model\.)?encoder\.": ""},
    )
}

ENCODER = CheckpointFamily(
    "whisper",
    "waveform",
    ARCHITECTURES,
    SOUND,
    WhisperNetwork,
    window_preparer(WhisperWindows, "WhisperFeatureExtractor"),
)
