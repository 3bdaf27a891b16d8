"""A question that is asked while the stream of answers is closing is answered all the same."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace

import gradio as gr
import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from fmstudio.ui import stream
from fmstudio.ui.stream import Stream

WAIT = 120.0


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
    httpx.post(f"{address}/queue/join", json=body, timeout=WAIT).raise_for_status()


def stream_of(address: str) -> contextlib.AbstractContextManager[httpx.Response]:
    where = f"{address}/queue/data"
    return httpx.stream("GET", where, params={"session_hash": "s"}, timeout=WAIT)


def test_the_stream_goes_on_for_a_question_that_comes_with_the_last_answer(address, monkeypatch):
    monkeypatch.setattr(stream, "LINGER_SECONDS", WAIT)
    seen: list[object] = []
    ask(address, 4)
    with stream_of(address) as answers:
        for line in answers.iter_lines():
            message = json.loads(line.removeprefix("data: ")) if line else {}
            if message.get("msg") == "process_completed":
                seen += message["output"]["data"]
                if len(seen) == 1:
                    ask(address, 5)
                else:
                    monkeypatch.setattr(stream, "LINGER_SECONDS", 0.0)
            elif message.get("msg") == "close_stream":
                seen.append("closed")
    assert seen == [8, 10, "closed"]


def test_a_stream_that_nobody_asks_anything_of_ends(address):
    ask(address, 4)
    with stream_of(address) as answers:
        last = [line for line in answers.iter_lines() if line][-1]
    assert "close_stream" in last


def test_the_receipt_of_a_question_that_crosses_the_farewell_comes_after_it():
    """Only a lower bound: how long a page takes to read the farewell is the machine's affair."""

    async def inner(scope, receive, send):
        if scope["path"] == "/queue/data":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b'data: {"msg":"close_stream"}'})
        else:
            await send({"type": "http.response.start", "status": 200, "headers": []})

    async def both() -> dict[str, float]:
        app = Stream(inner, SimpleNamespace(pending_event_ids_session={}))
        times: dict[str, float] = {}
        for path in ("/queue/data", "/queue/join"):

            async def sent(message, path=path):
                times[path] = time.monotonic()

            await app({"type": "http", "path": path, "query_string": b""}, None, sent)
        return times

    times = asyncio.run(both())
    assert times["/queue/join"] - times["/queue/data"] >= stream.CROSSING_SECONDS - 0.01
