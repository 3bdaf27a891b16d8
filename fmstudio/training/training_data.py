"""What a run works on: the base's model, processors, prepared cases and targets by split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import psutil
import torch

from fmstudio.baselines.sample_weights import check_group_column, check_groups
from fmstudio.errors import InputError
from fmstudio.features.inputs import Preparation, PreparedCases, Processor
from fmstudio.model.load import load_base, task_config
from fmstudio.model.shared import SharedModel
from fmstudio.records import Progress
from fmstudio.run_config import RunConfig
from fmstudio.sandbox import Reader
from fmstudio.settings import Settings
from fmstudio.training.bridge import fit_bridges
from fmstudio.training.loop import Part
from fmstudio.training.memory import check_step
from fmstudio.training.reporter import Reporter
from fmstudio.training.stages import READING
from fmstudio.types import COLUMNS, Cohort, PatientCase, target_array

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class TrainingData:
    """Prepared cases by split. Regression targets are in standard units of the training cases:
    `true = targets · spread + centre`."""

    cohort: Cohort
    cases: Mapping[str, Sequence[PatientCase]]
    prepared: PreparedCases
    targets: Mapping[str, np.ndarray]
    centre: float = 0.0
    spread: float = 1.0

    def ids(self, split: str) -> list[str]:
        """Case ids of a split."""
        return [case.case_id for case in self.cases[split]]

    def part(self, split: str) -> Part:
        """Ids and targets of a split."""
        return Part(self.ids(split), self.targets[split])

    def patients(self, split: str) -> list[str]:
        """The patient of each case of a split."""
        return [case.patient_id for case in self.cases[split]]

    def true(self, split: str) -> np.ndarray:
        """Targets in the user's units."""
        return self.targets[split] * self.spread + self.centre


def device() -> torch.device:
    """A GPU where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def prepare(
    config: RunConfig, cohort: Cohort, settings: Settings, reporter: Reporter
) -> tuple[SharedModel, dict[str, Processor], TrainingData]:
    """The frozen model, a fitted processor per modality, and everything prepared for it.

    Raises InputError if no modality or no case of a split can be used, an encoder does not fit its
    modality, or there are no groups of the kind that is to be balanced; ResourceError if memory
    will not do.
    """
    check_group_column(config, {column for case in cohort.cases for column in case.groups})
    check_groups(config, cohort.split("train"))
    modalities = _modalities(config, cohort)
    encoders = _encoders(config, modalities)
    shape = task_config(config.base, modalities, cohort.task.outputs, settings, encoders)
    model = load_base(shape, settings).to(device())

    def report(share: float) -> None:
        reporter.progress(Progress(READING, share))

    with Reader(settings.limits, workers=max(1, psutil.cpu_count() or 1)) as reader:
        preparation = Preparation(reader, settings, report)
        processors = preparation.fit(model, cohort.split("train"))
        model.config.columns = {
            name: len(one.state[COLUMNS])
            for name, one in processors.items()
            if one.state.get(COLUMNS)
        }
        prepared = preparation.run(model, processors, cohort.cases, frozen=True)
    data = training_data_of(cohort, prepared)
    fit_bridges(model, prepared, data.ids("train"))
    return model, processors, data


def unfrozen(
    config: RunConfig,
    model: SharedModel,
    processors: Mapping[str, Processor],
    data: TrainingData,
    settings: Settings,
) -> TrainingData:
    """The same cases as they were before any encoder, for a candidate that adapts encoders too.

    Raises ResourceError if memory will not do for a step of it.
    """
    with Reader(settings.limits, workers=max(1, psutil.cpu_count() or 1)) as reader:
        cases = data.cohort.cases
        prepared = Preparation(reader, settings).run(model, processors, cases, frozen=False)
    check_step(config, prepared, data.ids("train"), settings)
    return replace(data, prepared=prepared)


def _modalities(config: RunConfig, cohort: Cohort) -> tuple[str, ...]:
    strange = [name for name in config.modalities if name not in cohort.modalities]
    if strange or not cohort.modalities:
        raise InputError(
            f"The cohort has no {', '.join(strange) or 'modality at all'}.",
            hint=f"Choose from: {', '.join(cohort.modalities)}.",
        )
    return config.modalities or cohort.modalities


def _encoders(config: RunConfig, modalities: Sequence[str]) -> Mapping[str, str]:
    """The checkpoints chosen for modalities. Raises InputError for one that is not looked at."""
    strange = [name for name in config.encoders if name not in modalities]
    if strange:
        raise InputError(
            f"An encoder was chosen for {', '.join(strange)}, which the model does not look at.",
            hint=f"Choose encoders for: {', '.join(modalities)}.",
        )
    return config.encoders


def training_data_of(cohort: Cohort, prepared: PreparedCases) -> TrainingData:
    """Prepared cases by split, with their targets. Raises InputError for an empty split."""
    cases = {
        split: [case for case in cohort.split(split) if prepared.keys[case.case_id]]
        for split in SPLITS
    }
    for split, found in cases.items():
        if not found:
            raise InputError(
                f"No case of the {split} split has a file that can be read.",
                hint="See the cohort report for the reasons, file by file.",
            )
    targets = {split: target_array(found) for split, found in cases.items()}
    if cohort.task.kind != "regression":
        return TrainingData(cohort, cases, prepared, targets)
    centre, spread = float(targets["train"].mean()), float(targets["train"].std())
    if spread == 0:
        raise InputError(
            f"All training cases have {cohort.task.columns[0]} = {centre:g}.",
            hint="A number that never changes cannot be learned: choose another label.",
        )
    scaled = {split: (values - centre) / spread for split, values in targets.items()}
    return TrainingData(cohort, cases, prepared, scaled, centre, spread)
