"""What frozen layers make of a case is computed once, and is what they would make of it again."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fmstudio.adapters.lora import attach, shared_model
from fmstudio.adapters.probes import synthetic_input
from fmstudio.adapters.processor import Processor
from fmstudio.contracts import pipeline, pipelines
from fmstudio.encoders.batching import collate
from fmstudio.encoders.blocks import Places
from fmstudio.features import prefix
from fmstudio.features.cache import Cache
from fmstudio.features.inputs import PreparedCases, encode
from fmstudio.features.prefix import Prefix, frozen_depth
from fmstudio.model.load import load_base, task_config
from fmstudio.run_config import RunConfig
from fmstudio.settings import load_settings

STATES = {
    "series": {"channels": {"hr": {"centre": 80.0, "spread": 12.0}}},
    "table": {"features": {"age": {"quantiles": list(range(20, 101, 10))}}},
}
HIDDEN = [set(), {"notes", "ehr"}, {"video"}, set(pipelines()) - {"audio"}, set()]
IDS = ["a", "b", "a", "c", "a"]


@pytest.fixture(scope="module")
def model():
    settings = load_settings()
    made = load_base(task_config("embedded", tuple(pipelines()), 1, settings), settings)
    return made.requires_grad_(False)


@pytest.fixture(scope="module")
def cases(model, tmp_path_factory):
    """Three made-up cases with everything, as tokens on disk."""
    cache, keys = Cache(tmp_path_factory.mktemp("cache")), {}
    for number, case_id in enumerate("abc"):
        keys[case_id] = {}
        for modality, key in model.config.routes.items():
            chosen, kind = model.config.encoders[key], pipeline(modality).kind
            state = STATES.get(kind, {})
            processor = Processor(modality, chosen["family"], chosen["config"], state)
            draw = np.random.default_rng([number, len(keys[case_id])])
            given = synthetic_input(kind, state, draw)
            prepared = processor.preparer("embedded", load_settings()).prepare(given)
            keys[case_id][modality] = f"{case_id}-{modality}"
            cache.write(keys[case_id][modality], encode(model, modality, prepared).arrays)
    return PreparedCases(cache, keys)


@pytest.mark.parametrize("depth", [0, 2])
def test_cases_that_went_through_the_frozen_layers_alone_have_the_features_of_a_batch(
    model, cases, depth
):
    given = collate([cases.load(i, hidden) for i, hidden in zip(IDS, HIDDEN, strict=True)])
    expected = model.features(given)

    found = model.features(Prefix(model, cases, depth).batch(IDS, HIDDEN))

    there = expected.present[..., None] > 0
    assert torch.equal(found.present, expected.present)
    assert torch.allclose(found.values * there, expected.values, atol=1e-5)


def test_what_is_kept_is_bit_for_bit_what_is_computed_again(model, cases, monkeypatch):
    keeps = Prefix(model, cases, 2)
    first, again = keeps.batch(IDS, HIDDEN), keeps.batch(IDS[::-1], HIDDEN[::-1])
    monkeypatch.setattr(prefix, "MOST_MB", 0.0)
    forgets = Prefix(model, cases, 2).batch(IDS, HIDDEN)

    assert torch.equal(first.items, forgets.items)
    assert torch.equal(first.before, forgets.before)
    assert torch.equal(again.before.flip(0), forgets.before)
    assert sorted(again.lengths) == sorted(forgets.lengths)


def test_a_case_is_read_from_disk_once(model, cases, monkeypatch):
    own = Prefix(model, cases, 2)
    own.batch(IDS, HIDDEN)
    monkeypatch.setattr(cases.cache, "read", lambda key: pytest.fail(f"{key} was read again"))

    own.batch(IDS, HIDDEN[::-1])


@pytest.mark.parametrize(
    ("scope", "depth"), [("upper trunk", 2), ("trunk", 0), ("trunk and encoders", None)]
)
def test_only_layers_below_the_adapter_are_run_before(scope, depth):
    settings = load_settings()
    base = load_base(task_config("embedded", ("notes",), 1, settings), settings)

    adapted = attach(base, RunConfig(scope=scope))

    assert frozen_depth(shared_model(adapted)) == depth


def test_attention_to_padded_cases_is_attention_to_one_after_another():
    draw = torch.Generator().manual_seed(0)
    lengths = [3, 3, 5, 8]
    given = [torch.randn(sum(lengths), 32, generator=draw) for _ in range(3)]

    packed, padded = (
        Places(lengths, torch.device("cpu"), way).attend(*given, heads=4) for way in (False, True)
    )

    assert torch.allclose(packed, padded, atol=1e-6)
    alone = Places([5], torch.device("cpu")).attend(*(one[6:11] for one in given), heads=4)
    assert torch.allclose(packed[6:11], alone, atol=1e-6)
