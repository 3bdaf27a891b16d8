"""The wizard's step Review: what will be done, in which order, and what it will cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fmstudio.errors import InputError
from fmstudio.present.values import number
from fmstudio.ui import forms
from fmstudio.ui.encoders import encoder_facts
from fmstudio.ui.fragments import Html, bullets, facts, figures, join, section
from fmstudio.ui.reports import in_brief
from fmstudio.ui.wording import duration, estimated, listed

if TYPE_CHECKING:
    from fmstudio.run_config import RunConfig
    from fmstudio.studio import Studio

KEPT = {"boosting": "Boosting on the table", "probe": "The probe", "lora": "LoRA"}


def review_step(studio: Studio, project: int, config: RunConfig) -> Html:
    """What will be done, and what it will cost."""
    if not config.modalities:
        raise InputError("No modality is chosen.", hint="Choose at least one in step 3.")
    record = studio.projects.get(project)
    cohort = studio.cohorts.newest(project)
    names = {pipeline.name: pipeline.label for pipeline in studio.pipelines()}
    cost = studio.runs.estimate(project, config)
    pairs = [
        ("Project", record.name),
        ("Question", record.task.description or "–"),
        ("Cohort", f"{cohort.name}: {in_brief(cohort.audit)}" if cohort else "–"),
        ("Base model", config.base),
        ("Looks at", listed([names.get(name, name) for name in config.modalities])),
        *encoder_facts(studio, config, names),
        ("Preset", forms.preset_in_words(config)),
    ]
    return join(
        [
            figures(
                [
                    ("estimated time", estimated(cost)),
                    ("estimated memory", f"{number(round(cost.memory_mb))} MB"),
                ]
            ),
            facts(pairs),
            section("What will happen"),
            bullets(steps_of(config)),
            forms.settings_table(config),
        ]
    )


def steps_of(config: RunConfig) -> list[str]:
    """What a run will do, in the order in which it does it."""
    scopes = config.scopes
    steps = [
        "Inputs are read and prepared once, then kept.",
        "Simpler models are made first: boosting on the table, if there is one, and a probe on the "
        "frozen base.",
    ]
    if config.folds > 1:
        steps.append(f"The probe is also evaluated by cross-validation over {config.folds} folds.")
    if scopes and config.search_minutes:
        steps.append(
            f"For up to {duration(60 * config.search_minutes)} other settings are tried, compared "
            "on validation patients; LoRA is trained with the best."
        )
    if scopes:
        depths = ", then ".join(f"the {scope}" for scope in scopes)
        each = ", each without another fold" if config.fold_ensemble else ""
        seeds = f", each from {config.seeds} seeds{each}, averaged" if config.seeds > 1 else ""
        steps.append(f"LoRA starts from the probe and adapts {depths}{seeds}.")
    steps.append(
        "The simplest model within one standard error of the best on validation patients is kept."
        if config.keep == "simplest"
        else f"{KEPT[config.keep]} is kept, as asked, whatever the validation patients say."
    )
    return [*steps, "Everything is evaluated on held-out patients, with 95 % intervals."]
