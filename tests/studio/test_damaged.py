"""Files of adapters and bases that were changed, cut or lost are named wherever they are used."""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from pathlib import Path

import pytest

from fmstudio.adapters.installed import whole
from fmstudio.errors import BundleError, StudioError
from fmstudio.model.bases import BaseInfo, base_files, check_base, list_bases
from fmstudio.prediction import predictor as predictor_file
from fmstudio.studio import Studio
from fmstudio.studio.sample import BUNDLE
from fmstudio.types import Source

WEIGHTS = "adapter/adapter_model.safetensors"
VALUES = {"ehr": [Source("age", text="71"), Source("crp_mg_l", text="140")]}


@pytest.fixture
def adapter(studio: Studio):
    """The adapter of a real bundle, its files in place and registered as an import does."""
    with zipfile.ZipFile(BUNDLE) as bundle:
        card, manifest = json.loads(bundle.read("card.json")), bundle.read("manifest.json")
        adapter_id = studio.registry.new_adapter_id()
        bundle.extractall(studio.adapters.folder(adapter_id))
    project = studio.projects.create("icu", "binary")
    sealed = hashlib.sha256(manifest).hexdigest()
    return studio.registry.add_adapter(adapter_id, project.id, None, "icu", card, sealed)


def resealed(folder: Path) -> str:
    """Another calibration, with every hash in the folder made right again."""
    from benchmarks.resealed import sealed_again
    from fmstudio.adapters import archive

    files = archive.read_folder(folder)
    changed = json.loads(files["calibration.json"]) | {"temperature": 2.0}
    made = sealed_again(files, {"calibration.json": json.dumps(changed).encode()}, bound=True)
    for name, content in made.items():
        (folder / name).write_bytes(content)
    return "manifest.json"


def edited(folder: Path) -> str:
    path = folder / "calibration.json"
    path.write_text(path.read_text().replace('"temperature": 1', '"temperature": 3'))
    return "calibration.json"


def flipped(folder: Path) -> str:
    content = bytearray((folder / WEIGHTS).read_bytes())
    content[-100] ^= 64
    (folder / WEIGHTS).write_bytes(content)
    return WEIGHTS


def cut(folder: Path) -> str:
    (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:-4096])
    return WEIGHTS


def lost(folder: Path) -> str:
    (folder / "processors" / "ehr.json").unlink()
    return "processors/ehr.json"


def unreadable(folder: Path) -> str:
    """A folder under the name of a file: nobody may read it, an administrator neither."""
    (folder / "card.json").unlink()
    (folder / "card.json").mkdir()
    (folder / "card.json" / "x").touch()
    return "card.json"


def added(folder: Path) -> str:
    (folder / "extra.json").write_text("{}")
    return "extra.json"


def gone(folder: Path) -> str:
    shutil.rmtree(folder)
    return folder.name


@pytest.mark.parametrize(
    "damage",
    [edited, resealed, flipped, cut, lost, unreadable, added, gone],
    ids=lambda damage: damage.__name__,
)
def test_a_damaged_adapter_is_named_wherever_it_is_used(adapter, studio, run, tmp_path, damage):
    file = damage(studio.adapters.folder(adapter.id))

    uses = {
        "predict": ("predict", adapter.id, "--set", "age=71"),
        "evaluate": ("evaluate", adapter.id),
        "compare": ("adapter", "compare", adapter.id, adapter.id),
        "export": ("export", adapter.id, tmp_path / "a.zip"),
        "report": ("evaluate", adapter.id, "--report", tmp_path / "report"),
    }
    for use, words in uses.items():
        said = run(*words)
        assert said.status == 2, (use, said.err)
        assert adapter.id in said.error, use
        assert file in said.error, use
        assert "mport its bundle again" in said.err, use
    assert not (tmp_path / "a.zip").exists()
    assert adapter.id in run("adapter", "list").out
    assert run("adapter", "show", adapter.id).status == 0


def test_an_adapter_that_is_edited_while_it_is_in_memory_answers_no_more(adapter, studio):
    before = studio.predictions.predict(adapter.id, VALUES).probabilities
    path = studio.adapters.folder(adapter.id) / "calibration.json"
    content = path.read_bytes()
    edited(path.parent)

    for _ in range(2):
        with pytest.raises(BundleError, match=r"calibration\.json"):
            studio.predictions.predict(adapter.id, VALUES)

    path.write_bytes(content)
    assert studio.predictions.predict(adapter.id, VALUES).probabilities == before
    with Studio.open(studio.settings.home) as restarted:
        assert restarted.predictions.predict(adapter.id, VALUES).probabilities == before


def test_a_touched_but_unchanged_adapter_is_read_once_more_and_not_each_time(
    adapter, studio, monkeypatch
):
    counted = []
    real = predictor_file.whole
    monkeypatch.setattr(predictor_file, "whole", lambda *a: counted.append(1) or real(*a))
    for touched in (False, False, True, False):
        if touched:
            path = studio.adapters.folder(adapter.id) / "card.json"
            path.write_bytes(path.read_bytes())
        studio.predictions.predictor(adapter.id)

    assert len(counted) == 2


def test_an_adapter_deleted_while_it_is_loaded_is_told_as_such(adapter, studio, monkeypatch):
    def vanish(folder, settings):
        shutil.rmtree(folder)
        return real(folder, settings)

    real = predictor_file.load
    monkeypatch.setattr(predictor_file, "load", vanish)
    with pytest.raises(StudioError) as caught:
        studio.predictions.predict(adapter.id, VALUES)
    assert adapter.id in caught.value.message


def test_a_bundle_makes_its_damaged_adapter_whole_and_is_another_one_otherwise(studio, monkeypatch):
    monkeypatch.setattr("fmstudio.adapters.probes.replay", lambda folder, settings: 0.0)
    first = studio.adapters.import_bundle(BUNDLE)
    folder = studio.adapters.folder(first.id)
    for damage in (edited, gone):
        damage(folder)
        with pytest.raises(BundleError):
            studio.adapters.contents(first)
        assert studio.adapters.import_bundle(BUNDLE).id == first.id
        assert studio.adapters.contents(first).sealed == first.sealed
    assert len(studio.adapters.list()) == 1
    for project in (None, "another"):  # the same name, whole beside whole
        second = studio.adapters.import_bundle(BUNDLE, project)
        assert (second.id != first.id, second.name) == (True, first.name)
        assert studio.adapters.contents(second).sealed == first.sealed


@pytest.fixture
def base(studio: Studio) -> BaseInfo:
    """A base of its own in the home: the files alone matter here."""
    folder = studio.settings.folder("bases") / "mine"
    folder.mkdir()
    (folder / "config.json").write_text('{"encoders": {}}')
    (folder / "model.safetensors").write_bytes(b"weights")
    (folder / "tokenizer.json").write_text("{}")
    card = {
        "name": "mine",
        "title": "Mine",
        "sha256": hashlib.sha256(b"weights").hexdigest(),
        "parameters": 1,
        "size_mb": 0.1,
        "licence": "none",
        "description": "",
    }
    (folder / "card.json").write_text(json.dumps(card))
    return studio.bases.get("mine")


@pytest.mark.parametrize("file", ["model.safetensors", "tokenizer.json", "config.json"])
def test_a_base_whose_file_was_changed_or_lost_is_named(base, studio, file):
    settings = studio.settings
    known = base_files(base.name, settings)
    check_base(base.name, known, settings)
    path = settings.home / "bases" / "mine" / file

    path.write_bytes(b"other")
    with pytest.raises(BundleError, match=rf"'{file}' of the base 'mine' is not the one"):
        check_base(base.name, known, settings)
    path.unlink()
    with pytest.raises(BundleError, match=rf"'{file}' of the base 'mine' cannot be read"):
        check_base(base.name, known, settings)


def test_a_base_with_a_damaged_card_or_no_folder_does_not_hide_the_others(base, studio, run):
    card = studio.settings.home / "bases" / "mine" / "card.json"
    for content in (b"{", b"null", b"{}", b"\xff"):
        card.write_bytes(content)
        assert {info.name for info in list_bases(studio.settings)} == {"embedded", "random"}
        said = run("base", "show", "mine")
        assert said.status == 2
        assert "The base 'mine' is damaged" in said.error
        assert run("base", "list").status == 0
    shutil.rmtree(card.parent)
    assert "neither a base nor an encoder 'mine'" in run("base", "show", "mine").error


def test_weights_that_are_not_those_of_the_bases_card_are_not_trained_on(base, studio):
    from fmstudio.model.load import task_config

    (studio.settings.home / "bases" / "mine" / "model.safetensors").write_bytes(b"other")
    config = '{"encoders": {"table": {}}, "width": 8, "heads": 2, "depth": 1}'
    (studio.settings.home / "bases" / "mine" / "config.json").write_text(config)
    with pytest.raises(BundleError, match="weights of the base 'mine'"):
        task_config("mine", ["ehr"], 1, studio.settings)


def test_an_adapter_whose_base_was_changed_says_which_file(adapter, studio, monkeypatch, tmp_path):
    from fmstudio.model import bases

    other = tmp_path / "base"
    other.mkdir()
    for file in bases._SHIPPED.iterdir():
        (other / file.name).symlink_to(file)
    (other / "tokenizer.json").unlink()
    (other / "tokenizer.json").write_text("{}")
    monkeypatch.setattr(bases, "_SHIPPED", other)

    with pytest.raises(BundleError, match=r"'tokenizer\.json' of the base 'embedded'"):
        whole(studio.adapters.folder(adapter.id), studio.settings, adapter.sealed)


def test_a_signer_is_this_studio_unknown_or_known_by_the_name_that_its_user_gave(
    adapter, studio, run, tmp_path, monkeypatch
):
    monkeypatch.setattr("fmstudio.adapters.probes.replay", lambda folder, settings: 0.0)
    assert run("export", adapter.id, tmp_path / "plain.zip").status == 0
    assert "not signed" in run("verify", tmp_path / "plain.zip").out
    said = run("export", adapter.id, tmp_path / "signed.zip", "--sign-as", "Ward 7")
    assert (said.status, "Signed by Ward 7" in said.out) == (0, True)
    assert studio.adapters.verify(tmp_path / "signed.zip")["signer"]["known"] == "own"
    print_of_key = studio.keys.own().fingerprint

    with Studio.open(tmp_path / "colleague") as colleague:
        assert colleague.adapters.verify(tmp_path / "plain.zip")["signer"] is None
        found = colleague.adapters.verify(tmp_path / "signed.zip")["signer"]
        assert found == {"name": "Ward 7", "fingerprint": print_of_key, "known": "unknown"}
        colleague.keys.trust(print_of_key, "Dr. Lind")
        known = colleague.adapters.verify(tmp_path / "signed.zip")["signer"]
        assert known == {"name": "Dr. Lind", "fingerprint": print_of_key, "known": "known"}
        imported = colleague.adapters.import_bundle(tmp_path / "signed.zip")
        colleague.adapters.export(imported.id, tmp_path / "passed on.zip")
        assert colleague.adapters.verify(tmp_path / "passed on.zip")["signer"] == known
        colleague.keys.distrust(print_of_key)
        assert colleague.adapters.verify(tmp_path / "signed.zip")["signer"]["known"] == "unknown"


def test_an_adapter_of_the_format_before_is_sealed_anew_on_request(adapter, studio, run):
    from fmstudio.adapters.tensors import with_metadata

    folder = studio.adapters.folder(adapter.id)
    before = whole(folder, studio.settings, adapter.sealed)
    weights = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(with_metadata(WEIGHTS, weights, {"fmstudio.meaning": ""}))
    (folder / "probes.json").write_text('{"subsets": [], "tolerance": 0.001, "seed": 0}')
    files = {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "manifest.json"
    }
    old = {
        "format": 1,
        "base": {k: before.manifest["base"][k] for k in ("name", "sha256")},
        "files": files,
        "licence": "",
        "versions": {},
    }
    (folder / "manifest.json").write_text(json.dumps(old))

    said = run("predict", adapter.id, "--set", "age=71")
    assert (said.status, f"adapter renew {adapter.id}" in said.err) == (2, True)
    content = (folder / "calibration.json").read_bytes()
    edited(folder)
    said = run("adapter", "renew", adapter.id)
    assert said.status == 2
    assert "calibration.json" in said.error
    (folder / "calibration.json").write_bytes(content)

    assert run("adapter", "renew", adapter.id).status == 0
    renewed = studio.adapters.get(adapter.id)
    after = studio.adapters.contents(renewed)
    assert renewed.sealed == after.sealed
    assert after.readout == before.readout
    assert run("adapter", "renew", adapter.id).status == 2
