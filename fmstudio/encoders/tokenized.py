"""Text with a checkpoint's own tokenizer, and its states as tokens: what text families share."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import BertWordPieceTokenizer, Tokenizer
from torch import Tensor

from fmstudio.encoders.architectures import CheckpointNetwork, refuse_code
from fmstudio.encoders.blocks import Tokens
from fmstudio.encoders.hashed_subwords import sketch_of
from fmstudio.encoders.token_pooling import text_tokens
from fmstudio.errors import InputError
from fmstudio.types import SKETCH, ModalityInput, Prepared, to_json

FAST = ("tokenizer.json",)
WORD_PIECES = ("vocab.txt", "tokenizer_config.json")
SKETCH_SIZE = 512
LONGEST = 2048  # subwords: attention over more takes minutes a text on a CPU


def _tokenizer(folder: Path) -> tuple[Tokenizer, str]:
    """The tokenizer in a folder and the SHA-256 of its files. Raises InputError."""
    names = FAST if (folder / FAST[0]).is_file() else WORD_PIECES
    contents = tuple((folder / name).read_bytes() for name in names)
    try:
        return _parsed(contents), hashlib.sha256(b"".join(contents)).hexdigest()
    except InputError:
        raise
    # tokenizers raises a bare Exception for what it cannot read.
    except Exception as wrong:
        raise InputError(
            f"{names[0]} is not a tokenizer: {str(wrong)[:120]}", hint="Download it again."
        ) from wrong


@lru_cache(maxsize=4)
def _parsed(contents: tuple[bytes, ...]) -> Tokenizer:
    """A tokenizer from the contents of FAST or WORD_PIECES."""
    if len(contents) == 1:
        made = Tokenizer.from_str(contents[0].decode())
    else:
        given = json.loads(contents[1])
        refuse_code(given, WORD_PIECES[1])
        words = contents[0].decode().splitlines()
        made = BertWordPieceTokenizer(
            {word: number for number, word in enumerate(words)},
            lowercase=bool(given.get("do_lower_case", True)),
            strip_accents=given.get("strip_accents"),
            handle_chinese_chars=bool(given.get("tokenize_chinese_chars", True)),
        )._tokenizer
    # Files keep how their texts were cut and filled up when they were saved.
    made.no_truncation()
    made.no_padding()
    return made


@dataclass(frozen=True)
class Tokenized:
    """Prepares text with the checkpoint's tokenizer, its special tokens included."""

    tokenizer: Tokenizer
    sha256: str
    longest: int

    @property
    def key(self) -> str:
        """Changes with the tokenizer and the checkpoint's positions."""
        return to_json(["tokenized", 2, SKETCH_SIZE, self.longest, self.sha256])

    def prepare(self, given: ModalityInput) -> Prepared:
        """Arrays of N subwords: id; and the sketch of all that the text has. Texts beyond the
        positions keep their first and last part."""
        ids = self.tokenizer.encode(str(given.values)).ids
        sketched = sketch_of(ids, SKETCH_SIZE)[None]
        remarks: tuple[str, ...] = ()
        if len(ids) > self.longest:
            share = 1 - self.longest / len(ids)
            remarks = (f"The text is long: {share:.0%} of it, in the middle, was left out.",)
            half = self.longest // 2
            ids = ids[: self.longest - half] + ids[-half:]
        return Prepared({"id": np.array(ids, np.int32), SKETCH: sketched}, remarks)


def tokenized(folder: Path, vocabulary: int, positions: int) -> Tokenized:
    """The preparer of a checkpoint with so many embeddings and positions.

    Raises InputError if its tokenizer has subwords that the model has no embedding for.
    """
    tokenizer, sha256 = _tokenizer(folder)
    size = max(tokenizer.get_vocab(with_added_tokens=True).values(), default=0) + 1
    if size > vocabulary:
        raise InputError(
            f"The tokenizer has {size} subwords and the model embeddings for {vocabulary}.",
            hint="Tokenizer and config.json do not belong together: download the checkpoint again.",
        )
    return Tokenized(tokenizer, sha256, min(positions, LONGEST))


class TextNetwork(CheckpointNetwork):
    """Subword ids (B, N) to tokens of consecutive subwords; `last_alone`: the last is its own."""

    last_alone = False
    options: Mapping[str, Any] = {}

    def forward(self, arrays: dict[str, Tensor], mask: Tensor) -> Tokens:
        """Ids to at most 16 tokens a case."""
        # Some models count positions by what is not their padding subword.
        padding = getattr(self.model.config, "pad_token_id", None) or 0
        ids = arrays["id"].long().masked_fill(~mask, padding)
        made = self.model(input_ids=ids, attention_mask=mask.long(), **self.options)
        return text_tokens(made.last_hidden_state, mask, self.last_alone)
