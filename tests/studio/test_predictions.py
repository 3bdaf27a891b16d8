"""Predictions of a real adapter: many at once, little given, nothing given."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from fmstudio.errors import InputError
from fmstudio.studio import Studio
from fmstudio.studio.sample import BUNDLE
from fmstudio.types import Prediction, Source

AT_ONCE = 50
TABLE, NOTE, FILM = "ehr", "notes", "radiology"

pytestmark = pytest.mark.timeout(1_200)


@pytest.fixture(scope="module")
def asked(tmp_path_factory) -> Iterator[tuple[Studio, str]]:
    """A studio with the sample's adapter."""
    with Studio.open(tmp_path_factory.mktemp("home")) as studio:
        project = studio.projects.create("at once", "binary")
        yield studio, studio.adapters.import_bundle(BUNDLE, project.id).id


def nonce(number: int) -> dict[str, list[Source]]:
    """A case that no other one is like."""
    values = {"age": str(30 + number), "crp_mg_l": str(5 + 7 * number)}
    return {TABLE: [Source(name, text=text) for name, text in values.items()]}


def test_fifty_at_once_get_the_answers_that_each_alone_gets(asked):
    studio, adapter = asked

    def ask(number: int) -> Prediction:
        return studio.predictions.predict(adapter, nonce(number), f"case-{number}")

    alone = [ask(number) for number in range(AT_ONCE)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        together = list(pool.map(ask, range(AT_ONCE)))

    assert [one.case_id for one in together] == [f"case-{n}" for n in range(AT_ONCE)]
    assert len({one.probabilities["1"] for one in alone}) == AT_ONCE  # a mix-up would show
    for one, other in zip(together, alone, strict=True):
        assert one.probabilities == pytest.approx(other.probabilities, abs=1e-9)
        assert one.contributions == pytest.approx(other.contributions, abs=1e-9)
    kept = studio.predictions.list(adapter, limit=AT_ONCE)
    assert {(k.case_id, k.output["probabilities"]["1"]) for k in kept} == {
        (one.case_id, one.probabilities["1"]) for one in together
    }


def test_what_is_missing_and_what_was_never_tested_is_on_the_result(asked):
    studio, adapter = asked
    answer = studio.predictions.predict(adapter, {NOTE: [Source("note", text="Cough and fever.")]})

    assert answer.used == (NOTE,)
    assert {TABLE, FILM} <= set(answer.missing)
    assert answer.as_dict()["unvalidated"] is True
    assert "doctor's notes alone" in answer.warnings[0]


def test_a_value_outside_of_training_is_a_warning_and_another_unit_a_remark(asked):
    studio, adapter = asked
    values = {"age": "20", "creatinine_umol_l": "0.9 mg/dL"}
    answer = studio.predictions.predict(
        adapter, {TABLE: [Source(n, text=t) for n, t in values.items()]}
    )
    same = {"age": "20", "creatinine_umol_l": "79.578"}
    plain = studio.predictions.predict(
        adapter, {TABLE: [Source(n, text=t) for n, t in same.items()]}
    )

    assert "age 20 is outside 28 to 96 seen in training." in answer.warnings
    assert any("converted to 79.58 µmol/L" in remark for remark in answer.remarks)
    assert answer.probabilities == pytest.approx(plain.probabilities, abs=1e-6)
    assert answer.guard[TABLE]["flag"] is True


def test_a_picture_unlike_those_of_training_is_said_to_be(asked, tmp_path):
    studio, adapter = asked
    place = np.arange(300)
    stripes = ((place[:, None] // 9 + place // 9) % 2 * 255).astype(np.uint8)
    Image.fromarray(stripes).save(tmp_path / "tiles.png")
    answer = studio.predictions.predict(
        adapter, {FILM: [Source("film", path=tmp_path / "tiles.png")]}
    )

    assert answer.guard[FILM]["flag"] is True
    assert any("unlike the training data" in warning for warning in answer.warnings)


@pytest.mark.parametrize(
    "given",
    [{}, {TABLE: []}, {NOTE: [Source("note", text=" ")]}, {TABLE: [Source("age", text="unknown")]}],
)
def test_nothing_to_look_at_is_refused_in_the_words_of_the_page(asked, given):
    studio, adapter = asked
    with pytest.raises(InputError) as caught:
        studio.predictions.predict(adapter, given)

    assert "case case" not in caught.value.message.lower()
    assert TABLE not in caught.value.hint.split()


def test_an_adapter_exported_twice_is_the_same_file(asked, tmp_path):
    studio, adapter = asked
    first, again = tmp_path / "first.zip", tmp_path / "again.zip"

    for target in (first, again):
        studio.adapters.export(adapter, target)

    assert first.read_bytes() == again.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again.zip", "first.zip"]
