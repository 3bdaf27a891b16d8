"""Which model of the ladder is kept: the simplest that is as good as the best, within the noise.

The rule of one standard error (Breiman et al. 1984, section 3.4.3; Hastie, Tibshirani & Friedman
2009, section 7.10), with the standard error of the difference of two models on the same patients:
that is what decides whether one is better. Two models that hardly differ have a tiny one, and early
stopping flatters those that train: a gain of less than 0.01 counts as none.

Boosting reads the table alone and differs much from the others, so that on validation patients
alone its standard error excuses nearly anything. It and the probe also answer every training case
by fits that did not see the patient, and boosting must be as good on all of these.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from fmstudio.baselines.losses import losses
from fmstudio.errors import InputError
from fmstudio.evaluation.calibration import fit_calibration, probabilities
from fmstudio.evaluation.metrics import figures_of, headline
from fmstudio.evaluation.resampling import Figure, drawn, ratio
from fmstudio.present.values import interval
from fmstudio.results.metrics import beats_guessing, name_of
from fmstudio.training.candidates import BOOSTING, LORA, PROBE, Candidate
from fmstudio.training.training_data import TrainingData
from fmstudio.types import TaskSpec

WORDS = {BOOSTING: "Gradient boosting on the table", PROBE: "The probe", LORA: "LoRA"}
SIMPLEST = "simplest"
WORTH = 0.01  # of AUROC or R², and of mean loss: less is no reason for a more complex model
# Validation patients, before boosting may be kept unasked: it leaves all else unread.
FEWEST_FOR_BOOSTING = 30


@dataclass(frozen=True)
class Behind:
    """How far a model is behind the best on validation patients, and the standard error of that:
    in the headline figure, and in the mean loss of calibrated answers."""

    figure: float
    figure_error: float
    loss: float
    loss_error: float

    @property
    def as_good(self) -> bool:
        """Within one standard error in both, or by too little to matter."""
        return self.figure <= self.allowed and self.loss <= max(self.loss_error, WORTH)

    @property
    def allowed(self) -> float:
        """How far the figure may be behind."""
        return max(self.figure_error, WORTH)


def choose(
    task: TaskSpec, data: TrainingData, candidates: Sequence[Candidate], keep: str = SIMPLEST
) -> tuple[Candidate, str]:
    """The model to keep and a sentence that says why. `candidates` go from simple to complex.

    `keep` names the kind of model that is to be kept whatever the figures: the first word of its
    name, see `kind_of`. With few validation patients hardly anything is beyond a standard error,
    and boosting, which reads the table alone, is left out; so it is where the probe beats it on
    training and validation patients together. Raises InputError where the ladder has none of the
    kind that is asked for.
    """
    everything = candidates
    left_out = _boosting_left_out(task, data, candidates) if keep == SIMPLEST else ""
    if left_out:
        candidates = [candidate for candidate in candidates if candidate.name != BOOSTING]
    figures = [candidate.validation(task, data) for candidate in candidates]
    best = candidates[int(np.nanargmax(figures))] if not np.isnan(figures).all() else candidates[0]
    answered = _validation(data)
    behind = {r.name: _behind(task, answered, r.logits, best.logits) for r in candidates}
    chosen = next(r for r in candidates if r is best or behind[r.name].as_good)
    if keep == SIMPLEST:
        return chosen, _reason(task, data, chosen, best, candidates, behind) + left_out
    asked = [candidate for candidate in everything if kind_of(candidate) == keep]
    if not asked:
        raise InputError(
            f"'{keep}' is to be kept, and this cohort's ladder has "
            f"{', '.join(dict.fromkeys(map(kind_of, everything)))}.",
            hint="Boosting needs a table among the modalities.",
        )
    picked = max(asked, key=lambda candidate: candidate.validation(task, data))
    if picked is chosen:
        return picked, _reason(task, data, chosen, best, candidates, behind)
    return picked, (
        f"{words(picked)} was kept because the run was asked to. By the validation patients "
        f"{_small(words(chosen))} would have been "
        f"({_compared(task, data, chosen, picked)})."
    )


def kind_of(candidate: Candidate) -> str:
    """boosting, probe or lora."""
    return {BOOSTING: "boosting"}.get(candidate.name, candidate.name.partition(":")[0])


def words(candidate: Candidate) -> str:
    """A model's name at the beginning of a sentence."""
    return words_of(candidate.name)


def words_of(name: str) -> str:
    """The same from its key in the ladder."""
    first, _, scope = name.partition(": ")
    return WORDS.get(name) or f"{WORDS.get(first, first)} on the {scope}"


@dataclass(frozen=True)
class _Cases:
    """Whose cases are answered (n), and what is true of them, in standard units for regression."""

    patients: Sequence[str]
    targets: np.ndarray


def _validation(data: TrainingData) -> _Cases:
    return _Cases(data.patients("validation"), data.targets["validation"])


def _boosting_left_out(task: TaskSpec, data: TrainingData, candidates: Sequence[Candidate]) -> str:
    """A sentence on why boosting is not weighed; empty where it is."""
    named = {candidate.name: candidate for candidate in candidates}
    if BOOSTING not in named:
        return ""
    count = len(set(data.patients("validation")))
    if count < FEWEST_FOR_BOOSTING:
        return (
            f" Boosting, which reads the table alone, was not weighed: {count} validation patients "
            "are too few for that."
        )
    if PROBE not in named:
        return ""
    cases, (boosted, probed) = _all_cases(data, [named[BOOSTING], named[PROBE]])
    behind = _behind(task, cases, boosted, probed)
    if behind.figure <= 0 or behind.as_good:
        return ""
    return (
        " Boosting, which reads the table alone, was not weighed: on training and validation cases "
        f"together, {len(cases.targets)}, each answered by fits that did not see the patient, the "
        f"probe does better by {behind.figure:.3f}."
    )


def _all_cases(
    data: TrainingData, candidates: Sequence[Candidate]
) -> tuple[_Cases, list[np.ndarray]]:
    """Training cases that all models answered unseen and validation cases; each model's logits."""
    unseen = [each.out_of_fold for each in candidates if each.out_of_fold is not None]
    if len(unseen) < len(candidates):
        return _validation(data), [candidate.logits for candidate in candidates]
    rows = np.flatnonzero(~np.isnan(np.concatenate(unseen, axis=1)).any(axis=1))
    train, answered = data.patients("train"), _validation(data)
    targets = np.concatenate([data.targets["train"][rows], answered.targets])
    cases = _Cases([*(train[row] for row in rows), *answered.patients], targets)
    pairs = zip(unseen, candidates, strict=True)
    return cases, [np.concatenate([own[rows], candidate.logits]) for own, candidate in pairs]


def _behind(task: TaskSpec, cases: _Cases, own: np.ndarray, best: np.ndarray) -> Behind:
    """How far logits (n, K) are behind others of the same cases."""
    if own is best:
        return Behind(0.0, 0.0, 0.0, 0.0)
    name, targets = headline(task), cases.targets
    figure, other = (
        figures_of(task, targets, probabilities(task, logits))[name] for logits in (own, best)
    )
    lost, least = (_losses(task, targets, logits) for logits in (own, best))
    gaps: dict[str, Figure] = {
        "figure": lambda weights: other(weights) - figure(weights),
        "loss": lambda weights: lost(weights) - least(weights),
    }
    whole = np.ones((1, len(targets)))
    spread = {key: _spread(values) for key, values in drawn(gaps, cases.patients).items()}
    gap = {key: float(figure(whole)[0]) for key, figure in gaps.items()}
    return Behind(gap["figure"], spread["figure"], gap["loss"], spread["loss"])


def _spread(resamples: np.ndarray) -> float:
    """Standard deviation of those that are defined; 0 where there are none: nothing is excused."""
    defined = resamples[~np.isnan(resamples)]
    return float(defined.std()) if len(defined) else 0.0


def _losses(task: TaskSpec, targets: np.ndarray, logits: np.ndarray) -> Figure:
    """Mean loss of calibrated answers, by case weights."""
    each = losses(task, fit_calibration(task, logits, targets).calibrated(logits), targets)
    return partial(_weighted, each if each.ndim == 1 else np.nanmean(each, axis=1))


def _weighted(each: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean of what is known, (R,), for weights (R, n)."""
    known = ~np.isnan(each)
    return ratio(weights[:, known] @ each[known], weights[:, known].sum(1))


def _reason(
    task: TaskSpec,
    data: TrainingData,
    chosen: Candidate,
    best: Candidate,
    candidates: Sequence[Candidate],
    behind: dict[str, Behind],
) -> str:
    """One sentence on why this model was kept."""
    if chosen is not best:
        return (
            f"{words(chosen)} was kept: {_small(words(best))} does better on validation patients "
            f"by {max(behind[chosen.name].figure, 0):.3f}, and up to "
            f"{behind[chosen.name].allowed:.3f} may be noise or too little to matter "
            f"({_compared(task, data, best, chosen)}): what is simpler is kept."
        )
    simpler = list(candidates[: list(candidates).index(chosen)])
    if not simpler:
        return f"{words(chosen)} was kept: nothing more complex does better on validation patients."
    rival = max(simpler, key=lambda candidate: candidate.validation(task, data))
    return (
        f"{words(chosen)} was kept: on validation patients it does better than every simpler model "
        f"by more than one standard error ({_compared(task, data, chosen, rival)})."
    )


def on_held_out(task: TaskSpec, ladder: Sequence[Mapping[str, Any]], chosen: str) -> str:
    """What the kept model and the best of the others reach on held-out patients, in a sentence.

    `ladder` is that of the run's result. A choice made on validation patients proves nothing of
    others, so the sentence also says where neither is shown to do better than guessing.
    """
    name = headline(task)
    own = next(one for one in ladder if one["name"] == chosen)
    others = [one for one in ladder if one is not own and one[name]["value"] is not None]
    told = f"On held-out patients it reaches {name_of(name)} {_reached(own[name])}"
    if others:
        rival = max(others, key=lambda one: one[name]["value"])
        told += f", {_small(words_of(rival['name']))} {_reached(rival[name])}"
    if not beats_guessing(name, own[name]):
        told += "; that is not shown to be better than guessing"
    return told + "."


def _reached(figure: Mapping[str, Any]) -> str:
    return "that cannot be computed" if figure["value"] is None else interval(figure)


def _compared(task: TaskSpec, data: TrainingData, first: Candidate, second: Candidate) -> str:
    """'AUROC 0.731 against 0.702 of the probe'."""
    figures = [candidate.validation(task, data) for candidate in (first, second)]
    return (
        f"{name_of(headline(task))} {figures[0]:.3f} against {figures[1]:.3f} of "
        f"{_small(words(second))}"
    )


def _small(name: str) -> str:
    """Within a sentence; LoRA keeps its capitals."""
    return name if name.startswith("LoRA") else name[0].lower() + name[1:]
