"""What the studio says of a model on a hub before it fetches any weight, and of one it refuses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fmstudio.checkpoints import compatibility
from fmstudio.checkpoints.hub import Offer
from fmstudio.checkpoints.importing import FILES, REQUEST, STATUS
from fmstudio.runs.additions import ONLINE
from fmstudio.runs.launch import worker_environment
from fmstudio.settings import Settings
from tests.encoders.small import save_checkpoint
from tests.model.fake_hub import REVISION, TOKEN, FakeHub, Model

RUN = (
    "import sys; from fmstudio.checkpoints.importing import main; [main([f]) for f in sys.argv[1:]]"
)


@pytest.fixture(scope="session")
def vit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small ViT in the form of transformers."""
    return save_checkpoint("vit", tmp_path_factory.mktemp("vit"))


@pytest.fixture
def ask(hub: FakeHub, tmp_path: Path):
    """From {source: request} to {source: status}: one process checks them all, as the studio's own
    process does for one."""

    def run(requests: dict[str, dict[str, Any]], **environment: str) -> dict[str, dict[str, Any]]:
        settings = Settings(tmp_path / "home")
        folders = {}
        for number, (source, request) in enumerate(requests.items()):
            folders[source] = settings.folder(f"temp/{number}")
            asked = {"kind": None, "name": None, "revision": None, "only_check": True}
            (folders[source] / REQUEST).write_text(json.dumps(asked | request | {"source": source}))
        given = os.environ | worker_environment(settings) | ONLINE | environment
        done = subprocess.run(
            [sys.executable, "-P", "-c", RUN, *map(str, folders.values())],
            capture_output=True,
            env=given | {"FMSTUDIO_HOME": str(settings.home)},
            text=True,
        )
        assert (done.returncode, done.stdout) == (0, ""), done.stderr
        assert not any((folder / FILES).exists() for folder in folders.values())
        return {source: json.loads((f / STATUS).read_text()) for source, f in folders.items()}

    return run


def without(files: dict[str, bytes], *names: str) -> dict[str, bytes]:
    return {name: body for name, body in files.items() if name not in names}


def refusal(status: dict[str, Any]) -> tuple[str, str]:
    """(message, hint) of an answer that is no."""
    if status["state"] == "refused":
        return status["error"], status["hint"]
    (stop,) = [
        check for check in status["verdict"]["checks"] if check["tone"] == compatibility.STOP
    ]
    return stop["found"], stop["hint"]


def test_every_reason_against_a_model_is_said_before_its_weights_are_fetched(hub, ask, vit):
    good = dict(Model.of_folder(vit).files)
    config = json.loads(good["config.json"])
    foreign = good | {"config.json": json.dumps(config | {"model_type": "sam3"}).encode()}
    coded = good | {"config.json": json.dumps(config | {"auto_map": {"AutoModel": "m.M"}}).encode()}
    pickled = without(good, "model.safetensors") | {"pytorch_model.bin": b"pickle" * 9000}
    hub.models = {
        "lab/gated": Model(good, gated=True),
        "lab/pickle": Model(pickled),
        "lab/coded": Model(coded),
        "lab/foreign": Model(foreign),
        "lab/text": Model(good),
        "lab/bare": Model(without(good, "preprocessor_config.json")),
        "lab/gguf": Model({"model.gguf": b"x"}),
        "lab/torn": Model(good | {"config.json": b"{"}),
        "lab/busy": Model(good, status=503),
    }
    said = ask(
        {name: {} for name in (*hub.models, "lab/none", "two words")}
        | {
            "lab/text": {"kind": "text"},
        }
    )

    expected = {
        "lab/none": ("no model 'lab/none'", "OWNER/NAME"),
        "two words": ("neither the id of a model nor a folder", "OWNER/NAME"),
        "lab/gated": ("gated", "HF_TOKEN"),
        "lab/pickle": ("pytorch_model.bin, which can hold code", "model.safetensors"),
        "lab/coded": ("code of its own", "never runs code"),
        "lab/foreign": ("'sam3'", "vit"),
        "lab/text": ("reads frames, not text", "frames"),
        "lab/bare": ("processor", "preprocessor_config.json"),
        "lab/gguf": ("config.json", "transformers"),
        "lab/torn": ("JSON", ""),
        "lab/busy": ("503", "Try again"),
    }
    for name, (message, hint) in expected.items():
        found = refusal(said[name])
        assert message in found[0], (name, found)
        assert hint in found[1], (name, found)
    assert hub.fetched() == {"config.json"}


def test_a_model_that_fits_is_described_by_facts(hub, ask, vit):
    card = {"license": "cc-by-nc-4.0", "datasets": ["imagenet-1k", "films"]}
    hub.models = {
        "lab/vit": Model.of_folder(vit, card=card, parameters=12345),
        "lab/own": Model.of_folder(vit, card={"license": "other", "license_name": "lab-terms"}),
        "lab/gated": Model.of_folder(vit, card=card, gated=True),
    }
    said = ask({"lab/vit": {"kind": "frames"}, "lab/own": {}, "lab/gated": {}}, HF_TOKEN=TOKEN)

    found = compatibility.Verdict.from_dict(said["lab/vit"]["verdict"])
    assert said["lab/vit"]["state"] == "checked"
    assert found.fits
    assert (found.id, found.revision, found.source) == ("lab/vit", REVISION, "hub")
    assert (found.model_type, found.family, found.kind) == ("vit", "vit", "frames")
    assert (found.licence, found.gated) == ("cc-by-nc-4.0", False)
    assert found.trained_on == "imagenet-1k, films"
    assert found.parameters == 12345
    sent = ("config.json", "model.safetensors", "preprocessor_config.json")
    assert sorted(found.files) == sorted(sent)
    assert found.size_mb == pytest.approx(sum((vit / name).stat().st_size for name in sent) / 1e6)
    tones = {check.what: check.tone for check in found.checks}
    assert tones[compatibility.LICENCE] == compatibility.NOTE  # its terms limit what one may do
    assert set(tones) == {
        "Access",
        "Architecture",
        "Kind of data",
        "Files",
        "Licence",
        "Room on the disk",
        "Memory",
    }
    own = compatibility.Verdict.from_dict(said["lab/own"]["verdict"])
    assert own.licence == "lab-terms"
    # Not counted by the hub: from the size of the float32 weights, which hold the head too.
    assert own.parameters == (vit / "model.safetensors").stat().st_size // 4
    gated = compatibility.Verdict.from_dict(said["lab/gated"]["verdict"])
    assert (gated.gated, gated.fits) == (True, True)
    assert hub.fetched() == {"config.json"}


def test_a_gated_model_whose_owner_did_not_accept_the_token_is_told_apart(hub, ask, vit):
    hub.models = {"lab/gated": Model.of_folder(vit, gated=True)}

    message, hint = refusal(ask({"lab/gated": {}}, HF_TOKEN="hf_other")["lab/gated"])

    assert "your token has no access" in message
    assert f"{hub.address}/lab/gated" in hint
    assert "hf_other" not in message + hint


def test_without_internet_a_folder_is_the_way(ask):
    (said,) = ask({"lab/vit": {}}, HF_ENDPOINT="http://127.0.0.1:1").values()

    message, hint = refusal(said)

    assert (said["fault"], "cannot be reached" in message) == ("ResourceError", True)
    assert "add the folder instead" in hint


def test_a_model_larger_than_disk_or_memory_is_refused_with_both_figures(tmp_path):
    files = {"config.json": 500, "preprocessor_config.json": 500, "model.safetensors": 8 * 10**15}
    offer = Offer("lab/huge", REVISION, files, {}, "mit", False, "", "", None)

    found = compatibility.of_offer(offer, {"model_type": "vit"}, None, Settings(tmp_path))

    stops = {check.what: check.found for check in found.checks if check.tone == compatibility.STOP}
    assert set(stops) == {compatibility.DISK, compatibility.MEMORY}
    assert "16,000,000,500 MB are needed" in stops[compatibility.DISK]
    assert "lab/huge needs about" in stops[compatibility.MEMORY]
    # Two bytes a weight on the disk are four in memory, and no fewer for it.
    half = compatibility.of_offer(
        offer, {"model_type": "vit", "torch_dtype": "float16"}, None, Settings(tmp_path)
    )
    assert half.memory_mb == pytest.approx(2 * found.memory_mb)
