"""One adapter ready to answer: sources of a case in, a Prediction out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fmstudio.adapters.installed import stamps, whole
from fmstudio.adapters.lora import load
from fmstudio.adapters.readout import distances
from fmstudio.contracts import in_words, pipeline
from fmstudio.encoders.batching import collate
from fmstudio.errors import BundleError, InputError, StudioError
from fmstudio.evaluation.conformal import conformal_interval, conformal_set
from fmstudio.evaluation.metrics import headline
from fmstudio.features.threads import one_thread
from fmstudio.model.feature_layout import FeatureLayout
from fmstudio.model.shared import SharedModel
from fmstudio.prediction.combination import doubt
from fmstudio.prediction.contributions import contributions
from fmstudio.prediction.expected import expectations
from fmstudio.prediction.values import Checked, checked
from fmstudio.results.metrics import beats_guessing
from fmstudio.sandbox import Reader
from fmstudio.settings import Settings
from fmstudio.types import Prediction, Prepared, Source


class Predictor:
    """An adapter's model, processors and readout, loaded once from files that are as they were
    sealed.

    Raises BundleError, naming the file, if any is not, or the base on this machine is not the
    adapter's.
    """

    def __init__(
        self,
        adapter_id: str,
        folder: Path,
        settings: Settings,
        reader: Reader,
        sealed: str | None = None,
    ) -> None:
        self.adapter_id, self.settings, self.reader = adapter_id, settings, reader
        self._folder = folder
        self._contents = whole(folder, settings, sealed)
        self._stamps = stamps(folder, self._contents, settings)
        self.card, self.task = self._contents.card, self._contents.task
        self.readout, self.processors = self._contents.readout, self._contents.processors
        self.model = _loaded(folder, settings)
        if self.stale:
            raise BundleError(
                f"The files of the adapter {adapter_id} were changed while they were read.",
                hint="Try again once nothing else works on them.",
            )
        self.expected = {
            name: expectations(
                pipeline(name), one.state.get("features") or one.state.get("channels") or {}
            )
            for name, one in self.processors.items()
        }
        base = self.model.config.base
        self.preparers = {
            name: processor.preparer(base, settings) for name, processor in self.processors.items()
        }

    @property
    def stale(self) -> bool:
        """True if a file of the adapter, of its base or checkpoints was touched since it was read.

        A look at sizes and times, which costs less than a millisecond.
        """
        now = stamps(self._folder, self._contents, self.settings)
        return now is None or now != self._stamps

    @property
    def modalities(self) -> list[str]:
        """What the adapter was trained on."""
        return self.model.modalities

    @property
    def reads(self) -> list[str]:
        """What the adapter looks at: the tables alone where boosted trees were kept."""
        head = self.model.task_head
        alone = head.trees and not head.weight.any() and not head.offset.any()
        return list(self.model.config.trees) if alone else self.modalities

    def predict(self, sources: Mapping[str, Sequence[Source]], case_id: str = "case") -> Prediction:
        """The fused answer to one case with any of the adapter's modalities.

        Raises InputError if it has none of them, UnreadableFile for a file that cannot be read.
        """
        started = time.perf_counter()
        given = {name: list(found) for name, found in sources.items() if found}
        remarks = [
            f"{pipeline(name).label}: the adapter was not trained on this, so it was not used."
            for name in given
            if name not in self.modalities
        ]
        remarks += [
            f"{pipeline(name).label}: the adapter is boosted trees on a table, which do not look "
            "at this."
            for name in given
            if name in self.modalities and name not in self.reads
        ]
        prepared, values = self._prepare(given, remarks)
        parts, far = self._parts(prepared)
        used = [name for name in self.modalities if name in prepared]
        against = self._doubt(used)
        warnings = [against] if against else []
        warnings += self._few()
        for found in values.values():
            warnings += found.warnings
        guard = {
            name: {"score": float(far[m]), "flag": bool(far[m] > self.readout.guard[name])}
            for m, name in enumerate(self.modalities)
            if name in prepared and name in self.readout.guard
        }
        # An empty cell makes a table no stranger: each value is held against its own range.
        guard |= {
            name: found.guard
            for name, found in values.items()
            if name in guard and pipeline(name).kind == "table"
        }
        warnings += [
            f"{pipeline(name).label}: unlike the training data. Read this answer with care."
            for name, seen in guard.items()
            if seen["flag"] and pipeline(name).kind != "table"
        ]
        answer = self._answer(parts, [self.modalities.index(name) for name in used])
        return Prediction(
            adapter=self.adapter_id,
            case_id=case_id,
            task=self.task.kind,
            used=tuple(used),
            missing=tuple(name for name in self.reads if name not in prepared),
            remarks=tuple(remarks),
            warnings=tuple(warnings),
            guard=guard,
            seconds=time.perf_counter() - started,
            unvalidated=bool(against),
            **answer,
        )

    def _prepare(
        self, given: Mapping[str, Sequence[Source]], remarks: list[str]
    ) -> tuple[dict[str, Prepared], dict[str, Checked]]:
        """Reads and prepares what the adapter can use, each value in the unit of training; what
        that said of the values. Adds to `remarks`."""
        jobs = [(name, name, given[name]) for name in self.reads if name in given]
        prepared, values = {}, {}
        for name, read in self.reader.read_many(jobs):
            if isinstance(read, StudioError):
                raise read
            remarks += [f"{pipeline(name).label}: {remark}" for remark in read.remarks]
            if read.empty:
                continue
            found = checked(pipeline(name), read, self.expected[name])
            found.refuse()
            remarks += [f"{pipeline(name).label}: {remark}" for remark in found.remarks]
            made = self.preparers[name].prepare(found.given)
            remarks += [f"{pipeline(name).label}: {remark}" for remark in made.remarks]
            if made.length:
                prepared[name], values[name] = made, found
        if not prepared:
            raise InputError(
                " ".join(["This case has nothing that the adapter can use.", *remarks[:3]]),
                hint=f"Give at least one of: {in_words(self.reads, 'or')}.",
            )
        return prepared, values

    @torch.inference_mode()
    def _parts(self, prepared: Mapping[str, Prepared]) -> tuple[np.ndarray, np.ndarray]:
        """Each modality's part of the logits (M, K), and its distance from training (M)."""
        with one_thread():
            features = self.model.features(collate([prepared], self.model.device))
        head = self.model.task_head
        parts = head.parts(features)[0].cpu().numpy().astype(np.float64)
        values = features.values[0].cpu().numpy()
        return parts, distances(
            values,
            head.mean.cpu().numpy(),
            head.scale.cpu().numpy(),
            FeatureLayout.of(self.model.config).mean,
        )

    def _answer(self, parts: np.ndarray, rows: list[int]) -> dict[str, Any]:
        """The fields of a Prediction that depend on the task."""
        bias = self.model.task_head.bias.detach().cpu().numpy().astype(np.float64)
        output = self._read(parts.sum(0) + bias)
        typical = np.array(self.readout.typical)
        moved, baseline = contributions(parts[rows], typical[rows], bias, self._shown(output))
        names = [self.modalities[row] for row in rows]
        common = {
            "contributions": dict(zip(names, map(float, moved), strict=True)),
            "baseline": baseline,
        }
        conformal = self.readout.conformal
        if self.task.kind == "regression":
            value = float(output[0])
            interval = conformal_interval(conformal, value)
            return common | {
                "prediction": None,
                "probabilities": {},
                "value": value,
                "interval": interval,
                "coverage": conformal.get("coverage"),
            }
        chances = dict(zip(self.task.labels, map(float, self._chances(output)), strict=True))
        return common | {
            "prediction": self._prediction(chances),
            "probabilities": chances,
            "conformal_set": conformal_set(
                self.task, conformal, output[0] if self.task.kind == "binary" else output
            ),
            "coverage": conformal["coverage"],
        }

    def _read(self, logits: np.ndarray) -> np.ndarray:
        """Logits (K) to calibrated outputs (K)."""
        return np.atleast_1d(self.readout.outputs(self.task, logits[None])[0])

    def _shown(self, output: np.ndarray) -> Callable[[np.ndarray], float]:
        """The function of the logits that contributions explain: the predicted label's chance."""
        if self.task.kind == "binary" and output[0] < 0.5:
            return lambda logits: float(1 - self._read(logits)[0])
        best = int(output.argmax())
        return lambda logits: float(self._read(logits)[best])

    def _chances(self, output: np.ndarray) -> np.ndarray:
        return np.array([1 - output[0], output[0]]) if self.task.kind == "binary" else output

    def _prediction(self, chances: Mapping[str, float]) -> str | list[str]:
        if self.task.kind == "multilabel":
            return [label for label, chance in chances.items() if chance >= 0.5]
        return max(chances, key=lambda label: chances[label])

    def _doubt(self, used: Sequence[str]) -> str:
        """What held-out patients say against an answer from `used`, "" for nothing."""
        name = headline(self.task)
        if set(used) != set(self.reads):
            return doubt(self.card, used, name)
        if beats_guessing(name, self.card["metrics"].get(name)):
            return ""
        return (
            f"Not shown to do better than guessing on the {self.card['n']['test']} held-out cases "
            "of the adapter: see its figures."
        )

    def _few(self) -> list[str]:
        """What the number of validation cases says against this answer."""
        cases = self.card["n"]["validation"]
        few = f"Calibrated on only {cases} cases: the probability is rough."
        return [few] if cases < 30 else []


def _loaded(folder: Path, settings: Settings) -> SharedModel:
    """The model of files that were whole a moment ago; one that is gone since is told as such."""
    try:
        return load(folder, settings)
    except OSError as fault:
        raise BundleError(
            f"The files of the adapter {folder.name} are gone: {fault.strerror}.",
            hint="It was deleted meanwhile. Choose another adapter.",
        ) from fault
