"""What files leave open, as options and as a command."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from fmstudio.cli import text
from fmstudio.studio import Studio
from fmstudio.types import Question

PREFIX = "answer_"


def add_options(parser: argparse.ArgumentParser, questions: Sequence[Question]) -> None:
    """An option for each question that files may leave open."""
    group = parser.add_argument_group("what the files leave open, said once for all of them")
    for one in questions:
        group.add_argument(
            one.option, dest=PREFIX + one.key, metavar=one.form, help=f"{one.label} {one.help}"
        )


def answers(args: argparse.Namespace) -> dict[str, str]:
    """What was said with these options, by the key of the question."""
    given = {name: said for name, said in vars(args).items() if name.startswith(PREFIX)}
    return {name.removeprefix(PREFIX): said for name, said in given.items() if said is not None}


def answer(studio: Studio, args: argparse.Namespace) -> tuple[Any, str]:
    """`cohort answer`."""
    record = studio.cohorts.answer_questions(args.project, answers(args), args.by)
    return record, text.cohort_text(record, "Answered in")
