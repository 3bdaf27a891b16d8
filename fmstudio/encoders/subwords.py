"""Embedded encoder for text: subwords of any language -> transformer -> tokens.

Byte-level pair encoding (Sennrich et al. 2016; bytes after Radford et al. 2019) has no unknown
word: a script that the tokenizer never saw falls back to its bytes.

Three tokens stand for the whole text, whose words would drown in what a transformer makes of them:
the weighted mean of the subwords' vectors, and a sketch of which subwords there are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional

from fmstudio.encoders.blocks import STACK_TARGETS, EncoderNetwork, sinusoid
from fmstudio.encoders.hashed_subwords import sketch
from fmstudio.types import ModalityInput, Prepared, to_json

MAX_SUBWORDS = 512
MAX_TOKENS = 16
SKETCH_TOKENS = 2


@lru_cache(maxsize=4)
def _tokenizer(path: Path) -> tuple[Tokenizer, str]:
    content = path.read_bytes()
    return Tokenizer.from_str(content.decode()), hashlib.sha256(content).hexdigest()


@dataclass(frozen=True)
class Subwords:
    """Prepares text with the tokenizer of the checkpoint."""

    path: Path

    @cached_property
    def key(self) -> str:
        """Changes with the tokenizer."""
        return to_json(["subwords", 1, MAX_SUBWORDS, MAX_TOKENS, _tokenizer(self.path)[1]])

    def prepare(self, given: ModalityInput) -> Prepared:
        """Arrays of N subwords: id, place, group. Long texts keep their first and last part."""
        ids = _tokenizer(self.path)[0].encode(str(given.values)).ids
        remarks: tuple[str, ...] = ()
        if len(ids) > MAX_SUBWORDS:
            share = 1 - MAX_SUBWORDS / len(ids)
            remarks = (f"The text is long: {share:.0%} of it, in the middle, was left out.",)
            ids = ids[: MAX_SUBWORDS // 2] + ids[-MAX_SUBWORDS // 2 :]
        count = len(ids)
        size = max(1, -(-count // MAX_TOKENS))
        place = np.arange(count)
        return Prepared(
            {
                "id": np.array(ids, np.int32),
                "place": place.astype(np.float32),
                "group": (place // size).astype(np.int32),
            },
            remarks,
        )


class SubwordNetwork(EncoderNetwork):
    """Subword ids (B, N) to tokens."""

    whole = 1 + SKETCH_TOKENS

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__(config["width"], config["heads"], config["depth"])
        self.width = config["width"]
        self.table = nn.Embedding(config["vocabulary"], self.width)
        self.weigh = nn.Embedding(config["vocabulary"], 1)
        nn.init.zeros_(self.weigh.weight)
        self.place = nn.Linear(64, self.width)

    def embed(self, arrays: dict[str, Tensor]) -> Tensor:
        """(B, N) to (B, N, D)."""
        place = self.place(sinusoid(arrays["place"], 64, longest=512.0))
        return self.table(arrays["id"].long()) + place

    def overview(self, arrays: dict[str, Tensor], mask: Tensor) -> Tensor:
        """(B, N) to (B, 3, D): the weighted mean of the subwords' vectors, and their sketch.

        A subword that comes c times counts log(1 + c) (Salton & Buckley 1988).
        """
        ids = arrays["id"].long()
        same = (ids[:, :, None] == ids[:, None, :]) & mask[:, None, :]
        count = same.sum(2).clamp(min=1).to(self.table.weight.dtype)
        share = mask * count.log1p() / count
        weight = share * self.weigh(ids)[..., 0].exp()
        mean = torch.einsum("bn,bnd->bd", weight, self.table(ids))
        mean = functional.normalize(mean, dim=-1) * self.width**0.5
        sketched = sketch(ids, share, SKETCH_TOKENS * self.width)
        return torch.cat([mean[:, None], sketched.unflatten(1, (SKETCH_TOKENS, -1))], 1)


class SubwordEncoder:
    """The embedded family for text."""

    name = "subwords"
    kind = "text"
    fits = False
    embedded = True

    def default(self) -> dict[str, Any]:
        """Config of the embedded base."""
        shape = {"width": 256, "heads": 4, "depth": 4, "vocabulary": 16384}
        return shape | {"whole": SubwordNetwork.whole}

    def fit(self, inputs: Iterable[ModalityInput]) -> dict[str, Any]:
        """Nothing to learn: the tokenizer comes with the base."""
        return {}

    def preparer(
        self, config: Mapping[str, Any], folder: Path, state: Mapping[str, Any]
    ) -> Subwords:
        """With the tokenizer in `folder`."""
        return Subwords(folder / "tokenizer.json")

    def network(self, config: Mapping[str, Any]) -> SubwordNetwork:
        """The network of one checkpoint."""
        return SubwordNetwork(config)

    def targets(self, config: Mapping[str, Any]) -> str:
        """The attention's queries and values."""
        return STACK_TARGETS


ENCODER = SubwordEncoder()
