"""Averaging trained adapters: the products, not their factors; kept only where it helps."""

from __future__ import annotations

import pytest
import torch

from fmstudio.adapters.lora import attach, load_trained_state, trained_state
from fmstudio.results.search import SeedsResult
from fmstudio.run_config import RunConfig
from fmstudio.training.weight_averaging import average, best_of, mean_product

A, B = "layer.lora_A.default.weight", "layer.lora_B.default.weight"


def pairs(count: int, rank: int = 3, near: float = 0.0) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """`count` adapters of a layer of 7 to 5; `near` > 0 keeps them so close to one another."""
    draw = torch.Generator().manual_seed(1)
    shared = torch.randn(rank, 7, generator=draw), torch.randn(5, rank, generator=draw)

    def one(place: int) -> torch.Tensor:
        own = torch.randn(shared[place].shape, generator=draw)
        return shared[place] + near * own if near else own

    return [(one(0), one(1)) for _ in range(count)]


def state(a: torch.Tensor, b: torch.Tensor, bias: float = 0.0) -> dict[str, torch.Tensor]:
    return {A: a, B: b, "task_head.modules_to_save.default.bias": torch.full((2,), bias)}


def test_equal_adapters_average_to_the_same_change_of_the_layer():
    a, b = pairs(1)[0]

    mixed = average([state(a, b, 1.0), state(a, b, 3.0)])

    torch.testing.assert_close(mixed[B] @ mixed[A], b @ a)
    assert mixed["task_head.modules_to_save.default.bias"].tolist() == [2.0, 2.0]
    assert {name: value.shape for name, value in mixed.items()} == {
        name: value.shape for name, value in state(a, b).items()
    }


def test_the_same_change_written_in_other_factors_averages_to_itself():
    # The trap of averaging the factors: turned by a matrix, they cancel or grow, B·A does not.
    a, b = pairs(1)[0]
    turn = torch.tensor([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, -1.0]])
    turned = (turn @ a, b @ turn.T)
    torch.testing.assert_close(turned[1] @ turned[0], b @ a)

    mixed = mean_product([(a, b), turned])

    torch.testing.assert_close(mixed[1] @ mixed[0], b @ a)
    apart = ((b + turned[1]) / 2) @ ((a + turned[0]) / 2)
    assert torch.linalg.matrix_norm(apart - b @ a) > 0.3 * torch.linalg.matrix_norm(b @ a)


def test_the_average_is_the_nearest_to_the_mean_change_that_the_rank_allows():
    found = pairs(3)
    mean = sum(b @ a for a, b in found) / 3

    a, b = mean_product(found)

    values = torch.linalg.svdvals(mean)
    torch.testing.assert_close(
        torch.linalg.matrix_norm(b @ a - mean), values[3:].square().sum().sqrt()
    )
    for own_a, own_b in found:  # among the candidates of this rank, the seeds themselves
        assert torch.linalg.matrix_norm(b @ a - mean) < torch.linalg.matrix_norm(
            own_b @ own_a - mean
        )


def test_the_average_of_seeds_that_stayed_close_loses_next_to_nothing():
    found = pairs(3, near=0.02)
    mean = sum(b @ a for a, b in found) / 3

    a, b = mean_product(found)

    lost = torch.linalg.matrix_norm(b @ a - mean) / torch.linalg.matrix_norm(mean)
    assert lost < 0.01


def test_a_rank_larger_than_the_layer_keeps_its_shape():
    found = pairs(2, rank=9)

    a, b = mean_product(found)

    assert (a.shape, b.shape) == ((9, 7), (5, 9))
    torch.testing.assert_close(b @ a, sum(q @ p for p, q in found) / 2)


def test_seeds_that_never_trained_average_to_no_change():
    a = pairs(1)[0][0]

    a, b = mean_product([(a, torch.zeros(5, 3)), (a, torch.zeros(5, 3))])

    assert torch.equal(b @ a, torch.zeros(5, 7))
    assert torch.isfinite(a).all()


@pytest.mark.parametrize(
    ("loss", "averaged", "kept"), [(0.3, True, 0.3), (0.4, True, 0.4), (0.5, False, 0.4)]
)
def test_the_average_is_kept_where_it_is_no_worse_than_the_best_seed(loss, averaged, kept):
    found = pairs(3)
    states = [state(a, b) for a, b in found]

    soup = best_of(states, [0.6, 0.4, 0.4], lambda mixed: loss)

    assert (soup.averaged, soup.loss) == (averaged, kept)
    assert soup.averaged or soup.state is states[1]
    assert soup.result == SeedsResult((0.6, 0.4, 0.4), loss, averaged)


def test_an_average_whose_loss_is_no_number_is_not_kept():
    states = [state(a, b) for a, b in pairs(2)]

    assert best_of(states, [0.6, 0.5], lambda mixed: float("nan")).state is states[1]


def test_states_of_the_real_model_average_and_load(settings):
    from fmstudio.model.load import load_base, task_config

    def adapted(seed: int):
        model = load_base(task_config("embedded", ["ehr"], 1, settings), settings)
        return attach(model, RunConfig(scope="upper trunk", seed=seed))

    models = [adapted(seed) for seed in (0, 1)]
    with torch.no_grad():
        for number, model in enumerate(models):
            for name, value in model.named_parameters():
                if "lora_B" in name:
                    torch.manual_seed(number)
                    value.normal_(std=0.02)
    states = [trained_state(model) for model in models]
    mixed = average(states)

    load_trained_state(models[0], mixed)

    assert mixed.keys() == states[0].keys()
    assert all(
        mixed[n].dtype == v.dtype and mixed[n].shape == v.shape for n, v in states[0].items()
    )
    factors = [name for name in mixed if "lora_A" in name]
    assert factors
    for name in factors:
        pair = name.replace("lora_A", "lora_B")
        wanted = sum(one[pair] @ one[name] for one in states) / 2
        rank = mixed[name].shape[0]
        left = torch.linalg.svdvals(wanted.double())[rank:].square().sum().sqrt()
        lost = torch.linalg.matrix_norm((mixed[pair] @ mixed[name] - wanted).double())
        torch.testing.assert_close(lost, left, rtol=1e-3, atol=1e-6)
