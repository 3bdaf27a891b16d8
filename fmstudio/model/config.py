"""What the shared model is made of, as JSON: sizes, encoders, which modality goes to which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from transformers import PretrainedConfig


class SharedModelConfig(PretrainedConfig):
    """What the model is made of. JSON, saved beside base and adapter.

    `readings`: the most numbers that any encoder's readings have; an encoder's own "readings" are
    how many it has of each group. `whole`: the most tokens that any encoder makes of the whole
    input; an encoder's own are in its config.

    `sketches`: {modality: numbers of the sketch that its cases come with}, where they have one.

    `columns`: {modality: how many columns its cases have as a row}, and `trees`: {modality: number
    of trees on them in the task head, and of nodes of each}, where there are any.

    `encoders`: {key: {"family": …, "config": {…}}}, and "checkpoint": {…} where it is one that was
    added to this machine and no part of the base; `routes`: {modality: key of its encoder};
    `modalities`: their order in trunk and head, kept apart because transformers sorts the keys of
    what it saves; `outputs`: K.
    """

    model_type = "fmstudio"

    def __init__(
        self,
        width: int = 256,
        heads: int = 4,
        depth: int = 4,
        encoders: Mapping[str, Any] | None = None,
        routes: Mapping[str, str] | None = None,
        modalities: Sequence[str] = (),
        outputs: int = 1,
        readings: int = 0,
        whole: int = 0,
        sketches: Mapping[str, int] | None = None,
        columns: Mapping[str, int] | None = None,
        trees: Mapping[str, Sequence[int]] | None = None,
        **rest: Any,
    ) -> None:
        self.width, self.heads, self.depth = width, heads, depth
        self.readings = readings
        self.whole = whole
        self.sketches = dict(sketches or {})
        self.columns = dict(columns or {})
        self.trees = {modality: list(shape) for modality, shape in (trees or {}).items()}
        self.encoders = dict(encoders or {})
        self.routes = dict(routes or {})
        self.modalities = list(modalities or self.routes)
        self.outputs = outputs
        super().__init__(**rest)

    def whole_tokens(self, key: str) -> int:
        """How many tokens an encoder makes of the whole input."""
        return int(self.encoders[key]["config"].get("whole", 0))
