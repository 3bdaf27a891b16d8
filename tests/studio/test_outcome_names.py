"""What two outcomes mean is asked once, checked, and travels with the adapter."""

from __future__ import annotations

import pytest

from fmstudio.adapters.schema_card import Task
from fmstudio.errors import InputError
from fmstudio.studio.tasks import new_task, task_of

NAMES = {"positive_name": "Death within 30 days", "negative_name": "Survival"}


def test_a_card_takes_the_names_and_one_without_them_stays_valid():
    task = new_task("binary", "died", "1", "", None, **NAMES).as_dict() | {"labels": ["0", "1"]}

    assert Task.model_validate(task).positive_name == NAMES["positive_name"]
    assert task_of({"task": task}).negative_name == NAMES["negative_name"]
    bare = {key: value for key, value in task.items() if key not in NAMES}
    assert task_of({"task": bare}).positive_name == ""


@pytest.mark.parametrize(
    ("kind", "names", "word"),
    [
        ("regression", {"positive_name": "Long stay"}, "regression"),
        ("binary", {"positive_name": "Death", "negative_name": "Death "}, "Death"),
        ("binary", {"positive_name": "a\nb"}, "a\nb"),
        ("binary", {"negative_name": "x" * 121}, "120"),
    ],
)
def test_names_that_do_not_fit_are_refused(kind, names, word):
    with pytest.raises(InputError) as refused:
        new_task(kind, None, None, "", None, **names)
    assert word in f"{refused.value.message} {refused.value.hint}"
