"""Verbs that judge adapters, from the answers to held-out patients that the registry keeps."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fmstudio import contracts
from fmstudio.errors import InputError, NotFound
from fmstudio.records import AdapterRecord
from fmstudio.studio import cohort_cases, deletion, frames, uploads
from fmstudio.studio.adapters import Adapters
from fmstudio.studio.context import Context
from fmstudio.studio.libraries import load_libraries
from fmstudio.studio.predictions import Predictions
from fmstudio.studio.projects import Projects
from fmstudio.studio.runs import Runs
from fmstudio.types import PatientCase

if TYPE_CHECKING:
    import pandas as pd

    from fmstudio.evaluation.labelled_predictions import HeldOut, Question
    from fmstudio.results import evaluation as results
    from fmstudio.results.thresholds import AtThreshold, DecisionCurve, Triage
    from fmstudio.studio.overlap import Overlap


class Evaluation:
    """Evaluations, comparisons, reports, and what the sliders of the page Evaluate ask."""

    def __init__(
        self,
        context: Context,
        projects: Projects,
        adapters: Adapters,
        runs: Runs,
        predictions: Predictions,
    ) -> None:
        self._context = context
        self._projects = projects
        self._adapters = adapters
        self._runs = runs
        self._predictions = predictions
        self._evaluating = threading.Lock()
        self._evaluations: dict[str, results.Evaluation] = {}  # by adapter
        context.when_let_go(self._forget)

    def held_out(self, ref: str) -> HeldOut:
        """An adapter's answers to its held-out patients: kept ones, else asked for and kept now.

        Raises NotFound for an imported adapter whose cohort is not here, InputError if the cohort's
        files have changed.
        """
        from fmstudio.evaluation.labelled_predictions import HeldOut

        kept = self._context.registry.held_out(self._adapters.get(ref).id)
        if kept is not None:
            return HeldOut.from_dict(kept)
        load_libraries()
        from fmstudio.prediction.for_evaluation import judge

        with self._in_use(ref) as adapter:
            predictor = self._predictions.predictor(adapter.id)  # a damaged adapter is named first
            found = judge(predictor, cohort_cases.held_out(self._context, adapter))
            self._context.registry.keep_held_out(adapter.id, found.as_dict())
        return found

    def evaluate(self, ref: str, manifest: Path | None = None) -> results.Evaluation:
        """An adapter evaluated on its held-out patients, or on the labelled
        cases of another manifest that it was not trained on, with thresholds from its validation
        patients. For a manifest, `overlap` says how many it was trained on (see overlap.py).

        Raises as `held_out` does; InputError for a manifest without labels, usable or new cases.
        """
        with self._in_use(ref) as adapter:
            conformal = self._adapters.contents(adapter).readout.conformal
            if manifest is not None:
                held, found = self._of_manifest(adapter, Path(manifest))
                return replace(
                    self._judge(adapter, held, conformal),
                    manifest=Path(manifest).name,
                    overlap=found.as_dict(),
                )
            with self._evaluating:  # two pages that open at once wait for one evaluation
                if adapter.id not in self._evaluations:
                    held = self.held_out(adapter.id)
                    self._evaluations[adapter.id] = self._judge(adapter, held, conformal)
                return self._evaluations[adapter.id]

    def frame(self, ref: str, manifest: Path | None = None) -> pd.DataFrame:
        """The metrics of `evaluate` as a table: each with the bounds of its 95 % interval."""
        return frames.of_metrics(self.evaluate(ref, manifest).metrics)

    @contextmanager
    def _in_use(self, ref: str) -> Iterator[AdapterRecord]:
        """An adapter that cannot be deleted meanwhile. Raises NotFound."""
        adapter_id = self._adapters.get(ref).id
        with deletion.answering(self._context.settings, adapter_id):
            yield self._adapters.get(adapter_id)  # again: it may have gone before it was marked

    def _judge(
        self, adapter: AdapterRecord, held: HeldOut, conformal: Mapping[str, Any]
    ) -> results.Evaluation:
        from fmstudio.evaluation.evaluation import judgement

        return judgement(adapter.id, held, conformal, adapter.card.get("learning_curve"))

    def _of_manifest(self, adapter: AdapterRecord, manifest: Path) -> tuple[HeldOut, Overlap]:
        """Answers to the labelled cases of a manifest that training has not seen, beside the
        adapter's validation patients, and what it has seen."""
        load_libraries()
        from fmstudio.evaluation.labelled_predictions import HeldOut
        from fmstudio.features.cache import Cache
        from fmstudio.prediction.for_evaluation import judge
        from fmstudio.studio.overlap import overlap, refuse_nothing_new

        cohort, roles = cohort_cases.read_cases(
            self._context, adapter, manifest, require_label=True
        )
        patients = cohort_cases.trained_patients(self._context, adapter, roles)
        found = overlap(cohort, self._adapters.folder(adapter.id), adapter.card, patients)
        refuse_nothing_new(manifest.name, found)
        cases = tuple(replace(case, split="test") for case in found.new)
        # These patients belong to no cohort, with which what is kept of them would be deleted.
        passing = uploads.temp_folder(self._context.settings)
        try:
            new = replace(cohort, cases=cases)
            held = judge(self._predictions.predictor(adapter.id), new, Cache(passing))
        finally:
            uploads.remove([passing])
        kept = self._context.registry.held_out(adapter.id)
        before = HeldOut.from_dict(kept).validation if kept else None
        return replace(held, validation=before), found

    def compare(self, refs: Sequence[str]) -> dict[str, Any]:
        """Adapters side by side on the held-out patients that all of them have, paired, with the
        simpler models that the first was compared with.

        Raises InputError if they do not answer the same question about some of the same cases.
        """
        from fmstudio.evaluation.comparison import comparison

        ids = list(dict.fromkeys(self._adapters.get(ref).id for ref in refs))
        return comparison({adapter: self.held_out(adapter) for adapter in ids})

    def case(self, ref: str, case_id: str) -> PatientCase:
        """A case that an adapter was judged on, with its files. Raises NotFound, or InputError if
        the cohort's files have changed."""
        adapter = self._adapters.get(ref)
        for case in cohort_cases.held_out(self._context, adapter).cases:
            if case.case_id == case_id and case.split != "train":
                return case
        raise NotFound(
            f"The adapter {adapter.id} was not evaluated on a case '{case_id}'.",
            hint="Choose a case from the page Evaluate.",
        )

    def question(self, ref: str, label: str | None = None) -> tuple[Question, Question | None]:
        """One yes-or-no question about held-out and validation patients. Raises InputError."""
        from fmstudio.evaluation.labelled_predictions import questions

        held = self.held_out(ref)
        found = {question.label: question for question in questions(held.task, held.test)}
        if not found or label not in {None, *found}:
            raise InputError(
                f"The adapter {ref} has no question '{label}'."
                if found
                else f"The adapter {ref} answers with a number: it has no threshold.",
                hint=f"Use one of: {', '.join(found)}." if found else "Choose another adapter.",
            )
        chosen = label or next(iter(found))
        before = questions(held.task, held.validation) if held.validation else ()
        return found[chosen], next((one for one in before if one.label == chosen), None)

    def at_threshold(
        self, ref: str, threshold: float, prevalence: float | None = None, label: str | None = None
    ) -> AtThreshold:
        """What a threshold does to held-out patients, at their or another prevalence."""
        from fmstudio.evaluation.operating_points import at_threshold

        return at_threshold(self.question(ref, label)[0], threshold, prevalence)

    def threshold_for(
        self,
        ref: str,
        target: str,
        value: float,
        prevalence: float | None = None,
        label: str | None = None,
    ) -> float | None:
        """The threshold at which validation patients reach a target, or None.

        `target` is sensitivity, specificity, ppv or npv. Without validation patients the held-out
        ones are used.
        """
        from fmstudio.evaluation.operating_points import threshold_for

        judged, before = self.question(ref, label)
        chosen_on = before if before is not None and before.both else judged
        return threshold_for(chosen_on, target, value, prevalence)

    def decision_curve(
        self, ref: str, prevalence: float | None = None, label: str | None = None
    ) -> DecisionCurve:
        """Net benefit on held-out patients at their or another prevalence."""
        from fmstudio.evaluation.decision_curve import decision_curve

        return decision_curve(self.question(ref, label)[0], prevalence)

    def triage(self, ref: str, ppv: float, npv: float, label: str | None = None) -> Triage:
        """Rule-in and rule-out with a promise on PPV and NPV."""
        from fmstudio.evaluation.triage import triage

        return triage(self.question(ref, label)[0], ppv, npv)

    def report(self, ref: str, folder: Path) -> list[Path]:
        """Write a report on an adapter into a folder: HTML, PDF, JSON, model card, figures.

        The files, the HTML first. Raises InputError if the folder cannot be written to, else as
        `evaluate` does.
        """
        from fmstudio.present.markdown import markdown
        from fmstudio.present.model_card import model_card
        from fmstudio.report.facts import Facts
        from fmstudio.report.write import write_report

        adapter = self._adapters.get(ref)
        project = self._projects.get(adapter.project_id)
        facts = Facts(
            self.evaluate(adapter.id),
            adapter,
            project,
            cohort_cases.training_cohort(self._context, adapter),
            None if adapter.run_id is None else self._runs.get(adapter.run_id),
            markdown(*model_card(adapter.card)),  # not README.md, which may be a stranger's
            {pipeline.name: pipeline.label for pipeline in contracts.pipelines().values()},
        )
        uploads.check_folder_of(folder)
        try:
            return write_report(facts, folder)
        except OSError as fault:
            raise InputError(
                f"The report cannot be written to '{folder.name}': {fault.strerror}.",
                hint="Choose another folder.",
            ) from fault

    def _forget(self, adapters: Collection[str]) -> None:
        for adapter in adapters:
            self._evaluations.pop(adapter, None)
