"""The simplest model within one standard error of the best is kept."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from fmstudio.errors import InputError
from fmstudio.training.candidates import BOOSTING, LORA, PROBE, Candidate
from fmstudio.training.choice import choose, kind_of, on_held_out
from fmstudio.types import TaskSpec

TASK = TaskSpec("binary", ("ill",), ("no", "yes"), "yes")
CASES = 200


@pytest.fixture
def data():
    """200 validation patients, half of them ill."""
    targets = np.arange(CASES) % 2.0
    return SimpleNamespace(
        targets={"train": targets, "validation": targets},
        true=lambda split: targets,
        patients=lambda split: [f"{split} {i}" for i in range(CASES)],
    )


def model(name: str, strength: float, noise: int = 0) -> Candidate:
    """One whose logits tell ill from well by `strength` standard deviations of its noise."""
    random = np.random.default_rng(noise)
    logits = strength * (np.arange(CASES) % 2 - 0.5) + random.normal(size=CASES)
    return Candidate(name, {"validation": 1 / (1 + np.exp(-logits))}, 1.0, logits[:, None])


def test_what_is_clearly_better_is_kept_however_complex(data):
    candidates = [model(BOOSTING, 0.2, 1), model(PROBE, 0.5, 2), model(LORA, 3.0, 3)]

    chosen, reason = choose(TASK, data, candidates)

    assert chosen.name == LORA
    assert reason.startswith("LoRA was kept: on validation patients it does better than every")


@pytest.mark.parametrize(("low", "shown"), [(0.61, True), (0.44, False)])
def test_a_choice_on_validation_patients_is_not_sold_as_proof_on_others(low, shown):
    ladder = [
        {"name": PROBE, "auroc": {"value": 0.72, "low": 0.55, "high": 0.85}},
        {"name": LORA, "auroc": {"value": 0.72, "low": low, "high": 0.86}},
    ]

    said = on_held_out(TASK, ladder, LORA)

    assert f"AUROC 0.720 ({low:.3f} to 0.860), the probe 0.720 (0.550 to 0.850)" in said
    assert ("not shown to be better than guessing" not in said) is shown


def test_of_two_that_are_as_good_the_simpler_is_kept(data):
    probe = model(PROBE, 1.5)
    slightly = Candidate(
        f"{LORA}: trunk",
        {"validation": probe.outputs["validation"].copy()},
        1.0,
        probe.logits + 0.02 * np.random.default_rng(5).normal(size=(CASES, 1)),
    )
    slightly.outputs["validation"][:] = 1 / (1 + np.exp(-slightly.logits[:, 0]))

    chosen, _ = choose(TASK, data, [model(BOOSTING, 0.1, 4), probe, slightly])

    assert chosen is probe


def test_equal_ranks_are_not_enough_where_the_chances_are_far_worse(data):
    probe = model(PROBE, 2.0)
    # The same order of patients, but sure of everything, the mistakes included.
    steep = np.sign(probe.logits) * (50 + np.abs(probe.logits))
    wild = Candidate(BOOSTING, {"validation": 1 / (1 + np.exp(-steep[:, 0]))}, 1.0, steep)

    chosen, _ = choose(TASK, data, [wild, probe])

    assert chosen is probe


def test_what_is_asked_for_is_kept_and_the_rule_is_told(data):
    candidates = [model(BOOSTING, 0.2, 1), model(PROBE, 3.0, 2), model(LORA, 3.0, 2)]

    chosen, reason = choose(TASK, data, candidates, keep="lora")

    assert chosen.name == LORA
    assert "was kept because the run was asked to" in reason
    assert "the probe would have been" in reason


def test_among_few_patients_boosting_is_not_kept_unless_asked_for(data):
    few = SimpleNamespace(
        targets=data.targets,
        true=data.true,
        patients=lambda split: [i % 20 for i in range(CASES)],
    )
    candidates = [model(BOOSTING, 3.0, 1), model(PROBE, 0.5, 2)]

    assert choose(TASK, data, candidates)[0].name == BOOSTING
    chosen, reason = choose(TASK, few, candidates)
    assert chosen.name == PROBE
    assert "20 validation patients are too few" in reason
    assert choose(TASK, few, candidates, keep="boosting")[0].name == BOOSTING


def test_boosting_is_kept_only_if_it_also_does_as_well_on_training_patients_it_did_not_see(
    data,
):
    # On validation patients alone boosting seems as good; training patients tell them apart.
    boosting, probe = model(BOOSTING, 1.5, 1), model(PROBE, 1.6, 2)
    assert choose(TASK, data, [boosting, probe])[0] is boosting

    worse = replace(boosting, out_of_fold=model(BOOSTING, 0.3, 3).logits)
    better = replace(probe, out_of_fold=model(PROBE, 1.6, 4).logits)
    chosen, reason = choose(TASK, data, [worse, better])
    assert chosen is better
    assert "on training and validation cases together, 400" in reason

    alike = replace(boosting, out_of_fold=model(BOOSTING, 1.6, 5).logits)
    assert choose(TASK, data, [alike, better])[0] is alike
    assert choose(TASK, data, [worse, better], keep="boosting")[0] is worse


def test_training_cases_of_classes_that_a_fit_did_not_know_are_left_aside(data):
    unknown = model(BOOSTING, 1.5, 1).logits
    unknown[:50] = np.nan
    boosting = replace(model(BOOSTING, 0.1, 1), out_of_fold=unknown)
    probe = replace(model(PROBE, 3.0, 2), out_of_fold=model(PROBE, 3.0, 3).logits)
    assert "together, 350" in choose(TASK, data, [boosting, probe])[1]


def test_boosting_cannot_be_asked_for_without_a_table(data):
    with pytest.raises(InputError, match="'boosting' is to be kept") as caught:
        choose(TASK, data, [model(PROBE, 1.0)], keep="boosting")
    assert "table" in caught.value.hint


def test_a_model_is_asked_for_by_its_kind_at_any_depth():
    named = (BOOSTING, PROBE, LORA, f"{LORA}: trunk")
    assert [kind_of(model(name, 1.0)) for name in named] == ["boosting", "probe", "lora", "lora"]
