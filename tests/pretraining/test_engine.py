"""The loop: it goes on where it was cut off, stops when asked, and notices a collapse."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from fmstudio.errors import RunFailed
from fmstudio.pretraining.collapse import Health, health
from fmstudio.training.reporter import Stopped
from tests.pretraining.conftest import (
    STEPS,
    engine_in,
)
from tests.training.conftest import Recorder

ROOT = Path(__file__).resolve().parents[2]


def test_a_run_killed_between_two_looks_ends_with_the_same_curve_and_weights(folder, tmp_path):
    command = [sys.executable, str(Path(__file__).with_name("killed.py")), str(folder), "9"]
    ended = subprocess.run(command, env=os.environ | {"PYTHONPATH": str(ROOT)}, cwd=ROOT)
    assert ended.returncode == -9
    resumed, whole = Recorder(), Recorder()
    again = engine_in(folder, resumed)
    again.run()
    straight = engine_in(tmp_path / "straight", whole)
    straight.run()

    assert resumed.curve == whole.curve
    assert {step for name, step in whole.curve if name == "loss: groups"} == {4, 8, 12}
    for name, value in straight.model.state_dict().items():
        assert torch.equal(again.model.state_dict()[name], value), name


def test_a_run_that_is_asked_to_stop_leaves_a_checkpoint_to_go_on_from(folder):
    with pytest.raises(Stopped):
        engine_in(folder, Recorder(stop_after=5)).run()
    rest = Recorder()
    state = engine_in(folder, rest).run()

    assert state.step == STEPS
    assert min(step for name, step in rest.curve if name == "loss: masked") == 4


def test_the_watch_is_asked_at_every_look(folder):
    seen = Recorder()
    engine_in(folder, seen, ("masked",), watch=lambda model: {"probe": 0.5}).run()

    assert [step for name, step in seen.curve if name == "probe"] == [0, 4, 8, 12]
    assert seen.last.fraction == 1.0


class Flattening(nn.Module):
    """Pulls the features of all inputs to one point."""

    def forward(self, given):
        return torch.stack(
            [(one.summary - 1.0).pow(2).mean() * 10 for one in given.encoded.values()]
        ).mean()


def test_a_collapse_ends_the_run_and_is_told_in_words(folder, monkeypatch):
    flat = SimpleNamespace(name="flat", hides=0.0, head=lambda model, examples: Flattening())
    monkeypatch.setattr("fmstudio.pretraining.engine.objectives", lambda: {"flat": flat})
    engine = engine_in(
        folder,
        objectives=("flat",),
        modalities=("ehr",),
        steps=400,
        look_every=40,
        learning_rate=2e-2,
    )

    with pytest.raises(RunFailed) as fault:
        engine.run()
    assert "has collapsed: its features keep to" in fault.value.message
    assert "'masked' and 'spread'" in fault.value.hint


def test_only_what_was_lost_counts_as_a_collapse():
    generator = torch.Generator().manual_seed(0)
    wide = health(torch.randn(40, 64, generator=generator).numpy())
    line = health((torch.randn(40, 1, generator=generator) * torch.ones(1, 64)).numpy())

    assert wide.rank > 20
    assert line.rank == pytest.approx(1.0)
    assert line.collapsed(before=wide)
    assert not line.collapsed(before=line)
    assert Health(30.0, 1e-5).collapsed(before=Health(30.0, 0.5))


def test_a_loss_that_is_no_number_ends_the_run(folder, monkeypatch):
    broken = SimpleNamespace(name="broken", hides=0.0, head=lambda m, e: _Broken())
    monkeypatch.setattr("fmstudio.pretraining.engine.objectives", lambda: {"broken": broken})

    with pytest.raises(RunFailed, match="no number after step 0"):
        engine_in(folder, objectives=("broken",)).run()


class _Broken(nn.Module):
    def forward(self, given):
        return next(iter(given.encoded.values())).summary.sum() * float("nan")
