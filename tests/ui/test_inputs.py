"""What is typed or dropped on the Predict page becomes the sources that training had."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fmstudio.contracts import pipelines
from fmstudio.errors import InputError
from fmstudio.types import Source
from fmstudio.ui.inputs import Known, filled, sources_of, typed_values

CARD = {
    "columns": {"radiology": ["film_pa", "film_lateral"], "ehr": ["sex", "age"], "notes": ["note"]}
}
FILM, TABLE, NOTE = (pipelines()[name] for name in ("radiology", "ehr", "notes"))


def known(pipeline) -> Known:
    return Known.of(CARD, pipeline.name)


def test_a_new_file_takes_the_name_of_its_place_in_training():
    found = sources_of(FILM, known(FILM), ["/tmp/a.dcm", "/tmp/b.dcm", "/tmp/c.dcm"], {})

    assert [source.name for source in found] == ["film_pa", "film_lateral", "radiology"]


def test_a_sample_file_keeps_the_column_it_came_from():
    found = sources_of(FILM, known(FILM), ["/tmp/b.dcm"], {"b.dcm": "film_lateral"})

    assert found == [Source("film_lateral", path=Path("/tmp/b.dcm"))]


def test_a_typed_note_is_named_as_in_training_and_blanks_are_nothing():
    assert sources_of(NOTE, known(NOTE), None, {}, " Cough. ") == [Source("note", text="Cough.")]
    assert sources_of(NOTE, known(NOTE), None, {}, "  ") == []


def test_what_stands_in_the_fields_is_given_and_an_empty_field_is_nothing():
    stands = json.dumps([["ehr", "age", " 63 "], ["ehr", "sex", "  "], ["other", "x", "1"]])

    typed = typed_values(stands)

    assert typed == {"ehr": {"age": "63"}, "other": {"x": "1"}}
    assert sources_of(TABLE, known(TABLE), None, {}, typed["ehr"]) == [Source("age", text="63")]
    assert typed_values("") == typed_values(None) == {}


@pytest.mark.parametrize(
    "stands", ["{", "3", "null5", '[["ehr", "age"]]', '[["ehr", "age", 63]]', "[1]", '{"a": 1}']
)
def test_anything_else_than_fields_is_refused(stands):
    with pytest.raises(InputError):
        typed_values(stands)


@pytest.mark.parametrize(
    ("pipeline", "sources"),
    [
        (FILM, [Source("film_lateral", path=Path("/tmp/b.dcm"))]),
        (TABLE, [Source("sex", text="F"), Source("age", text="63")]),
        (NOTE, [Source("note", text="Cough.")]),
    ],
)
def test_filling_in_a_case_and_reading_it_back_gives_the_same_case(pipeline, sources):
    files, names, typed = filled(pipeline, sources)

    assert sources_of(pipeline, known(pipeline), files, names, typed) == sources


def test_the_signals_of_a_sample_recording_come_with_its_header(tmp_path):
    series = pipelines()["device_logs"]
    header, signals = tmp_path / "m1.hea", tmp_path / "m1.dat"
    for path in (signals, tmp_path / "m10.dat", tmp_path / "m1.png"):
        path.write_bytes(b"")
    header.write_text("m1 1 100 4\nm1.dat 16 200 16 0 0 0 0 ECG\n")

    files, names, _ = filled(series, [Source("monitor", path=header)])

    assert files == [str(header), str(signals)]
    assert names == {"m1.hea": "monitor", "m1.dat": "monitor"}
