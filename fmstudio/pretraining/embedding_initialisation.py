"""A text encoder's vectors of subwords, started from what a language model reads in each alone.

The language model's vectors of all subwords, in their main directions, already tell related words
apart from others (as in Model2Vec: Tulkens & van Dongen 2024); training goes on from there. Rare
subwords weigh more at first, by Zipf's law from their place in the vocabulary.
"""

from __future__ import annotations

from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from fmstudio.encoders.subwords import SubwordNetwork
from fmstudio.pretraining.teacher import Teacher

BATCH = 256


def start_from_words(network: nn.Module, tokenizer: Path, teacher: Teacher) -> None:
    """Sets the subwords' vectors and weights of `network`."""
    if not isinstance(network, SubwordNetwork):
        raise TypeError(f"{type(network).__name__} has no vectors of subwords.")
    words = Tokenizer.from_file(str(tokenizer))
    strings = [words.decode([index]) for index in range(words.get_vocab_size())]
    vectors = _read(strings, teacher)
    size = network.table.weight.shape[1]
    centred = vectors - vectors.mean(0)
    _, _, directions = torch.linalg.svd(centred, full_matrices=False)
    turned = centred @ directions[:size].T
    turned = torch.nn.functional.pad(turned, (0, size - turned.shape[1]))
    place = torch.arange(len(strings), dtype=torch.float32)
    with torch.no_grad():
        network.table.weight[: len(strings)] = turned / turned.std()
        network.weigh.weight[: len(strings), 0] = (1 + place.log1p()).log()


def _read(strings: list[str], teacher: Teacher) -> Tensor:
    """The teacher's vectors (n, its width), short strings beside short ones."""
    order = sorted(range(len(strings)), key=lambda index: len(strings[index]))
    rows: list[Tensor | None] = [None] * len(strings)
    for start in range(0, len(order), BATCH):
        part = order[start : start + BATCH]
        for index, row in zip(part, teacher.read([strings[i] for i in part]), strict=True):
            rows[index] = row
    return torch.stack([row for row in rows if row is not None]).clone()
