"""Checkpoints on their way in: the process that adds one, seen from outside."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

from fmstudio.checkpoints.store import find_checkpoint, list_checkpoints
from fmstudio.errors import InputError, NotFound, UnreadableFile
from fmstudio.runs import additions
from fmstudio.settings import Settings
from tests.encoders.small import save_checkpoint
from tests.model.fake_hub import REVISION, TOKEN, Model

PATIENCE_SECONDS = 250


@pytest.fixture(scope="session")
def vit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_checkpoint("vit", tmp_path_factory.mktemp("vit"))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(tmp_path / "home")


def until(settings: Settings, attempt: str, what) -> additions.Addition:
    """The attempt once `what` holds of it."""
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        found = additions.addition(settings, attempt)
        if what(found):
            return found
        assert found.live, found
        time.sleep(0.1)
    raise AssertionError(f"not within {PATIENCE_SECONDS} s: {found}")


def test_a_gated_model_is_added_with_its_licence_and_the_token_is_kept_nowhere(
    hub, vit, settings, monkeypatch
):
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    card = {"license": "lab-1.0", "datasets": ["films"]}
    hub.models["lab/vit-small.v1"] = Model.of_folder(vit, gated=True, card=card)
    attempt = additions.start(settings, "lab/vit-small.v1", "frames")

    done = additions.wait(settings, attempt.id)

    assert (done.state, done.error) == ("added", "")
    kept = find_checkpoint("lab/vit-small.v1", settings)
    assert (kept.name, kept.revision, kept.source) == (done.name, REVISION, "hub")
    assert (kept.licence, kept.gated, kept.trained_on) == ("lab-1.0", True, "films")
    written = [path.read_bytes() for path in settings.home.rglob("*") if path.is_file()]
    assert not any(TOKEN.encode() in content for content in written)
    assert not (settings.home / "temp" / attempt.id / "files").exists()
    # Only what an encoder needs was fetched, at the revision that was checked.
    assert hub.fetched() == {"config.json", "model.safetensors", "preprocessor_config.json"}


def test_a_file_that_is_not_what_the_hub_says_is_not_kept(hub, vit, settings):
    hub.models["lab/vit"] = Model.of_folder(vit, sums={"model.safetensors": 64 * "0"})

    done = additions.wait(settings, additions.start(settings, "lab/vit").id)

    assert done.state == "refused"
    with pytest.raises(UnreadableFile, match=r"model\.safetensors of lab/vit is not the file"):
        done.raise_fault()
    assert list_checkpoints(settings) == []


def test_a_download_can_be_watched_and_stopped_and_no_second_one_begins_beside_it(
    hub, vit, settings
):
    hub.models["lab/vit"] = Model.of_folder(vit)
    hub.going.clear()
    attempt = additions.start(settings, "lab/vit")
    half = until(settings, attempt.id, lambda _: "GET /resolve/model.safetensors" in hub.asked)
    assert half.state == "fetching"
    assert 0 < half.done_mb < half.total_mb  # config.json is there, the weights are on their way
    with pytest.raises(InputError, match="Another checkpoint is being added"):
        additions.start(settings, "lab/vit")

    stopped = additions.stop(settings, attempt.id)

    assert (stopped.state, stopped.live, stopped.done_mb) == ("stopped", False, 0.0)
    assert [one.id for one in additions.additions(settings)] == [attempt.id]
    assert list_checkpoints(settings) == []
    additions.forget(settings, attempt.id)
    assert additions.additions(settings) == []


def test_a_folder_is_added_without_a_word_to_the_hub(hub, vit, settings, tmp_path):
    folder = shutil.copytree(vit, tmp_path / "my vit")

    done = additions.wait(settings, additions.start(settings, str(folder), name="films").id)

    assert (done.state, done.name) == ("added", "films")
    assert find_checkpoint("films", settings).licence == "not stated"
    assert hub.asked == []


def test_a_folder_without_a_processor_is_refused_by_name(vit, settings, tmp_path):
    folder = shutil.copytree(vit, tmp_path / "bare")
    (folder / "preprocessor_config.json").unlink()

    done = additions.wait(settings, additions.start(settings, str(folder)).id)

    assert done.state == "refused"
    assert "preprocessor_config.json" in done.error


def test_a_process_that_was_killed_leaves_a_reason_and_no_files(hub, vit, settings):
    import psutil

    hub.models["lab/vit"] = Model.of_folder(vit)
    hub.going.clear()
    attempt = additions.start(settings, "lab/vit")
    live = until(settings, attempt.id, lambda one: one.state == "fetching")
    psutil.Process(live.pid).kill()

    ended = additions.wait(settings, attempt.id)

    assert (ended.state, "without a word" in ended.error) == ("failed", True)
    assert not (settings.home / "temp" / attempt.id / "files").exists()


def test_only_attempts_are_found_by_their_name(settings):
    for name in ("..", "../..", "add-", "", "add-0123456789abcdef"):
        with pytest.raises(NotFound):
            additions.addition(settings, name)
