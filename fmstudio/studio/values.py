"""Verbs about the values that a person may type: what an adapter expects, and what it was given."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from fmstudio import contracts
from fmstudio.errors import InputError
from fmstudio.run_config import BOOSTING
from fmstudio.studio.adapters import Adapters
from fmstudio.studio.context import Context
from fmstudio.types import Source

if TYPE_CHECKING:
    from fmstudio.prediction.expected import Expected
    from fmstudio.prediction.verdicts import Verdict

MOST_VALUES, LONGEST_VALUE = 20_000, 2_000


class Values:
    """What the fields of a form are, and whether what stands in them can be used."""

    def __init__(self, context: Context, adapters: Adapters) -> None:
        self._context = context
        self._adapters = adapters

    def reads(self, adapter_ref: str) -> list[str]:
        """The modalities that an adapter looks at: of boosted trees on tables these alone."""
        adapter = self._adapters.get(adapter_ref)
        everything = list(adapter.card.get("modalities") or ())
        if adapter.card.get("chosen") != BOOSTING:
            return everything
        config = self._adapters.folder(adapter.id) / "config.json"
        trees = json.loads(config.read_text(encoding="utf-8")).get("trees") or {}
        return [name for name in everything if name in trees]

    def expected(self, adapter_ref: str, modality: str) -> list[Expected]:
        """The named values of a table that an adapter knows, in the order of the training cohort's
        columns; none for any other kind of modality."""
        from fmstudio.prediction.expected import expectations

        card = self._adapters.get(adapter_ref).card
        learned = (card.get("table_columns") or {}).get(modality) or {}
        found = expectations(contracts.pipeline(modality), learned)
        columns = (card.get("columns") or {}).get(modality) or ()
        first = [name for name in self.feature_names(modality, columns) if name in found]
        return [found[name] for name in dict.fromkeys([*first, *found])]

    def feature_names(self, modality: str, columns: Collection[str]) -> list[str]:
        """Under which name each column's value is read: "Glucose (mg/dl)" as "Glucose"."""
        pipeline = contracts.pipeline(modality)
        if pipeline.kind != "table" or not columns:
            return list(columns)
        blank = [Source(name, text="") for name in columns]
        return list(pipeline.read(blank).facts["names"])

    def check_values(
        self, adapter_ref: str, modality: str, values: Mapping[str, str]
    ) -> dict[str, Verdict]:
        """What is to be said of each value as it was typed, by its name.

        Raises InputError for more or longer values than any form has.
        """
        from fmstudio.prediction.values import fields

        if len(values) > MOST_VALUES or any(len(v) > LONGEST_VALUE for v in values.values()):
            raise InputError(
                f"At most {MOST_VALUES} values of {LONGEST_VALUE} characters can be typed.",
                hint="Give them as a file.",
            )
        if not values:
            return {}
        expected = {one.name: one for one in self.expected(adapter_ref, modality)}
        typed = [Source(name, text=text) for name, text in values.items()]
        read = self._context.reader().read(modality, typed)
        found = fields(contracts.pipeline(modality), read, list(values.values()), expected)
        return dict(zip(values, found, strict=True))
