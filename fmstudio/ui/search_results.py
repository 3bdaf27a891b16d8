"""What a run tried before it settled: the settings of its search, and its seeds, as fragments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from fmstudio.present.values import number
from fmstudio.results.search import SearchResult, SeedsResult, Tried
from fmstudio.run_config import RunConfig
from fmstudio.ui.forms import said
from fmstudio.ui.fragments import NOTHING, Html, badge, join, section, table, text
from fmstudio.ui.results import STAGES
from fmstudio.ui.wording import duration, plural


def tried(both: Tried) -> Html:
    """The search and the seeds of a run; nothing where the run had neither."""
    return join([_search(both.search), _seeds(both.seeds)])


def _search(found: SearchResult | None) -> Html:
    """Every trial, the best of validation patients marked."""
    if not found:
        return NOTHING
    trials = found.trials
    known = {item.name: item.metadata["label"] for item in fields(RunConfig)}
    names = list(trials[0].settings)
    rows = [
        [
            text(trial.number),
            *(text(_short(trial.settings[name])) for name in names),
            text(number(trial.loss)),
            text(duration(trial.seconds)),
            badge("Used", "accent") if trial.number == found.best else NOTHING,
        ]
        for trial in trials
    ]
    header = ["#Trial", *(known[name] for name in names), "#Validation loss", "#Time", ""]
    took = duration(found.seconds)
    lead = (
        f"{plural(len(trials), 'set')} of settings in {took}, each compared on the same validation "
        "patients. The first is what was asked for; LoRA was trained with the best. Held-out "
        "patients had no part in it."
    )
    return join([section("What the search tried", lead), table(header, rows)])


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else said(value)


def _seeds(seeds: Mapping[str, SeedsResult] | None) -> Html:
    """What became of the seeds of each depth."""
    if not seeds:
        return NOTHING
    rows = [
        [
            text(STAGES.get(name, name)),
            text(len(each.losses)),
            text(f"{number(min(each.losses))} to {number(max(each.losses))}"),
            text(number(each.averaged_loss)),
            text("the average" if each.averaged else "the best seed"),
        ]
        for name, each in seeds.items()
    ]
    header = ["Model", "#Seeds", "#Validation loss of each", "#Of their average", "Kept"]
    lead = (
        "The same adapter trained from several seeds, and the average of what they learned, which "
        "is kept where it is no worse on validation patients than the best of them."
    )
    return join([section("Several seeds", lead), table(header, rows)])
