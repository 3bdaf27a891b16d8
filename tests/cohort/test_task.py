"""What a label column asks, and what is refused."""

from __future__ import annotations

import math

import pytest

from fmstudio.cohort import make_task
from fmstudio.cohort.targets import read_targets
from fmstudio.errors import InputError

LABEL = {"label": "label"}


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        (["0", "1", "1"], ("0", "1")),
        (["1.0", "0.0", "1"], ("0.0", "1.0")),
        (["yes", "no", "Yes "], ("no", "yes")),
        (["positive", "negative", "negative"], ("negative", "positive")),
        (["normal", "pneumonia", "pneumonia"], ("normal", "pneumonia")),
        (["a", "b", "a"], ("a", "b")),
    ],
)
def test_the_positive_answer_is_the_yes_or_else_the_rarer(manifest, values, labels):
    task = make_task(manifest(label=values), LABEL, "binary")

    assert task.labels == labels
    assert task.positive == labels[1]


def test_a_given_positive_answer_is_used_and_must_exist(manifest):
    got = manifest(label=["0", "1", "1"])

    assert make_task(got, LABEL, "binary", positive="0").labels == ("1", "0")
    assert read_targets(got, make_task(got, LABEL, "binary", positive="0")).values == (
        1.0,
        0.0,
        0.0,
    )
    with pytest.raises(InputError, match="no value 'sick'"):
        make_task(got, LABEL, "binary", positive="sick")


@pytest.mark.parametrize(
    ("values", "kind", "message"),
    [
        (["1", "1"], "binary", "only one class"),
        (["", "NA"], "binary", "is empty"),
        (["yes", "yes", "Y", "no"], "binary", r"3 values \('yes', 'Y', 'no'\)"),
        (["a", "b", "c"], "multiclass", "fewer than two classes of 3 patients"),
        (["1", "x7"], "regression", r"holds 'x7' \(line 3\), which is not a number"),
        (["1", "1,234"], "regression", r"holds '1,234' \(line 3\)"),
        (["5", "5"], "regression", "only one class"),
        (["1", "0", "2"], "multilabel", r"holds '2' \(line 4\)"),
        (["1", "0"], "ranking", "no task 'ranking'"),
    ],
)
def test_labels_that_do_not_fit_the_task_are_refused(manifest, values, kind, message):
    with pytest.raises(InputError, match=message) as caught:
        make_task(manifest(label=values), LABEL, kind)

    assert caught.value.hint


def test_without_a_label_column_the_columns_are_listed(manifest):
    with pytest.raises(InputError, match="no label column") as caught:
        make_task(manifest(age=["1"], sex=["M"]), {"age": "ehr"}, "binary")

    assert "age, sex" in caught.value.hint


def test_one_label_is_asked_for_but_by_multilabel(manifest):
    got = manifest(a=["0", "1"], b=["1", "0"])

    with pytest.raises(InputError, match="a, b have that role"):
        make_task(got, {"a": "label", "b": "label"}, "binary")
    assert make_task(got, {"b": "label", "a": "label"}, "multilabel").labels == ("a", "b")


def test_classes_of_fewer_than_three_patients_are_left_out_and_counted(manifest):
    got = manifest(
        patient=["p1", "p2", "p3", "p4", "p5", "p6", "p7", "p7", "p7"],
        label=["b", "b", "b", "a", "a", "a", "rare", "rare", "rare"],
    )
    task = make_task(got, {"label": "label", "patient": "patient_id"}, "multiclass")
    targets = read_targets(got, task)

    assert task.labels == ("a", "b")
    assert targets.values == (1.0, 1.0, 1.0, 0.0, 0.0, 0.0, None, None, None)
    assert targets.left_out == (6, 7, 8)
    assert targets.unlabelled == ()


def test_classes_that_are_numbers_are_in_order_of_size(manifest):
    got = manifest(label=["10", "2", "1"] * 3)

    assert make_task(got, LABEL, "multiclass").labels == ("1", "2", "10")


def test_an_unknown_answer_of_a_multilabel_case_is_nan_and_one_without_any_has_no_target(manifest):
    got = manifest(n=["1", "2", "3"], a=["1", "", "0"], b=["no", "", ""])
    task = make_task(
        manifest(a=["1", "0"], b=["yes", "no"]), {"a": "label", "b": "label"}, "multilabel"
    )
    first, second, third = read_targets(got, task).values

    assert first == (1.0, 0.0)
    assert second is None
    assert third[0] == 0.0
    assert math.isnan(third[1])


def test_numbers_may_have_a_decimal_comma_and_missing_ones_have_no_target(manifest):
    got = manifest(n=list("12345"), label=["1,5", "2.5", "", "unknown", "-3e2"])
    task = make_task(got, LABEL, "regression")

    assert read_targets(got, task).values == (1.5, 2.5, None, None, -300.0)
    assert read_targets(got, task).unlabelled == (2, 3)


def test_answers_that_the_project_does_not_know_are_named_or_unlabelled(manifest):
    task = make_task(manifest(label=["0", "1"]), LABEL, "binary")
    other = manifest(label=["1.0", "perhaps"])

    with pytest.raises(InputError, match=r"holds 'perhaps' \(line 3\)"):
        read_targets(other, task)
    assert read_targets(other, task, strict=False).values == (1.0, None)
    assert read_targets(manifest(age=["3"]), task, strict=False).values == (None,)
