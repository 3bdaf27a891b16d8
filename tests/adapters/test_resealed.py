"""A bundle that was changed and sealed again is refused: by its own seal on the weights, by the
schemas, by what its files say of each other, and by the replay of its stored answers."""

from __future__ import annotations

import json
import zipfile
from collections import Counter
from functools import cache
from pathlib import Path

import pytest
from safetensors.numpy import load, save

from benchmarks.resealed import (
    INSTEAD,
    WEIGHTS,
    mutated_cards,
    other_json,
    other_meaning,
    sealed_again,
)
from fmstudio.adapters import archive, probes
from fmstudio.adapters.contents import judged
from fmstudio.errors import BundleError, StudioError
from fmstudio.settings import Settings
from fmstudio.studio.sample import BUNDLE


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    """A real bundle: six modalities, trees, categories, channels."""
    with zipfile.ZipFile(BUNDLE) as bundle:
        return {name: bundle.read(name) for name in bundle.namelist()}


@pytest.fixture(scope="module")
def replay(tmp_path_factory):
    """Replays the files of a bundle; the model of the same weights is loaded once."""
    settings = Settings(tmp_path_factory.mktemp("home"))
    real, models = probes.load, {}

    def loaded(folder: Path, settings: Settings):
        key = ((folder / WEIGHTS).read_bytes(), (folder / "config.json").read_bytes())
        if key not in models:
            models[key] = real(folder, settings)
        return models[key]

    def go(made: dict[str, bytes]) -> float:
        judged(made)
        folder = tmp_path_factory.mktemp("bundle") / "adapter"
        archive.write_folder(made, folder)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(probes, "load", loaded)
            return probes.replay(folder, settings)

    return go


def test_two_hundred_changed_cards_are_refused_by_the_seal_on_the_weights(files):
    cards = list(mutated_cards(json.loads(files["card.json"])))
    ends = Counter()
    for what, card in cards:
        with pytest.raises(BundleError) as caught:
            judged(sealed_again(files, {"card.json": card}, bound=False))
        ends[what] += 1
        assert caught.value.message
    assert ends.total() == 200


@pytest.mark.parametrize("bound", [False, True], ids=["hashes right", "seal on weights right too"])
def test_a_changed_card_is_refused_with_its_field_or_changes_no_answer(files, bound):
    """With both seals forged, what passes tells of the adapter and decides no answer."""
    card, messages = json.loads(files["card.json"]), []
    for _, changed in mutated_cards(card, 60):
        refused = None
        try:
            judged(sealed_again(files, {"card.json": changed}, bound))
        except BundleError as fault:
            refused = fault
        if refused is not None:
            messages.append(refused.message)
        else:
            assert bound
            now = json.loads(changed)
            for key in ("modalities", "table_columns", "base", "base_sha256"):
                assert now[key] == card[key]
            for key in ("kind", "labels", "positive"):
                assert now["task"][key] == card["task"][key]
    assert len(messages) > 40
    assert all("card.json'" in message or "sealed" in message for message in messages)


@pytest.mark.parametrize("bound", [False, True], ids=["hashes right", "seal on weights right too"])
def test_no_json_file_may_be_something_else(files, bound):
    tried = list(other_json(files))
    assert len(tried) == len(INSTEAD) * sum(name.endswith(".json") for name in files)
    for what, changes in tried:
        [name] = changes
        with pytest.raises(BundleError) as caught:
            judged(sealed_again(files, changes, bound))
        assert name in caught.value.message, what


def test_what_turns_or_scales_answers_is_refused_though_every_seal_was_forged(files, replay):
    assert replay(files) < 1e-4
    tried = list(other_meaning(files))
    assert {what.split()[0] for what, _ in tried} >= {"labels", "temperature", "shift"}
    assert sum("another unit" in what for what, _ in tried) == 2
    for what, changes in tried:
        with pytest.raises(BundleError, match="probe") as caught:
            replay(sealed_again(files, changes, bound=True))
        assert caught.value.hint, what


@cache
def _tensors(content: bytes):
    return load(content)


@pytest.mark.parametrize("change", ["dropped", "renamed", "reshaped", "another one's"])
def test_a_tensor_that_does_not_fit_the_model_is_named(files, replay, change):
    held = dict(_tensors(files[WEIGHTS]))
    name = "base_model.model.task_head.offset"
    value = held.pop(name)
    held |= {
        "dropped": {},
        "renamed": {f"{name}_": value},
        "reshaped": {name: value[None]},
        "another one's": {name: value, "base_model.model.task_head.trees.5.base": value},
    }[change]

    changed = sealed_again(files, {WEIGHTS: save(held)}, bound=True)

    with pytest.raises(BundleError, match=r"tensor 'base_model\.model\.task_head\."):
        replay(changed)
    with pytest.raises(BundleError, match="sealed"):
        judged(sealed_again(files, {WEIGHTS: save(held)}, bound=False))


def test_a_probe_that_is_no_input_of_its_kind_is_no_fault_of_the_studio(files, replay):
    held = dict(_tensors(files["probes.safetensors"]))
    refused = []
    for name in ("given/0/values", "given/2/mask", "given/2/values"):
        made = save({**held, name: held[name][None]})
        try:  # a shape that reads as the same input changes nothing
            assert replay(sealed_again(files, {"probes.safetensors": made}, bound=True)) < 1e-4
        except StudioError:
            refused.append(name)
    assert "given/2/values" in refused
