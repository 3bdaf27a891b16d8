"""Groups without labels: found where there are some, and said to be shaky where there are none."""

from __future__ import annotations

import numpy as np
import pytest

from fmstudio.pretraining.groups import find_groups


def three_kinds() -> np.ndarray:
    random = np.random.default_rng(0)
    centres = random.normal(size=(3, 40)) * 5
    return np.concatenate([centre + random.normal(size=(20, 40)) for centre in centres])


def test_three_kinds_of_cases_are_found_again_with_every_seed():
    found = find_groups(three_kinds())

    assert len(found.nearest) == 3
    assert [len(set(found.labels[start : start + 20])) for start in (0, 20, 40)] == [1, 1, 1]
    assert found.stability == pytest.approx(1.0)
    assert found.silhouette > 0.4
    for group, rows in enumerate(found.nearest):
        assert len(rows) == 6
        assert set(found.labels[list(rows)]) == {group}


def test_the_map_keeps_kinds_apart():
    found = find_groups(three_kinds())
    centres = [found.places[found.labels == group].mean(0) for group in range(3)]
    own = [found.places[found.labels == g].std(0).max() for g in range(3)]

    apart = min(np.linalg.norm(centres[a] - centres[b]) for a, b in ((0, 1), (0, 2), (1, 2)))
    assert apart > 2 * max(own)


def test_groups_of_noise_do_not_come_again():
    noise = np.random.default_rng(1).normal(size=(80, 40))

    assert find_groups(noise).stability < 0.5


@pytest.mark.parametrize("features", [np.zeros((5, 3)), np.ones((30, 6))])
def test_few_cases_or_cases_all_alike_have_no_groups(features):
    assert find_groups(features) is None


def test_the_json_names_every_case_once_and_the_typical_ones_by_group():
    ids = [f"c{n}" for n in range(60)]
    told = find_groups(three_kinds()).as_dict(ids)

    assert [point["case"] for point in told["points"]] == ids
    assert sum(group["cases"] for group in told["groups"]) == told["cases"] == 60
