"""Damaged manifests, recipes, bundles and checkpoints, each given to what reads it: the same
judgement as of damaged files of patients, in this process."""

from __future__ import annotations

import shutil
import signal
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from benchmarks.resealed import sealed_again
from data_samples.damage import damaged
from data_samples.damaged_forms import changed_json, hostile_table
from fmstudio.errors import StudioError

SECONDS = 10.0
CHECKPOINTS = ("vit", "bert", "gpt2", "wav2vec2", "whisper", "patchtst")
Form = Callable[[np.random.Generator, Path], None]


def outcomes(name: str, form: Form, count: int, folder: Path) -> dict[str, Any]:
    """What came of `count` damaged inputs of one form."""
    started, found, escapes = time.monotonic(), Counter[str](), []
    for number in range(count):
        rng = np.random.default_rng([sum(name.encode()), number])
        outcome, words = _tried(form, rng, folder)
        found[outcome] += 1
        if words:
            escapes.append(f"{name} {number}: {words}")
    seconds = time.monotonic() - started
    return {"files": count, "seconds": seconds, "escapes": escapes[:20], **found}


def _tried(form: Form, rng: np.random.Generator, folder: Path) -> tuple[str, str]:
    try:
        with _limited():
            form(rng, folder)
    except StudioError as refused:
        if not refused.hint or str(folder) in refused.message + refused.hint:
            return "escape", refused.message[:300]
        return "refused", ""
    except TimeoutError:
        return "limit", f"took longer than {SECONDS:.0f} s"
    except Exception as fault:  # what no user should meet: the very thing that is counted
        return "escape", f"{type(fault).__name__}: {str(fault)[:200]}"
    return "read", ""


@contextmanager
def _limited() -> Iterator[None]:
    """Raises TimeoutError in the block after SECONDS, where the system has such alarms."""
    if not hasattr(signal, "SIGALRM"):
        yield
        return
    signal.signal(signal.SIGALRM, _over)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _over(number: int, frame: FrameType | None) -> None:
    raise TimeoutError


def forms(folder: Path) -> Mapping[str, Form]:
    """By name, what draws one damaged input into a folder and reads it as the studio would."""
    return {
        "manifests": _manifest,
        "recipes": _recipe(),
        "bundles": _bundle(),
        "checkpoints": _checkpoint(folder / "whole"),
    }


def _manifest(rng: np.random.Generator, folder: Path) -> None:
    from fmstudio.cohort import build_cohort, make_task, propose_roles, read_manifest

    path = folder / "manifest.csv"
    content = hostile_table(rng)
    path.write_bytes(damaged(content, rng) if rng.random() < 0.3 else content)
    manifest = read_manifest(path)
    roles = {role.column: role.role for role in propose_roles(manifest, None)}
    kind = ("binary", "multiclass", "regression")[int(rng.integers(3))]
    build_cohort(manifest, roles, make_task(manifest, roles, kind), "damaged")


def _spoilt(content: bytes, rng: np.random.Generator) -> bytes:
    """A JSON file changed by its structure, one time in three by its bytes, seldom a deep one."""
    if rng.random() < 0.01:
        return b'{"a":' * 100_000
    return damaged(content, rng) if rng.random() < 0.33 else changed_json(content, rng)


def _recipe() -> Form:
    from fmstudio.run_config import RunConfig
    from fmstudio.training.run_settings import Recipe, read_recipe

    config = RunConfig(modalities=("ehr", "notes"), encoders={"notes": "bert"})
    whole = Recipe(config, "ab" * 32, {"notes": "cd" * 32}, "binary", "ef" * 32, "0.1.0", ())
    content = whole.as_text().encode()

    def read(rng: np.random.Generator, folder: Path) -> None:
        read_recipe(_spoilt(content, rng).decode("utf-8", "replace"), "recipe.json")

    return read


def _bundle() -> Form:
    from fmstudio.adapters.bundle import verify
    from fmstudio.studio.sample import BUNDLE

    whole = BUNDLE.read_bytes()
    with zipfile.ZipFile(BUNDLE) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    names = sorted(files)

    def read(rng: np.random.Generator, folder: Path) -> None:
        path = folder / "bundle.zip"
        if rng.random() < 0.25:
            path.write_bytes(damaged(whole, rng))
        else:
            name = names[int(rng.integers(len(names)))]
            spoil = _spoilt if name.endswith(".json") else damaged
            changes = {name: spoil(files[name], rng)}
            with suppress(ValueError, RecursionError):  # a seal on what is no JSON any more
                changes = sealed_again(files, changes, bound=bool(rng.random() < 0.5))
            with zipfile.ZipFile(path, "w") as made:
                for each, content in (files | changes).items():
                    made.writestr(each, content)
        verify(path)

    return read


def _checkpoint(folder: Path) -> Form:
    from fmstudio.checkpoints.smoke_test import trial
    from fmstudio.encoders.checkpoint import inspect
    from tests.encoders.small import save_checkpoint

    whole = [
        {path.name: path.read_bytes() for path in save_checkpoint(name, folder / name).iterdir()}
        for name in CHECKPOINTS
    ]

    def read(rng: np.random.Generator, place: Path) -> None:
        target = place / "checkpoint"
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir()
        files = whole[int(rng.integers(len(whole)))]
        spoilt = sorted(files)[int(rng.integers(len(files)))]
        for name, content in files.items():
            change = _spoilt if name.endswith(".json") else damaged
            (target / name).write_bytes(change(content, rng) if name == spoilt else content)
        found = inspect(target)
        trial(target, found.family, found.config)

    return read
