"""From the many outputs of a model to a few tokens: which output belongs to which token.

Shape letters: B cases, N items of a case (frames, windows, channels, subwords), K outputs of an
item, T steps. `blocks.pool` then takes the mean of each group.
"""

from __future__ import annotations

import torch
from torch import Tensor

from fmstudio.encoders.blocks import Tokens, pool

MOST = 16  # tokens an input


def scatter(outputs: Tensor, mask: Tensor) -> Tensor:
    """Outputs (S, K, D) of the S real items to (B, N · K, D); zero where there is no item."""
    placed = outputs.new_zeros(*mask.shape, *outputs.shape[1:])
    placed[mask] = outputs
    return placed.flatten(1, 2)


def cell_tokens(outputs: Tensor, mask: Tensor, rows: int, columns: int) -> Tokens:
    """Outputs (S, K, D) of the real frames of mask (B, N) to tokens of places in the picture.

    K = rows · columns, row by row, or one more with a summary of the frame in front. A single
    frame becomes a grid of 4 × 4 places (3 × 3 and its summary); several frames 2 × 2 places (and
    a summary) for each of at most four (three) stretches of consecutive frames.
    """
    ahead = outputs.shape[1] - rows * columns
    device = mask.device
    count = mask.sum(1)
    side = torch.where(count > 1, 2, 4 - ahead).clamp(max=min(rows, columns))[:, None]
    row = torch.arange(rows, device=device)[:, None].expand(rows, columns).flatten()[None]
    column = torch.arange(columns, device=device)[None].expand(rows, columns).flatten()[None]
    cell = row * side // rows * side + column * side // columns + ahead
    cell = torch.cat([cell.new_zeros(len(cell), ahead), cell], 1)
    stretch = torch.arange(mask.shape[1], device=device)[None]
    shared = torch.div(count - 1, 4 - ahead, rounding_mode="floor").clamp(min=0)[:, None] + 1
    group = (stretch // shared)[:, :, None] * (side**2 + ahead)[:, :, None] + cell[:, None]
    real = mask[:, :, None].expand_as(group)
    return pool(scatter(outputs, mask), real.flatten(1), group.flatten(1))


def span_tokens(
    steps: Tensor, lengths: Tensor, mask: Tensor, summary: Tensor | None = None, most: int = MOST
) -> Tokens:
    """Steps (S, T, D) of the real items of mask (B, N) to tokens of consecutive spans of steps.

    `lengths` (S,): how many of the T steps are real; `summary` (S, 1, D) becomes a token of its
    own. The items of a case share `most` tokens evenly; each has at least one.
    """
    ahead = 0 if summary is None else 1
    outputs = steps if summary is None else torch.cat([summary, steps], 1)
    every = lengths.new_zeros(mask.shape).masked_scatter(mask, lengths)
    count = mask.sum(1, keepdim=True).clamp(min=1)
    # No more spans than steps, so that no token of a case is empty.
    spans = torch.minimum((most // count - ahead).clamp(min=1), every)
    first = (spans + ahead * mask).cumsum(1) - spans
    step = torch.arange(steps.shape[1], device=mask.device)
    group = first[..., None] + step * spans[..., None] // every.clamp(min=1)[..., None]
    real = step < every[:, :, None]
    if ahead:
        group = torch.cat([first[..., None] - 1, group], 2)
        real = torch.cat([mask[..., None], real], 2)
    return pool(scatter(outputs, mask), real.flatten(1), group.flatten(1))


def text_tokens(states: Tensor, mask: Tensor, last: bool) -> Tokens:
    """States (B, N, D) of subwords to tokens of consecutive subwords; `last` stands alone."""
    count = mask.sum(1, keepdim=True)
    spread = (count - int(last)).clamp(min=1)
    size = torch.div(spread - 1, MOST - int(last), rounding_mode="floor") + 1
    place = torch.arange(mask.shape[1], device=mask.device)[None]
    group = place // size
    if last:
        after = torch.div(spread - 1, size, rounding_mode="floor") + 1
        group = torch.where((place == count - 1) & (count > 1), after, group)
    return pool(states, mask, group)
