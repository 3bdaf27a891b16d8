from __future__ import annotations

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest
import torch
import transformers

from fmstudio.checkpoints.store import CheckpointInfo, keep
from fmstudio.contracts import pipelines
from fmstudio.errors import ResourceError
from fmstudio.features.inputs import Preparation
from fmstudio.model.load import load_base, task_config
from fmstudio.run_config import RunConfig
from fmstudio.sandbox import Reader
from fmstudio.settings import Settings
from fmstudio.training.estimate import estimate, within_memory
from fmstudio.training.sample import Size, sizes
from tests.audits import audit_of
from tests.encoders.small import PROCESSORS

AUDIT = audit_of(300)


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    """The same speed at every question."""
    monkeypatch.setattr("fmstudio.training.estimate.machine_gigaflops", lambda: 190.0)


def test_more_epochs_cases_and_adapted_encoders_take_longer():
    quick = estimate(RunConfig(epochs=10), AUDIT)
    longer = estimate(RunConfig(epochs=40), AUDIT)
    deeper = estimate(RunConfig(epochs=10, scope="trunk and encoders"), AUDIT)

    assert quick.seconds < longer.seconds
    assert quick.seconds < deeper.seconds
    assert quick.memory_mb < deeper.memory_mb
    assert quick.seconds < estimate(RunConfig(epochs=10), audit_of(600)).seconds


def test_a_search_more_seeds_and_more_rungs_take_their_time():
    one = estimate(RunConfig(epochs=10, scope="trunk", ladder=False), AUDIT)
    seeds = estimate(RunConfig(epochs=10, scope="trunk", ladder=False, seeds=3), AUDIT)
    candidates = estimate(RunConfig(epochs=10, scope="trunk"), AUDIT)
    searched = estimate(RunConfig(epochs=10, scope="trunk", search_minutes=15.0), AUDIT)
    none = RunConfig(epochs=10, scope="trunk", search_minutes=15.0, seeds=3, keep="probe")

    assert one.seconds < candidates.seconds < seeds.seconds
    assert searched.seconds == pytest.approx(candidates.seconds + 15 * 60)
    assert estimate(none, AUDIT).seconds < one.seconds


def test_fewer_modalities_take_less():
    one = estimate(RunConfig(modalities=tuple(pipelines())[:1]), AUDIT)

    assert one.seconds < estimate(RunConfig(), AUDIT).seconds


STEP = """
import sys
from pathlib import Path

import torch

from fmstudio.adapters import lora
from fmstudio.adapters.processor import Processor
from fmstudio.encoders.batching import collate
from fmstudio.checkpoints.store import find_checkpoint
from fmstudio.model.load import load_base, task_config
from fmstudio.encoders.synthetic_inputs import typical
from fmstudio.settings import Settings
from fmstudio.run_config import RunConfig
from fmstudio.training.memory import peak_memory_mb

settings, name = Settings(Path(sys.argv[1])), sys.argv[2]
info = find_checkpoint(name, settings)
processor = Processor(name, info.family, info.config, {}, info.as_encoder()["checkpoint"])
prepared = processor.preparer("embedded", settings).prepare(typical(info.kind))
model = load_base(task_config("embedded", [name], 1, settings, {name: name}), settings)
adapted = lora.attach(model, RunConfig(scope="trunk and encoders"))
torch.nn.init.ones_(lora.task_head(adapted).weight)
for count in (4, 20):
    model(inputs=collate([{name: prepared}] * count)).logits.sum().backward()
    print(peak_memory_mb())
"""


def test_a_step_through_a_checkpoint_takes_the_memory_that_was_foretold(tmp_path):
    """A vision transformer of 8 layers, 4 films and then 20, in a process of their own."""
    torch.manual_seed(0)
    shape = transformers.ViTConfig(
        hidden_size=256, num_hidden_layers=8, num_attention_heads=4, intermediate_size=1024
    )
    transformers.ViTModel(shape).save_pretrained(tmp_path / "vit")
    processor = PROCESSORS["vit"] | {"size": {"height": 224, "width": 224}}
    (tmp_path / "vit" / "preprocessor_config.json").write_text(json.dumps(processor))
    settings, name = Settings(tmp_path / "home"), "radiology"
    info = keep(tmp_path / "vit", settings, {"name": name})
    config = RunConfig(modalities=(name,), scope="trunk and encoders")
    few, many = (
        estimate(dataclasses.replace(config, batch_size=count), AUDIT, {name: info}).memory_mb
        for count in (4, 20)
    )

    done = subprocess.run(
        [sys.executable, "-c", STEP, settings.home, name],
        capture_output=True,
        text=True,
        check=True,
    )

    before, after = map(float, done.stdout.split())
    assert 0.6 * (many - few) < after - before < 1.6 * (many - few)
    assert after < many


def test_a_larger_checkpoint_takes_longer_and_more_memory():
    small = CheckpointInfo(
        "a",
        "folder",
        None,
        None,
        "vit",
        "vit",
        "frames",
        768,
        6_000_000,
        24.0,
        "ab" * 32,
        "",
        False,
        "",
        "",
        "",
        {},
        {},
        {"items": 1, "tokens": 10, "gigaflops": 2.5, "activation_mb": 20.0},
    )
    large = dataclasses.replace(
        small,
        parameters=300_000_000,
        size_mb=1200.0,
        sha256="cd" * 32,
        costs=dict(small.costs) | {"gigaflops": 120.0, "activation_mb": 400.0},
    )
    name = next(name for name, one in pipelines().items() if one.kind == "frames")
    for scope in ("trunk", "trunk and encoders"):
        config = RunConfig(scope=scope)
        a, b = (estimate(config, AUDIT, {name: info}) for info in (small, large))
        assert b.seconds > a.seconds
        assert b.memory_mb > a.memory_mb + 2000


def test_a_run_that_does_not_fit_into_memory_is_told_the_batch_size_that_would(monkeypatch):
    config = RunConfig(scope="trunk and encoders", batch_size=64)
    needed = estimate(config, AUDIT).memory_mb
    smaller = estimate(dataclasses.replace(config, batch_size=20), AUDIT).memory_mb
    monkeypatch.setattr("fmstudio.training.estimate.free_mb", lambda: needed + 1)
    assert within_memory(config, AUDIT, {}) == config

    monkeypatch.setattr("fmstudio.training.estimate.free_mb", lambda: smaller)
    with pytest.raises(ResourceError) as refused:
        within_memory(config, AUDIT, {})
    assert "batch size to 20 or less" in refused.value.hint

    monkeypatch.setattr("fmstudio.training.estimate.free_mb", lambda: 100.0)
    with pytest.raises(ResourceError) as refused:
        within_memory(config, AUDIT, {})
    assert "fewer modalities" in refused.value.hint


def test_a_batch_size_that_nobody_asked_for_is_what_memory_has_room_for(monkeypatch):
    config = RunConfig(scope="trunk and encoders")
    assert within_memory(config, AUDIT, {}) == config
    assert config.cases_per_step == 16

    five = estimate(dataclasses.replace(config, batch_size=5), AUDIT).memory_mb
    monkeypatch.setattr("fmstudio.training.estimate.free_mb", lambda: five)
    assert within_memory(config, AUDIT, {}).batch_size == 5

    monkeypatch.setattr("fmstudio.training.estimate.free_mb", lambda: 100.0)
    with pytest.raises(ResourceError, match="100 MB are free"):
        within_memory(config, AUDIT, {})


def test_slow_and_large_inputs_of_the_cohort_itself_make_the_estimate_longer():
    large = {name: Size(0.5, 512, 16) for name in pipelines()}

    assert (
        estimate(RunConfig(), AUDIT, {}, large).seconds > 2 * estimate(RunConfig(), AUDIT).seconds
    )


def test_sizes_told_from_a_few_inputs_are_those_that_the_encoders_see(cohort, settings):
    """Items and tokens said from what was read, against what preparing and encoding gives."""
    model = load_base(task_config("embedded", cohort.modalities, 1, settings), settings)
    with Reader(settings.limits, workers=1) as reader:
        found = sizes(reader, cohort.cases)
        preparation = Preparation(reader, settings)
        processors = preparation.fit(model, cohort.split("train"))
        raw = preparation.run(model, processors, cohort.cases, frozen=False)
        done = preparation.run(model, processors, cohort.cases, frozen=True)

    for modality, size in found.items():
        items, tokens = (
            [own[modality].length for i in given.keys if modality in (own := given.load(i))]
            for given in (raw, done)
        )
        assert size.items == pytest.approx(np.mean(items), rel=0.4), modality
        assert size.tokens == pytest.approx(np.mean(tokens), rel=0.4), modality
        assert size.seconds > 0
