"""The presets beside each other: what each is for, what it sets, and what it costs here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field, fields
from typing import TYPE_CHECKING, Any

from fmstudio.present.values import number
from fmstudio.run_config import PRESETS, RunConfig
from fmstudio.ui.forms import said
from fmstudio.ui.fragments import Html, join, table, tag, text
from fmstudio.ui.wording import estimated

if TYPE_CHECKING:
    from fmstudio.training.estimate import Estimate

WORDS: Mapping[str, str] = {
    "quick": "Quick: a first answer to whether there is a signal in the data.",
    "balanced": "Balanced: learns longer and deeper, stops when validation no longer gets better, "
    "and is also evaluated by cross-validation. The right choice for most cohorts.",
    "thorough": "Thorough: also adapts the encoders, looks for better settings first, and averages "
    "several seeds. Many times slower; for larger cohorts.",
}


def choices() -> list[tuple[str, str]]:
    """The presets with what each is for, from quick to thorough."""
    return [(WORDS.get(name, name.capitalize()), name) for name in PRESETS]


def side_by_side(costs: Mapping[str, Estimate]) -> Html:
    """What each preset sets, one column each; `costs` by preset where they are known."""
    known = {item.name: item for item in fields(RunConfig)}
    names = [name for name in known if any(name in values for values in PRESETS.values())]
    configs = {preset: RunConfig.from_preset(preset) for preset in PRESETS}
    rows = [
        [
            text(known[name].metadata["label"]),
            *(_cell(p, _said(known[name], getattr(c, name))) for p, c in configs.items()),
        ]
        for name in names
    ]
    if costs:
        times = [_cell(p, estimated(costs[p])) for p in PRESETS]
        memory = [_cell(p, f"{number(round(costs[p].memory_mb))} MB") for p in PRESETS]
        rows += [
            [tag("strong", text("Estimated time for this cohort")), *times],
            [tag("strong", text("Estimated memory")), *memory],
        ]
    return table(["What it sets", *(name.capitalize() for name in PRESETS)], rows)


def _said(item: Field[Any], value: Any) -> str:
    return "none" if value == item.metadata.get("off") else said(value)


def _cell(preset: str, words: str) -> Html:
    return join([tag("span", text(words), f"fm-of-{preset}")])
