"""What every pipeline that is found must do, on files that this test writes itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from data_samples.damage import damaged, whole_files
from fmstudio.contracts import KINDS, pipelines
from fmstudio.errors import StudioError
from fmstudio.sandbox import Reader
from fmstudio.settings import Limits
from fmstudio.standard_form import deviation
from fmstudio.types import ModalityInput, Preview, Source

DAMAGED = 300  # files over all readers; `python -m benchmarks fuzz` reads 10 000 of each


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, list[Path]]:
    return dict(whole_files(tmp_path_factory.mktemp("whole")))


@pytest.fixture(scope="module")
def reader():
    with Reader(Limits(), workers=2) as reader:
        yield reader


def source(path: Path) -> Source:
    return Source(path.stem, path)


def test_there_are_whole_files_for_every_pipeline(files):
    lacking = [name for name in pipelines() if not files.get(name)]
    assert lacking == [], "give it `samples`: see docs/adding-a-modality.md"


@pytest.mark.parametrize("name", pipelines())
def test_a_pipeline_says_what_it_is(name):
    found = pipelines()[name]

    assert found.name == name
    assert found.kind in KINDS
    assert found.label.strip()
    assert found.version >= 1
    assert all(s.startswith(".") and s == s.lower() for s in found.suffixes)


@pytest.mark.parametrize("name", pipelines())
def test_every_format_is_read_in_the_standard_form_of_its_kind(name, files):
    for path in files[name]:
        got = pipelines()[name].read([source(path)])

        assert got.kind == pipelines()[name].kind
        assert not got.empty, path.name
        assert deviation(got) == "", path.name


@pytest.mark.parametrize("name", pipelines())
def test_reading_twice_gives_the_same(name, files):
    path = files[name][0]
    first, again = (pipelines()[name].read([source(path)]) for _ in range(2))

    assert np.array_equal(first.values, again.values)
    assert np.array_equal(first.mask, again.mask)
    assert first.facts == again.facts


@pytest.mark.parametrize("name", pipelines())
def test_nothing_given_is_an_empty_input(name):
    assert pipelines()[name].read([]).empty


@pytest.mark.parametrize("name", pipelines())
def test_a_person_can_look_at_what_was_read(name, files):
    shown = pipelines()[name].preview([source(files[name][0])])

    assert isinstance(shown, Preview)
    assert shown.images or shown.table or shown.text
    assert all(image.dtype == np.uint8 and caption for image, caption in shown.images)


@pytest.mark.parametrize("name", pipelines())
def test_a_file_of_another_kind_is_refused_with_its_name_and_a_way_out(name, tmp_path):
    path = tmp_path / f"program{pipelines()[name].suffixes[0]}"
    path.write_bytes(b"MZ\x90\0" + bytes(range(256)) * 8)

    with pytest.raises(StudioError) as refused:
        pipelines()[name].read([source(path)])
    assert path.name in refused.value.message
    assert refused.value.hint


@pytest.mark.parametrize("name", pipelines())
def test_damaged_files_are_read_in_standard_form_or_refused_by_name(name, files, reader, tmp_path):
    rng = np.random.default_rng(sum(name.encode()))
    jobs = []
    for number in range(DAMAGED // len(pipelines())):
        whole = files[name][number % len(files[name])]
        path = tmp_path / f"{number}-{whole.name}"
        path.write_bytes(damaged(whole.read_bytes(), rng))
        jobs.append((path.name, name, [source(path)]))

    for key, read in reader.read_many(jobs):
        if isinstance(read, ModalityInput):
            assert deviation(read) == "", key
        else:
            assert key in read.message
            assert read.hint
