"""Studio: one method per thing that a person can do. Heavy packages are imported inside verbs."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from fmstudio import contracts
from fmstudio.errors import InputError, NotFound
from fmstudio.records import (
    AdapterRecord,
    CohortRecord,
    Point,
    PredictionRecord,
    ProjectRecord,
    RunRecord,
)
from fmstudio.settings import Settings, load_settings
from fmstudio.studio import batch, cohorts, exchange, uploads
from fmstudio.studio.loaded import Loaded
from fmstudio.studio.names import check_alias, check_project_name, new_task
from fmstudio.studio.sample import Sample, make_sample, read_sample
from fmstudio.studio.waiting import wait
from fmstudio.training.config import PRESETS, RunConfig
from fmstudio.types import Cohort, PatientCase, Prediction, Preview, Source

if TYPE_CHECKING:
    from fmstudio.cohort import ColumnRole
    from fmstudio.model.bases import BaseInfo
    from fmstudio.prediction.predictor import Predictor
    from fmstudio.registry import Registry
    from fmstudio.sandbox import Reader
    from fmstudio.training.estimate import Estimate

Sources = Mapping[str, Sequence[Source]]


class Studio:
    """One open home folder. Verbs may be called from several threads.

    User faults raise a StudioError; anything else that is raised is a fault of ours.
    """

    def __init__(self, settings: Settings, registry: Registry) -> None:
        self.settings = settings
        self.registry = registry
        self._loaded = Loaded(settings)
        self._warm = threading.Event()

    @classmethod
    def open(cls, home: str | os.PathLike[str] | None = None) -> Studio:
        """The studio of a home folder (see `load_settings`), its registry brought up to date."""
        from fmstudio import runs
        from fmstudio.registry import Registry

        settings = load_settings(home)
        registry = Registry.open(settings)
        runs.reconcile(settings, registry)
        return cls(settings, registry)

    def close(self) -> None:
        """End the reading processes and let go of models and registry."""
        self._loaded.close()
        self.registry.close()

    def __enter__(self) -> Studio:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self.close()

    # ---- projects ----------------------------------------------------------------------------

    def create_project(
        self, name: str, task: str, label: str | Sequence[str] | None = None,
        positive: str | None = None, describe: str = "", sample: bool = False,
    ) -> ProjectRecord:  # fmt: skip
        """A new project. Labels are fixed when its first cohort is added.

        `label` names the manifest's label column, for multilabel several. Raises InputError.
        """
        spec = new_task(task, label, positive, describe)
        return self.registry.create_project(check_project_name(name), spec, sample=sample)

    def projects(self) -> list[ProjectRecord]:
        """All projects, oldest first."""
        return self.registry.projects()

    def project(self, ref: str | int) -> ProjectRecord:
        """A project by name or id. Raises NotFound."""
        return self.registry.project(ref)

    def delete_project(self, ref: str | int) -> None:
        """Delete a project with its cohorts, runs, adapters and their files.

        Raises InputError while one of its runs is live. Files outside the home folder stay.
        """
        project = self.project(ref)
        doomed = [self.adapter_folder(a.id) for a in self.adapters(project.id)]
        doomed += [self.settings.folder("runs") / run.id for run in self.runs(project.id)]
        doomed += cohorts.kept_folders(self.settings, self.registry.cohorts(project.id))
        self.registry.delete_project(project.id)
        uploads.remove(doomed)

    # ---- cohorts -----------------------------------------------------------------------------

    def propose_roles(
        self, manifest: Path, label: str | Sequence[str] | None = None
    ) -> list[ColumnRole]:
        """What each column of a manifest seems to be, with the reason. Raises InputError."""
        from fmstudio.cohort import propose_roles, read_manifest

        return propose_roles(read_manifest(Path(manifest)), label)

    def add_cohort(
        self, project: str | int, manifest: Path, roles: Mapping[str, str] | None = None,
        name: str | None = None, copy: bool = False,
    ) -> CohortRecord:  # fmt: skip
        """Read, check and register a manifest; the project's labels are fixed by its first one.

        `roles` override what is proposed. With `copy` the folder of the manifest is kept below
        home, for uploads that will be swept away. Raises InputError, and then nothing is kept.
        """
        return cohorts.add(
            self.settings, self.registry, self.project(project), Path(manifest), roles or {},
            name, copy, self.reader(),
        )  # fmt: skip

    def unpack_upload(self, archive: Path) -> Path:
        """Unpack a ZIP of a manifest and its files; the path of the manifest in a temp folder."""
        return uploads.unpack(Path(archive), self.settings)

    def cohort(self, project: str | int) -> CohortRecord | None:
        """The project's newest cohort, or None."""
        found = self.registry.cohorts(self.project(project).id)
        return max(found, key=lambda record: record.id, default=None)

    def cohort_report(self, project: str | int) -> dict[str, Any]:
        """What was found in the newest cohort when it was added: the JSON of `cohort report`."""
        return dict(self._newest_cohort(project).summary)

    def cases(self, project: str | int) -> tuple[PatientCase, ...]:
        """The cases of the newest cohort, in the manifest's order.

        Raises InputError if the files have changed since it was added.
        """
        return self._cases_of(self.project(project), self._newest_cohort(project)).cases

    def _newest_cohort(self, project: str | int) -> CohortRecord:
        record = self.cohort(project)
        if record is None:
            name = self.project(project).name
            raise NotFound(
                f"The project '{name}' has no cohort yet.", hint="Add a manifest of cases first."
            )
        return record

    def _cases_of(self, project: ProjectRecord, record: CohortRecord) -> Cohort:
        return cohorts.load(self.settings, project, record)

    # ---- runs --------------------------------------------------------------------------------

    def bases(self) -> list[BaseInfo]:
        """The base models at hand, the untrained one for comparison included."""
        from fmstudio.model.bases import list_bases

        return list_bases(self.settings)

    def base(self, name: str) -> BaseInfo:
        """A base model by name. Raises NotFound."""
        from fmstudio.model.bases import base_info

        return base_info(name, self.settings)

    def presets(self) -> dict[str, dict[str, Any]]:
        """The named settings of a run."""
        return {name: dict(values) for name, values in PRESETS.items()}

    def estimate(self, project: str | int, config: RunConfig) -> Estimate:
        """Time and memory that a run on the newest cohort will need."""
        from fmstudio.training.estimate import estimate

        return estimate(config, self.cohort_report(project))

    def start_finetune(self, project: str | int, config: RunConfig) -> RunRecord:
        """Start a run on the newest cohort; it goes on if this process ends.

        Raises InputError if the settings do not fit the cohort, ResourceError if the disk is full.
        """
        from fmstudio import runs

        record, cohort = self.project(project), self._newest_cohort(project)
        self.base(config.base)
        cohorts.check_modalities(cohort, config.modalities)
        uploads.check_free_disk(self.settings)
        run = self.registry.create_run(
            record.id, cohort.id, "finetune", config.as_dict(), config.base
        )
        runs.start(self.settings, self.registry, run.id)
        return self.registry.run(run.id)

    def wait(
        self, run: str | RunRecord, watch: Callable[[RunRecord], None] | None = None
    ) -> RunRecord:
        """Wait until a run has ended; `watch` is called with it now and then.

        Raises RunFailed if it ended without a result.
        """
        return wait(self, run if isinstance(run, str) else run.id, watch)

    def runs(self, project: str | int | None = None) -> list[RunRecord]:
        """Runs of a project or all, as they stand now."""
        from fmstudio import runs

        runs.reconcile(self.settings, self.registry)
        return self.registry.runs(None if project is None else self.project(project).id)

    def run(self, run_id: str) -> RunRecord:
        """A run as it stands now. Raises NotFound."""
        from fmstudio import runs

        runs.reconcile(self.settings, self.registry)
        return self.registry.run(run_id)

    def points(self, run_id: str) -> list[Point]:
        """The curves of a run."""
        return self.registry.points(run_id)

    def stop_run(self, run_id: str) -> RunRecord:
        """Ask a run to stop after a checkpoint. Raises InputError if it has ended."""
        from fmstudio import runs

        runs.stop(self.settings, self.registry, run_id)
        return self.registry.run(run_id)

    def resume_run(self, run_id: str) -> RunRecord:
        """Go on with a stopped or interrupted run from its last checkpoint."""
        from fmstudio import runs

        uploads.check_free_disk(self.settings)
        runs.resume(self.settings, self.registry, run_id)
        return self.registry.run(run_id)

    # ---- adapters ----------------------------------------------------------------------------

    def adapters(self, project: str | int | None = None) -> list[AdapterRecord]:
        """Adapters of a project or all."""
        return self.registry.adapters(None if project is None else self.project(project).id)

    def adapter(self, ref: str) -> AdapterRecord:
        """An adapter by id or PROJECT/ALIAS. Raises NotFound."""
        return self.registry.adapter(ref)

    def adapter_folder(self, adapter_id: str) -> Path:
        """Where an adapter's files lie."""
        return self.settings.folder("adapters") / adapter_id

    def set_alias(self, ref: str, alias: str) -> AdapterRecord:
        """Give an adapter an alias, taking it from the one of the same project that had it."""
        adapter = self.adapter(ref)
        self.registry.set_alias(adapter.id, check_alias(alias))
        return self.adapter(adapter.id)

    def delete_adapter(self, ref: str) -> None:
        """Delete an adapter and its files."""
        adapter = self.adapter(ref)
        self.registry.delete_adapter(adapter.id)
        self._loaded.forget(adapter.id)
        uploads.remove([self.adapter_folder(adapter.id)])

    def export(self, ref: str, target: Path) -> Path:
        """Write an adapter as a bundle that anyone can verify. Raises InputError."""
        adapter = self.adapter(ref)
        return exchange.export(self.adapter_folder(adapter.id), Path(target), self.settings)

    def verify(self, archive: Path) -> dict[str, Any]:
        """Check a bundle and replay its stored cases. Raises BundleError, naming what is wrong."""
        return exchange.verify(Path(archive), self.settings)

    def import_bundle(self, archive: Path, project: str | int | None = None) -> AdapterRecord:
        """Take a bundle in, if it is whole and its stored cases replay. Raises BundleError.

        Without `project` it goes to the project named in its card, which is made if need be.
        """
        return exchange.take_in(self, Path(archive), project)

    # ---- prediction --------------------------------------------------------------------------

    def pipelines(self) -> list[contracts.Pipeline]:
        """One pipeline per modality, in the order of the pages."""
        return list(contracts.pipelines().values())

    def reader(self) -> Reader:
        """The child processes that decode foreign files; started when first used."""
        return self._loaded.reader()

    def preview(self, modality: str, sources: Sequence[Source]) -> Preview:
        """A picture of one input for a person to judge. Raises UnreadableFile."""
        return self.reader().preview(modality, sources)

    def predictor(self, ref: str) -> Predictor:
        """The loaded model of an adapter; the most recent ones stay in memory."""
        adapter = self.adapter(ref)
        return self._loaded.predictor(adapter.id, self.adapter_folder(adapter.id))

    def predict(self, adapter_ref: str, sources: Sources, case_id: str = "case") -> Prediction:
        """The answer to one case, which is also registered: case id, hashes of its files, output.

        Raises InputError for no input or an unknown modality, UnreadableFile for a bad file.
        """
        from fmstudio.cohort import file_hashes

        given = {contracts.pipeline(m).name: tuple(s) for m, s in sources.items() if s}
        if not given:
            raise InputError(
                "Nothing was given to predict from.", hint="Give at least one file or value."
            )
        predictor = self.predictor(adapter_ref)
        prediction = predictor.predict(given, case_id)
        hashes = file_hashes(PatientCase(case_id, case_id, given))
        self.registry.add_prediction(
            prediction.adapter, case_id, hashes, batch.without_words(prediction)
        )
        return prediction

    def predict_manifest(self, adapter_ref: str, manifest: Path, out: Path) -> int:
        """Predict every case of a manifest into a CSV file; the number of rows written.

        A case that cannot be read has the reason in its `error` and does not stop the others.
        """
        adapter = self.adapter(adapter_ref)
        cases = cohorts.read_cases(self, adapter, Path(manifest), require_label=False)
        return batch.predict_to_csv(self, adapter, cases, Path(out))

    def predictions(
        self, adapter_ref: str | None = None, limit: int = 100
    ) -> list[PredictionRecord]:
        """The newest predictions, of one adapter or all."""
        adapter_id = None if adapter_ref is None else self.adapter(adapter_ref).id
        return self.registry.predictions(adapter_id, limit)

    def evaluate(self, adapter_ref: str, manifest: Path | None = None) -> dict[str, Any]:
        """Metrics on the adapter's own held-out patients, or on another labelled manifest."""
        adapter = self.adapter(adapter_ref)
        cohort = (
            cohorts.held_out(self, adapter)
            if manifest is None
            else cohorts.read_cases(self, adapter, Path(manifest), require_label=True)
        )
        cases = tuple(replace(case, split="test") for case in cohort.cases)
        result = self.predictor(adapter_ref).evaluate(replace(cohort, cases=cases))
        return {"adapter": adapter.id, **result}

    # ---- the studio itself -------------------------------------------------------------------

    def demo(self) -> Sample:
        """Make the sample project, its cohort and adapter, where they are not there yet.

        Raises NotFound if the files that ship with the studio are missing.
        """
        return make_sample(self)

    def sample(self) -> Sample | None:
        """The sample project's adapter and first case, or None where there is no sample yet."""
        return read_sample(self)

    def warm_up(self) -> None:
        """Load torch and the newest adapter's model, so that the first prediction is quick."""
        newest = max(self.adapters(), key=lambda adapter: adapter.created_at, default=None)
        if newest is not None:
            self.predictor(newest.id)
        self._warm.set()

    @property
    def ready(self) -> bool:
        """True once `warm_up` is done."""
        return self._warm.is_set()

    def doctor(self) -> dict[str, Any]:
        """Versions, decoders, device, disk and database; what is missing and how to get it."""
        from fmstudio.doctor import examine

        return examine(self.settings)

    def audit(self) -> dict[str, Any]:
        """The event log, newest last, and whether its chain of hashes is whole."""
        whole, first_broken = self.registry.verify_chain()
        return {
            "whole": whole,
            "first_broken": first_broken,
            "events": list(self.registry.events(10_000)),
        }
