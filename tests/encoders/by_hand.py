"""Tokens worked out by plain loops from what transformers' own model gives: the tests' measure."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fmstudio.encoders.checkpoint import supported
from fmstudio.types import Prepared
from tests.encoders.small import RECIPES, own_model


def expected_tokens(model_type: str, folder: Path, prepared: Prepared) -> Tensor:
    """(T, width) of one prepared input; for series without what is put beside the outputs."""
    model = own_model(model_type, folder)
    arrays = {name: torch.from_numpy(array) for name, array in prepared.arrays.items()}
    family, kind = supported()[model_type]
    if kind == "text":
        return _text(model, arrays["id"].long()[None], last_alone=family == "decoders")
    if kind == "waveform":
        return _waveform(model_type, model, arrays)
    if kind == "series":
        return _series(model_type, model, arrays)
    return (
        _clip(model_type, model, arrays)
        if family == "clips"
        else _stills(model_type, model, arrays)
    )


def _mean(parts: Iterable[Tensor]) -> Tensor:
    return torch.stack(list(parts)).mean(0)


def _text(model: Any, ids: Tensor, last_alone: bool) -> Tensor:
    states = list(model(input_ids=ids).last_hidden_state[0])
    body, most = (states[:-1], 15) if last_alone else (states, 16)
    size = -(-len(body) // most)
    parts = [_mean(body[start : start + size]) for start in range(0, len(body), size)]
    return torch.stack(parts + states[len(body) :])


def _spans(steps: Tensor, count: int) -> list[Tensor]:
    """Steps (T, D) as `count` spans of consecutive steps, or fewer where there are fewer steps."""
    spans: dict[int, list[Tensor]] = {}
    for index, step in enumerate(steps):
        spans.setdefault(index * count // len(steps), []).append(step)
    return [_mean(span) for span in spans.values()]


def _waveform(model_type: str, model: Any, arrays: dict[str, Tensor]) -> Tensor:
    tokens = []
    windows = len(arrays["values"])
    for values, real in zip(arrays["values"], arrays["real"].tolist(), strict=True):
        if model_type == "audio-spectrogram-transformer":
            made = model(values[None])
            # 4 rows of frequency, 31 steps of time 4 frames apart.
            steps = made.last_hidden_state[0, 2:].reshape(4, 31, -1).mean(0)
            tokens.append(made.last_hidden_state[0, :2].mean(0))
            tokens += _spans(steps[: min(31, -(-real // 4))], max(1, 16 // windows - 1))
        elif model_type == "whisper":
            steps = model(values[None]).last_hidden_state[0]
            tokens += _spans(steps[: -(-real // 2)], 16 // windows)
        else:
            tokens += _spans(model(values[None, :real]).last_hidden_state[0], 16 // windows)
    return torch.stack(tokens)


def _series(model_type: str, model: Any, arrays: dict[str, Tensor]) -> Tensor:
    tokens = []
    count = max(1, 48 // len(arrays["reading"]))
    for reading, observed in zip(arrays["reading"], arrays["observed"], strict=True):
        if model_type == "patchtst":
            made = model(reading[None, :, None], past_observed_mask=observed[None, :, None])
            steps = made.last_hidden_state[0, 0, 1:]
        else:
            steps = model(reading[None]).last_hidden_state[0]
        tokens += _spans(steps, count)
    return torch.stack(tokens)


def _clip(model_type: str, model: Any, arrays: dict[str, Tensor]) -> Tensor:
    states = model(arrays["pixel_values"][None]).last_hidden_state[0]
    side = RECIPES[model_type][1].get("crop_size", 32) // 8
    return _places([(None, moment) for moment in states.reshape(2, side, side, -1)])


def _stills(model_type: str, model: Any, arrays: dict[str, Tensor]) -> Tensor:
    frames: list[tuple[Tensor | None, Tensor]] = []
    for index in range(len(arrays["pixel_values"])):
        made = model(**{name: array[index : index + 1] for name, array in arrays.items()})
        states = made.last_hidden_state[0]
        summary: Tensor | None = None
        if model_type in ("clip", "clip_vision_model", "siglip", "siglip2", "siglip2_vision_model"):
            summary = made.pooler_output[0]
            states = states[1:] if "clip" in model_type else states
        elif "vit" in model_type or "dino" in model_type or model_type == "deit":
            summary = states[0]
            ahead = {"deit": 2, "dinov2_with_registers": 3, "dinov3_vit": 3}.get(model_type, 1)
            states = states[ahead:]
        if states.dim() == 3:
            grid = states.permute(1, 2, 0)
        elif "spatial_shapes" in arrays:
            rows, columns = arrays["spatial_shapes"][index].tolist()
            whole = states[: rows * columns].T.reshape(1, -1, rows, columns)
            grid = torch.nn.functional.adaptive_avg_pool2d(whole, 16)[0].permute(1, 2, 0)
        else:
            side = round(len(states) ** 0.5)
            grid = states.reshape(side, side, -1)
        frames.append((summary, grid))
    return _places(frames)


def _places(frames: list[tuple[Tensor | None, Tensor]]) -> Tensor:
    """Frames, each (summary or None, grid (rows, columns, D)), to tokens."""
    summarised = frames[0][0] is not None
    cells = 2 if len(frames) > 1 else 3 if summarised else 4
    shared = -(-len(frames) // (3 if summarised else 4))
    tokens = []
    for start in range(0, len(frames), shared):
        stretch = frames[start : start + shared]
        if summarised:
            tokens.append(_mean(summary for summary, _ in stretch))
        parts: dict[tuple[int, int], list[Tensor]] = {}
        for _, grid in stretch:
            rows, columns = grid.shape[:2]
            for row in range(rows):
                for column in range(columns):
                    place = (row * cells // rows, column * cells // columns)
                    parts.setdefault(place, []).append(grid[row, column])
        tokens += [_mean(parts[place]) for place in sorted(parts)]
    return torch.stack(tokens)
