"""Series models, one channel at a time: PatchTST (Nie et al. 2023) and TimesFM 2.5 (Das et al.
2024).

They scale each channel by itself and do not know its name, so that a high pressure and a low pulse
of one shape would be one. What they took away is put beside their outputs: how the channel's
centre and spread compare with the training patients', and a fixed code of its name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fmstudio.encoders.architectures import (
    Architecture,
    CheckpointFamily,
    CheckpointNetwork,
    settings,
)
from fmstudio.encoders.blocks import Tokens
from fmstudio.encoders.names import BUCKETS, name_ids
from fmstudio.encoders.series_patches import ENCODER as SPANS
from fmstudio.encoders.token_pooling import span_tokens
from fmstudio.errors import InputError
from fmstudio.types import ModalityInput, Prepared, to_json

MAX_TOKENS = 48
POINTS = 512  # of a channel, for models that take any number
LIMIT = 8.0  # spreads of the training patients
CODE = 32  # numbers of a name's code


@dataclass(frozen=True)
class Grid:
    """Prepares series: each channel on a regular grid of `points` from first to last reading.

    A point is the mean of the readings in its share of time; where there are none it lies on the
    line between its neighbours and counts as not observed. `channels`: {name: {centre, spread}} of
    the training patients; empty: every channel is its own reference.
    """

    points: int
    channels: Mapping[str, Mapping[str, float]]

    @property
    def key(self) -> str:
        """Changes with the grid and the scales."""
        return to_json(["grid", 1, self.points, MAX_TOKENS, dict(self.channels)])

    def prepare(self, given: ModalityInput) -> Prepared:
        """Arrays of N channels: reading and observed (N, points), level (N, 2), name (N, PIECES).

        Raises InputError if no channel was in the training data.
        """
        values = np.asarray(given.values, np.float64)
        mask = np.asarray(given.mask)
        there = [(i, n) for i, n in enumerate(given.facts["channels"]) if mask[:, i].any()]
        known = [(i, n) for i, n in there if not self.channels or n in self.channels]
        if not known:
            raise InputError(
                f"None of the channels {', '.join(given.facts['channels'])} was in the training "
                "data.",
                hint=f"Give a recording with any of: {', '.join(self.channels)}.",
            )
        remarks = []
        if len(known) < len(there):
            strange = ", ".join(n for i, n in there if (i, n) not in known)
            remarks.append(f"Not in the training data, left out: {strange}.")
        if len(known) > MAX_TOKENS:
            fullest = sorted(known, key=lambda one: -int(mask[:, one[0]].sum()))
            known = sorted(fullest[:MAX_TOKENS])
            remarks.append(f"Only the {MAX_TOKENS} channels with most readings were used.")
        seconds = np.asarray(given.facts["seconds"], np.float64)
        length = max(float(seconds[-1] - seconds[0]), 1e-3)
        place = ((seconds - seconds[0]) / length * self.points).astype(int)
        rows = [
            self._channel(name, values[mask[:, i], i], place[mask[:, i]].clip(0, self.points - 1))
            for i, name in known
        ]
        columns = [np.stack(column).astype(np.float32) for column in zip(*rows, strict=True)]
        arrays = dict(zip(("reading", "observed", "level"), columns, strict=True))
        return Prepared(arrays | {"name": name_ids([n for _, n in known])}, tuple(remarks))

    def _channel(
        self, name: str, readings: np.ndarray, place: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        count = np.bincount(place, minlength=self.points)
        observed = count > 0
        at = observed.nonzero()[0]
        means = np.bincount(place, readings, minlength=self.points)[at] / count[at]
        grid = np.interp(np.arange(self.points), at, means)
        own = {"centre": float(means.mean()), "spread": float(means.std()) or 1.0}
        seen = self.channels.get(name, own)
        level = [
            np.clip((means.mean() - seen["centre"]) / seen["spread"], -LIMIT, LIMIT),
            np.clip(np.log((means.std() + 1e-6) / seen["spread"]), -LIMIT, LIMIT),
        ]
        # In units of the training patients, so that single precision is enough for any unit.
        return (grid - seen["centre"]) / seen["spread"], observed, np.array(level)


class ForecasterNetwork(CheckpointNetwork):
    """Channels reading (B, N, points) to tokens of spans of time, width of the model + 2 + CODE."""

    def __init__(self, architecture: Architecture, config: Mapping[str, Any]) -> None:
        super().__init__(architecture, config)
        # Not learned, so not in any file: the same numbers from the same seed everywhere.
        drawn = np.random.default_rng(0).standard_normal((BUCKETS, CODE)).astype(np.float32)
        drawn[0] = 0
        self.register_buffer("codes", torch.tensor(drawn, device="cpu"), persistent=False)

    def width_of(self, described: Any) -> int:
        """The model's width and what is put beside."""
        return int(described.hidden_size) + 2 + CODE

    def _states(self, reading: Tensor, observed: Tensor) -> Tensor:
        """(S, points) to states (S, T, width of the model), one a patch of time."""
        if self.model.config.model_type == "patchtst":
            made = self.model(reading[..., None], past_observed_mask=observed[..., None])
            states = made.last_hidden_state[:, 0]
            return states[:, 1:] if self.model.config.use_cls_token else states
        return self.model(reading).last_hidden_state

    def forward(self, arrays: dict[str, Tensor], mask: Tensor) -> Tokens:
        """At most 48 tokens a case."""
        states = self._states(arrays["reading"][mask], arrays["observed"][mask])
        ids = arrays["name"][mask].long()
        pieces = (ids > 0).sum(-1, keepdim=True).clamp(min=1)
        code = self.codes[ids].sum(-2) / pieces.sqrt()
        beside = torch.cat([arrays["level"][mask], code], -1)[:, None]
        steps = torch.cat([states, beside.expand(-1, states.shape[1], -1)], -1)
        lengths = torch.full((len(steps),), steps.shape[1], device=mask.device)
        return span_tokens(steps, lengths, mask, most=MAX_TOKENS)


ARCHITECTURES = {
    "patchtst": Architecture(
        "PatchTSTConfig",
        "PatchTSTModel",
        r"encoder\.layers\.\d+\.self_attn\.(q_proj|v_proj)",
        # Hiding patches is for pretraining, and channels are given one at a time.
        fixed={"do_mask_input": False, "num_input_channels": 1},
    ),
    "timesfm2_5": Architecture(
        "TimesFm2_5Config", "TimesFm2_5Model", r"layers\.\d+\.self_attn\.(q_proj|v_proj)"
    ),
}


def prepares(config: Mapping[str, Any], folder: Path, state: Mapping[str, Any]) -> Grid:
    """No file is needed: these checkpoints scale their inputs themselves."""
    described = settings(ARCHITECTURES[config["model_type"]], config["model"])
    if getattr(described, "channel_attention", False) or not getattr(
        described, "share_embedding", True
    ):
        raise InputError(
            "The checkpoint knows its channels by their number (channel_attention or unshared "
            "embeddings), which says nothing of other recordings.",
            hint="Use one that takes each channel by itself, as PatchTST does by default.",
        )
    points = described.context_length
    if config["model_type"] == "timesfm2_5":
        points = min(points, POINTS) // described.patch_length * described.patch_length
    return Grid(int(points), state.get("channels", {}))


ENCODER = CheckpointFamily(
    "forecasters", "series", ARCHITECTURES, ((),), ForecasterNetwork, prepares, learn=SPANS.fit
)
