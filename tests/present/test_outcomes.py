"""Outcomes carry the names that the user gave, and say what they are of where there are none."""

from __future__ import annotations

import pytest

from fmstudio.present.outcomes import named, outcomes_of, positive_in_a_sentence
from fmstudio.types import TaskSpec

DIED = TaskSpec("binary", ("died",), ("0", "1"), "1")
NAMED = TaskSpec(
    "binary", ("died",), ("0", "1"), "1", positive_name="Death", negative_name="Survival"
)
HALF = TaskSpec("binary", ("died",), ("0", "1"), "1", positive_name="Death")


@pytest.mark.parametrize(
    ("task", "negative", "positive"),
    [
        (DIED, "no (died = 0)", "yes (died = 1)"),
        (NAMED, "Survival", "Death"),
        (HALF, "Not: Death", "Death"),
        (TaskSpec("binary", ("kind",), ("a", "b"), "b"), "a", "b"),
    ],
)
def test_a_label_reads_alone(task, negative, positive):
    known = task.as_dict()
    assert [named(label, known) for label in task.labels] == [negative, positive]


def test_a_task_without_names_is_stored_as_before_and_one_with_names_comes_back():
    assert {"positive_name", "negative_name"}.isdisjoint(DIED.as_dict())
    assert TaskSpec.from_dict(NAMED.as_dict()) == NAMED
    assert TaskSpec.from_dict(DIED.as_dict()) == DIED


@pytest.mark.parametrize(
    ("label", "column", "word"),
    [
        ("1", "label_deterioration", "deterioration"),
        ("yes", "pulmonary_embolism", "pulmonary embolism"),
        ("sepsis", "diagnosis", "sepsis"),
        ("1", "", "1"),
    ],
)
def test_a_label_that_means_nothing_alone_is_named_by_its_column(label, column, word):
    assert positive_in_a_sentence({"labels": ["x", label], "columns": [column]}) == word


def test_a_report_gives_labels_with_their_names():
    assert outcomes_of(NAMED) == "0 (Survival), 1 (Death)"
    assert outcomes_of(DIED) == "0, 1"
