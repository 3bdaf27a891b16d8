"""A page of the studio as its server sees it: questions to handlers, answers from their stream."""

from __future__ import annotations

import json
import queue
import secrets
import threading
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import gradio as gr
import httpx

API = "/gradio_api"
PATIENCE = 300.0  # seconds


class Visitor:
    """A browser with one page open; `address` is where the studio listens.

    As a page does, it has one stream of answers, which is open while anything is asked.
    """

    def __init__(self, address: str, path: str = "/predict") -> None:
        self.client = httpx.Client(base_url=address, timeout=PATIENCE)
        self.client.get(path).raise_for_status()
        self.page = secrets.token_hex(5)
        self._listening = False
        self._gone = False
        self._lock = threading.Lock()
        self._answers: dict[str, queue.Queue[Any]] = defaultdict(queue.Queue)

    def ask(self, handler: int, data: Sequence[Any], listen: bool = True) -> str:
        """Put a question into the queue; its number there."""
        body = {
            "data": list(data),
            "fn_index": handler,
            "session_hash": self.page,
            "event_data": None,
            "trigger_id": None,
        }
        answer = self.client.post(f"{API}/queue/join", json=body)
        answer.raise_for_status()
        with self._lock:
            if listen and not self._listening:
                self._listening = True
                threading.Thread(target=self._listen, daemon=True).start()
        return str(answer.json()["event_id"])

    def answer(self, question: str) -> list[Any]:
        """Wait for the answer to a question: what each output is given."""
        message = self._answers[question].get(timeout=PATIENCE)
        if not message["success"]:
            raise RuntimeError(str(message["output"]))
        return list(message["output"]["data"])

    def _listen(self) -> None:
        try:
            self._read_answers()
        except httpx.HTTPError:
            if not self._gone:
                raise

    def _read_answers(self) -> None:
        where = f"{API}/queue/data"
        with self.client.stream("GET", where, params={"session_hash": self.page}) as answers:
            for line in answers.iter_lines():
                message = json.loads(line.removeprefix("data: ")) if line else {"msg": ""}
                if message["msg"] == "process_completed":
                    self._answers[message["event_id"]].put(message)
                elif message["msg"] == "close_stream":
                    with self._lock:
                        self._listening = False

    def close(self) -> None:
        """Leave, whatever is still under way."""
        self._gone = True
        self.client.close()


def handler(pages: gr.Blocks, page: str, name: str) -> tuple[int, list[Any]]:
    """The number of a page's handler, and what its inputs hold before anything is given."""
    for number, found in pages.fns.items():
        if found.page == page and getattr(found.fn, "__name__", "") == name:
            empty = [{} if isinstance(one, gr.State | gr.JSON) else None for one in found.inputs]
            return number, empty
    raise LookupError(f"the page {page} has no handler {name}")
