"""Recipes: from a run to its recipe, and from a recipe to the settings of a run here and now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fmstudio.baselines.sample_weights import check_group_column
from fmstudio.errors import InputError, NotFound
from fmstudio.records import CohortRecord, ProjectRecord, RunRecord
from fmstudio.run_config import PRESETS, RunConfig
from fmstudio.settings import Settings
from fmstudio.studio import uploads
from fmstudio.studio.cohort_cases import group_columns
from fmstudio.training.run_settings import ANOTHER_FILE, MOST_BYTES, Recipe, read_recipe

if TYPE_CHECKING:
    from fmstudio.checkpoints.store import CheckpointInfo
    from fmstudio.registry import Registry


@dataclass(frozen=True)
class Planned:
    """Settings that fit this machine and project, and what was different where they come from."""

    config: RunConfig
    remarks: tuple[str, ...] = ()


def recipe_of(run: RunRecord, settings: Settings, registry: Registry) -> Recipe:
    """The recipe of a fine-tuning run. Raises InputError for a run of another kind.

    The hashes are those on the card of the run's adapter; where there is none, today's.
    """
    from fmstudio.checkpoints.store import find_checkpoint
    from fmstudio.cohort.cleaning import answers_in
    from fmstudio.model.bases import base_info

    if run.kind != "finetune" or run.cohort_id is None:
        raise InputError(
            f"{run.id} is no fine-tuning run with a cohort, so it has no recipe.",
            hint="Choose a fine-tuning run: `run list` shows them.",
        )
    config = RunConfig.from_dict(run.config)
    cohort = registry.cohort(run.cohort_id)
    config = config.with_modalities(config.modalities or _there(cohort))
    try:
        card = registry.adapter(run.adapter_id).card if run.adapter_id else {}
    except NotFound:  # deleted meanwhile
        card = {}
    known = {one["name"]: one["sha256"] for one in card.get("checkpoints", ())}
    encoders = {
        modality: known.get(name) or find_checkpoint(name, settings).sha256
        for modality, name in config.encoders.items()
    }
    base = card.get("base_sha256", base_info(config.base, settings).sha256)
    task = registry.project(run.project_id).task
    said = answers_in(settings.home / cohort.manifest)
    return Recipe(config, base, encoders, task.kind, cohort.fingerprint, answers=said)


def write(recipe: Recipe, target: Path) -> Path:
    """Writes a recipe's file. Raises InputError for a folder that is not there."""
    uploads.check_folder_of(target)
    target.write_text(recipe.as_text(), encoding="utf-8")
    return target


def read(path: Path) -> Recipe:
    """The recipe in a file. Raises NotFound, or InputError naming the key that is wrong."""
    if not path.is_file():
        raise NotFound(f"There is no file {path.name}.", hint="Check its name and folder.")
    if path.stat().st_size > MOST_BYTES:
        raise InputError(
            f"{path.name} is too large for a recipe.",
            hint=ANOTHER_FILE,
        )
    try:
        return read_recipe(path.read_text(encoding="utf-8"), path.name)
    except UnicodeDecodeError as fault:
        raise InputError(
            f"{path.name} is not a text file.",
            hint=ANOTHER_FILE,
        ) from fault


def plan(
    recipe: Recipe,
    changes: Mapping[str, Any],
    project: ProjectRecord,
    cohort: CohortRecord,
    settings: Settings,
) -> Planned:
    """The settings of a recipe for a run here, with `changes` on top; None means no change.

    A changed preset brings its own values along. Raises InputError where base, an encoder, a
    modality or a group column of the recipe is not here as it was and is not changed either.
    """
    from fmstudio.cohort.cleaning import answers_in

    given = {name: value for name, value in changes.items() if value not in (None, {})}
    if "preset" in given:
        if given["preset"] not in PRESETS:
            raise InputError(
                f"There is no preset '{given['preset']}'.",
                hint=f"Use one of: {', '.join(PRESETS)}.",
            )
        given = {**PRESETS[given["preset"]], **given}
    remarks = list(recipe.remarks)
    config = recipe.config
    if "base" not in given:
        config = replace(config, base=_base_here(recipe, settings, remarks))
    config = _modalities_here(config, "modalities" in given, cohort)
    if "encoders" not in given:
        looked_at = given.get("modalities") or config.modalities
        config = config.with_encoders(_encoders_here(recipe, looked_at, settings))
    if recipe.task != project.task.kind:
        remarks.append(
            f"The recipe was made for a {recipe.task} task; '{project.name}' is a "
            f"{project.task.kind} task."
        )
    if recipe.cohort != cohort.fingerprint:
        remarks.append(
            f"The recipe was made on other data (fingerprint {recipe.cohort[:12]}) than "
            f"'{cohort.name}' ({cohort.fingerprint[:12]}): the result will be another."
        )
    here = answers_in(settings.home / cohort.manifest)
    if recipe.answers != here:
        remarks.append(
            f"The recipe's files were read with {_said(recipe.answers)}; those of '{cohort.name}' "
            f"with {_said(here)}."
        )
    config = replace(config, **given)
    check_group_column(config, group_columns(cohort))
    return Planned(config, tuple(remarks))


def _said(answers: Mapping[str, str]) -> str:
    """What a person said of files, in words."""
    return ", ".join(f"{key} {said}" for key, said in answers.items()) or "nothing said of them"


def _there(cohort: CohortRecord) -> tuple[str, ...]:
    """The modalities that the cases of a cohort have."""
    return cohort.audit.present


def _base_here(recipe: Recipe, settings: Settings, remarks: list[str]) -> str:
    """The name here of a recipe's base: the one of the same weights, whatever it is called."""
    from fmstudio.model.bases import list_bases

    name, wanted, bases = recipe.config.base, recipe.base_sha256, list_bases(settings)
    same = [base.name for base in bases if base.sha256 == wanted and (wanted or base.name == name)]
    if name in same:
        return name
    if same:
        remarks.append(f"The recipe's base '{name}' is called '{same[0]}' here.")
        return same[0]
    here = {base.name: base.sha256 for base in bases}
    found = f"here it has SHA-256 {here[name][:12]}" if name in here else "which is not here"
    raise InputError(
        f"The recipe's base is '{name}' with SHA-256 {wanted[:12]}; {found}.",
        hint="Bring that base here, or run the recipe on another from the command line with "
        f"--base NAME, one of {', '.join(here)}.",
    )


def _modalities_here(config: RunConfig, changed: bool, cohort: CohortRecord) -> RunConfig:
    there = _there(cohort)
    lacking = [name for name in config.modalities if name not in there]
    if lacking and not changed:
        raise InputError(
            f"The recipe looks at {', '.join(lacking)}, which the cohort '{cohort.name}' does not "
            f"have; it has {', '.join(there)}.",
            hint=f"Add the data, or leave it out: --modalities "
            f"{','.join(name for name in config.modalities if name in there) or 'A,B'}.",
        )
    return config


def _encoders_here(
    recipe: Recipe, looked_at: tuple[str, ...], settings: Settings
) -> dict[str, str]:
    """The names here of a recipe's encoders, of those modalities that are still looked at."""
    from fmstudio.checkpoints.store import list_checkpoints

    kept: list[CheckpointInfo] = list_checkpoints(settings)
    by_hash = {info.sha256: info.name for info in kept}
    by_name = {info.name: info.sha256 for info in kept}
    found = {}
    for modality, name in recipe.config.encoders.items():
        if modality not in looked_at:
            continue
        wanted = recipe.encoders_sha256[modality]
        if wanted not in by_hash:
            other = f"; '{name}' here has {by_name[name][:12]}" if name in by_name else ""
            raise InputError(
                f"The recipe reads {modality} with the encoder '{name}' (SHA-256 {wanted[:12]}), "
                f"which is not on this machine{other}.",
                hint=f"Add it with `base add`, or choose another: --encoder {modality}=NAME.",
            )
        found[modality] = by_hash[wanted]
    return found
