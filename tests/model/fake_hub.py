"""A tiny model hub on this machine: what the real client of a hub asks for, answered over HTTP."""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

REVISION = "0123456789abcdef0123456789abcdef01234567"
TOKEN = "hf_accepted"
HELD_BYTES = 10_000  # weights are larger, settings smaller


@dataclass
class Model:
    """One model: its files by name, what its card says, and how it answers.

    `status` is the answer to everything where it is not 200; `sums` are said instead of the true
    SHA-256 of files.
    """

    files: Mapping[str, bytes]
    card: Mapping[str, Any] = field(default_factory=dict)
    gated: bool = False
    parameters: int | None = None
    status: int = 200
    sums: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of_folder(cls, folder: Path, **more: Any) -> Model:
        """With the files of a folder."""
        return cls({path.name: path.read_bytes() for path in folder.iterdir()}, **more)


class FakeHub(ThreadingHTTPServer):
    """Serves `models` by id; `asked` lists every path that was asked for, in order."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.models: dict[str, Model] = {}
        self.asked: list[str] = []
        self.going = threading.Event()  # while it is not set, bodies stop half way
        self.going.set()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def fetched(self) -> set[str]:
        """The names of the files whose content was asked for."""
        return {path.rsplit("/", 1)[-1] for path in self.asked if path.startswith("GET /resolve")}


class _Answers(BaseHTTPRequestHandler):
    server: FakeHub
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def log_message(self, *_: Any) -> None:
        """Nothing on standard error."""

    def _answer(self, with_body: bool) -> None:
        path = unquote(urlsplit(self.path).path)
        if path.startswith("/api/models/"):
            wanted = path.removeprefix("/api/models/").split("/revision/")
            model = self.server.models.get(wanted[0])
            self.server.asked.append(f"{self.command} {wanted[0]}")
            if self._allowed(model, wanted[1:]):
                self._send(json.dumps(_described(wanted[0], model)).encode(), with_body)
            return
        model_id, _, rest = path[1:].partition("/resolve/")
        revision, _, name = rest.partition("/")
        model = self.server.models.get(model_id)
        self.server.asked.append(f"{self.command} /resolve/{name}")
        if not self._allowed(model, [revision]):
            return
        if model.gated and self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._refuse(401, "GatedRepo")
        elif name not in model.files:
            self._refuse(404, "EntryNotFound")
        else:
            self._send(model.files[name], with_body)

    def _allowed(self, model: Model | None, revision: list[str]) -> bool:
        if model is None:
            self._refuse(401, "RepoNotFound")
        elif model.status != 200:
            self._refuse(model.status, "")
        elif revision not in ([], [REVISION], ["main"]):
            self._refuse(404, "RevisionNotFound")
        else:
            return True
        return False

    def _refuse(self, status: int, code: str) -> None:
        self._send(b"{}", self.command == "GET", status, {"X-Error-Code": code} if code else {})

    def _send(
        self, body: bytes, with_body: bool, status: int = 200, more: Mapping[str, str] = {}
    ) -> None:
        self.send_response(status)
        headers = {"Content-Length": str(len(body)), "X-Repo-Commit": REVISION}
        headers |= {"ETag": f'"{hashlib.sha256(body).hexdigest()}"', **more}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if with_body:
            half = len(body) // 2
            with contextlib.suppress(ConnectionError):  # the client was ended
                self.wfile.write(body[:half])
                if half > HELD_BYTES:
                    self.server.going.wait(60)
                self.wfile.write(body[half:])


def _described(model_id: str, model: Model) -> dict[str, Any]:
    files = []
    for name, body in model.files.items():
        about: dict[str, Any] = {"rfilename": name, "size": len(body)}
        if name.endswith((".safetensors", ".bin")):
            found = model.sums.get(name, hashlib.sha256(body).hexdigest())
            about["lfs"] = {"size": len(body), "sha256": found, "pointerSize": 134}
        files.append(about)
    counted = {"parameters": {"F32": model.parameters}, "total": model.parameters}
    return {
        "id": model_id,
        "sha": REVISION,
        "siblings": files,
        "cardData": dict(model.card),
        "gated": "manual" if model.gated else False,
        "private": False,
        "tags": [],
        "pipeline_tag": "image-feature-extraction",
        **({"safetensors": counted} if model.parameters else {}),
    }
