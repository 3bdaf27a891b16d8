"""How a command, a group of commands and the options of a long list are added to a parser."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, NoReturn

from fmstudio.cli.values import count
from fmstudio.errors import InputError

PROGRAM = "python -m fmstudio"
COHORT_HELP = "a cohort's number, or a project for its newest cohort"
ADAPTER_HELP = "an adapter's id, or PROJECT/ALIAS such as icu/champion"


class Parser(argparse.ArgumentParser):
    """argparse, with its complaints as errors of the studio."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message[0].upper()}{message[1:]}.", hint=f"See: {self.prog} --help")


def add_command(
    group: Any, name: str, run: Callable[..., Any] | str, help: str
) -> argparse.ArgumentParser:
    described = f"{help[0].upper()}{help[1:]}."
    parser: argparse.ArgumentParser = group.add_parser(
        name, help=help, description=described, allow_abbrev=False
    )
    add_shared(parser, argparse.SUPPRESS)
    parser.set_defaults(run=run)
    return parser


def command_group(commands_of: Any, name: str, help: str) -> Any:
    parser = commands_of.add_parser(name, help=help, allow_abbrev=False)
    add_shared(parser, argparse.SUPPRESS)
    return parser.add_subparsers(metavar="ACTION", required=True)


def add_paging(listing: argparse.ArgumentParser) -> None:
    listing.add_argument(
        "--limit",
        metavar="N",
        type=count,
        default=100,
        help="how many at most, the newest first (default: 100)",
    )
    listing.add_argument(
        "--skip", metavar="N", type=count, default=0, help="leave out the newest N"
    )


def add_shared(parser: argparse.ArgumentParser, default: Any) -> None:
    """The options of every command, before its name or after it."""
    group = parser.add_argument_group("options of every command")
    off = argparse.SUPPRESS if default == argparse.SUPPRESS else False
    group.add_argument(
        "--home",
        metavar="DIR",
        default=default,
        help="the studio's folder (default: FMSTUDIO_HOME, else your user data folder)",
    )
    group.add_argument(
        "--json", action="store_true", default=off, help="answer with one JSON document"
    )
    group.add_argument(
        "--debug", action="store_true", default=off, help="show the traceback of a fault"
    )
