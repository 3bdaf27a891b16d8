"""Readings: named numbers that a linear layer reads off an encoder's features."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from fmstudio.model.feature_layout import feature_groups
from fmstudio.pretraining import linear_readouts
from fmstudio.pretraining.features import features
from fmstudio.pretraining.linear_readouts import carry_over, fit_readings
from fmstudio.pretraining.stream import Example

HEARD = "audio"


@dataclass(frozen=True)
class Source:
    """Examples by number, as a run's own source gives them."""

    examples: tuple[Example, ...]

    @property
    def cases(self) -> list[dict[str, str]]:
        return [dict.fromkeys(example.inputs, "") for example in self.examples]

    def example(self, number: int) -> Example:
        return self.examples[number]


@pytest.fixture
def heard(model, examples, monkeypatch) -> tuple[Example, ...]:
    """Sounds of which one number follows from the features and another from nothing."""
    monkeypatch.setattr(linear_readouts, "LEAST_KNOWN", 8)
    having = [example for example in examples if HEARD in example.inputs]
    table = features(model, HEARD, having)
    told = (table - table.mean(0)) / (table.std(0) + 1e-6) @ np.linspace(-1, 1, table.shape[1])
    chance = np.random.default_rng(0).standard_normal(len(having))
    known = (
        {"finding/told": t, "finding/chance": c, "a channel: mean": t}
        for t, c in zip(told, chance, strict=True)
    )
    return tuple(
        replace(one, known={HEARD: found}) for one, found in zip(having, known, strict=True)
    )


def test_what_the_features_tell_is_read_and_what_they_do_not_is_left_out(model, heard):
    key = model.config.routes[HEARD]

    found = fit_readings(model, key, heard)

    assert found is not None
    assert found.names == {"finding": ["finding/told"]}
    assert found.read["finding/told"] > 0.3


def test_readings_are_features_of_their_own_that_the_probe_trusts_as_a_group(model, heard):
    key = model.config.routes[HEARD]
    found = fit_readings(model, key, heard)
    assert found is not None

    found.install(model, key)
    model.config.readings = len(found.weight)

    [[own, rest]] = feature_groups(model.config, HEARD)
    assert (own.start, own.stop) == (0, 1)
    assert rest.start == 1


def test_readings_keep_their_meaning_when_the_encoder_learns_on(model, heard):
    key = model.config.routes[HEARD]
    found = fit_readings(model, key, heard)
    assert found is not None
    found.install(model, key)
    child = copy.deepcopy(model)
    with torch.no_grad():
        for weight in child.encoders[key].parameters():
            weight += 0.05 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(1))

    def read(one) -> np.ndarray:
        given = torch.from_numpy(features(one, HEARD, heard))
        with torch.inference_mode():
            return one.readings[key](given)[:, 0].numpy()

    before, drifted = read(model), read(child)
    carry_over(model, child, key, Source(heard))

    assert np.abs(read(child) - before).mean() < 0.7 * np.abs(drifted - before).mean()
