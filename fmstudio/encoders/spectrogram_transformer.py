"""Audio Spectrogram Transformer (Gong et al. 2021): log-mel windows of about ten seconds."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from fmstudio.encoders.architectures import Architecture, CheckpointFamily
from fmstudio.encoders.audio_chunks import SOUND, WindowNetwork, Windows, window_preparer

LENGTH, HOP = 400, 160  # samples of a mel frame, and between two: fixed in the extractor


class MelWindows(Windows):
    """Windows of `max_length` mel frames."""

    @property
    def seconds(self) -> float:
        """Length of a whole window."""
        samples = (self.extractor.call.max_length - 1) * HOP + LENGTH
        return samples / self.extractor.rate

    def extract(self, window: np.ndarray) -> tuple[np.ndarray, int]:
        """Log-mel (max_length, bins), filled up as the extractor does; its real frames."""
        frames = 1 + (len(window) - LENGTH) // HOP
        return self.extractor(window, "input_values"), min(frames, self.extractor.call.max_length)


class SpectrogramTransformerNetwork(WindowNetwork):
    """Patches of all frequencies at a time are one step; the two class tokens are the summary."""

    def listen(self, values: Tensor, real: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Log-mel (S, frames, bins) to steps (S, T, D)."""
        described = self.model.config
        made = self.model(values)
        rows = (described.num_mel_bins - described.patch_size) // described.frequency_stride + 1
        steps = made.last_hidden_state[:, 2:].unflatten(1, (rows, -1)).mean(1)
        lengths = (real - 1) // described.time_stride + 1
        return steps, lengths.clamp(max=steps.shape[1]), made.pooler_output[:, None]


ARCHITECTURES = {
    "audio-spectrogram-transformer": Architecture(
        "ASTConfig", "ASTModel", r"layers\.\d+\.attention\.(q_proj|v_proj)"
    )
}

ENCODER = CheckpointFamily(
    "spectrogram_transformer",
    "waveform",
    ARCHITECTURES,
    SOUND,
    SpectrogramTransformerNetwork,
    window_preparer(MelWindows, "ASTFeatureExtractor"),
)
