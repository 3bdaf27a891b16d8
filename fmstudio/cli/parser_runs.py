"""The words of the commands that start, list, stop and delete runs."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import Field, fields
from pathlib import Path
from typing import Any

from fmstudio.cli import commands
from fmstudio.cli.subcommands import add_command, add_paging, command_group
from fmstudio.cli.values import listed, value_of
from fmstudio.pretrain_config import PretrainConfig
from fmstudio.run_config import RunConfig


def add_finetune(commands_of: Any) -> None:
    finetune = add_command(
        commands_of, "finetune", commands.finetune, "fine-tune on the newest cohort of a project"
    )
    finetune.add_argument("project", metavar="PROJECT")
    finetune.add_argument(
        "--recipe",
        metavar="FILE",
        type=Path,
        help="the settings of an earlier run (see `run recipe`); options beside it win over it",
    )
    add_settings(finetune, fields(RunConfig))
    add_patience(finetune)


def add_settings(parser: argparse.ArgumentParser, items: Iterable[Field[Any]]) -> None:
    """An option for each field of a config, by its metadata."""
    for item in items:
        known, name = item.metadata, "--" + item.name.replace("_", "-")
        text = f"{known['label']}. {known['help']}".replace("%", "%%")
        if item.name == "encoders":
            parser.add_argument(
                "--encoder",
                dest=item.name,
                metavar="MODALITY=ID_OR_FOLDER",
                action="append",
                default=[],
                type=value_of,
                help=f"{text} May be repeated.",
            )
        elif isinstance(item.default, bool):
            parser.add_argument(name, action=argparse.BooleanOptionalAction, help=text)
        elif isinstance(item.default, tuple):
            parser.add_argument(name, metavar="A,B,…", type=listed, help=text)
        else:
            kind, choices = type(item.default), known.get("choices")
            metavar = None if choices else "NAME" if kind is str else "N"
            parser.add_argument(name, metavar=metavar, type=kind, choices=choices, help=text)


def add_patience(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--identifiers-confirmed-by",
        metavar="NAME",
        dest="confirmed_by",
        help="NAME has looked at every finding on who the patients are: they identify nobody",
    )
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--wait", action="store_true", help="wait for the result (the default)")
    how.add_argument("--detach", action="store_true", help="return at once with the run's id")


def add_pretrain(commands_of: Any) -> None:
    pretrain = add_command(
        commands_of,
        "pretrain",
        commands.pretrain,
        "make a new base from cases without labels, or a base from its recipe",
    )
    pretrain.add_argument("project", metavar="PROJECT", nargs="?")
    known = [item for item in fields(PretrainConfig) if item.name not in commands.OF_THE_TABLE]
    add_settings(pretrain, known)
    pretrain.add_argument(
        "--manifest",
        metavar="FILE",
        type=Path,
        help="a table of further cases; they need no labels, and nothing is copied",
    )
    add_patience(pretrain)
    recipe = pretrain.add_argument_group("a base from its recipe, here and now")
    recipe.add_argument("--recipe", metavar="FILE", type=Path, help="the recipe, as JSON")
    recipe.add_argument("--data", metavar="DIR", type=Path, help="folder of the recipe's cohorts")
    recipe.add_argument("--work", metavar="DIR", type=Path, help="where stages are kept")
    recipe.add_argument("--out", metavar="DIR", type=Path, help="where the base is written")
    recipe.add_argument(
        "--stage",
        metavar="NAME",
        action="append",
        default=[],
        help="only this stage; may be repeated",
    )
    recipe.add_argument(
        "--teacher", metavar="DIR", type=Path, help="folder of the teacher's weights"
    )


def add_run(commands_of: Any) -> None:
    group = command_group(commands_of, "run", "fine-tuning and pretraining runs")
    listing = add_command(group, "list", commands.run_list, "list the runs")
    listing.add_argument("project", metavar="PROJECT", nargs="?")
    add_paging(listing)
    for name, run, help in (
        ("show", commands.run_show, "show a run"),
        ("stop", commands.run_stop, "stop a run after a checkpoint"),
        ("resume", commands.run_resume, "go on with a stopped or interrupted run"),
    ):
        add_command(group, name, run, help).add_argument("run_id", metavar="RUN")
    recipe = add_command(group, "recipe", commands.run_recipe, "write the recipe of a run")
    recipe.add_argument("run_id", metavar="RUN")
    recipe.add_argument(
        "file", metavar="FILE", type=Path, nargs="?", help="a file to write (default: shown)"
    )
