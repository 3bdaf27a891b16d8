"""The layers that encoders and trunk are built of: attention blocks, positions and pooling.

Shape letters: B batch, N items, T tokens, D width, H heads.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
from torch import Tensor, nn
from torch.nn import functional

# The layers of a Stack that LoRA adapts, by their names within an EncoderNetwork: queries and
# values, as in Hu et al. 2021, section 4.2.
STACK_TARGETS = r"stack\.blocks\.\d+\.(q_proj|v_proj)"


@dataclass
class Tokens:
    """What an encoder gives to the trunk: values (B, T, D) and a mask (B, T), True where real."""

    values: Tensor
    mask: Tensor


class Places:
    """Where the S real items of several cases stand, one case after another and no padding.

    All but attention works item by item. On a CPU attention takes cases of one length at a time,
    so that nothing at all is computed for padding, which is a third of a batch where modalities
    are missing or hidden; a GPU is faster with all cases at once, padded.
    """

    def __init__(
        self, lengths: Sequence[int], device: torch.device, padded: bool | None = None
    ) -> None:
        """`lengths` of the cases as they stand; those of one length are best side by side."""
        self.shapes = [(len(list(same)), length) for length, same in groupby(lengths) if length]
        self.sizes = [count * length for count, length in self.shapes]
        self.mask: Tensor | None = None
        if self.shapes and (device.type != "cpu" if padded is None else padded):
            there = torch.tensor([n for n in lengths if n], device=device)
            self.mask = torch.arange(int(max(lengths)), device=device)[None] < there[:, None]
            self.rows = self.mask.flatten().nonzero().squeeze(1)

    def attend(self, query: Tensor, key: Tensor, value: Tensor, heads: int) -> Tensor:
        """Scaled dot-product attention (S, D) of items to those of their own case."""
        given = (query, key, value)
        if self.mask is not None:
            padded = (self._heads(self._spread(one), *self.mask.shape, heads) for one in given)
            mixed = functional.scaled_dot_product_attention(
                *padded, attn_mask=self.mask[:, None, None, :]
            )
            return mixed.transpose(1, 2).flatten(2).flatten(0, 1).index_select(0, self.rows)
        parts = []
        runs = zip(*(one.split(self.sizes) for one in given), strict=True)
        for (count, length), run in zip(self.shapes, runs, strict=True):
            mixed = functional.scaled_dot_product_attention(
                *(self._heads(one, count, length, heads) for one in run)
            )
            parts.append(mixed.transpose(1, 2).reshape(count * length, -1))
        return torch.cat(parts) if parts else query

    def _spread(self, packed: Tensor) -> Tensor:
        """(S, D) to (B · longest, D), zero where nothing is."""
        assert self.mask is not None
        return packed.new_zeros(self.mask.numel(), packed.shape[-1]).index_copy(
            0, self.rows, packed
        )

    @staticmethod
    def _heads(items: Tensor, count: int, length: int, heads: int) -> Tensor:
        """(B · N, D) to (B, H, N, D / H)."""
        return items.view(count, length, heads, -1).transpose(1, 2)


def packed_order(mask: Tensor) -> tuple[Tensor, list[int]]:
    """Where the real items of a padded batch (B, N) lie in it (S), shorter cases first, and the
    length of each case in that order."""
    lengths = mask.sum(1)
    order = lengths.argsort(stable=True)
    row, column = mask[order].nonzero(as_tuple=True)
    return order[row] * mask.shape[1] + column, lengths[order].tolist()


class Block(nn.Module):
    """One pre-norm transformer block (Vaswani et al. 2017; pre-norm after Xiong et al. 2020)."""

    def __init__(self, width: int, heads: int, expansion: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(width)
        self.q_proj = nn.Linear(width, width)
        self.k_proj = nn.Linear(width, width)
        self.v_proj = nn.Linear(width, width)
        self.out_proj = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, expansion * width)
        self.fc2 = nn.Linear(expansion * width, width)

    def forward(self, x: Tensor, places: Places) -> Tensor:
        """Real items (S, D) of all cases one after another, to the same."""
        normed = self.norm1(x)
        query, key, value = self.q_proj(normed), self.k_proj(normed), self.v_proj(normed)
        x = x + self.out_proj(places.attend(query, key, value, self.heads))
        return x + self.fc2(functional.gelu(self.fc1(self.norm2(x))))


class Stack(nn.Module):
    """Blocks one after another and a last layer norm."""

    def __init__(self, width: int, heads: int, depth: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """x (B, N, D) and mask (B, N) to (B, N, D), zero where nothing is."""
        rows, lengths = packed_order(mask)
        packed = x.flatten(0, 1).index_select(0, rows)
        mixed = self.upper(packed, Places(lengths, x.device))
        padded = mixed.new_zeros(mask.numel(), mixed.shape[-1])
        return padded.index_copy(0, rows, mixed).unflatten(0, mask.shape)

    def lower(self, packed: Tensor, places: Places, depth: int) -> Tensor:
        """The first `depth` blocks on real items (S, D)."""
        for block in self.blocks[:depth]:
            packed = block(packed, places)
        return packed

    def upper(self, packed: Tensor, places: Places, depth: int = 0) -> Tensor:
        """The blocks after the first `depth`, and the last layer norm, on real items (S, D)."""
        for block in self.blocks[depth:]:
            packed = block(packed, places)
        return self.norm(packed)


class EncoderNetwork(nn.Module):
    """The network of an embedded encoder: embed items, let them look at each other, pool.

    `window`: items attend only within consecutive windows of so many items (None: to all).
    `whole`: how many of its tokens, the first, each stand for the whole input.
    Subclasses give `embed(arrays) -> (B, N, D)`; `arrays["group"]` (B, N) says to which token
    each item belongs.
    """

    window: int | None = None
    whole: int = 0

    def __init__(self, width: int, heads: int, depth: int) -> None:
        super().__init__()
        self.stack = Stack(width, heads, depth)

    def embed(self, arrays: dict[str, Tensor]) -> Tensor:
        """Items to vectors (B, N, D)."""
        raise NotImplementedError(type(self).__name__)

    def contextualize(self, embedded: Tensor, mask: Tensor) -> Tensor:
        """Embedded items (B, N, D) to items that know their neighbours (B, N, D)."""
        if self.window is None:
            return self.stack(embedded, mask)
        shape = embedded.shape
        folded = self.stack(
            embedded.reshape(-1, self.window, shape[-1]), mask.reshape(-1, self.window)
        )
        return folded.reshape(shape)

    def overview(self, arrays: dict[str, Tensor], mask: Tensor) -> Tensor:
        """The tokens that stand for the whole input (B, `whole`, D)."""
        return torch.zeros(len(mask), 0, self.stack.norm.weight.shape[0], device=mask.device)

    def forward(self, arrays: dict[str, Tensor], mask: Tensor) -> Tokens:
        """Prepared arrays, padded to (B, N, …), and their mask (B, N), to tokens."""
        items = self.contextualize(self.embed(arrays), mask)
        return after(self.overview(arrays, mask), pool(items, mask, arrays["group"]))


def after(whole: Tensor, tokens: Tokens) -> Tokens:
    """Tokens of the whole input (B, W, D) and, after them, those of its parts."""
    there = tokens.mask.any(1, keepdim=True).expand(-1, whole.shape[1])
    return Tokens(torch.cat([whole, tokens.values], 1), torch.cat([there, tokens.mask], 1))


def pool(items: Tensor, mask: Tensor, group: Tensor) -> Tokens:
    """Mean of the items (B, N, D) of each group (B, N), groups counted from 0: Tokens (B, T, D)."""
    group = group.long().masked_fill(~mask, 0)
    count = int(group.max()) + 1 if group.numel() else 1
    weight = mask.to(items.dtype)
    index = group[..., None].expand_as(items)
    sums = items.new_zeros(items.shape[0], count, items.shape[2])
    sums = sums.scatter_add(1, index, items * weight[..., None])
    sizes = items.new_zeros(items.shape[0], count).scatter_add(1, group, weight)
    return Tokens(sums / sizes.clamp(min=1)[..., None], sizes > 0)


def sinusoid(position: Tensor, width: int, longest: float = 10_000.0) -> Tensor:
    """Sines and cosines of a real position (…) at `width` / 2 wavelengths: (…, width).

    Source: Vaswani et al. 2017, section 3.5.
    """
    half = width // 2
    rates = torch.exp(
        torch.arange(half, device=position.device) * (-math.log(longest) / max(half - 1, 1))
    )
    angles = position[..., None].float() * rates
    return torch.cat([angles.sin(), angles.cos()], dim=-1)
