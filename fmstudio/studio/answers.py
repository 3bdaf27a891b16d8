"""Verbs that look at cases and answer them."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from fmstudio import contracts
from fmstudio.errors import InputError, ReadOnlyRegistry, ResourceError
from fmstudio.records import AdapterRecord, PredictionRecord
from fmstudio.studio import batch, cohort_cases, deletion
from fmstudio.studio.values import Values
from fmstudio.types import PatientCase, Prediction, Preview, Source

if TYPE_CHECKING:
    from fmstudio.prediction.predictor import Predictor

log = logging.getLogger(__name__)

Sources = Mapping[str, Sequence[Source]]


class Answers(Values):
    """Previews and predictions."""

    def pipelines(self) -> list[contracts.Pipeline]:
        """One pipeline per modality, in the order of the pages."""
        return list(contracts.pipelines().values())

    def preview(
        self, modality: str, sources: Sequence[Source], adapter_ref: str | None = None
    ) -> Preview:
        """A picture of one input for a person to judge, with an adapter read as this reads it.

        Raises UnreadableFile.
        """
        if adapter_ref is not None:
            sources = named(modality, sources, self.adapter(adapter_ref))
        return self.reader().preview(modality, sources)

    def predictor(self, ref: str) -> Predictor:
        """The loaded model of an adapter; the most recent ones stay in memory."""
        adapter = self.adapter(ref)
        return self._predictor(adapter)

    def _predictor(self, adapter: AdapterRecord) -> Predictor:
        folder = self.adapter_folder(adapter.id)
        return self._loaded.predictor(adapter.id, folder, adapter.sealed)

    def predict(
        self, adapter_ref: str, sources: Sources, case_id: str = "case", must_keep: bool = False
    ) -> Prediction:
        """The answer to one case, which is also registered: case id, hashes of its files, output.

        Where it cannot be registered, as on a full disk, it says so among its warnings, or with
        `must_keep` that is raised. Raises InputError for no input or an unknown modality,
        UnreadableFile for a bad file.
        """
        from fmstudio.cohort import file_hashes

        adapter = self.adapter(adapter_ref)
        given = {contracts.pipeline(m).name: named(m, s, adapter) for m, s in sources.items() if s}
        if not given:
            raise InputError(
                "Nothing was given to predict from.", hint="Give at least one file or value."
            )
        moment = self.registry.project(adapter.project_id).task.moment
        if moment is not None:
            given = {m: _until(sources, moment) for m, sources in given.items()}
        with deletion.answering(self.settings, adapter.id):
            prediction = self._predictor(adapter).predict(given, case_id)
        hashes = file_hashes(PatientCase(case_id, case_id, given))
        kept = (prediction.adapter, case_id, hashes, prediction.as_dict())
        try:
            self.registry.add_prediction(*kept)
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
        adapter = self.adapter(adapter_ref)
        cases, _ = cohort_cases.read_cases(self, adapter, Path(manifest), require_label=False)
        with deletion.answering(self.settings, adapter.id):
            return batch.predict_to_csv(self, adapter, cases, Path(out))

    def predictions(
        self, adapter_ref: str | None = None, limit: int = 100, before: int | None = None
    ) -> list[PredictionRecord]:
        """The newest predictions, newest first; where given, of one adapter, before another."""
        adapter_id = None if adapter_ref is None else self.adapter(adapter_ref).id
        return self.registry.predictions(adapter_id, limit, before)


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
