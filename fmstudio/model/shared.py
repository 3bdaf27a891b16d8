"""The shared model: an encoder per kind of data, one trunk over all tokens, one task head.

Shape letters: B cases, M modalities, R cases that have a modality, T tokens, D width, K outputs.

An absent modality gives no token that anything attends to, so a case gives the same answer alone
and in a mixed batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    PreTrainedModel,
)
from transformers.modeling_outputs import SequenceClassifierOutput

from fmstudio.contracts import discover
from fmstudio.encoders.batching import Batch, ModalityBatch
from fmstudio.encoders.blocks import Places, Stack, Tokens
from fmstudio.encoders.names import NameEmbedding, name_ids
from fmstudio.model.config import SharedModelConfig
from fmstudio.model.feature_layout import FeatureLayout, overview_size
from fmstudio.model.head import Features, TaskHead
from fmstudio.types import COLUMNS, SKETCH


@dataclass
class Started:
    """B cases on their way through the trunk, after its first `depth` blocks.

    `items` (S, D) are the tokens of all cases, one case after another, shorter ones first, with
    their `lengths` in that order; `owner` (S) says whose each is: case · M + modality. `before`
    (B, M, F - D) and `columns` (B, M, C) are what needs no trunk, of any value where `present`
    (B, M) is 0.
    """

    items: Tensor
    owner: Tensor
    before: Tensor
    columns: Tensor
    present: Tensor
    lengths: list[int]
    depth: int = 0


def summary(tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation over real tokens: two of (B, D). Zero where there are none."""
    weight = mask[..., None].to(tokens.dtype)
    count = weight.sum(1).clamp(min=1)
    mean = (tokens * weight).sum(1) / count
    variance = ((tokens - mean[:, None]) ** 2 * weight).sum(1) / count
    # The small constant keeps the root's slope finite where there is a single token.
    return mean, torch.sqrt(variance + 1e-6)


class SharedModel(PreTrainedModel):
    """Encoders → trunk → task head.

    What the head sees of a modality, in this order: the sketch that the input came with; the
    readings of its encoder, numbers that the base learned to read off its tokens (see
    `pretraining.readings`); the tokens of the whole input, one by one; mean and spread of the other
    tokens; mean of what the trunk makes of all. Where a modality has less of these than the most,
    zeros follow.
    """

    config_class = SharedModelConfig
    base_model_prefix = "shared"
    _no_split_modules = ("Block",)
    # PEFT still asks for this; transformers answers with a warning that it will be removed.
    is_gradient_checkpointing = False

    def __init__(self, config: SharedModelConfig) -> None:
        super().__init__(config)
        families = discover("fmstudio.encoders", "ENCODER")
        self.encoders = nn.ModuleDict()
        self.bridges = nn.ModuleDict()
        self.readings = nn.ModuleDict()
        for key, chosen in config.encoders.items():
            self.add_encoder(key, families[chosen["family"]].network(chosen["config"]))
        self.modality_name = NameEmbedding(config.width)
        self.trunk = Stack(config.width, config.heads, config.depth)
        trees = {config.modalities.index(name): shape for name, shape in config.trees.items()}
        features = FeatureLayout.of(config).features
        self.task_head = TaskHead(len(config.routes), features, config.outputs, trees)
        self.post_init()

    @classmethod
    def from_pretrained(cls, *given: Any, **options: Any) -> SharedModel:
        """As in transformers, with every tensor in memory of its own.

        Tensors mapped from a file may lie at any address, and matrix products differ in the last
        bit with the alignment of what they multiply.
        """
        model: SharedModel = super().from_pretrained(*given, **options)
        with torch.no_grad():
            for tensor in (*model.parameters(), *model.buffers()):
                tensor.data = tensor.data.clone()
        return model

    def add_encoder(self, key: str, network: nn.Module) -> None:
        """Places the network of an entry of `config.encoders`, and its bridge to the trunk's width.

        An embedded encoder was trained for this trunk; a checkpoint was not, so even of the same
        width it needs a bridge, which is all zero until it is fitted.
        """
        self.encoders[key] = network
        if count := sum(self.config.encoders[key].get("readings", {}).values()):
            self.readings[key] = nn.Linear(overview_size(self.config, key), count)
        foreign = "checkpoint" in self.config.encoders[key]
        if network.width == self.config.width and not foreign:
            self.bridges[key] = nn.Identity()
            return
        self.bridges[key] = bridge = nn.Linear(network.width, self.config.width)
        if foreign:
            nn.init.zeros_(bridge.weight)
            nn.init.zeros_(bridge.bias)

    @property
    def checkpoints(self) -> list[str]:
        """The keys of the encoders that are kept checkpoints."""
        return [key for key, chosen in self.config.encoders.items() if "checkpoint" in chosen]

    def train(self, mode: bool = True) -> SharedModel:
        """As in torch, but checkpoints stay as they answer: their dropout, layer drop and masking
        were for pretraining, and draw random numbers that a resumed run would not draw again."""
        super().train(mode)
        for key in self.checkpoints:
            self.encoders[key].eval()
        return self

    def _init_weights(self, module: nn.Module) -> None:
        """A head that no file holds starts at zero; other layers keep torch's initial values."""
        if isinstance(module, TaskHead):
            for name, values in (*module.named_parameters(), *module.named_buffers()):
                nn.init.constant_(values, 1.0 if name == "scale" else 0.0)

    @property
    def modalities(self) -> list[str]:
        """The modalities that this model takes, in the order of its features."""
        return self.config.modalities

    def encode(self, modality: str, given: ModalityBatch) -> Tokens:
        """What its encoder makes of one modality: tokens (R, T, width of the encoder)."""
        if "tokens" in given.arrays:
            return Tokens(given.arrays["tokens"], given.mask)
        return self.encoders[self.config.routes[modality]](given.arrays, given.mask)

    def tokens(self, modality: str, given: ModalityBatch) -> Tokens:
        """The same in the trunk's width: (R, T, D)."""
        encoded = self.encode(modality, given)
        bridge = self.bridges[self.config.routes[modality]]
        return Tokens(bridge(encoded.values), encoded.mask)

    def start(self, batch: Batch) -> Started:
        """All modalities through their encoders, to where the trunk begins."""
        device, count = self.task_head.bias.device, len(self.modalities)
        layout = FeatureLayout.of(self.config)
        named = self.modality_name(torch.from_numpy(name_ids(self.modalities)).to(device))
        items, owners = [], []
        before = torch.zeros(batch.size, count, layout.before_trunk, device=device)
        columns = torch.zeros(batch.size, count, layout.column_count, device=device)
        present = torch.zeros(batch.size, count, device=device)
        for index, modality in enumerate(self.modalities):
            if modality not in batch.modalities:
                continue
            given = batch.modalities[modality]
            tokens = self.tokens(modality, given)
            encoded = self._before(modality, tokens).to(before.dtype)
            before[given.rows, index, layout.readings.start :] = encoded
            if size := self.config.sketches.get(modality):
                before[given.rows, index, :size] = given.arrays[SKETCH][:, 0].to(before.dtype)
            present[given.rows, index] = 1.0
            if width := self.config.columns.get(modality):
                columns[given.rows, index, :width] = given.arrays[COLUMNS][:, 0]
            there = tokens.mask.flatten().nonzero().squeeze(1)
            items.append((tokens.values + named[index]).flatten(0, 1).index_select(0, there))
            owners.append(given.rows[there // tokens.mask.shape[1]] * count + index)
        owner = torch.cat(owners)
        lengths = torch.bincount(owner // count, minlength=batch.size)
        order = lengths.argsort(stable=True)
        rank = order.argsort()
        packed = (rank[owner // count] * count + owner % count).argsort(stable=True)
        return Started(
            torch.cat(items).index_select(0, packed),
            owner[packed],
            before,
            columns,
            present,
            lengths[order].tolist(),
        )

    def features(self, given: Batch | Started) -> Features:
        """All modalities through encoders and trunk: features (B, M, F)."""
        started = self.start(given) if isinstance(given, Batch) else given
        places = Places(started.lengths, started.items.device)
        mixed = self.trunk.upper(started.items, places, started.depth)
        size, count = started.present.shape
        index = started.owner[:, None].expand_as(mixed)
        sums = mixed.new_zeros(size * count, mixed.shape[1]).scatter_add(0, index, mixed)
        sizes = torch.bincount(started.owner, minlength=size * count).clamp(min=1)
        means = (sums / sizes[:, None]).unflatten(0, (size, count))
        values = torch.cat([started.before, means], -1)
        return Features(values, started.present, started.columns)

    def _before(self, modality: str, tokens: Tokens) -> Tensor:
        """What encoders make of the features (R, F - S - D) that are there before any modality has
        heard of another."""
        key = self.config.routes[modality]
        whole, both = self.overview(key, tokens)
        read = both.new_zeros(len(both), self.config.readings)
        if key in self.readings:
            found = self.readings[key](torch.cat([whole, both], -1))
            read = functional.pad(found, (0, self.config.readings - found.shape[1]))
        missing = self.config.whole * self.config.width - whole.shape[1]
        return torch.cat([read, functional.pad(whole, (0, missing)), both], -1)

    def overview(self, key: str, tokens: Tokens) -> tuple[Tensor, Tensor]:
        """Of an encoder's tokens those of the whole input, one after another (R, W · D), and mean
        and spread of the others (R, 2 · D)."""
        count = self.config.whole_tokens(key)
        rest = summary(tokens.values[:, count:], tokens.mask[:, count:])
        return tokens.values[:, :count].flatten(1), torch.cat(rest, -1)

    def forward(
        self, inputs: Batch | Started | None = None, **unused: Any
    ) -> SequenceClassifierOutput:
        """Logits (B, K) of a batch.

        `unused` are the arguments of text models that PEFT's wrapper passes on.
        """
        if inputs is None:
            raise ValueError("SharedModel takes inputs=Batch or Started")
        return SequenceClassifierOutput(logits=self.task_head(self.features(inputs)))


AutoConfig.register("fmstudio", SharedModelConfig)
AutoModelForSequenceClassification.register(SharedModelConfig, SharedModel)
