"""A run's saved states: what breaks a write, or damages a file, costs the work since one state."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import pytest
import torch

from fmstudio.run_config import RunConfig
from fmstudio.training.saved import FILES, States
from fmstudio.training.search import search


class Broken(BaseException):
    """The process ends here: nothing catches it."""


def write(states: States, step: int) -> None:
    states.write(step, {"w": torch.full((5,), float(step))}, {"loss": 1 / step})


def checked(folder: Path) -> int | None:
    """The step of the newest whole state, whose content must be that of its step."""
    saved = States(folder).newest()
    if saved is None:
        return None
    assert torch.equal(saved.tensors["w"], torch.full((5,), float(saved.step)))
    assert saved.facts == {"loss": 1 / saved.step}
    return saved.step


class Faults:
    """Lets the Nth of write, fsync and rename end the process; a write leaves half its bytes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, fatal: int) -> None:
        self.count, self.fatal = 0, fatal
        opened, fsync, replace = Path.open, os.fsync, Path.replace

        def open_file(path, *args, **options):
            file = opened(path, *args, **options)
            written = file.write

            def half(content):
                if self.due():
                    written(content[: len(content) // 2])
                    file.close()
                    raise Broken
                return written(content)

            file = _Wrapped(file, half)
            return file

        monkeypatch.setattr(Path, "open", open_file)
        monkeypatch.setattr(os, "fsync", lambda handle: self.before(fsync, handle))
        monkeypatch.setattr(Path, "replace", lambda p, target: self.before(replace, p, target))

    def due(self) -> bool:
        self.count += 1
        return self.count == self.fatal

    def before(self, call, *args):
        if self.due():
            raise Broken
        return call(*args)


class _Wrapped:
    def __init__(self, file, write) -> None:
        self._file, self.write = file, write

    def __getattr__(self, name):
        return getattr(self._file, name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._file.close()


def test_a_write_broken_at_any_call_leaves_the_state_before_it(tmp_path, monkeypatch):
    for fatal in range(1, 20):
        folder = tmp_path / str(fatal)
        states = States(folder)
        for step in (1, 2, 3):
            write(states, step)
        with monkeypatch.context() as patched:
            faults = Faults(patched, fatal)
            try:
                write(states, 4)
            except Broken:
                broken = True
            else:
                broken = False
        assert checked(folder) in ({3, 4} if broken else {4})
        again = States(folder)
        before = again.newest().step
        write(again, before + 1)
        assert checked(folder) == before + 1
        if not broken:
            break
    assert faults.count == 4  # write, fsync, rename, fsync of the folder
    assert fatal == 5


def test_a_flipped_bit_or_a_lost_end_is_noticed_and_the_state_before_is_used(tmp_path):
    states = States(tmp_path)
    write(states, 1)
    write(states, 2)
    newest = next(p for p in (tmp_path / n for n in FILES) if b'\\"step\\": 2' in p.read_bytes())
    whole, draw = newest.read_bytes(), random.Random(0)
    damaged = [whole[:size] for size in (0, 5, 40, len(whole) // 2, len(whole) - 1)]
    for _ in range(300):
        bits = bytearray(whole)
        bits[draw.randrange(len(bits))] ^= 1 << draw.randrange(8)
        damaged.append(bytes(bits))

    for content in damaged:
        newest.write_bytes(content)
        after = States(tmp_path)
        assert after.newest().step == 1
        assert after.remark == "Resumed from step 1, because the newer state is damaged."

    write(after, 2)
    assert checked(tmp_path) == 2


def test_with_no_whole_state_left_a_loop_begins_anew_and_says_so(tmp_path):
    states = States(tmp_path)
    write(states, 1)
    write(states, 2)
    for name in FILES:
        (tmp_path / name).write_bytes(b"not a state")

    after = States(tmp_path)
    assert after.newest() is None
    assert after.remark == "Started anew: the saved states are damaged."
    write(after, 1)
    assert checked(tmp_path) == 1


def test_a_search_whose_file_is_damaged_begins_anew(tmp_path):
    config = RunConfig.from_preset("quick", search_minutes=0.0, modalities=("a", "b"))
    search(config, ("upper trunk",), lambda number, asked: 0.5, tmp_path)
    path = tmp_path / "search.json"
    kept = json.loads(path.read_text())
    kept["trials"][0]["loss"] = 0.1
    tried: list[int] = []

    def again(number: int, asked: RunConfig) -> float:
        tried.append(number)
        return 0.5

    for content in (json.dumps(kept), "{", "null", "[]"):
        path.write_text(content)
        found = search(config, ("upper trunk",), again, tmp_path)
        assert found.best.loss == 0.5
    assert tried == [0, 0, 0, 0]
