"""Models of raw sound: wav2vec 2.0 (Baevski et al. 2020), HuBERT (Hsu et al. 2021), WavLM (Chen et
al. 2022)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from fmstudio.encoders.architectures import Architecture, CheckpointFamily
from fmstudio.encoders.audio_chunks import SOUND, WindowNetwork, Windows, window_preparer


class RawWindows(Windows):
    """Windows of ten seconds, normalised each by itself as the extractor says."""

    @property
    def seconds(self) -> float:
        """Attention over longer windows costs with the square of their length."""
        return 10.0

    def extract(self, window: np.ndarray) -> tuple[np.ndarray, int]:
        """Samples, with zeros behind to ten seconds; how many are real."""
        made = self.extractor(window, "input_values", padding=False)
        return np.pad(made, (0, int(self.seconds * self.extractor.rate) - len(made))), len(made)


class RawSoundNetwork(WindowNetwork):
    """Windows of one length are run together and without padding.

    The first layer of many of these models is normalised over a whole window, so that padding
    would change every output.
    """

    def listen(self, values: Tensor, real: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Samples (S, samples) to steps (S, T, D) of 20 ms."""
        steps: list[Tensor] = [values] * len(values)
        for length in real.unique().tolist():
            rows = (real == length).nonzero().flatten()
            made = self.model(values[rows, :length]).last_hidden_state
            for row, one in zip(rows.tolist(), made, strict=True):
                steps[row] = one
        lengths = torch.tensor([len(one) for one in steps], device=real.device)
        return pad_sequence(steps, batch_first=True), lengths, None


# Hiding parts of the input and leaving out layers at random is for pretraining.
STEADY = {"apply_spec_augment": False, "layerdrop": 0.0}


def _raw(prefix: str, adapted: str) -> Architecture:
    return Architecture(
        f"{prefix}Config",
        f"{prefix}Model",
        rf"encoder\.layers\.\d+\.{adapted}",
        fixed=STEADY,
        unread="masked_spec_embed",
    )


ATTENTION = r"attention\.(q_proj|v_proj)"
ARCHITECTURES = {
    "wav2vec2": _raw("Wav2Vec2", ATTENTION),
    "hubert": _raw("Hubert", ATTENTION),
    # Its attention reads the weights of q_proj past the layer: an adapter there does nothing.
    "wavlm": _raw("WavLM", r"feed_forward\.(intermediate_dense|output_dense)"),
}

ENCODER = CheckpointFamily(
    "wav2vec2",
    "waveform",
    ARCHITECTURES,
    SOUND,
    RawSoundNetwork,
    window_preparer(RawWindows, "Wav2Vec2FeatureExtractor"),
)
