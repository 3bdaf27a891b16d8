"""The shared model: any subset of modalities, alone or in company, and a faithful copy on disk."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fmstudio.adapters.probes import synthetic_input
from fmstudio.adapters.processor import Processor
from fmstudio.contracts import pipeline, pipelines
from fmstudio.encoders.batching import collate
from fmstudio.errors import BundleError
from fmstudio.model.load import load_base, task_config
from fmstudio.model.shared import SharedModel
from fmstudio.settings import load_settings

STATES = {
    "series": {"channels": {"hr": {"centre": 80.0, "spread": 12.0}}},
    "table": {"features": {"age": {"quantiles": list(range(20, 101, 10))}}},
}
MODALITIES = tuple(pipelines())


@pytest.fixture(scope="module")
def settings():
    return load_settings()


@pytest.fixture(scope="module")
def model(settings):
    made = load_base(task_config("embedded", MODALITIES, 3, settings), settings)
    with torch.no_grad():
        # Logits as large as a fitted head gives: below, they are compared to 1e-5.
        made.task_head.weight.normal_(0.0, 0.1, generator=torch.Generator().manual_seed(0))
        made.task_head.offset.fill_(0.1)
    return made


@pytest.fixture(scope="module")
def case(model, settings):
    prepared = {}
    for modality, key in model.config.routes.items():
        chosen, kind = model.config.encoders[key], pipeline(modality).kind
        state = STATES.get(kind, {})
        processor = Processor(modality, chosen["family"], chosen["config"], state)
        given = synthetic_input(kind, state, np.random.default_rng(len(prepared)))
        prepared[modality] = processor.preparer("embedded", settings).prepare(given)
    return prepared


def _logits(model, cases):
    with torch.inference_mode():
        return model(inputs=collate(cases)).logits


@pytest.mark.parametrize("left_out", MODALITIES)
def test_a_case_answers_the_same_alone_and_beside_fuller_cases(model, case, left_out):
    subset = {name: one for name, one in case.items() if name != left_out}
    single = {left_out: case[left_out]}

    mixed = _logits(model, [case, subset, single])

    assert torch.allclose(_logits(model, [subset])[0], mixed[1], atol=1e-5, rtol=1e-5)
    assert torch.allclose(_logits(model, [single])[0], mixed[2], atol=1e-5, rtol=1e-5)


def test_a_missing_modality_changes_the_answer(model, case):
    whole, part = _logits(model, [case, {name: case[name] for name in MODALITIES[:2]}])

    assert not torch.allclose(whole, part, atol=1e-2)


def test_tokens_computed_before_give_the_answer_of_the_inputs_themselves(model, case):
    from fmstudio.features.inputs import encode

    tokens = {name: encode(model, name, one) for name, one in case.items()}

    assert torch.allclose(_logits(model, [tokens]), _logits(model, [case]), atol=1e-5)


def test_a_saved_model_comes_back_exactly(model, case, tmp_path):
    model.save_pretrained(tmp_path)

    again = SharedModel.from_pretrained(tmp_path)

    ours, theirs = model.state_dict(), again.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert torch.equal(_logits(again.eval(), [case]), _logits(model, [case]))


def test_parts_of_the_head_sum_to_the_logits(model, case):
    with torch.inference_mode():
        features = model.features(collate([case]))
        parts = model.task_head.parts(features)
        logits = model.task_head(features)

    assert torch.allclose(parts.sum(1) + model.task_head.bias, logits, atol=1e-5)


def test_untrained_weights_are_the_same_every_time(settings):
    shape = task_config("random", MODALITIES[:2], 1, settings)
    first, again = load_base(shape, settings), load_base(shape, settings)

    assert all(
        torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True)
    )


def test_a_base_with_other_weights_is_refused(settings):
    shape = task_config("embedded", MODALITIES[:1], 1, settings)
    shape.base_sha256 = "0" * 64

    with pytest.raises(BundleError, match="weights 000000000000"):
        load_base(shape, settings)
