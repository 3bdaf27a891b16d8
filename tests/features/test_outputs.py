"""Answers with modalities hidden: quick, and those of the model that is asked in full."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fmstudio.adapters.probes import synthetic_input
from fmstudio.adapters.processor import Processor
from fmstudio.contracts import pipelines
from fmstudio.encoders.batching import collate
from fmstudio.evaluation.fusion import every_subset
from fmstudio.features.cache import Cache
from fmstudio.features.inputs import PreparedCases, encode
from fmstudio.features.outputs import logits_of_subsets
from fmstudio.model.load import load_base, task_config
from fmstudio.settings import load_settings

STATES = {
    "series": {"channels": {"hr": {"centre": 80.0, "spread": 12.0}}},
    "table": {"features": {"age": {"quantiles": list(range(20, 101, 10))}}},
}
MODALITIES = [name for name, one in pipelines().items() if one.kind in (*STATES, "text")]
CASES = 5


@pytest.fixture
def model():
    settings = load_settings()
    made = load_base(task_config("embedded", MODALITIES, 2, settings), settings)
    with torch.no_grad():
        made.task_head.weight.normal_(generator=torch.Generator().manual_seed(0))
        made.task_head.offset.fill_(0.1)
    return made.eval()


@pytest.fixture
def prepared(model, tmp_path):
    """Cases of different inputs, of which the last lacks a modality."""
    cache, keys = Cache(tmp_path), {}
    for number in range(CASES):
        case = keys.setdefault(f"case-{number}", {})
        for place, (modality, key) in enumerate(model.config.routes.items()):
            if number == CASES - 1 and place == 0:
                continue
            chosen, kind = model.config.encoders[key], pipelines()[modality].kind
            state = STATES.get(kind, {})
            processor = Processor(modality, chosen["family"], chosen["config"], state)
            given = synthetic_input(kind, state, np.random.default_rng(10 * number + place))
            made = processor.preparer("embedded", load_settings()).prepare(given)
            case[modality] = f"{number:032x}{place:032x}"
            cache.write(case[modality], encode(model, modality, made).arrays)
    return PreparedCases(cache, keys)


@pytest.mark.parametrize("reads_trunk", [True, False])
def test_subsets_are_answered_as_if_the_rest_were_not_given(model, prepared, reads_trunk):
    width, passes = model.config.width, []
    if not reads_trunk:
        model.task_head.weight.data[:, -width:] = 0
    rows = {
        subset: [case for case, has in prepared.keys.items() if set(subset) <= set(has)]
        for subset in every_subset(model.modalities)
    }

    model.trunk.blocks[-1].register_forward_hook(lambda *_: passes.append(1))
    found = logits_of_subsets(model, prepared, rows)

    assert len(passes) == (len(rows) if reads_trunk else 1)
    for subset, ids in rows.items():
        hidden = set(model.modalities) - set(subset)
        with torch.inference_mode():
            alone = [model(inputs=collate([prepared.load(case, hidden)])).logits for case in ids]
        np.testing.assert_allclose(found[subset], torch.cat(alone), atol=2e-4, rtol=1e-4)


def test_the_threads_of_others_are_given_back(model, prepared):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        logits_of_subsets(model, prepared, {(model.modalities[-1],): list(prepared.keys)})
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
