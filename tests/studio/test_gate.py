"""What may tell who the patients are is answered by a person before anything is learned."""

from __future__ import annotations

import wave

import numpy as np
import pytest
from PIL import Image, ImageDraw

from fmstudio.errors import InputError
from fmstudio.run_config import RunConfig
from fmstudio.studio import cohort_cases

NOTE = "Cough for three days."


def waiting(record):
    return list(record.audit.unanswered)


@pytest.fixture
def named(studio, table):
    """A project whose second note names its patient."""
    notes = [NOTE] * 30
    notes[1] = "Mrs. Jane Zebrafinch, MRN 0012345, has a cough."
    studio.projects.create("ill", "binary")
    studio.cohorts.add("ill", table(note=notes), {"note": "notes"})


def recordings(folder, title):
    """Names of 30 WAV files, the first with a title in its tags."""
    rng = np.random.default_rng(2)
    for n in range(30):
        with wave.open(str(folder / f"s{n}.wav"), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(4000)
            file.writeframes((rng.normal(0, 3000, 4000)).astype("<i2").tobytes())
    path = folder / "s0.wav"
    info = b"INFOINAM" + len(title).to_bytes(4, "little") + title
    content = path.read_bytes() + b"LIST" + len(info).to_bytes(4, "little") + info
    path.write_bytes(content[:4] + (len(content) - 8).to_bytes(4, "little") + content[8:])
    return [f"s{n}.wav" for n in range(30)]


def test_a_run_is_refused_until_a_name_in_the_notes_is_answered(studio, named):
    (finding,) = waiting(studio.cohorts.newest("ill"))

    assert finding.kind == "identifiers"
    assert finding.rows == (1,)
    assert "Zebrafinch" not in str(finding)
    with pytest.raises(InputError, match="nobody has answered"):
        studio.runs.start("ill", RunConfig.from_preset("quick"))
    assert studio.runs.list("ill") == []


def test_the_answer_is_kept_with_who_gave_it_and_when(studio, named):
    record = studio.cohorts.clean("ill", "identifiers", 1, by="Dr Ada")
    (finding,) = [one for one in record.audit.findings if one.kind == "identifiers"]
    line = studio.audit()["events"][-1]

    assert waiting(record) == []
    assert finding.severity == "note"
    assert "Confirmed by Dr Ada, 20" in finding.message
    assert line.details["by"] == "Dr Ada"
    cohort_cases.check_ready(record, ())


def test_notes_that_name_somebody_can_be_left_out_instead(studio, named):
    record = studio.cohorts.clean("ill", "identifiers", 2)

    assert waiting(record) == []
    assert "notes" not in record.audit.present


def test_the_command_line_answers_by_an_option(studio, named, run, monkeypatch, home):
    started = []
    monkeypatch.setattr("fmstudio.runs.start", lambda *given: started.append(given))

    refused = run("finetune", "ill", "--preset", "quick", "--detach")
    assert refused.status == 2
    assert "--identifiers-confirmed-by" in refused.err
    assert started == []

    answered = run(
        "finetune", "ill", "--preset", "quick", "--detach", "--identifiers-confirmed-by", "Dr Ada"
    )
    assert answered.status == 0
    assert len(started) == 1
    assert waiting(studio.cohorts.newest("ill")) == []


def test_tags_of_files_that_stay_where_they_are_are_asked_about_and_copies_have_none(
    studio, table, tmp_path, home
):
    (tmp_path / "cases").mkdir()
    names = recordings(tmp_path / "cases", b"Jane Zebrafinch")
    path = table(sound=names)
    studio.projects.create("ill", "binary")

    there = studio.cohorts.add("ill", path)
    (finding,) = waiting(there)
    assert finding.rows == (0,)
    assert finding.columns == ("sound",)

    copied = studio.cohorts.add("ill", path, copy=True)
    assert waiting(copied) == []
    kept = (home / copied.manifest).parent
    assert not [p for p in kept.rglob("*") if p.is_file() and b"Zebrafinch" in p.read_bytes()]
    assert studio.cohorts.confirm_identifiers("ill", "Dr Ada").id == copied.id


def test_text_on_a_film_is_asked_about_apart_from_headers_and_shown(studio, table, tmp_path):
    (tmp_path / "cases").mkdir()
    rng = np.random.default_rng(5)
    for n in range(20):
        shades = np.clip(rng.normal(90, 8, (300, 400)) + np.linspace(0, 60, 400), 0, 255)
        film = Image.fromarray(shades.astype(np.uint8))
        if n == 3:
            ImageDraw.Draw(film).text((10, 10), "ZEBRAFINCH, JANE 1950", fill=255, font_size=18)
        film.save(tmp_path / "cases" / f"f{n}.png")
    studio.projects.create("ill", "binary")
    record = studio.cohorts.add("ill", table(rows=20, film=[f"f{n}.png" for n in range(20)]))

    (finding,) = waiting(record)
    assert finding.rows == (3,)
    ((picture, caption),) = studio.cohorts.cut_out("ill", finding)
    assert caption.startswith("c3")
    assert picture.max() == 255
    assert picture.shape[0] < 100
    assert waiting(studio.cohorts.clean("ill", finding.id, 1)) == []
