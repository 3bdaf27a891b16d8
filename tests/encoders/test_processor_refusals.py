"""A checkpoint whose processor or tokenizer cannot be used is refused, and the message says why."""

from __future__ import annotations

import json

import pytest

from fmstudio.checkpoints.smoke_test import trial
from fmstudio.encoders.checkpoint import inspect
from fmstudio.errors import InputError
from tests.encoders.small import refusal, rewrite


def test_a_text_checkpoint_without_tokenizer_is_refused(copy):
    folder = copy("bert")
    (folder / "tokenizer.json").unlink()

    refused = refusal(folder)

    assert "tokenizer.json is not there" in refused.message
    assert "vocab.txt" in refused.hint


def test_a_tokenizer_that_is_none_is_refused(copy):
    folder = copy("bert")
    (folder / "tokenizer.json").write_text('{"model": 1}')

    assert "tokenizer.json is not a tokenizer" in refusal(folder).message


def test_a_tokenizer_with_more_subwords_than_embeddings_is_refused(copy):
    folder = copy("bert")
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    tokenizer["model"]["vocab"] |= {f"more{n}": n for n in range(30, 70)}
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))

    assert "70 subwords and the model embeddings for 64" in refusal(folder).message


def test_a_processor_that_is_not_known_is_refused(copy):
    folder = copy("vit")
    rewrite(folder / "preprocessor_config.json", image_processor_type="MyImageProcessor")

    assert "'MyImageProcessor' is not one" in refusal(folder).message


def test_a_processor_that_asks_for_huge_pictures_is_refused(copy):
    folder = copy("vit")
    rewrite(folder / "preprocessor_config.json", size=100_000)

    assert "pictures of 100000 pixels" in refusal(folder).message


def test_a_processor_of_own_steps_without_its_numbers_is_refused(copy):
    folder = copy("dinov3_vit")
    numbers = json.loads((folder / "preprocessor_config.json").read_text())
    del numbers["image_mean"]
    (folder / "preprocessor_config.json").write_text(json.dumps(numbers))

    assert "lacks or garbles a number: 'image_mean'" in refusal(folder).message


@pytest.mark.parametrize("size", [{"width": 32}, {}, {"longest": 3}])
def test_a_processor_that_transformers_cannot_make_is_refused(copy, size):
    folder = copy("vit")
    rewrite(folder / "preprocessor_config.json", size=size)

    assert "processor cannot be made from its files" in refusal(folder).message


def test_a_processor_that_fails_on_a_picture_is_refused_when_it_is_tried_out(copy):
    folder = copy("vit")
    rewrite(folder / "preprocessor_config.json", image_mean=[0.5] * 2, image_std=[0.5] * 2)
    found = inspect(folder)

    with pytest.raises(InputError, match="cannot read frames as its files say") as refused:
        trial(folder, found.family, found.config)
    assert refused.value.hint


def test_a_config_that_asks_for_far_more_weights_than_there_are_takes_no_memory(copy):
    folder = copy("vit")
    rewrite(folder / "config.json", hidden_size=1_000_000, intermediate_size=1_000_000)

    said = refusal(folder).message

    assert "describes a model of " in said
    assert "and the files hold " in said


def test_an_extractor_of_another_checkpoint_is_refused(copy):
    folder = copy("wav2vec2")
    rewrite(folder / "preprocessor_config.json", feature_extractor_type="ASTFeatureExtractor")

    assert "'ASTFeatureExtractor', not Wav2Vec2FeatureExtractor" in refusal(folder).message
