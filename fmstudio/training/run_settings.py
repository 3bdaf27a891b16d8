"""A recipe: all settings of a run and what it was made with, as a small JSON file to run again.

It names base and encoders with their hashes, so that the same name for other weights is noticed,
and the cohort by its fingerprint; it holds nothing about a patient. No torch here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from typing import Any

from fmstudio.errors import InputError
from fmstudio.run_config import RunConfig, expected
from fmstudio.version import __version__

SCHEMA = "fmstudio/recipe/1"
NAMED = ("base", "modalities", "encoders")  # settings that a recipe names with their hashes
MOST_BYTES = 1_000_000
ANOTHER_FILE = "Choose a file that 'Save recipe' or `run recipe` has written."

_PARTS: Mapping[str, type] = {
    "schema": str,
    "studio": str,
    "task": str,
    "cohort": str,
    "settings": dict,
    "base": dict,
    "modalities": list,
    "encoders": dict,
    "answers": dict,
}
_OPTIONAL = ("answers",)
_KINDS = {
    bool: "yes or no (true or false)",
    int: "a whole number",
    float: "a number",
    str: "a text",
    list: "a list of texts",
    dict: "an object",
}


@dataclass(frozen=True)
class Recipe:
    """The settings of a run with what they were made for.

    `encoders_sha256` is by modality; `task` the kind of the task; `cohort` the fingerprint of the
    data, `answers` what a person said of its files (see `types.Question`); `remarks` what a reader
    had to fill in.
    """

    config: RunConfig
    base_sha256: str
    encoders_sha256: Mapping[str, str]
    task: str
    cohort: str
    studio: str = __version__
    answers: Mapping[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = field(default=(), compare=False)

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        settings = self.config.as_dict()
        encoders = {
            modality: {"name": name, "sha256": self.encoders_sha256[modality]}
            for modality, name in self.config.encoders.items()
        }
        return {
            "schema": SCHEMA,
            "studio": self.studio,
            "task": self.task,
            "cohort": self.cohort,
            **({"answers": dict(self.answers)} if self.answers else {}),
            "base": {"name": self.config.base, "sha256": self.base_sha256},
            "modalities": list(self.config.modalities),
            "encoders": encoders,
            "settings": {name: value for name, value in settings.items() if name not in NAMED},
        }

    def as_text(self) -> str:
        """As the text of a recipe's file."""
        return json.dumps(self.as_dict(), indent=2, ensure_ascii=False) + "\n"


def read_recipe(text: str, name: str) -> Recipe:
    """The recipe in the text of a file called `name`.

    Raises InputError, naming the key, what was found and what is expected. A setting that an older
    studio did not know has the value that it had then, which is said in `remarks`.
    """
    given = _parsed(text, name)
    settings = given["settings"]
    known = {item.name: item for item in fields(RunConfig) if item.name not in NAMED}
    _refuse_unknown(name, "settings.", settings, list(known))
    for key, value in settings.items():
        _check_type(name, f"settings.{key}", value, type(known[key].default))
        problem = expected(known[key], value)
        if problem:
            raise InputError(
                f"{name}: settings.{key} is {json.dumps(value)}, expected {problem}.",
                hint=f"Change it to a value {problem}.",
            )
    _check_type(name, "modalities", given["modalities"], list)
    answers = given.get("answers", {})
    for key, said in answers.items():
        _check_type(name, f"answers.{key}", said, str)
    base = _named(name, "base", given["base"])
    encoders = {m: _named(name, f"encoders.{m}", one) for m, one in given["encoders"].items()}
    config = RunConfig(
        base=base["name"],
        modalities=tuple(given["modalities"]),
        encoders={modality: one["name"] for modality, one in encoders.items()},
        **settings,
    )
    return Recipe(
        config,
        base["sha256"],
        {m: one["sha256"] for m, one in encoders.items()},
        given["task"],
        given["cohort"],
        given["studio"],
        answers,
        tuple(
            f"The recipe of version {given['studio']} does not say '{key}': it is taken as "
            f"{json.dumps(item.default)}."
            for key, item in known.items()
            if key not in settings
        ),
    )


def _parsed(text: str, name: str) -> dict[str, Any]:
    """The parts of a recipe, each of its type."""
    try:
        given = json.loads(text)
    except (ValueError, RecursionError) as fault:
        raise InputError(
            f"{name} is not a recipe: it cannot be read as JSON ({fault}).",
            hint=ANOTHER_FILE,
        ) from fault
    if not isinstance(given, dict) or "schema" not in given:
        raise InputError(
            f"{name} is not a recipe: it has no 'schema'.",
            hint=ANOTHER_FILE,
        )
    if given["schema"] != SCHEMA:
        raise InputError(
            f'{name}: schema is {json.dumps(given["schema"])}, expected "{SCHEMA}".',
            hint="It is from a newer studio, or another kind of file: update the studio, or write "
            "the recipe again.",
        )
    _refuse_unknown(name, "", given, list(_PARTS))
    for key, kind in _PARTS.items():
        if key not in given and key in _OPTIONAL:
            continue
        if key not in given:
            raise InputError(
                f"{name}: '{key}' is missing, expected {_KINDS[kind]}.",
                hint="Write the recipe again with `run recipe RUN FILE`.",
            )
        _check_type(name, key, given[key], kind)
    return given


def _refuse_unknown(name: str, at: str, given: Mapping[str, Any], known: Sequence[str]) -> None:
    for key in given:
        if key not in known:
            close = get_close_matches(key, known, 1)
            raise InputError(
                f"{name}: there is no key '{at}{key}'.",
                hint=f"Did you mean '{close[0]}'?"
                if close
                else f"Remove it, or use one of: {', '.join(known)}.",
            )


def _check_type(name: str, key: str, value: Any, kind: type) -> None:
    fine = isinstance(value, (int, float) if kind is float else kind)
    fine &= kind is bool or not isinstance(value, bool)
    if kind is list:
        fine = fine and all(isinstance(one, str) for one in value)
    if not fine:
        raise InputError(
            f"{name}: {key} is {json.dumps(value)}, expected {_KINDS[kind]}.",
            hint=f"Change it to {_KINDS[kind]}.",
        )


def _named(name: str, key: str, given: Any) -> dict[str, str]:
    """The name and hash of a base or an encoder."""
    _check_type(name, key, given, dict)
    _refuse_unknown(name, f"{key}.", given, ["name", "sha256"])
    for part in ("name", "sha256"):
        _check_type(name, f"{key}.{part}", given.get(part), str)
    return given
