"""Reading in a child process: what comes back, and what hostile files can do (nothing)."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fmstudio.errors import InputError, NotFound, UnreadableFile
from fmstudio.sandbox import MEMORY_LIMITED, Reader, pack, process, unpack
from fmstudio.settings import Limits
from fmstudio.types import ModalityInput, Source

ROOT = Path(process.__file__).resolve().parents[2]
LIMITS = Limits(read_seconds=20.0, read_memory_mb=512, file_mb=1, files_per_case=3)

# A pipeline that does what its input tells it to, as a broken decoder would.
UNRULY = """
import ctypes, os, socket, sys, time
import numpy as np
from fmstudio.errors import InputError, UnreadableFile
from fmstudio.types import ModalityInput, Preview

class Unruly:
    name, label, kind, suffixes = "unruly", "Unruly", "series", (".txt",)
    order, version, inline = 1, 1, True
    hints = ()

    def read(self, sources):
        order = sources[0].path.read_text() if sources[0].path else sources[0].text
        if order == "hang":
            time.sleep(60)
        if order == "crash":
            ctypes.string_at(0)
        if order == "greedy":
            np.ones(2 * 2**30, np.uint8)
        if order == "refuse":
            raise UnreadableFile("film.dcm is in colour.", hint="Export in grey scale.")
        if order == "bug":
            {}["Mrs Jane Doe"]
        if order == "nan":
            return ModalityInput("series", np.full((2, 1), np.nan, np.float32), np.ones((2, 1), bool))
        if order == "network":
            socket.create_connection(("127.0.0.1", 9))
        if order == "fill the disk":
            with open("scratch", "wb") as scratch:
                for _ in range(100):
                    scratch.write(bytes(2**20))
        if order == "noise":
            os.write(1, b"libfoo: warning")
            print("libbar: warning")
        if order == "pid":
            return ModalityInput("text", str(os.getpid()), np.ones(1, bool))
        if order == "surroundings":
            found = [os.getcwd(), str("torch" in sys.modules), os.environ.get("SECRET", "none")]
            return ModalityInput("text", "|".join(found), np.ones(1, bool))
        time.sleep(float(order) if order.replace(".", "").isdigit() else 0)
        return ModalityInput("text", order, np.ones(1, bool), {"language": None}, ("read",))

    def preview(self, sources):
        film = np.arange(12, dtype=np.uint8).reshape(3, 4)
        return Preview(
            images=((film, "AP"), (np.stack([film] * 3, -1), "colour")), windows={"lung": film + 1},
            table=(("a", "b"), ("1", "")), text="é", media=b"RIFF", media_type="audio/wav",
            remarks=("cut",),
        )

PIPELINE = Unruly()
"""


@pytest.fixture(scope="module")
def unruly(tmp_path_factory):
    """Children that find only the unruly pipeline."""
    folder = tmp_path_factory.mktemp("search")
    (folder / "pipelines").mkdir()
    (folder / "pipelines" / "__init__.py").write_text("")
    (folder / "pipelines" / "unruly.py").write_text(UNRULY)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(process, "SEARCH_PATH", (folder, ROOT))
        yield folder


@pytest.fixture(scope="module")
def reader(unruly):
    with Reader(LIMITS) as reader:
        yield reader


def order(text: str) -> list[Source]:
    return [Source("note", text=text)]


@pytest.fixture
def film(tmp_path):
    path = tmp_path / "film.txt"

    def write(text: str) -> list[Source]:
        path.write_text(text)
        return [Source("view", path=path)]

    return write


INPUTS = [
    ModalityInput("text", "Fièvre 😀 \ud800 'NA'", np.ones(1, bool), {"language": "fr"}, ("cut",)),
    ModalityInput("text", "", np.zeros(1, bool)),
    ModalityInput(
        "frames",
        np.linspace(0, 1, 24, dtype=np.float32).reshape(2, 3, 2, 2).transpose(0, 1, 3, 2),
        np.array([True, False]),
        {"names": ["AP", "侧位"], "seconds_per_frame": None, "spacing_mm": [0.1, 1 / 3]},
    ),
    ModalityInput("table", np.zeros(0, np.float32), np.zeros(0, bool), {"names": []}),
]


@pytest.mark.parametrize("given", INPUTS, ids=["text", "no text", "frames", "empty table"])
def test_what_is_packed_comes_back_exactly(given):
    got = unpack(pack(given))

    assert (got.kind, got.facts, got.remarks) == (given.kind, given.facts, given.remarks)
    np.testing.assert_array_equal(got.mask, given.mask)
    if isinstance(given.values, str):
        assert got.values == given.values
    else:
        np.testing.assert_array_equal(got.values, given.values)
        assert got.values.dtype == np.float32
        assert got.values.flags.writeable


def test_the_same_input_packs_to_the_same_bytes():
    assert pack(INPUTS[2]) == pack(replace(INPUTS[2]))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_missing_reading_is_never_packed_as_nan_or_infinity(value):
    broken = ModalityInput("table", np.array([value], np.float32), np.ones(1, bool))

    with pytest.raises(ValueError, match="finite"):
        pack(broken)


def test_damaged_bytes_are_not_an_input():
    data = pack(INPUTS[2])

    for damaged in (data[:-3], b"", b"x" * 40, data[20:]):
        with pytest.raises(ValueError, match="not a packed input"):
            unpack(damaged)


def test_typed_text_and_files_are_read_in_the_child(reader, film):
    assert reader.read("unruly", order("chest pain")).values == "chest pain"
    assert reader.read("unruly", film("from a file")).values == "from a file"
    assert reader.read("unruly", order("plain")).remarks == ("read",)


def test_a_preview_comes_back_whole(reader):
    preview = reader.preview("unruly", order("any"))

    assert [caption for _, caption in preview.images] == ["AP", "colour"]
    assert preview.images[1][0].shape == (3, 4, 3)
    np.testing.assert_array_equal(preview.windows["lung"], np.arange(1, 13).reshape(3, 4))
    assert preview.table == (("a", "b"), ("1", ""))
    assert (preview.text, preview.media, preview.media_type) == ("é", b"RIFF", "audio/wav")
    assert preview.remarks == ("cut",)


def test_what_the_pipeline_says_reaches_the_user_unchanged(reader):
    with pytest.raises(UnreadableFile) as caught:
        reader.read("unruly", order("refuse"))

    assert caught.value.message == "film.dcm is in colour."
    assert caught.value.hint == "Export in grey scale."


def test_an_unknown_modality_is_named(reader):
    with pytest.raises(NotFound, match="genomics"):
        reader.read("genomics", [])


@pytest.mark.parametrize("how", ["crash", "bug", "nan", "fill the disk"])
def test_a_file_that_breaks_its_decoder_is_named_and_the_next_one_is_read(reader, film, how):
    with pytest.raises(UnreadableFile, match=r"film\.txt") as caught:
        reader.read("unruly", film(how))

    assert "Jane" not in caught.value.message
    assert caught.value.hint
    assert reader.read("unruly", order("next")).values == "next"


def test_a_decoder_reaches_no_network(reader, film):
    with pytest.raises(UnreadableFile, match=r"film\.txt cannot be read \(PermissionError\)"):
        reader.read("unruly", film("network"))


@pytest.mark.skipif(not MEMORY_LIMITED, reason="this system has no limit on a process's memory")
def test_a_file_that_asks_for_too_much_memory_is_refused(reader, film):
    with pytest.raises(UnreadableFile, match=r"film\.txt needs more than 512 MB"):
        reader.read("unruly", film("greedy"))

    assert reader.read("unruly", order("next")).values == "next"


def test_a_decoder_that_hangs_is_ended_and_replaced(unruly, film):
    with Reader(replace(LIMITS, read_seconds=0.5)) as reader:
        assert reader.read("unruly", order("first")).values == "first"
        with pytest.raises(UnreadableFile, match=r"film\.txt took longer than 0\.5 s"):
            reader.read("unruly", film("hang"))
        assert reader.read("unruly", order("next")).values == "next"


def test_what_libraries_print_does_not_disturb_the_answer(reader):
    assert reader.read("unruly", order("noise")).values == "noise"


def test_the_child_works_in_an_empty_folder_without_torch_or_our_environment(reader, monkeypatch):
    monkeypatch.setenv("SECRET", "password")
    with Reader(LIMITS) as fresh:
        folder, torch, secret = fresh.read("unruly", order("surroundings")).values.split("|")
        assert list(Path(folder).iterdir()) == []
    assert (torch, secret) == ("False", "none")
    assert not Path(folder).exists()


def test_closing_ends_the_children(unruly):
    reader = Reader(LIMITS)
    pid = int(reader.read("unruly", order("pid")).values)
    reader.close()

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_warm_child_reads_again(reader):
    first = int(reader.read("unruly", order("pid")).values)
    assert {int(reader.read("unruly", order("pid")).values) for _ in range(30)} == {first}


def test_a_missing_file_is_named_without_its_folder(reader, tmp_path):
    with pytest.raises(UnreadableFile, match=r"^gone\.dcm does not exist"):
        reader.read("unruly", [Source("image", path=tmp_path / "gone.dcm")])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_only_regular_files_of_a_bounded_size_are_opened(reader, tmp_path):
    os.mkfifo(tmp_path / "pipe.txt")
    (tmp_path / "empty.txt").touch()
    (tmp_path / "large.txt").write_bytes(bytes(2 * 2**20))
    expected = {
        "pipe.txt": "is not a file",
        ".": "is not a file",
        "empty.txt": "is empty",
        "large.txt": "the limit is 1 MB",
        "nul\0.txt": "does not exist",
        "n" * 300: "does not exist",
    }
    for name, message in expected.items():
        with pytest.raises(UnreadableFile, match=message):
            reader.read("unruly", [Source("image", path=tmp_path / name)])


def test_too_many_files_for_one_input_are_refused(reader, film):
    with pytest.raises(InputError, match="4 files were given"):
        reader.read("unruly", film("view") * 4)


def test_many_reads_use_all_workers_and_keep_their_order(unruly):
    waits = ["0.2", "0", "refuse", "0.1", "0", "0.05"]
    with Reader(LIMITS, workers=2) as reader:
        pids = {
            v.values for _, v in reader.read_many((n, "unruly", order("pid")) for n in range(4))
        }
        got = list(reader.read_many((n, "unruly", order(w)) for n, w in enumerate(waits)))

    assert [key for key, _ in got] == list(range(6))
    assert isinstance(got[2][1], UnreadableFile)
    assert [item.values for _, item in got if not isinstance(item, Exception)] == [
        wait for wait in waits if wait != "refuse"
    ]
    assert len(pids) <= 2


def test_many_reads_do_not_run_far_ahead_of_their_caller(reader):
    taken = []

    def jobs():
        for number in range(100):
            taken.append(number)
            yield number, "unruly", order("x")

    answers = reader.read_many(jobs())
    next(answers)
    answers.close()

    assert len(taken) < 10


def test_threads_share_a_reader_without_mixing_their_answers(reader):
    wrong = []

    def ask(name: str) -> None:
        for number in range(20):
            text = f"{name} {number}"
            if reader.read("unruly", order(text)).values != text:
                wrong.append(text)

    threads = [threading.Thread(target=ask, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []
