"""Faults become words on the page, in one place."""

from __future__ import annotations

import logging

import gradio as gr
import pytest

from fmstudio.errors import InputError
from fmstudio.traces import WithoutWords
from fmstudio.ui import message


@pytest.fixture
def told(monkeypatch) -> list[str]:
    said: list[str] = []
    monkeypatch.setattr(gr, "Warning", lambda content, **_: said.append(content))
    return said


def test_a_fault_of_the_user_is_told_with_its_hint_and_the_page_stays(told):
    @message.shown
    def handler() -> str:
        raise InputError("Column 'x' is not there.", hint="Name another.")

    assert handler() == gr.skip()
    assert "Column &#39;x&#39; is not there." in told[0]
    assert "Name another." in told[0]


def test_what_the_user_named_cannot_become_markup_in_a_message(told):
    message.tell("<script>alert(1)</script>", "<b>")

    assert "<script" not in told[0]


def test_a_fault_of_ours_is_logged_and_told_without_its_details(told, caplog):
    @message.shown
    def handler() -> None:
        raise RuntimeError("/home/me/patient Miller.csv")

    with caplog.at_level(logging.ERROR):
        handler()

    assert "Miller" not in told[0]
    kept = WithoutWords().format(caplog.records[0])
    assert "Miller" not in kept
    assert "test_message.py" in kept
    assert "RuntimeError" in kept


def test_an_answer_without_a_fault_is_passed_on(told):
    assert message.shown(lambda number: number + 1)(1) == 2
    assert told == []
