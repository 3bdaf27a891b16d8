"""Verbs that look at cases and answer them."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from fmstudio import contracts
from fmstudio.errors import InputError, ReadOnlyRegistry, ResourceError
from fmstudio.records import AdapterRecord, PredictionRecord
from fmstudio.studio import batch, cohort_cases, deletion, frames
from fmstudio.studio.adapters import Adapters
from fmstudio.studio.context import Context
from fmstudio.types import PatientCase, Prediction, Preview, Source

if TYPE_CHECKING:
    import pandas as pd

    from fmstudio.prediction.predictor import Predictor

log = logging.getLogger(__name__)

Sources = Mapping[str, Sequence[Source]]


class Predictions:
    """Previews and predictions."""

    def __init__(self, context: Context, adapters: Adapters) -> None:
        self._context = context
        self._adapters = adapters

    def preview(
        self, modality: str, sources: Sequence[Source], adapter_ref: str | None = None
    ) -> Preview:
        """A picture of one input for a person to judge, with an adapter read as this reads it.

        Raises UnreadableFile.
        """
        if adapter_ref is not None:
            sources = named(modality, sources, self._adapters.get(adapter_ref))
        return self._context.reader().preview(modality, sources)

    def predictor(self, ref: str) -> Predictor:
        """The loaded model of an adapter; the most recent ones stay in memory."""
        adapter = self._adapters.get(ref)
        return self._predictor(adapter)

    def _predictor(self, adapter: AdapterRecord) -> Predictor:
        folder = self._adapters.folder(adapter.id)
        return self._context.loaded.predictor(adapter.id, folder, adapter.sealed)

    def predict(
        self, adapter_ref: str, sources: Sources, case_id: str = "case", must_keep: bool = False
    ) -> Prediction:
        """The answer to one case, which is also registered: case id, hashes of its files, output.

        Where it cannot be registered, as on a full disk, it says so among its warnings, or with
        `must_keep` that is raised. Raises InputError for no input or an unknown modality,
        UnreadableFile for a bad file.
        """
        from fmstudio.cohort import file_hashes

        adapter = self._adapters.get(adapter_ref)
        given = {contracts.pipeline(m).name: named(m, s, adapter) for m, s in sources.items() if s}
        if not given:
            raise InputError(
                "Nothing was given to predict from.", hint="Give at least one file or value."
            )
        moment = self._context.registry.project(adapter.project_id).task.moment
        if moment is not None:
            given = {m: _until(sources, moment) for m, sources in given.items()}
        with deletion.answering(self._context.settings, adapter.id):
            prediction = self._predictor(adapter).predict(given, case_id)
        hashes = file_hashes(PatientCase(case_id, case_id, given))
        kept = (prediction.adapter, case_id, hashes, prediction.as_dict())
        try:
            self._context.registry.add_prediction(*kept)
        except (ReadOnlyRegistry, ResourceError) as fault:  # the answer is right all the same
            if must_keep:
                raise
            log.warning("An answer was not kept: %s", fault.message)
            unkept = f"This answer is not kept in the registry. {fault.message}"
            return replace(prediction, warnings=(*prediction.warnings, unkept))
        return prediction

    def predict_manifest(self, adapter_ref: str, manifest: Path, out: Path) -> int:
        """Predict every case of a manifest into a CSV file; the number of rows written.

        A case that cannot be read has the reason in its `error` and does not stop the others.
        """
        adapter = self._adapters.get(adapter_ref)
        cases, _ = cohort_cases.read_cases(
            self._context, adapter, Path(manifest), require_label=False
        )
        predict = partial(self.predict, adapter.id, must_keep=True)
        with deletion.answering(self._context.settings, adapter.id):
            return batch.predict_to_csv(predict, self._context.settings, cases, Path(out))

    def frame(self, adapter_ref: str, manifest: Path) -> pd.DataFrame:
        """Predict every case of a manifest into a table of the columns of `predict_manifest`.

        A case that cannot be read has the reason in its `error` and does not stop the others.
        """
        adapter = self._adapters.get(adapter_ref)
        cases, _ = cohort_cases.read_cases(
            self._context, adapter, Path(manifest), require_label=False
        )
        with deletion.answering(self._context.settings, adapter.id):
            rows = batch.rows(partial(self.predict, adapter.id), cases)
            return frames.of_predictions(rows, batch.columns(cases.task))

    def list(
        self, adapter_ref: str | None = None, limit: int = 100, before: int | None = None
    ) -> list[PredictionRecord]:
        """The newest predictions, newest first; where given, of one adapter, before another."""
        adapter_id = None if adapter_ref is None else self._adapters.get(adapter_ref).id
        return self._context.registry.predictions(adapter_id, limit, before)


def _until(sources: Sequence[Source], hours: float) -> tuple[Source, ...]:
    return tuple(s if s.path is None else replace(s, until=hours * 3600) for s in sources)


def named(modality: str, sources: Sequence[Source], adapter: AdapterRecord) -> tuple[Source, ...]:
    """The sources of a modality under the names that the adapter knows.

    A file that was given without its column belongs to the only column that the training cohort
    had for the modality; where it had several, the name stays as it is. Files are read as a person
    said of those of the training cohort.
    """
    from fmstudio.cohort.answers import with_answers

    sources = with_answers(modality, sources, adapter.card.get("answers", {}))
    columns = adapter.card.get("columns", {}).get(modality, ())
    if len(columns) != 1:
        return tuple(sources)
    return tuple(s if s.path is None else replace(s, name=columns[0]) for s in sources)
