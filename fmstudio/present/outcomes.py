"""Outcomes in the words of whoever asked: labels of a task in, their names out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fmstudio.types import Prediction, TaskSpec

BARE = frozenset("yes no true false y n pos neg positive negative present absent case".split())
"""Labels that mean something only beside the name of their column."""


def named(label: str, task: Mapping[str, Any]) -> str:
    """A label as it reads alone: the name that the user gave it, else with its column.

    '1' is 'Deterioration within 48 h' where that is its name, 'yes (died = 1)' where it has none.
    """
    binary = task.get("kind") == "binary" and task.get("positive") is not None
    positive = binary and label == task["positive"]
    given = task.get("positive_name" if positive else "negative_name") if binary else None
    if given:
        return str(given)
    if binary and task.get("positive_name"):
        return f"Not: {task['positive_name']}"
    columns: Sequence[str] = task.get("columns") or ()
    if not _bare(label) or len(columns) != 1:
        return label
    value = f"{columns[0]} = {label}"
    return f"{'yes' if positive else 'no'} ({value})" if binary else value


def positive_in_a_sentence(task: Mapping[str, Any]) -> str:
    """What a positive case of a binary task has: its name, its label, or its column's name."""
    label = str(task["labels"][-1])
    if task.get("positive_name"):
        return str(task["positive_name"])
    columns = task.get("columns") or ("",)
    if not _bare(label):
        return label
    return str(columns[0]).removeprefix("label_").replace("_", " ") or label


def outcomes_of(task: TaskSpec) -> str:
    """The labels of a task, each with what it means: '0 (Stable for 48 h), 1 (Deterioration)'."""
    return ", ".join(with_meaning(label, task) for label in task.labels)


def with_meaning(label: str, task: TaskSpec) -> str:
    """A label and, where the user gave it a name, what it means: '1 (Deterioration)'."""
    if task.kind != "binary" or not task.labels:
        return label
    names = {task.labels[-1]: task.positive_name, task.labels[0]: task.negative_name}
    return f"{label} ({names[label]})" if names.get(label) else label


def towards_positive(prediction: Prediction) -> tuple[dict[str, float], float]:
    """(contributions, baseline) of a prediction; of a binary one for the positive outcome.

    A prediction explains the label that it predicts, while people read the positive one's.
    """
    known, start = dict(prediction.contributions), prediction.baseline
    labels = list(prediction.probabilities)
    if prediction.task != "binary" or prediction.prediction == labels[-1]:
        return known, start
    return {name: -value for name, value in known.items()}, 1 - start


def _bare(label: str) -> bool:
    return label.strip().lower() in BARE or label.replace(".", "").isdigit()
