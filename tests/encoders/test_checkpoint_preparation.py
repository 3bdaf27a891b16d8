"""Inputs are prepared as each checkpoint's own files say, and what is left out is told."""

from __future__ import annotations

import json
import shutil
from itertools import pairwise

import numpy as np
import pytest
import torch
import transformers
from tokenizers import Tokenizer

from fmstudio.adapters.probes import synthetic_input
from fmstudio.encoders.audio_chunks import MAX_WINDOWS, windows
from fmstudio.encoders.batching import collate
from fmstudio.encoders.checkpoint import family_of, inspect
from fmstudio.errors import InputError
from fmstudio.types import ModalityInput
from tests.encoders.small import PROCESSORS, RECIPES, save_tokenizer

STILLS = [name for name in PROCESSORS if "image_mean" in PROCESSORS[name]]
CROPPED = [name for name in STILLS if "crop_size" in PROCESSORS[name]]


@pytest.fixture
def preparer(checkpoint):
    """From a model_type (and a fitted state) to the preparer of its small checkpoint."""

    def of(model_type, state=None):
        folder = checkpoint(model_type)
        return family_of(model_type).preparer(inspect(folder).config, folder, state or {})

    return of


def _frames(values: np.ndarray) -> ModalityInput:
    return ModalityInput("frames", values.astype(np.float32), np.ones(len(values), bool), {})


@pytest.mark.parametrize("model_type", RECIPES)
def test_the_made_up_inputs_of_a_bundles_probes_can_be_prepared_and_read(
    model_type, preparer, checkpoint
):
    family = family_of(model_type)
    channels = {"heart rate": {"centre": 80.0, "spread": 12.0}}
    state = {"channels": channels} if family.fits else {}
    given = synthetic_input(family.kind, state, np.random.default_rng(0))

    prepared = preparer(model_type, state).prepare(given)

    network = family.network(inspect(checkpoint(model_type)).config).eval()
    batch = collate([{"x": prepared}]).modalities["x"]
    with torch.inference_mode():
        tokens = network(batch.arrays, batch.mask)
    assert tokens.mask.any()
    assert torch.isfinite(tokens.values).all()


@pytest.mark.parametrize("model_type", STILLS)
def test_grey_is_scaled_once_and_by_the_checkpoints_own_mean_and_deviation(model_type, preparer):
    level = 51 / 255
    prepared = preparer(model_type).prepare(_frames(np.full((1, 1, 96, 96), level)))
    pixels = prepared.arrays["pixel_values"]
    wanted = (level - np.array([0.4, 0.45, 0.5])) / np.array([0.2, 0.25, 0.3])

    if model_type.startswith("siglip2"):
        colours = pixels.reshape(-1, 3)[prepared.arrays["pixel_attention_mask"].repeat(64) == 1]
    else:
        colours = pixels.transpose(0, 2, 3, 1).reshape(-1, 3)
    assert pixels.dtype == np.float32
    assert np.allclose(colours, wanted, atol=1e-5)


@pytest.mark.parametrize("model_type", CROPPED)
def test_the_middle_is_cropped_where_the_checkpoint_crops(model_type, preparer):
    ramp = np.broadcast_to(np.linspace(0, 1, 36), (1, 3, 36, 36))

    pixels = preparer(model_type).prepare(_frames(ramp)).arrays["pixel_values"]

    brightness = pixels[0, 0, 16] * 0.2 + 0.4
    assert pixels.shape[-2:] == (32, 32)
    # V-JEPA 2 takes the size before the crop from the crop itself: 32 · 256 / 224 = 36.
    assert np.allclose(brightness, ramp[0, 0, 0, 2:34], atol=1 / 255)


@pytest.mark.parametrize(
    ("model_type", "class_name"),
    [
        ("vit", "ViTImageProcessorPil"),
        ("clip", "CLIPImageProcessorPil"),
        ("dinov2", "BitImageProcessorPil"),
        ("siglip", "SiglipImageProcessorPil"),
        ("convnext", "ConvNextImageProcessorPil"),
        ("videomae", "VideoMAEImageProcessorPil"),
    ],
)
def test_a_film_is_prepared_as_by_the_processor_that_the_checkpoint_names(
    model_type, class_name, preparer, checkpoint, inputs
):
    film = inputs["frames"][0]
    picture = np.rint(film.values[0].repeat(3 // len(film.values[0]), 0) * 255).astype(np.uint8)
    theirs = getattr(transformers, class_name).from_pretrained(checkpoint(model_type))
    frames = RECIPES[model_type][1].get("num_frames", 1)

    ours = preparer(model_type).prepare(film).arrays["pixel_values"]

    made = theirs([picture.transpose(1, 2, 0)] * frames, return_tensors="np")["pixel_values"]
    assert np.array_equal(ours, made.reshape(ours.shape).astype(np.float32))


@pytest.mark.parametrize("model_type", ["dinov3_vit", "vjepa2"])
def test_our_own_steps_agree_with_those_on_pillow(model_type, preparer, checkpoint, inputs):
    film = inputs["frames"][0]
    picture = np.rint(film.values[0].repeat(3 // len(film.values[0]), 0) * 255).astype(np.uint8)
    numbers = dict(PROCESSORS[model_type])
    theirs = transformers.BitImageProcessorPil(**{"do_center_crop": False} | numbers)

    ours = preparer(model_type).prepare(film).arrays["pixel_values"][0]

    made = theirs(picture.transpose(1, 2, 0), return_tensors="np")["pixel_values"][0]
    # Theirs rounds to 8 bits after resizing each way: up to a level, by a deviation of 0.2.
    assert np.abs(ours - made).max() <= 1 / 255 / 0.2


def test_of_many_frames_eight_are_used_evenly_and_told(preparer):
    many = np.linspace(0, 1, 21)[:, None, None, None] * np.ones((1, 1, 40, 40))

    prepared = preparer("vit").prepare(_frames(many))

    brightness = prepared.arrays["pixel_values"].mean((2, 3))[:, 0] * 0.2 + 0.4
    assert np.allclose(brightness, np.linspace(0, 1, 21)[[0, 3, 6, 9, 11, 14, 17, 20]], atol=0.005)
    assert prepared.remarks == ("8 of 21 frames were used, evenly spaced.",)


@pytest.mark.parametrize("model_type", ["videomae", "vjepa2"])
def test_a_clip_has_the_checkpoints_number_of_frames_however_many_there_are(model_type, preparer):
    for count, wanted in ((1, [0, 0, 0, 0]), (2, [0, 0, 1, 1]), (10, [0, 3, 6, 9])):
        levels = np.arange(count) / 10
        given = levels[:, None, None, None] * np.ones((1, 1, 40, 40))

        pixels = preparer(model_type).prepare(_frames(given)).arrays["pixel_values"]

        assert pixels.shape == (4, 3, 32, 32)
        assert np.allclose(pixels[:, 0].mean((1, 2)) * 0.2 + 0.4, levels[wanted], atol=0.005)


def _sound(seconds: float, rate: int = 8000, segments: int = 1) -> ModalityInput:
    samples = np.sin(2 * np.pi * 200 * np.arange(int(seconds * rate)) / rate).astype(np.float32)
    edges = np.linspace(0, len(samples), segments + 1).astype(int)
    facts = {
        "rate": rate,
        "segments": [
            {"name": f"site {n}", "start": int(start), "stop": int(stop)}
            for n, (start, stop) in enumerate(pairwise(edges))
        ],
    }
    return ModalityInput("waveform", samples, np.ones(len(samples), bool), facts)


def test_a_recording_of_one_window_is_used_whole_at_the_checkpoints_rate():
    found, remarks = windows(_sound(3.0), 16_000, 10.0)

    assert [len(window) for window in found] == [48_000]
    assert remarks == ()
    spectrum = np.abs(np.fft.rfft(found[0][:16_000]))
    assert spectrum.argmax() == 200


def test_a_long_recording_gives_few_windows_over_all_its_length_and_says_so():
    given = _sound(300.0)
    given.values[:] = np.linspace(-1, 1, len(given.values))

    found, remarks = windows(given, 8000, 10.0)

    assert [len(window) for window in found] == [80_000] * MAX_WINDOWS
    assert found[0][0] == pytest.approx(-1)
    assert found[-1][-1] == pytest.approx(1)
    steps = np.diff([window[0] for window in found])
    assert np.allclose(steps, steps[0], rtol=1e-3)
    assert "73% of it, between evenly spaced windows of 10 s" in remarks[0]


def test_every_recording_of_a_case_is_heard():
    found, remarks = windows(_sound(50.0, segments=5), 8000, 4.0)
    assert [len(window) for window in found] == [32_000] * 5
    assert "60%" in remarks[0]

    found, remarks = windows(_sound(12.0, segments=12), 8000, 4.0)
    assert len(found) == MAX_WINDOWS
    assert "8 of 12 recordings were used" in remarks[0]


def test_a_click_is_filled_up_to_the_shortest_window():
    found, _ = windows(_sound(0.002), 16_000, 10.0)

    assert [len(window) for window in found] == [1600]


def test_raw_sound_is_normalised_before_silence_is_put_behind(preparer):
    arrays = preparer("wav2vec2").prepare(_sound(2.0)).arrays

    real = int(arrays["real"][0])
    assert arrays["values"].shape == (1, 160_000)
    assert real == 32_000
    assert arrays["values"][0, :real].mean() == pytest.approx(0, abs=1e-3)
    assert arrays["values"][0, :real].std() == pytest.approx(1, abs=1e-3)
    assert not arrays["values"][0, real:].any()


@pytest.mark.parametrize(
    ("model_type", "shape", "real"),
    [
        ("audio-spectrogram-transformer", (128, 32), 98),
        ("whisper", (20, 200), 100),
    ],
)
def test_mel_frames_that_only_fill_up_count_as_not_real(model_type, shape, real, preparer):
    arrays = preparer(model_type).prepare(_sound(1.0)).arrays

    assert arrays["values"].shape == (1, *shape)
    assert arrays["real"].tolist() == [real]


def _text(words: str) -> ModalityInput:
    return ModalityInput("text", words, np.ones(1, bool), {})


@pytest.mark.parametrize(("model_type", "positions"), [("bert", 40), ("roberta", 38), ("gpt2", 40)])
def test_a_long_text_keeps_first_and_last_part_and_says_so(model_type, positions, preparer):
    ours = preparer(model_type)

    short = ours.prepare(_text("the patient denies chest pain"))
    long = ours.prepare(_text("heart " * 60 + "cough " * 60))

    assert short.remarks == ()
    assert short.length == 5 + 2 * (model_type != "gpt2")
    ids = long.arrays["id"]
    assert len(ids) == positions
    heart, cough = (ids == ids[2]).sum(), (ids == ids[-2]).sum()
    assert abs(int(heart) - int(cough)) <= 1
    assert "in the middle, was left out" in long.remarks[0]
    if model_type != "gpt2":
        assert ids[[0, -1]].tolist() == [2, 3]


@pytest.mark.parametrize("model_type", ["bert", "gpt2"])
def test_the_sketch_of_a_text_tells_its_words_whatever_their_order_and_place(model_type, preparer):
    ours, family = preparer(model_type), family_of(model_type)

    def sketched(words: str) -> np.ndarray:
        return ours.prepare(_text(words)).arrays["sketch"][0]

    one, same, other = map(
        sketched, ("chest pain and cough", "cough and chest pain", "a woman denies history")
    )
    # Beyond the checkpoint's positions, in the middle, where its network never looks.
    without, middle = (sketched("heart " * 90 + word + " heart" * 90) for word in ("", "cough"))

    assert one.shape == (family.sketch,)
    assert np.mean(one**2) == pytest.approx(1, abs=1e-3)
    assert np.corrcoef(one, same)[0, 1] > 0.6 > 0.4 > np.corrcoef(one, other)[0, 1]
    assert not np.allclose(without, middle)


def test_word_pieces_as_plain_list_give_the_same_subwords(checkpoint, tmp_path, inputs):
    folder = shutil.copytree(checkpoint("bert"), tmp_path / "bert")
    save_tokenizer(folder / "tokenizer.json", special=True)
    words = Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab()
    (folder / "vocab.txt").write_text("\n".join(sorted(words, key=words.get)) + "\n")
    (folder / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": True}))
    family, config = family_of("bert"), inspect(folder).config
    fast = family.preparer(config, folder, {}).prepare(inputs["text"][1])
    (folder / "tokenizer.json").unlink()

    assert set(inspect(folder).files) >= {"vocab.txt", "tokenizer_config.json"}
    plain = family.preparer(config, folder, {}).prepare(inputs["text"][1])
    assert np.array_equal(plain.arrays["id"], fast.arrays["id"])


def _series(values: list[list[float]], seconds: list[float], names: list[str]) -> ModalityInput:
    array = np.array(values, np.float32)
    facts = {"channels": names, "units": [""] * len(names), "seconds": seconds}
    mask = np.isfinite(array)
    return ModalityInput("series", np.where(mask, array, 0).astype(np.float32), mask, facts)


def test_irregular_readings_come_onto_a_regular_grid_with_what_was_observed(preparer):
    nothing = float("nan")
    given = _series(
        [[10, 1], [20, nothing], [nothing, nothing], [40, 3]], [0.0, 1.0, 500.0, 630.0], ["a", "b"]
    )

    arrays = preparer("patchtst").prepare(given).arrays

    reading, observed = arrays["reading"], arrays["observed"]
    assert reading.shape == observed.shape == (2, 64)
    assert observed.nonzero()[1].tolist() == [0, 63, 0, 63]
    # In units of the channel itself: 15 (two readings in one cell) and 40 by their mean and spread.
    assert reading[0, [0, 63]] == pytest.approx([-1, 1])
    assert np.allclose(np.diff(reading[0]), 2 / 63, atol=1e-6)


def test_levels_that_the_checkpoint_scales_away_are_kept_beside_its_outputs(preparer):
    state = {"channels": {"hr": {"centre": 80.0, "spread": 10.0}}}
    seconds = [float(step) for step in range(100)]
    waves = 5 * np.sin(np.arange(100) / 5)
    low, high = (
        preparer("patchtst", state).prepare(_series((waves[:, None] + c).tolist(), seconds, ["hr"]))
        for c in (70, 100)
    )

    assert low.arrays["level"][0] == pytest.approx([-1, np.log(0.35)], abs=0.15)
    assert high.arrays["level"][0, 0] == pytest.approx(2, abs=0.1)


def test_names_of_channels_reach_the_tokens(preparer, checkpoint):
    seconds = [float(step) for step in range(100)]
    wave = np.sin(np.arange(100) / 5)[:, None].repeat(2, 1).tolist()
    network = family_of("patchtst").network(inspect(checkpoint("patchtst")).config).eval()
    prepared = preparer("patchtst").prepare(_series(wave, seconds, ["pressure", "pulse"]))
    batch = collate([{"x": prepared}]).modalities["x"]

    with torch.inference_mode():
        tokens = network(batch.arrays, batch.mask).values[0]

    one, other = tokens[: len(tokens) // 2], tokens[len(tokens) // 2 :]
    assert torch.allclose(one[:, :32], other[:, :32], atol=1e-5)
    assert (one[:, 34:] - other[:, 34:]).abs().max() > 0.5


def test_channels_that_were_not_in_training_are_left_out_or_refused(preparer):
    state = {"channels": {"hr": {"centre": 80.0, "spread": 10.0}}}
    ours = preparer("timesfm2_5", state)
    both = ours.prepare(_series([[80, 1], [90, 2], [85, 3]], [0.0, 1.0, 2.0], ["hr", "strange"]))

    assert both.length == 1
    assert both.remarks == ("Not in the training data, left out: strange.",)
    with pytest.raises(InputError, match="None of the channels strange"):
        ours.prepare(_series([[1], [2]], [0.0, 1.0], ["strange"]))
