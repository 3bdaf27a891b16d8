"""Every setting of a run as a table to search: what it does, its range, its preset, its key.

Rows are made once. What changes (which match, which act, which differ from the preset) is one
fragment with a few style rules, so that widgets keep what was typed in them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import Field, dataclass
from typing import Any

import gradio as gr

from fmstudio.run_config import GROUPS, PRESETS, RunConfig, why_idle
from fmstudio.ui import forms
from fmstudio.ui.fragments import Html, area, badge, join, notice, tag, text
from fmstudio.ui.wording import listed, plural

FIRST = "quick"
HEADS = ("Setting", "Value", "Range", "Preset", "Key")


@dataclass(frozen=True)
class AllSettings:
    """The widgets: one per setting, that of the column to balance by among them, the box to search
    in, the way back to the preset, the recipe to load, and the sentence on how settings stand."""

    fields: list[gr.components.Component]
    column: gr.components.Component
    search: gr.Textbox
    reset: gr.Button
    load: gr.UploadButton
    standing: gr.HTML


@dataclass(frozen=True)
class Standing:
    """How the settings stand: by key, which are out of range and what it is, which differ from the
    preset, which do not act and why, and which match what is searched for."""

    wrong: Mapping[str, str]
    changed: tuple[str, ...]
    idle: Mapping[str, str]
    matching: tuple[str, ...]
    searching: bool


def build() -> AllSettings:
    """The table, folded away, under a sentence on how the settings stand."""
    start = RunConfig.from_preset(FIRST)
    widgets = {}
    with gr.Row(elem_id="settings-standing"):
        values = forms.of_preset(FIRST)
        shown = area(told(stand(values, FIRST, (), "", "", ()), FIRST))
        reset = gr.Button(
            "Back to the preset", size="sm", elem_classes="fm-narrow", elem_id="settings-reset"
        )
        load = gr.UploadButton(
            "Load recipe",
            file_types=[".json"],
            size="sm",
            elem_classes="fm-narrow",
            elem_id="load-recipe",
        )
    with gr.Accordion("All settings", open=False, elem_id="all-settings"):
        search = gr.Textbox(
            label="Search",
            show_label=False,
            elem_id="settings-search",
            max_lines=1,
            value="",
            container=False,
            placeholder="Search by name, purpose or key, such as rank or --learning-rate",
        )
        area(
            tag(
                "p",
                join(
                    [
                        text("Keys are as in a recipe's file; the option of "),
                        tag("code", text("lora_dropout")),
                        text(" is "),
                        tag("code", text("--lora-dropout")),
                        text("."),
                    ]
                ),
                "fm-note",
            )
        )
        area(tag("div", join(tag("span", text(head)) for head in HEADS), "fm-setting fm-heads"))
        for place, group in enumerate(GROUPS):
            area(
                tag("h3", text(group)),
                elem_id=f"settings-group-{place}",
                elem_classes="fm-setting-group",
            )
            for item in forms.shown_fields():
                if item.metadata["group"] == group:
                    widgets[item.name] = _row(item, getattr(start, item.name))
    fields = [widgets[item.name] for item in forms.shown_fields()]
    return AllSettings(fields, widgets["balance_by"], search, reset, load, shown)


def _row(item: Field[Any], value: Any) -> gr.components.Component:
    known, option = item.metadata, f"--{item.name.replace('_', '-')}"
    with gr.Row(elem_id=f"setting-{item.name}", elem_classes="fm-setting"):
        marks = [badge("Changed", "accent"), badge("Search starts here")]
        about = [
            tag("strong", text(known["label"])),
            tag("span", marks[0], "fm-mark fm-changed"),
            *([tag("span", marks[1], "fm-mark fm-searched")] if known.get("searched") else []),
            tag("p", text(known["help"])),
        ]
        area(join(about, " "))
        field = forms.widget(item, value)
        of = [
            tag(
                "span",
                text(forms.said(getattr(RunConfig.from_preset(preset), item.name))),
                f"fm-of fm-of-{preset}",
            )
            for preset in PRESETS
        ]
        area(tag("span", text(forms.range_in_words(item)), data_head="Range"))
        area(tag("span", join(of), data_head="Preset"))
        area(tag("code", text(item.name), title=f"On the command line: {option}"))
    return field


def stand(
    values: Sequence[Any],
    preset: str,
    modalities: Sequence[str],
    task: str,
    wanted: str,
    columns: Sequence[str],
) -> Standing:
    """How the form's `values` stand for a preset, a choice of modalities, a kind of task and the
    group `columns` of a cohort."""
    items = forms.shown_fields()
    given = {item.name: value for item, value in zip(items, values, strict=True)}
    usual = RunConfig.from_preset(preset)
    facts = {**given, "modalities": tuple(modalities), "group_columns": columns}
    reasons = {item.name: why_idle(item, facts, task) for item in items}
    complaints = {item.name: forms.complaint(item, given[item.name]) for item in items}
    return Standing(
        {name: words for name, words in complaints.items() if words},
        tuple(name for name, value in given.items() if value != getattr(usual, name)),
        {name: why for name, why in reasons.items() if why and not complaints[name]},
        tuple(item.name for item in items if _matches(item, wanted)),
        bool(given["search_minutes"]),
    )


def _matches(item: Field[Any], wanted: str) -> bool:
    """True if each word stands in label, help, group or key, as a recipe or an option has it."""
    known, option = item.metadata, f"--{item.name.replace('_', '-')}"
    where = f"{known['label']} {known['help']} {known['group']} {item.name} {option}".casefold()
    return all(word in where for word in wanted.casefold().split())


def told(standing: Standing, preset: str, wanted: str = "") -> Html:
    """A sentence on how the settings stand, and the rules that show it in the table."""
    items = {item.name: item.metadata for item in forms.shown_fields()}
    changed = [name for name in standing.changed if name not in standing.idle]
    matching = [name for name in standing.matching if name not in standing.idle]
    seen = [*matching, *(name for name in standing.wrong if name not in matching)]
    labels = [items[name]["label"] for name in changed]
    first = (
        f"{plural(len(labels), 'setting')} {'differs' if len(labels) == 1 else 'differ'} from "
        f"{preset.capitalize()}: {listed(labels)}."
        if labels
        else f"All settings are those of {preset.capitalize()}."
    )
    lines = [notice(" ".join(standing.wrong.values()), tone="stop")] if standing.wrong else []
    lines.append(tag("p", text(first), "fm-note"))
    if standing.idle:
        count = len(standing.idle)
        of: dict[str, list[str]] = {}
        for name, why in standing.idle.items():
            of.setdefault(why, []).append(items[name]["label"])
        which = "; ".join(f"{why}: {listed(labels)}" for why, labels in of.items())
        lines.append(
            tag(
                "p",
                text(
                    f"{plural(count, 'setting')} that {'does' if count == 1 else 'do'} not act "
                    f"here {'is' if count == 1 else 'are'} hidden ({which})."
                ),
                "fm-note",
            )
        )
    if not matching:
        lines.append(tag("p", text(f"No setting matches '{wanted}'."), "fm-note"))
    return join([tag("style", _rules(standing, preset, seen, bool(changed))), *lines])


def _rules(standing: Standing, preset: str, seen: Sequence[str], any_changed: bool) -> Html:
    items = {item.name: item.metadata for item in forms.shown_fields()}
    groups = {items[name]["group"] for name in seen}
    gone = [f"#setting-{name}" for name in items if name not in seen]
    gone += [f"#settings-group-{i}" for i, group in enumerate(GROUPS) if group not in groups]
    gone += [] if any_changed else ["#settings-reset"]
    shown = [f"#setting-{name} .fm-changed" for name in standing.changed]
    shown += ["#all-settings .fm-searched"] if standing.searching else []
    rules = [
        f"#all-settings .fm-of-{preset} {{ display: inline; }}",
        f"#presets .fm-of-{preset} {{ font-weight: 640; color: var(--fm-accent); }}",
    ]
    rules += [f"{', '.join(gone)} {{ display: none !important; }}"] if gone else []
    rules += [f"{', '.join(shown)} {{ display: inline; }}"] if shown else []
    return Html("\n".join(rules))
