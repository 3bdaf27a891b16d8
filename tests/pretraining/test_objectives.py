"""Every objective: it can be learned, and what is not there has no part in it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from fmstudio.encoders.batching import collate
from fmstudio.pretraining.encoded import encode
from fmstudio.pretraining.engine import Renewed, objectives
from fmstudio.pretraining.stream import Drawn
from tests.pretraining.conftest import MODALITIES, WIDTH, mixture_of

NAMES = sorted(objectives())


def head_of(name, model, examples):
    torch.manual_seed(1)
    head = objectives()[name].head(model, examples)
    if isinstance(head, Renewed):
        head.renew(model, mixture_of(examples, model))
    return head


def loss_of(name, model, head, drawn, seed=5):
    """The objective's loss, with the hidden items and dropped features of a seed."""
    torch.manual_seed(seed)
    unknown = nn.ParameterDict({key: torch.full((WIDTH,), 0.1) for key in model.encoders})
    return head(encode(model, drawn, unknown, objectives()[name].hides))


def some(model, examples, step=0):
    return mixture_of(examples, model, most_cases=10).draw(step)


def test_there_is_an_objective_for_every_way_that_the_page_offers():
    assert NAMES == ["aligned", "groups", "known", "latent", "masked", "spread"]
    assert all(one.label and one.help.endswith(".") for one in objectives().values())


@pytest.mark.parametrize("name", NAMES)
def test_training_lowers_the_loss_of_an_objective(name, model, examples):
    head, drawn = head_of(name, model, examples), some(model, examples)
    parameters = [*model.parameters(), *head.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=3e-3)
    before = loss_of(name, model, head, drawn).item()
    for step in range(15):
        optimizer.zero_grad()
        loss_of(name, model, head, drawn, seed=step).backward()
        optimizer.step()

    assert loss_of(name, model, head, drawn).item() < 0.9 * before


@pytest.mark.parametrize("name", NAMES)
def test_what_stands_in_the_padding_has_no_part_in_the_loss(name, model, examples):
    head, drawn = head_of(name, model, examples), some(model, examples)
    model.eval()
    head.eval()
    plain = loss_of(name, model, head, drawn).item()
    for given in drawn.batch.modalities.values():
        for array in given.arrays.values():
            array[~given.mask] = array[given.mask][:1].clone()

    assert loss_of(name, model, head, drawn).item() == pytest.approx(plain, abs=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_a_modality_that_no_case_has_learns_nothing(name, model, examples):
    head = head_of(name, model, examples)
    absent = "audio"
    cases = [
        type(one)({m: p for m, p in one.inputs.items() if m != absent}, one.known, one.place)
        for one in some(model, examples).examples
    ]
    drawn = Drawn(collate([one.inputs for one in cases]), cases)
    loss_of(name, model, head, drawn).backward()

    unused = model.encoders[model.config.routes[absent]].parameters()
    assert all(p.grad is None or not p.grad.any() for p in unused)
    others = [*model.encoders["table"].parameters(), *model.trunk.parameters(), *head.parameters()]
    assert any(p.grad is not None and p.grad.any() for p in others)


def test_groups_are_found_anew_and_their_names_forgotten(model, examples):
    head = head_of("groups", model, examples)
    with torch.no_grad():
        for layer in head.name.values():
            layer.weight.fill_(1.0)
    head.renew(model, mixture_of(examples, model))

    assert len(head.places) == len(examples)
    for number, modality in enumerate(MODALITIES):
        group = getattr(head, f"group_{modality}").numpy()
        lacking = [n for n in range(len(examples)) if n % len(MODALITIES) == number]
        assert set(np.flatnonzero(group < 0)) == set(lacking)
        assert len(set(group[group >= 0])) == 2
        assert not head.name[modality].weight.any()
