"""Every embedded encoder, found by discover(): same promises, whatever the kind of data."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fmstudio.adapters.probes import synthetic_input
from fmstudio.contracts import KINDS, embedded_encoders
from fmstudio.encoders.batching import collate
from fmstudio.encoders.names import name_ids
from fmstudio.errors import InputError
from fmstudio.model.bases import EMBEDDED, base_folder
from fmstudio.settings import load_settings
from fmstudio.types import ModalityInput

FAMILIES = {family.name: family for family in embedded_encoders().values()}
STATES = {
    "series": {"channels": {"heart rate": {"centre": 80.0, "spread": 12.0}}},
    "table": {
        "features": {
            "age": {"quantiles": [20, 30, 40, 50, 60, 70, 80, 85, 90]},
            "sex": {"categories": ["F", "M"]},
        }
    },
}


def _prepared(family, seed=0):
    state = STATES.get(family.kind, {})
    folder = base_folder(EMBEDDED, load_settings())
    preparer = family.preparer(family.default(), folder, state)
    return preparer.prepare(synthetic_input(family.kind, state, np.random.default_rng(seed)))


def test_the_embedded_base_has_an_encoder_for_every_kind_of_data():
    assert {family.kind for family in FAMILIES.values()} == set(KINDS)


@pytest.mark.parametrize("name", FAMILIES)
def test_the_same_input_is_prepared_in_the_same_way(name):
    first, again = _prepared(FAMILIES[name]), _prepared(FAMILIES[name])

    assert first.arrays.keys() == again.arrays.keys()
    assert all(np.array_equal(first.arrays[key], again.arrays[key]) for key in first.arrays)
    assert all(len(array) == first.length for array in first.arrays.values())
    assert all(np.isfinite(array).all() for array in first.arrays.values())


@pytest.mark.parametrize("name", FAMILIES)
def test_padding_beside_a_longer_input_changes_no_token(name):
    family = FAMILIES[name]
    torch.manual_seed(0)
    network = family.network(family.default()).eval()
    prepared = _prepared(family)
    step = network.window or 1
    short = type(prepared)(
        {k: v[: max(step, prepared.length // 2)] for k, v in prepared.arrays.items()}
    )
    alone, mixed = collate([{"x": short}]), collate([{"x": prepared}, {"x": short}])

    with torch.inference_mode():
        one = network(alone.modalities["x"].arrays, alone.modalities["x"].mask)
        two = network(mixed.modalities["x"].arrays, mixed.modalities["x"].mask)

    own = two.values[1][two.mask[1]]
    assert torch.allclose(one.values[0][one.mask[0]], own, atol=1e-5)


def test_spellings_of_a_name_share_most_of_their_pieces():
    same = set(name_ids(["heart_rate"])[0]) & set(name_ids(["Heart Rate"])[0])
    other = set(name_ids(["heart_rate"])[0]) & set(name_ids(["potassium"])[0])

    assert len(same) > 8 > len(other)


def test_a_word_where_training_had_numbers_is_refused_with_column_and_value():
    preparer = FAMILIES["cells"].preparer({}, None, STATES["table"])
    facts = {"names": ["age"], "units": [""], "categories": ["old"], "seconds": [None]}

    with pytest.raises(InputError, match="'age' holds 'old'"):
        preparer.prepare(ModalityInput("table", np.zeros(1, np.float32), np.ones(1, bool), facts))


def test_an_empty_cell_gives_no_token():
    preparer = FAMILIES["cells"].preparer({}, None, STATES["table"])
    facts = {
        "names": ["age", "sex"],
        "units": ["", ""],
        "categories": [None, "F"],
        "seconds": [None, None],
    }
    given = ModalityInput("table", np.zeros(2, np.float32), np.array([False, True]), facts)

    assert preparer.prepare(given).length == 1


def test_sound_of_any_rate_puts_a_tone_into_the_same_band():
    encoder = FAMILIES["spectrogram"].preparer({}, None, {})
    bands = []
    for rate in (4000, 16000):
        samples = np.sin(2 * np.pi * 440 * np.arange(rate) / rate).astype(np.float32)
        given = ModalityInput("waveform", samples, np.ones(rate, bool), {"rate": rate})
        patch = encoder.prepare(given).arrays["patch"]
        bands.append(int(patch.reshape(-1, 64).mean(0).argmax()))

    assert abs(bands[0] - bands[1]) <= 1


def test_scales_of_a_channel_come_from_all_training_inputs():
    def series(level):
        facts = {"channels": ["spo2"], "units": ["%"], "seconds": [0.0, 1.0, 2.0]}
        values = np.full((3, 1), level, np.float32) + np.arange(3, dtype=np.float32)[:, None]
        return ModalityInput("series", values, np.ones((3, 1), bool), facts)

    state = FAMILIES["spans"].fit([series(90), series(96)])

    assert 90 <= state["channels"]["spo2"]["centre"] <= 98
    assert state["channels"]["spo2"]["spread"] > 1


def test_the_row_of_a_series_is_last_mean_lowest_and_highest_of_each_channel_of_training():
    def series(*channels):
        values = np.array([[3.0, 1.0], [1.0, 5.0], [2.0, 4.0]], np.float32)
        facts = {"channels": list(channels), "seconds": [0.0, 60.0, 120.0]}
        return ModalityInput("series", values, values != 4, facts)

    family = FAMILIES["spans"]
    preparer = family.preparer({}, None, family.fit([series("pulse", "spo2")]))
    whole, half = (preparer.prepare(series(*n)) for n in (("pulse", "spo2"), ("pulse", "co2")))

    assert np.allclose(whole.arrays["columns"], [[2, 2, 1, 3, 5, 3, 1, 5]])
    assert np.allclose(half.arrays["columns"], [[2, 2, 1, 3, *[np.nan] * 4]], equal_nan=True)


def test_of_many_channels_those_that_most_patients_have_get_columns():
    def series(*channels):
        facts = {"channels": list(channels), "seconds": [0.0, 1.0]}
        return ModalityInput(
            "series",
            np.ones((2, len(channels)), np.float32),
            np.ones((2, len(channels)), bool),
            facts,
        )

    seldom = [f"channel {number:03}" for number in range(200)]
    state = FAMILIES["spans"].fit([series(*seldom), series("spo2", "zz"), series("spo2", "zz")])
    having = [name for name, what, _ in state["columns"] if what == "last"]

    assert len(state["channels"]) == 202
    assert having == [*seldom[:62], "spo2", "zz"]


def test_the_words_of_a_text_stay_readable_whatever_their_order():
    family = FAMILIES["subwords"]
    torch.manual_seed(0)
    network = family.network(family.default()).eval()
    preparer = family.preparer(family.default(), base_folder(EMBEDDED, load_settings()), {})

    def sketched(text: str) -> torch.Tensor:
        given = ModalityInput("text", text, np.ones(1, bool), {"language": None})
        batch = collate([{"x": preparer.prepare(given)}]).modalities["x"]
        with torch.inference_mode():
            return network.overview(batch.arrays, batch.mask)[0, 1:].flatten()

    told = sketched("fever cough and chest pain since monday")
    turned = sketched("chest pain and cough fever since monday")
    alike = sketched("fever and cough since a week")
    other = sketched("the knee was replaced without trouble")

    same, near, far = (torch.cosine_similarity(told, one, dim=0) for one in (turned, alike, other))
    assert same > 0.99
    assert 0.9 > near > far + 0.2
    assert abs(float(told.square().mean()) - 1) < 1e-5
