from dataclasses import replace

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from fmstudio.baselines.boosting import _settings, fit_boosting, table_baseline
from fmstudio.evaluation.metrics import score
from fmstudio.types import ModalityInput, TaskSpec

BINARY = TaskSpec("binary", ("outcome",), ("no", "yes"), "yes")
CLASSES = TaskSpec("multiclass", ("kind",), ("a", "b", "c"))
LABELS = TaskSpec("multilabel", ("x", "y"), ("x", "y"))
NUMBER = TaskSpec("regression", ("days",), ("days",))


def table(*rows):
    """A case from (name, value) or (name, value, seconds) rows; None is a missing value."""
    values = [0.0 if row[1] is None or isinstance(row[1], str) else row[1] for row in rows]
    return ModalityInput(
        "table",
        np.array(values, np.float32),
        np.array([row[1] is not None for row in rows], bool),
        {
            "names": [row[0] for row in rows],
            "units": [""] * len(rows),
            "categories": [row[1] if isinstance(row[1], str) else None for row in rows],
            "seconds": [row[2] if len(row) > 2 else None for row in rows],
        },
    )


@pytest.fixture
def patients():
    """60 training and 60 other cases: glucose and sex matter, noise does not."""
    random = np.random.default_rng(0)

    def draw():
        sick = random.integers(0, 2, 60)
        cases = [
            table(
                ("glucose", random.normal(5 + 3 * s, 1)),
                ("sex", "f" if random.random() < 0.5 + 0.3 * s else "m"),
                ("noise", None if random.random() < 0.3 else random.normal()),
            )
            for s in sick
        ]
        return cases, sick

    return (*draw(), *draw())


def test_it_learns_from_numbers_and_categories(patients):
    train, targets, other, truth = patients
    assert score(BINARY, truth, table_baseline(BINARY, train, targets, other)) > 0.85


def test_same_input_same_output(patients):
    train, targets, other, _ = patients
    first, second = (table_baseline(BINARY, train, targets, other) for _ in range(2))
    assert np.array_equal(first, second)


def test_the_names_of_categories_do_not_matter():
    random = np.random.default_rng(0)
    wards = random.integers(0, 8, 240)
    targets = (random.random(240) < np.where(wards % 2, 0.9, 0.1)).astype(int)

    def outputs(names):
        train = [table(("ward", names[ward])) for ward in wards]
        return table_baseline(BINARY, train, targets, [table(("ward", n)) for n in names])

    assert outputs("abcdefgh") == pytest.approx(outputs("cfahbged"))
    assert ((outputs("abcdefgh") > 0.5) == (np.arange(8) % 2 == 1)).all()


def test_columns_and_categories_of_other_cases_change_nothing(patients):
    train, targets, other, _ = patients
    plain = table_baseline(BINARY, train, targets, other)
    unseen = [
        ModalityInput(
            "table",
            np.r_[case.values, 9.0].astype(np.float32),
            np.r_[case.mask, True],
            {key: [*value, "new" if key == "names" else None] for key, value in case.facts.items()},
        )
        for case in other
    ]
    assert np.array_equal(plain, table_baseline(BINARY, train, targets, unseen))
    stranger = table(("sex", "unknown"))
    nothing = table()
    got = table_baseline(BINARY, train, targets, [stranger, nothing, None])
    assert got[0] == got[1] == got[2]


def test_values_over_time_are_taken_in_order_of_time_not_of_rows():
    random = np.random.default_rng(0)
    targets = random.integers(0, 2, 80)
    readings = [
        [("lactate", random.normal(), 0.0), ("lactate", t + random.normal(0, 0.1), 60.0)]
        for t in targets
    ]

    def outputs(cases):
        return table_baseline(BINARY, cases[:60], targets[:60], cases[60:])

    ordered = outputs([table(*rows) for rows in readings])
    assert score(BINARY, targets[60:], ordered) > 0.95
    assert np.array_equal(ordered, outputs([table(*rows[::-1]) for rows in readings]))
    mixed = [table(*rows[:: 1 if i < 60 else -1]) for i, rows in enumerate(readings)]
    assert np.array_equal(ordered, outputs(mixed))


@pytest.mark.parametrize("n", [0, 1, 2, 5])
@pytest.mark.parametrize("task", [BINARY, CLASSES, LABELS, NUMBER])
def test_a_handful_of_cases_or_none_still_gives_finite_answers(task, n):
    train = [table(("age", float(i))) for i in range(n)]
    targets = np.arange(n) % 2 if task is not LABELS else np.arange(2 * n).reshape(n, 2) % 2.0
    got = table_baseline(task, train, targets, [table(("age", 1.0)), None])
    assert got.shape == ((2,) if task in (BINARY, NUMBER) else (2, task.outputs))
    assert np.isfinite(got).all()


def test_without_any_table_the_answer_is_the_share_of_the_training_cases():
    got = table_baseline(BINARY, [None] * 4, np.array([1, 0, 0, 0]), [None, table(("age", 3.0))])
    assert got == pytest.approx([0.25, 0.25])
    classes = table_baseline(CLASSES, [None] * 4, np.array([0, 0, 2, 2]), [None])
    assert classes[0] == pytest.approx([0.5, 0.0, 0.5], abs=1e-4)


def test_labels_are_learned_one_by_one_from_the_cases_where_they_are_known(patients):
    train, sick, other, truth = patients
    targets = np.stack([sick, 1.0 - sick], axis=1)
    targets[::3, 1] = np.nan
    got = table_baseline(LABELS, train, targets, other)
    assert score(LABELS, np.stack([truth, 1 - truth], axis=1), got) > 0.8


def test_multiclass_probabilities_sum_to_one_and_an_absent_class_has_next_to_none(patients):
    train, targets, other, _ = patients
    got = table_baseline(CLASSES, train, 2 * targets, other)
    assert got.sum(axis=1) == pytest.approx(1)
    assert (got[:, 1] < 1e-4).all()


def test_regression_follows_a_number(patients):
    train, _, other, _ = patients
    days = [10.0 * case.values[0] for case in train]
    truth = np.array([10.0 * case.values[0] for case in other])
    assert score(NUMBER, truth, table_baseline(NUMBER, train, np.array(days), other)) > 0.8


def test_weights_that_make_classes_even_raise_the_answers_for_a_rare_class(patients):
    train, targets, other, _ = patients
    rare = np.where(np.arange(60) < 30, targets, 0)
    plain = table_baseline(BINARY, train, rare, other)
    weights = np.where(rare > 0, 30 / rare.sum(), 30 / (60 - rare.sum()))
    even = table_baseline(BINARY, train, rare, other, weights)
    assert even.mean() > plain.mean()


@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression", "multilabel"])
@pytest.mark.parametrize("n", [60, 700])
def test_the_trees_answer_as_the_model_they_were_taken_from(kind, n):
    random = np.random.default_rng(1)
    rows = random.normal(size=(n, 5)).astype(np.float32)
    score_of = rows[:, 0] + rows[:, 1] * rows[:, 2]
    rows[::4, 3] = np.nan
    rows[::7, 0] = np.nan
    if kind == "regression":
        model = HistGradientBoostingRegressor(**_settings(n, 0)).fit(rows, score_of)
        trees, expected = fit_boosting(NUMBER, rows, score_of), model.predict(rows)[:, None]
    else:
        targets = np.digitize(score_of, [-0.5, 0.8]) if kind == "multiclass" else score_of > 0
        model = HistGradientBoostingClassifier(**_settings(n, 0)).fit(rows, targets)
        expected = model.decision_function(rows).reshape(n, -1)
        task = {"binary": BINARY, "multiclass": CLASSES, "multilabel": LABELS}[kind]
        given = targets.astype(float)
        if kind == "multilabel":
            given, expected = np.stack([given, given], 1), np.repeat(expected, 2, 1)
        trees = fit_boosting(task, rows, given)
    assert trees.logits(rows) == pytest.approx(expected, abs=1e-9)
    half = trees.scaled(np.full(len(trees.base), 0.5))
    assert half.logits(rows) == pytest.approx(expected / 2, abs=1e-9)


def test_a_column_that_nobody_fills_is_never_asked_for():
    rows = np.random.default_rng(0).normal(size=(60, 2)).astype(np.float32)
    empty = rows.copy()
    empty[:, 1] = np.nan
    targets = (rows[:, 0] > 0).astype(float)

    trees = fit_boosting(BINARY, empty, targets)

    assert np.array_equal(trees.logits(empty), trees.logits(rows))
    number = fit_boosting(NUMBER, empty, rows[:, 0])
    assert np.array_equal(number.logits(empty), number.logits(rows))


def test_arrays_that_point_outside_are_found():
    rows = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
    trees = fit_boosting(BINARY, rows, (rows[:, 0] > 0).astype(float))
    assert trees.check(3)
    assert not trees.check(1)
    assert not replace(trees, left=trees.left + 1000).check(3)
    assert not replace(trees, value=trees.value[:, 1:]).check(3)
