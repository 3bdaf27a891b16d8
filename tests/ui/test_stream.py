"""A question that is asked while the stream of answers is closing is answered all the same."""

from __future__ import annotations

import json
import queue
import socket
import threading
import time
from collections.abc import Iterator

import gradio as gr
import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from fmstudio.ui import stream
from fmstudio.ui.stream import Stream


@pytest.fixture
def address(monkeypatch) -> Iterator[str]:
    """A page that doubles numbers, served on a free port; its streams end soon."""
    monkeypatch.setattr(stream, "LINGER_SECONDS", 0.2)
    with gr.Blocks() as page:
        number = gr.Number()
        number.change(lambda value: value * 2, number, number)
    app = Stream(gr.mount_gradio_app(FastAPI(), page, path="/", ssr_mode=False), page._queue)
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}/gradio_api"
    server.should_exit = True
    thread.join()


def ask(address: str, value: int) -> None:
    body = {"data": [value], "fn_index": 0, "session_hash": "s"}
    httpx.post(f"{address}/queue/join", json=body, timeout=60).raise_for_status()


def test_the_stream_goes_on_for_a_question_that_comes_with_the_last_answer(address, monkeypatch):
    monkeypatch.setattr(stream, "LINGER_SECONDS", 5.0)  # longer than a busy machine takes to ask
    seen: list[object] = []
    ask(address, 4)
    with httpx.stream("GET", f"{address}/queue/data", params={"session_hash": "s"}) as answers:
        for line in answers.iter_lines():
            message = json.loads(line.removeprefix("data: ")) if line else {}
            if message.get("msg") == "process_completed":
                seen += message["output"]["data"]
                if len(seen) == 1:
                    ask(address, 5)
            elif message.get("msg") == "close_stream":
                seen.append("closed")
    assert seen == [8, 10, "closed"]


def test_a_stream_that_nobody_asks_anything_of_ends(address):
    ask(address, 4)
    with httpx.stream("GET", f"{address}/queue/data", params={"session_hash": "s"}) as answers:
        last = [line for line in answers.iter_lines() if line][-1]
    assert "close_stream" in last


class Page:
    """What Gradio's script does: a stream is opened with a question unless one is open."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.open = False
        self.answers: queue.Queue[int] = queue.Queue()

    def ask(self, value: int) -> None:
        ask(self.address, value)
        if not self.open:
            self.open = True
            threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        where = f"{self.address}/queue/data"
        with httpx.stream("GET", where, params={"session_hash": "s"}, timeout=60) as answers:
            for line in answers.iter_lines():
                message = json.loads(line.removeprefix("data: ")) if line else {}
                if message.get("msg") == "process_completed":
                    self.answers.put(message["output"]["data"][0])
                elif message.get("msg") == "close_stream":
                    self.open = False
                    return


def test_questions_around_the_end_of_the_stream_are_all_answered(address):
    page = Page(address)
    for value in range(25):
        page.ask(value)
        assert page.answers.get(timeout=60) == 2 * value
        time.sleep(0.15 + 0.004 * value)
