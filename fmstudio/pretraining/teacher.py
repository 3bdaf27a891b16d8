"""A language model that is at hand, as a teacher: texts in, its reading of them as numbers out."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib.metadata import files
from pathlib import Path

import torch

from fmstudio.errors import InputError

LONGEST = 256  # subwords of a text that the teacher reads at most


def packaged_folder(package: str, sha256: str) -> Path:
    """The folder of the weights that an installed package carries, without importing it.

    Raises InputError if it is not installed or its weights are not those of `sha256`.
    """
    found = [f for f in files(package) or () if f.name == "model.safetensors"]
    if not found:
        raise InputError(
            f"The package '{package}' carries no model.safetensors.",
            hint=f"Install it with pip install {package}.",
        )
    path = Path(str(found[0].locate()))
    return checked_folder(path.parent, sha256)


def checked_folder(folder: Path, sha256: str) -> Path:
    """The folder itself. Raises InputError if its weights are not those of `sha256`."""
    with (folder / "model.safetensors").open("rb") as file:
        here = hashlib.file_digest(file, "sha256").hexdigest()
    if here != sha256:
        raise InputError(
            f"The weights in '{folder.name}' have SHA-256 {here[:12]}…, not {sha256[:12]}….",
            hint="Use the published file that the recipe names.",
        )
    return folder


class Teacher:
    """A sentence encoder: the mean of its last tokens (Reimers & Gurevych 2019, Sentence-BERT)."""

    def __init__(self, folder: Path) -> None:
        from transformers import AutoModel, AutoTokenizer

        options = {"local_files_only": True, "trust_remote_code": False}
        self.tokenizer = AutoTokenizer.from_pretrained(folder, **options)
        self.model = AutoModel.from_pretrained(folder, use_safetensors=True, **options).eval()
        self.longest = min(LONGEST, self.model.config.max_position_embeddings)

    def words(self) -> list[str]:
        """Whole words of letters that it has a vector of its own for, the frequent first."""
        vocabulary = sorted(self.tokenizer.get_vocab().items(), key=lambda entry: entry[1])
        return [word for word, _ in vocabulary if word.isalpha() and len(word) > 2]

    @torch.inference_mode()
    def read(self, texts: Sequence[str]) -> torch.Tensor:
        """Unit vectors (n, width)."""
        given = self.tokenizer(
            list(texts), padding=True, truncation=True, max_length=self.longest, return_tensors="pt"
        )
        tokens = self.model(**given).last_hidden_state
        mask = given["attention_mask"][..., None].to(tokens.dtype)
        mean = (tokens * mask).sum(1) / mask.sum(1)
        return torch.nn.functional.normalize(mean, dim=-1)
