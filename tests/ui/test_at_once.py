"""Many browsers that ask at the same moment: each gets its own answer, and no one waits for ever."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from benchmarks.visitor import Visitor, handler
from fmstudio.studio import Studio
from fmstudio.types import Prediction
from tests.ui.running import running

AT_ONCE, GONE = 10, 15
ADAPTER = "adapter-1"


@pytest.fixture
def asked(studio, monkeypatch) -> Iterator[tuple[str, dict[str, Any], list[str]]]:
    """(address, the handlers of the page Predict, the cases that were answered): an adapter whose
    probability is the age in thousands."""
    project = studio.projects.create("Sepsis", "binary")
    card = {"task": {"kind": "binary", "labels": ["no", "yes"]}, "modalities": ["ehr"]}
    studio.registry.add_adapter(ADAPTER, project.id, None, "A", card)
    answered = []

    def predict(self: Studio, ref: str, sources: Any, case_id: str = "case") -> Prediction:
        answered.append(case_id)
        age = next(float(one.text) for one in sources["ehr"])
        chances = {"no": 1 - age / 1000, "yes": age / 1000}
        return Prediction(ref, case_id, "binary", "no", chances, {"ehr": 0.1}, 0.5, ("ehr",), ())

    monkeypatch.setattr("fmstudio.studio.predictions.Predictions.predict", predict)
    monkeypatch.setattr("fmstudio.studio.values.Values.expected", lambda *_: ())
    monkeypatch.setattr("fmstudio.studio.values.Values.check_values", lambda *_: {})
    with running(studio) as (address, app):
        pages = app.gate.pages
        yield address, {n: handler(pages, "predict", n) for n in ("opened", "predict")}, answered


def question(handlers: dict[str, Any], number: int) -> tuple[int, list[Any]]:
    place, empty = handlers["predict"]
    typed = json.dumps([["ehr", "age", str(100 + number)]])
    return place, [ADAPTER, f"case-{number}", typed, *empty[3:]]


def test_each_of_many_browsers_gets_the_answer_to_its_own_question(asked):
    address, handlers, answered = asked
    visitors = [Visitor(address) for _ in range(AT_ONCE)]
    for one in visitors:
        one.answer(one.ask(*handlers["opened"]))

    def ask(number: int) -> str:
        one = visitors[number]
        return str(one.answer(one.ask(*question(handlers, number)))[0])

    with ThreadPoolExecutor(AT_ONCE) as pool:
        pages = list(pool.map(ask, range(AT_ONCE)))

    for number, page in enumerate(pages):
        own = f"{(900 - number) / 10:.1f}"
        assert [n for n in range(AT_ONCE) if f"{(900 - n) / 10:.1f}" in page] == [number], own
    assert sorted(answered) == sorted(f"case-{n}" for n in range(AT_ONCE))
    for one in visitors:
        one.close()


def test_questions_of_browsers_that_are_gone_hold_nobody_up(asked):
    address, handlers, _ = asked
    for number in range(GONE):
        one = Visitor(address)
        one.answer(one.ask(*handlers["opened"]))
        one.ask(*question(handlers, number), listen=False)
        one.close()
    last = Visitor(address)
    last.answer(last.ask(*handlers["opened"]))

    page = str(last.answer(last.ask(*question(handlers, 77)))[0])

    assert "82.3" in page
    last.close()
