"""The sources that a recipe names, made ready: unlabelled training patients and drawn cases.

Labels decide which patients are training patients, and are used for the probe that is watched
beside the loss; nothing is learned from them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from data_samples.varied.cases import MAKERS
from data_samples.varied.cases import case as drawn_case
from fmstudio.cohort import build_cohort, make_task, propose_roles, read_manifest
from fmstudio.contracts import Preparer, embedded_encoders, pipeline
from fmstudio.features.inputs import Preparation
from fmstudio.pretraining.sources import DrawnSource, StoredSource, store_cases
from fmstudio.pretraining.stream import Source
from fmstudio.pretraining.teacher import Teacher
from fmstudio.pretraining.usefulness import Usefulness
from fmstudio.types import Cohort, ModalityInput, PatientCase, target_array

FITTED_ON = 400  # drawn inputs from which scales are learned
VERSION = 1  # of what the drawing makes: goes up when the same number would give another case
FEW_WORDS, MANY_WORDS = 4, 40  # words of a synthetic list


@dataclass
class Corpora:
    """Everything that a recipe learns from, read and prepared as it is asked for.

    `folder` holds the tokenizer of the base in the making.
    """

    recipe: Mapping[str, Any]
    data: Path
    folder: Path
    preparation: Preparation
    teacher: Teacher | None = None
    families: Mapping[str, Any] = field(default_factory=embedded_encoders)

    def cohorts(self) -> Iterator[tuple[Mapping[str, Any], Cohort]]:
        """The recipe's cohorts, with their rows of the recipe."""
        for row in self.recipe["cohorts"]:
            path = self.data / row["folder"] / "manifest.csv"
            yield row, open_cohort(path, row["label"], row.get("kind", "binary"))

    def sources(self, modalities: Sequence[str], whole: bool) -> list[Source]:
        """All sources that have any of the modalities; drawn ones as whole cases or one by one."""
        found: list[Source] = []
        for row, cohort in self.cohorts():
            source = self._stored(row, cohort, modalities)
            if len(source) > 1:
                found.append(source)
        return found + ([self._cases(modalities)] if whole else self._drawn(modalities))

    def watches(self, modalities: Sequence[str]) -> list[Usefulness]:
        """A probe for every cohort of the recipe that has the modalities and two classes."""
        found = []
        for row, cohort in self.cohorts():
            for modality in (m for m in modalities if m in cohort.modalities):
                if cohort.task.kind != "binary":
                    continue
                cases = [c for c in cohort.split("train") if c.sources.get(modality)]
                stored = self._stored(row, cohort, [modality], cases)
                by_id = {case.case_id: case for case in cases}
                kept = [by_id[case_id] for case_id in stored.ids]
                found.append(
                    Usefulness(
                        f"{cohort.name} {modality}",
                        modality,
                        cohort.task,
                        stored,
                        target_array(kept),
                        [case.patient_id for case in kept],
                    )
                )
        return found

    def texts(self) -> list[str]:
        """All texts of the corpora, for the tokenizer."""
        found = []
        for _, cohort in self.cohorts():
            for modality in cohort.modalities:
                if pipeline(modality).kind == "text":
                    train = cohort.split("train")
                    read = self.preparation.inputs(modality, train, keep=True)
                    found += [str(given.values) for _, given in read]
        for modality, maker in MAKERS.items():
            if pipeline(modality).kind == "text":
                found += [
                    str(maker(np.random.default_rng([7, n])).given.values)
                    for n in range(self.recipe["drawn"] // 4)
                ]
        return found + (self.teacher.words() if self.teacher else [])

    def _stored(
        self,
        row: Mapping[str, Any],
        cohort: Cohort,
        modalities: Sequence[str],
        cases: Sequence[PatientCase] | None = None,
    ) -> StoredSource:
        train = cohort.split("train") if cases is None else cases
        preparers = {}
        for modality in (m for m in modalities if m in cohort.modalities):
            family = self.families[pipeline(modality).kind]
            fitting = self.preparation.inputs(modality, cohort.split("train"), keep=True)
            state = family.fit(given for _, given in fitting) if family.fits else {}
            preparers[modality] = family.preparer(family.default(), self.folder, state)
        return store_cases(
            cohort.name, row["weight"], train, preparers, self.preparation, self._taught
        )

    def _drawn(self, modalities: Sequence[str]) -> list[Source]:
        """Single inputs of each modality, and lists of words where there is a teacher."""
        seed, found = self.recipe["seed"], []
        for modality in modalities:
            maker = MAKERS[modality]

            def draw(number: int, modality: str = modality, maker: Any = maker) -> dict[str, Any]:
                made = maker(np.random.default_rng([seed, number]))
                return {modality: (made.given, self._known(made))}

            preparer = self._preparer(modality, draw)
            found.append(self._source(f"drawn {modality}", draw, {modality: preparer}))
            if pipeline(modality).kind == "text" and self.teacher:
                words = self.teacher.words()

                def listed(
                    number: int, modality: str = modality, words: list[str] = words
                ) -> dict[str, Any]:
                    given = _list_of_words(words, np.random.default_rng([seed, 2, number]))
                    return {modality: (given, self._taught(given, ""))}

                found.append(self._source("lists of words", listed, {modality: preparer}, 3))
        return found

    def _cases(self, modalities: Sequence[str]) -> Source:
        """Whole drawn cases."""
        seed = self.recipe["seed"] + 1

        def draw(number: int) -> dict[str, Any]:
            made = drawn_case(seed, number)
            return {m: (one.given, self._known(one)) for m, one in made.items() if m in modalities}

        return self._source(
            "drawn cases", draw, {m: self._preparer(m, draw) for m in modalities}, share=0.5
        )

    def _source(self, name: str, draw: Any, preparers: Any, share: float = 1.0) -> DrawnSource:
        size = int(self.recipe["drawn"] * share)
        teacher = "taught" if self.teacher else ""
        key = f"{VERSION} {self.recipe['seed']} {teacher}"
        weight = self.recipe["drawn_weight"]
        return DrawnSource(name, weight, self.preparation.cache, size, key, draw, preparers)

    def _preparer(self, modality: str, draw: Any) -> Preparer:
        family = self.families[pipeline(modality).kind]
        state = {}
        if family.fits:
            made = (draw(10**6 + number) for number in range(FITTED_ON))
            state = family.fit(one[modality][0] for one in made if modality in one)
        return family.preparer(family.default(), self.folder, state)

    def _known(self, made: Any) -> dict[str, float]:
        found = {f"finding/{name}": value for name, value in made.findings.items()}
        return found | dict(self._taught(made.given, ""))

    def _taught(self, given: ModalityInput, case_id: str) -> Mapping[str, float]:
        """What the teacher reads in a text, number by number."""
        if self.teacher is None or given.kind != "text":
            return {}
        read = self.teacher.read([str(given.values)])[0]
        return {f"meaning/{index}": float(value) for index, value in enumerate(read)}


def _list_of_words(words: Sequence[str], random: np.random.Generator) -> ModalityInput:
    """Some words in no order, frequent ones more often: the teacher's order is by frequency."""
    count = int(random.integers(FEW_WORDS, MANY_WORDS))
    places = (len(words) * random.random(count) ** 1.7).astype(int)
    text = " ".join(words[place] for place in places)
    return ModalityInput("text", text, np.ones(1, bool), {"language": "en"})


def open_cohort(manifest_path: Path, label: str, kind: str = "binary") -> Cohort:
    """A cohort with the roles that the studio proposes."""
    manifest = read_manifest(manifest_path)
    roles = {c.column: c.role for c in propose_roles(manifest, label=label, kind=kind)}
    task = make_task(manifest, roles, kind)
    return build_cohort(manifest, roles, task, manifest_path.parent.name)
