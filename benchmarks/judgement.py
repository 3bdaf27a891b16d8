"""Whether judgements are right as often as they say, over many made cohorts whose truth is known.

Nothing here reads a patient or loads a model: outputs and features are drawn, so that what a
verdict should be is known.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.special import expit

from fmstudio.baselines.sample_weights import SampleWeights
from fmstudio.baselines.stacking import fit_probe
from fmstudio.evaluation.conformal import fit_conformal
from fmstudio.evaluation.conformal_coverage import coverage
from fmstudio.evaluation.fusion import Judged, Shown, fusion_json
from fmstudio.evaluation.labelled_predictions import LabelledPredictions, Question
from fmstudio.evaluation.subgroups import subgroups
from fmstudio.evaluation.triage import triage
from fmstudio.results.subgroups import Subgroups
from fmstudio.types import TaskSpec

TITLE = "Judgements: as often right as they say"
BINARY = TaskSpec("binary", ("ill",), ("no", "yes"), "yes")
FUSION_SEEDS, GROUP_SEEDS, PLANTED_SEEDS = 50, 200, 50
COVERAGE_SEEDS, TRIAGE_SEEDS = 1000, 1000
MODALITIES, WIDTH = ("one", "two", "three"), 8
TRAIN, TEST = 300, 300
EVERYONE = 200_000  # patients on whom a promise is checked


def measure(options: Namespace, before: Mapping[str, Any]) -> dict[str, Any]:
    """Every count; `before` is not needed."""
    return {
        "fusion": {name: fusion(name == "split") for name in ("split", "in one")},
        "coverage": conformal_coverage(),
        "triage": [promises(n) for n in (100, 200, 400)],
        "groups": groups(),
    }


def fusion(split: bool) -> dict[str, Any]:
    """The verdicts over seeds, of probes on features that hold the signal in all or in one."""
    counts = {"helps": 0, "no evidence": 0, "hurts": 0}
    gains = []
    for seed in range(FUSION_SEEDS):
        random = np.random.default_rng(seed)
        signal = random.normal(size=(TRAIN + TEST, len(MODALITIES)))
        if not split:
            signal[:, 1:] = 0
        truth = (random.random(TRAIN + TEST) < expit(2 * signal.sum(1) - 0.5)).astype(float)
        features = random.normal(size=(TRAIN + TEST, len(MODALITIES), WIDTH))
        features[:, :, 0] = signal + 0.3 * random.normal(size=signal.shape)
        found = _fusion(features, truth)
        counts[found["verdict"]] += 1
        gains.append(found["gain"]["value"])
    return {"seeds": FUSION_SEEDS, "verdicts": counts, "mean_gain": float(np.mean(gains))}


def _fusion(features: np.ndarray, truth: np.ndarray) -> dict[str, Any]:
    """The verdict of the probe on all modalities against a probe on each."""

    def outputs(chosen: list[int]) -> np.ndarray:
        own, there = features[:, chosen], np.ones((len(truth), len(chosen)))
        train = own[:TRAIN], there[:TRAIN], truth[:TRAIN]
        head = fit_probe(BINARY, train, [str(i) for i in range(TRAIN)], SampleWeights())
        return expit(head.logits(own[TRAIN:], there[TRAIN:])[:, 0])

    judged = Judged(BINARY, truth[TRAIN:], np.arange(TEST), outputs(list(range(len(MODALITIES)))))
    singles = [Shown((name,), np.arange(TEST), outputs([m])) for m, name in enumerate(MODALITIES)]
    found = fusion_json(judged, singles)
    assert found is not None
    return found


def drawn(random: np.random.Generator, n: int, steep: float = 2.0) -> Question:
    """Patients whose chances are right."""
    score = random.normal(-0.5, steep, n)
    own = np.arange(n)
    return Question("yes", random.random(n) < expit(score), expit(score), own, own)


def answered(
    question: Question, groups: Mapping[str, tuple[str, ...]] | None = None
) -> LabelledPredictions:
    """The same as answered cases."""
    n = len(question)
    return LabelledPredictions(
        tuple(map(str, range(n))),
        question.patients,
        question.truth.astype(float),
        question.chance,
        np.ones((n, 1), bool),
        groups or {},
    )


def conformal_coverage() -> list[dict[str, float]]:
    """Mean coverage over cohorts of 60 validation and 100 held-out patients, by what was asked."""
    found = []
    for asked in (0.8, 0.9, 0.95):
        reached = []
        for seed in range(COVERAGE_SEEDS):
            random = np.random.default_rng(seed)
            before, after = drawn(random, 60), drawn(random, 100)
            fitted = fit_conformal(BINARY, before.chance, before.truth.astype(float), asked)
            inside = _covered(fitted, after)
            reached.append(inside)
        found.append({"asked": asked, "reached": float(np.mean(reached)), "seeds": COVERAGE_SEEDS})
    # The figure that the studio shows is the same share, with its interval.
    told = coverage(BINARY, answered(after), fitted)["reached"]["value"]
    assert abs(told - inside) < 1e-12
    return found


def _covered(fitted: Mapping[str, Any], question: Question) -> float:
    """The share of cases whose set holds the truth."""
    own = np.where(question.truth, question.chance, 1 - question.chance)
    (limit,) = fitted["thresholds"]
    return float(((1 - own <= limit) | (own >= 0.5)).mean()) if limit is not None else 1.0


def promises(n: int) -> dict[str, Any]:
    """How often a promise is given with `n` patients, and how often it is broken."""
    everyone = drawn(np.random.default_rng(10**6), EVERYONE)
    sides = {"rule_in": everyone.truth, "rule_out": ~everyone.truth}
    found: dict[str, Any] = {"n": n, "seeds": TRIAGE_SEEDS, "ppv": 0.85, "npv": 0.85}
    counts = {side: {"given": 0, "broken": 0, "share": 0.0} for side in sides}
    for seed in range(TRIAGE_SEEDS):
        told = triage(drawn(np.random.default_rng(seed), n), 0.85, 0.85)
        for side, right in sides.items():
            own = told.rule_in if side == "rule_in" else told.rule_out
            threshold = own.threshold
            if threshold is None:
                continue
            beyond = (
                everyone.chance >= threshold if side == "rule_in" else (everyone.chance < threshold)
            )
            counts[side]["given"] += 1
            counts[side]["share"] += own.share.value / TRIAGE_SEEDS
            counts[side]["broken"] += bool(right[beyond].mean() < 0.85)
    return found | counts


def groups() -> dict[str, Any]:
    """How often equal groups are called different, and a group that the model fails is found."""
    flagged = sum(bool(_groups(seed, 0.0).gaps) for seed in range(GROUP_SEEDS))
    found = sum(
        any(gap.group == {"site": "C"} for gap in _groups(seed, 0.8).gaps)
        for seed in range(PLANTED_SEEDS)
    )
    return {
        "seeds": GROUP_SEEDS,
        "flagged": flagged,
        "planted_seeds": PLANTED_SEEDS,
        "found": found,
    }


def _groups(seed: int, blind: float) -> Subgroups:
    """300 patients of two sexes and three sites; the model sees site C worse by `blind`."""
    random = np.random.default_rng(seed)
    sex = random.choice(["F", "M"], 300)
    site = random.choice(["A", "B", "C"], 300, p=[0.4, 0.3, 0.3])
    true = random.normal(-0.5, 1.5, 300)
    seen = np.where(site == "C", (1 - blind) * true - 2.5 * blind, true)
    own = np.arange(300)
    question = Question("yes", random.random(300) < expit(true), expit(seen), own, own)
    named = {"sex": tuple(sex.tolist()), "site": tuple(site.tolist())}
    return subgroups(question, answered(question, named))


def section(found: Mapping[str, Any]) -> str:
    """The part's page."""
    lines = ["| the signal is | helps | no evidence | hurts | mean gain |", "|---|---|---|---|---|"]
    for name, one in found["fusion"].items():
        counts = one["verdicts"]
        lines.append(
            f"| {name} | {counts['helps']} | {counts['no evidence']} | {counts['hurts']} "
            f"| {one['mean_gain']:+.3f} |"
        )
    lines += [
        "",
        "Conformal sets: "
        + "; ".join(
            f"{one['asked']:.0%} asked, {one['reached']:.1%} reached" for one in found["coverage"]
        )
        + f" (mean of {found['coverage'][0]['seeds']} cohorts).",
        "",
        "| patients | rule-in promised | broken | rule-out promised | broken |",
        "|---|---|---|---|---|",
    ]
    for one in found["triage"]:
        own = [
            f"{one[s]['given']} | {one[s]['broken'] / one['seeds']:.1%}"
            for s in ("rule_in", "rule_out")
        ]
        lines.append(f"| {one['n']} | {' | '.join(own)} |")
    told = found["triage"][0]
    groups_ = found["groups"]
    lines += [
        "",
        f"PPV and NPV of {told['ppv']:.0%} at 95 % confidence, {told['seeds']} cohorts each: at "
        "most 5 % may be broken.",
        "",
        f"Equal groups were called different in {groups_['flagged']} of {groups_['seeds']} cohorts "
        f"({groups_['flagged'] / groups_['seeds']:.1%}; at most 5 %); a group that the model fails "
        f"was found in {groups_['found']} of {groups_['planted_seeds']}.",
    ]
    return "\n".join(lines)
