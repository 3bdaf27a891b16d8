"""A search over settings within a time budget: settings to start from in, the best found out.

Proposals come from a tree-structured Parzen estimator (Bergstra et al. 2011, NeurIPS 24) in Optuna
(Akiba et al. 2019, arXiv 1907.10902). Finished trials are kept as plain numbers in one JSON file
of the run's folder, and each proposal depends on those and on (seed, number of the trial) alone: a
run that was killed goes on with the same sequence. Trials are not pruned among each other: each
stops early by itself on its own validation curve.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import TrialState, create_trial

from fmstudio.errors import InputError
from fmstudio.files import write_whole
from fmstudio.results.search import SearchResult, Trial
from fmstudio.run_config import RunConfig
from fmstudio.types import to_json

log = logging.getLogger(__name__)

FILE = "search.json"
AT_RANDOM = 5  # trials, that of the settings themselves included, before the estimator has a say
RANKS = (1, 6)  # as powers of two: 2 to 64
RATES = (3e-5, 3e-3)
DROPOUTS = (0.0, 0.5, 0.1)  # from, to, step

Try = Callable[[int, RunConfig], float]


@dataclass(frozen=True)
class Found:
    """The settings that did best on validation patients, and all that was tried."""

    config: RunConfig
    trials: tuple[Trial, ...]

    @property
    def best(self) -> Trial:
        """The trial of the smallest loss, the first of equals."""
        return min(self.trials, key=lambda trial: (_loss(trial), trial.number))

    @property
    def result(self) -> SearchResult:
        """As the run's result tells it."""
        return SearchResult(self.best.number, self.trials)


def search(config: RunConfig, scopes: Sequence[str], try_one: Try, folder: Path) -> Found:
    """Tries settings until `config.search_minutes` are over; `folder` keeps what was tried.

    Trial 0 is `config` itself, so that what is found is never worse on validation patients than
    what was asked for. A trial is begun only if one of mean length would still end in time.
    `scopes` are the depths to choose from; `try_one` trains (number of the trial, its settings) and
    gives the validation loss. What it raises ends the search, with the finished trials kept.

    Raises InputError for a kept search that was made from other settings.
    """
    space = space_of(config, scopes)
    trials = _read(folder / FILE, config)
    while not trials or _spent(trials) + _spent(trials) / len(trials) <= 60 * config.search_minutes:
        number = len(trials)
        settings = propose(config, space, trials)
        started = time.monotonic()
        loss = float(try_one(number, apply(config, settings)))
        seconds = time.monotonic() - started
        trials.append(Trial(number, settings, loss if math.isfinite(loss) else None, seconds))
        _write(folder / FILE, config, trials)
    found = Found(config, tuple(trials))
    return replace(found, config=apply(config, found.best.settings))


def space_of(config: RunConfig, scopes: Sequence[str]) -> dict[str, BaseDistribution]:
    """What is searched: rank (as power of two), learning rate, modality dropout and depth.

    Nothing is searched that does not act: dropout of the only modality, the only depth.
    """
    space: dict[str, BaseDistribution] = {
        "rank": IntDistribution(*RANKS),
        "learning_rate": FloatDistribution(*RATES, log=True),
    }
    if len(config.modalities) != 1:
        space["modality_dropout"] = FloatDistribution(*DROPOUTS[:2], step=DROPOUTS[2])
    if len(scopes) > 1:
        space["scope"] = CategoricalDistribution(tuple(scopes))
    return space


def propose(
    config: RunConfig, space: Mapping[str, BaseDistribution], trials: Sequence[Trial]
) -> dict[str, Any]:
    """The settings of the trial after `trials`: the config's own first, later the sampler's.

    A function of its arguments alone: the study is made anew for each proposal.
    """
    names = list(space)
    if not trials:
        return {name: getattr(config, name) for name in names}
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    seed = np.random.SeedSequence([config.seed, len(trials)]).generate_state(1)[0]
    sampler = optuna.samplers.TPESampler(n_startup_trials=AT_RANDOM, seed=int(seed))
    study = optuna.create_study(sampler=sampler)
    for trial in trials:
        study.add_trial(_told(trial, space))
    asked = study.ask(dict(space)).params
    return {name: 2 ** asked[name] if name == "rank" else asked[name] for name in names}


def apply(config: RunConfig, settings: Mapping[str, Any]) -> RunConfig:
    """The config with a trial's settings. LoRA's scale alpha / rank stays as it was.

    Else a search over ranks would be one over scales as well.
    """
    rank = settings.get("rank", config.rank)
    known = {item.name: item.metadata for item in fields(RunConfig)}["alpha"]
    alpha = min(max(config.alpha * rank / config.rank, known["low"]), known["high"])
    return replace(config, **{**settings, "alpha": alpha})


def _told(trial: Trial, space: Mapping[str, BaseDistribution]) -> optuna.trial.FrozenTrial:
    """A finished trial as Optuna knows it; what lies outside the space at its edge."""
    params = {}
    for name, known in space.items():
        value = trial.settings[name]
        if name == "rank":
            value = round(math.log2(value))
        if isinstance(known, IntDistribution | FloatDistribution):
            value = min(max(value, known.low), known.high)
            if known.step is not None and isinstance(known, FloatDistribution):
                value = known.low + known.step * round((value - known.low) / known.step)
        params[name] = value
    failed = trial.loss is None
    return create_trial(
        state=TrialState.FAIL if failed else TrialState.COMPLETE,
        value=None if failed else trial.loss,
        params=params,
        distributions=dict(space),
    )


def _loss(trial: Trial) -> float:
    return math.inf if trial.loss is None else trial.loss


def _spent(trials: Sequence[Trial]) -> float:
    return sum(trial.seconds for trial in trials)


def _read(path: Path, config: RunConfig) -> list[Trial]:
    """The trials of an earlier start of this run; none if the file is damaged."""
    if not path.is_file():
        return []
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        whole = kept.pop("sha256") == _sha256(kept)
    except (ValueError, TypeError, KeyError, AttributeError):
        whole = False
    if not whole:
        log.warning("%s is damaged: the search starts anew.", path.name)
        return []
    if kept["config"] != config.as_dict():
        raise InputError(
            f"The search kept in {path.parent.name} was made from other settings.",
            hint="Start a new run.",
        )
    return [Trial(**trial) for trial in kept["trials"]]


def _write(path: Path, config: RunConfig, trials: Sequence[Trial]) -> None:
    kept = {"config": config.as_dict(), "trials": [asdict(trial) for trial in trials]}
    sealed = {**kept, "sha256": _sha256(kept)}
    write_whole(path, json.dumps(sealed, indent=1, allow_nan=False))


def _sha256(kept: Mapping[str, Any]) -> str:
    return hashlib.sha256(to_json(kept).encode()).hexdigest()
