"""Bad input through the command line: a line that says what is wrong, a line that says what to do.

Nothing is half-written by any of it.
"""

from __future__ import annotations

import json
import sqlite3
import wave
from pathlib import Path

import av
import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

from fmstudio.errors import UnreadableFile
from fmstudio.registry import opening, store
from fmstudio.runs import worker
from fmstudio.sandbox import MEMORY_LIMITED, Reader, process
from fmstudio.settings import Limits
from fmstudio.studio import uploads
from fmstudio.types import Source

ROOT = Path(process.__file__).resolve().parents[2]


@pytest.fixture
def add(run, home):
    """Adds a manifest to a fresh project; what was said, after a check that nothing was kept."""
    assert run("project", "create", "ill", "--task", "binary").status == 0

    def command(manifest: Path, *words: str):
        said = run("cohort", "add", "ill", manifest, *words)
        if said.status:
            assert said.out == ""
            assert "no cohort" in run("cohort", "report", "ill").error
            (project,) = json.loads(run("project", "list", "--json").out)
            assert project["task"]["labels"] == []
            assert [p.name for p in home.glob("cohorts/*")] == []
        return said

    return command


def refused(said) -> str:
    assert said.status == 2
    return said.error


def test_a_missing_manifest(add, tmp_path):
    assert "nothing.csv" in refused(add(tmp_path / "nothing.csv"))


@pytest.mark.parametrize("content", ["", "case_id,age,label_ill\n"])
def test_an_empty_manifest(add, tmp_path, content):
    (tmp_path / "m.csv").write_text(content)
    assert "m.csv" in refused(add(tmp_path / "m.csv"))


def test_a_path_that_does_not_exist(add, table):
    error = refused(add(table(film=["films/gone.dcm", *[""] * 29])))
    assert "gone.dcm" in error
    assert "line 2" in error


def test_a_column_named_twice(add, tmp_path):
    (tmp_path / "m.csv").write_text("id,age,age,label_ill\n" + "1,2,3,0\n" * 30)
    assert "'age'" in refused(add(tmp_path / "m.csv"))


def test_no_label_column(add, table):
    assert "label" in refused(add(table(label_ill=None)))


def test_a_single_class(add, table):
    assert "only one class" in refused(add(table(label_ill=[1] * 30)))


def test_rows_without_a_label_are_set_aside_and_counted(add, table):
    cells = ["", "", *[0, 1] * 15][:30]
    said = add(table(label_ill=cells))
    assert said.status == 0
    assert "2 of 30 cases have no label" in said.out


def test_all_cases_of_one_patient(add, table):
    assert "one patient" in refused(add(table(patient_id=["p1"] * 30)))


def test_fewer_than_twenty_cases(add, table):
    error = refused(add(table(rows=19)))
    assert "19 cases" in error
    assert "20" in error


def test_a_patient_in_two_given_splits(add, table):
    patients = ["p0", "p0", *[f"p{i}" for i in range(2, 30)]]
    splits = ["train", "test", *["train", "validation", "test"] * 10][:30]
    path = table(patient_id=patients, split=splits)
    assert "p0" in refused(add(path, "--role", "split=split"))


def test_text_where_numbers_were(add, table, run):
    ages = [str(30 + i) for i in range(29)] + ["unknown to us"]
    error = refused(add(table(age=ages), "--role", "age=ehr"))
    assert "'age'" in error
    assert "unknown to us" in error
    assert "line 31" in error


def test_a_manifest_in_another_encoding(add, table):
    path = table(ward=["Höhe", *["Tal"] * 29])
    path.write_bytes(path.read_text().encode("shift_jis", "replace") + b"\xfc\xfe,\n")
    assert "manifest.csv" in refused(add(path))
    path = table(ward=["Höhe", *["Tal"] * 29])
    path.write_bytes(path.read_text().encode("latin-1"))
    said = add(path)
    assert said.status == 0
    assert "UTF-8" in said.out


def film(path: Path) -> None:
    """A small valid DICOM film."""
    image = pydicom.Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    image.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    image.Rows = image.Columns = 64
    image.BitsAllocated = image.BitsStored = 8
    image.HighBit, image.PixelRepresentation, image.SamplesPerPixel = 7, 0, 1
    image.PhotometricInterpretation = "MONOCHROME2"
    image.PixelData = np.random.default_rng(0).integers(0, 255, 64 * 64, np.uint8).tobytes()
    image.save_as(path, enforce_file_format=True)


def sound(path: Path, amplitude: float = 0.3, seconds: float = 2.0) -> None:
    moments = np.arange(int(4000 * seconds)) / 4000
    samples = (32767 * amplitude * np.sin(2 * np.pi * 200 * moments)).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(4000)
        file.writeframes(samples.tobytes())


def clip(path: Path, frames: int = 12) -> None:
    rng = np.random.default_rng(0)
    with av.open(str(path), "w") as file:
        stream = file.add_stream("mpeg4", rate=12)
        stream.width = stream.height = 64
        for _ in range(frames):
            picture = rng.integers(0, 255, (64, 64, 3), np.uint8)
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        file.mux(stream.encode())


def cut(path: Path, share: float) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])


def mistaken(path: Path) -> None:
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"no such thing" * 100)


def spoil(kind: str, folder: Path) -> tuple[str, Path]:
    """A bad file of a kind: the option of `predict` and its path."""
    if kind == "truncated film":
        film(path := folder / "film.dcm")
        cut(path, 0.6)
        return "--radiology", path
    if kind == "truncated sound":
        sound(path := folder / "sound.wav")
        cut(path, 0.002)
        return "--audio", path
    if kind == "truncated clip":
        clip(path := folder / "clip.mp4")
        cut(path, 0.5)
        return "--video", path
    if kind == "silence":
        sound(path := folder / "silence.wav", amplitude=0.0)
        return "--audio", path
    if kind == "empty file":
        (path := folder / "empty.dcm").touch()
        return "--radiology", path
    option, suffix = {
        "film": ("--radiology", ".dcm"),
        "sound": ("--audio", ".wav"),
        "clip": ("--video", ".mp4"),
        "log": ("--device-logs", ".edf"),
        "note": ("--notes", ".pdf"),
    }[kind.split()[-1]]
    mistaken(path := folder / f"mistaken{suffix}")
    return option, path


BAD_FILES = [
    "truncated film",
    "truncated sound",
    "truncated clip",
    "silence",
    "empty file",
    "not a film",
    "not a sound",
    "not a clip",
    "not a log",
    "not a note",
]


@pytest.fixture
def reading(studio, adapter, monkeypatch):
    """The adapter really reads its inputs before it answers."""

    def predict(self, sources, case_id="case"):
        for modality, given in sources.items():
            studio.context.reader().read(modality, given)
        raise AssertionError("the file was read")

    monkeypatch.setattr(type(studio.predictions.predictor(adapter.id)), "predict", predict)
    return adapter


@pytest.mark.parametrize("kind", BAD_FILES)
def test_a_file_that_is_not_what_it_should_be(run, reading, tmp_path, kind, home):
    option, path = spoil(kind, tmp_path)
    said = run("predict", reading.id, option, path)
    assert path.name in refused(said)
    assert str(tmp_path) not in said.err
    assert not any(
        json.loads(run("audit", "--json").out)["events"][-1]["kind"] == kind
        for kind in ("prediction made",)
    )


def test_a_clip_of_one_frame_is_said_to_be_one(studio, tmp_path):
    clip(path := tmp_path / "one.mp4", frames=1)
    try:
        said = " ".join(studio.context.reader().read("video", [Source("video", path=path)]).remarks)
    except UnreadableFile as fault:
        said = fault.message
    assert "one.mp4" in said


def test_bad_files_of_a_cohort_are_listed_with_their_rows_and_the_rest_is_kept(
    add, run, table, tmp_path
):
    folder = tmp_path / "cases"
    folder.mkdir()
    for i in range(22):
        film(folder / f"{i}.dcm")
    cut(folder / "3.dcm", 0.6)
    mistaken(folder / "7.dcm")
    said = add(table(rows=22, film=[f"{i}.dcm" for i in range(22)]))
    assert said.status == 0
    report = json.loads(run("cohort", "report", "ill", "--json").out)
    (finding,) = [f for f in report["findings"] if f["kind"] == "unreadable"]
    assert (finding["rows"], finding["columns"]) == ([3, 7], ["film"])
    assert "3.dcm" in finding["message"]
    assert "7.dcm" in finding["message"]


UNRULY = """
import time
import numpy as np

class Unruly:
    name, label, kind, suffixes = "audio", "Sounds", "waveform", (".wav",)
    order, version, inline = 1, 1, False
    hints = ()

    def read(self, sources):
        if "hang" in sources[0].path.name:
            time.sleep(60)
        np.ones(8 * 2**30, np.uint8)

    def preview(self, sources):
        return None

PIPELINE = Unruly()
"""


@pytest.mark.parametrize(("does", "says"), [("hang", "longer than 2 s"), ("hoard", "memory")])
def test_a_decoder_that_hangs_or_is_greedy_is_ended(
    run, studio, reading, tmp_path, monkeypatch, does, says
):
    if does == "hoard" and not MEMORY_LIMITED:
        pytest.skip("memory of a process cannot be limited on this system")
    (tmp_path / "search" / "pipelines").mkdir(parents=True)
    (tmp_path / "search" / "pipelines" / "__init__.py").touch()
    (tmp_path / "search" / "pipelines" / "unruly.py").write_text(UNRULY)
    monkeypatch.setattr(process, "SEARCH_PATH", (tmp_path / "search", ROOT))
    sound(path := tmp_path / f"{does}.wav")
    with Reader(Limits(read_seconds=2, read_memory_mb=1024)) as reader:
        monkeypatch.setattr(studio.context, "reader", lambda: reader)
        error = refused(run("predict", reading.id, "--audio", path))
    assert path.name in error
    assert says in error


def test_a_disk_that_is_full_before_a_run(run, table, monkeypatch):
    run("project", "create", "ill", "--task", "binary")
    run("cohort", "add", "ill", table())

    class Usage:
        free = 40_000_000

    monkeypatch.setattr(uploads.shutil, "disk_usage", lambda _: Usage)
    assert "40 MB free" in refused(run("finetune", "ill"))
    assert json.loads(run("run", "list", "--json").out) == []


def test_a_disk_that_fills_up_while_training(run, table, monkeypatch):
    def full(*_args):
        raise OSError(28, "No space left on device")

    def start(settings, registry, run_id):
        registry.claim_next_run()
        worker.execute(settings, run_id, work=full)

    monkeypatch.setattr("fmstudio.runs.start", start)
    monkeypatch.setattr(worker, "process_started", lambda pid: 0.0)
    run("project", "create", "ill", "--task", "binary")
    run("cohort", "add", "ill", table())
    said = run("finetune", "ill")
    assert said.status == 2
    assert "error: The disk is full." in said.err.splitlines()
    assert said.err.splitlines()[-1].startswith("hint: Free some space")
    assert json.loads(run("adapter", "list", "--json").out) == []


def test_a_locked_registry(run, home, monkeypatch):
    run("project", "list")
    real = opening.open_database
    monkeypatch.setattr(store, "open_database", lambda settings, busy: real(settings, 0.2))
    with sqlite3.connect(home / "registry.sqlite", isolation_level=None) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert "registry" in refused(run("project", "create", "ill", "--task", "binary"))
        other.execute("ROLLBACK")
    other.close()
    assert run("project", "list").out.strip() == "None yet."


def test_a_registry_of_a_newer_version(run, home):
    run("project", "create", "ill", "--task", "binary")
    with sqlite3.connect(home / "registry.sqlite") as file:
        file.execute("UPDATE alembic_version SET version_num = '9999'")
    file.close()
    before = (home / "registry.sqlite").read_bytes()
    assert "newer version" in refused(run("project", "list"))
    assert (home / "registry.sqlite").read_bytes() == before


@pytest.mark.parametrize("damage", ["overwritten", "cut", "emptied"])
def test_a_damaged_registry_is_left_as_it_is(run, home, damage):
    run("project", "create", "ill", "--task", "binary")
    path = home / "registry.sqlite"
    whole = path.read_bytes()
    spoiled = {
        "overwritten": b"\xff" * 4096 + whole[4096:],
        "cut": whole[: len(whole) // 3],
        "emptied": b"",
    }[damage]
    for rest in home.glob("registry.sqlite-*"):
        rest.unlink()
    path.write_bytes(spoiled)
    assert "registry" in refused(run("project", "list"))
    assert path.read_bytes() == spoiled


def test_a_home_that_is_a_file(run, home):
    home.write_text("not a folder")
    assert refused(run("project", "list"))
    assert home.read_text() == "not a folder"


def test_a_limit_that_is_no_number(run, monkeypatch):
    monkeypatch.setenv("FMSTUDIO_READ_SECONDS", "soon")
    assert "soon" in refused(run("project", "list"))
