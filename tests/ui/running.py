"""The pages behind their real server, in a thread of the test, on a free port."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from fmstudio.studio import Studio
from fmstudio.ui.entry import Entry
from fmstudio.ui.guard import Guard
from fmstudio.ui.shell import application
from fmstudio.ui.wire import Wire

WAIT = 120.0


@contextlib.contextmanager
def running(studio: Studio, **options: Any) -> Iterator[tuple[str, Entry]]:
    """(address, the app without its guard), until the test is over."""
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    app = application(studio, port=port, **options)
    guard = Guard(app, https=options.get("https", False))
    config = uvicorn.Config(
        guard,
        log_level="warning",
        http=Wire,
        ws="none",
        proxy_headers=False,
        timeout_graceful_shutdown=10,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{port}", app
    finally:
        server.should_exit = True
        thread.join()


@contextlib.contextmanager
def browser_at(address: str) -> Iterator[httpx.Client]:
    """A client with a page open, as a browser has one."""
    with httpx.Client(base_url=address, timeout=WAIT) as client:
        assert client.get("/").status_code == 200
        yield client


def uploaded(client: httpx.Client, name: str = "a.zip", content: bytes = b"PK") -> str:
    """The path of a file that this client has uploaded."""
    answer = client.post("/gradio_api/upload", files={"files": (name, content)})
    assert answer.status_code == 200, answer.text
    return str(answer.json()[0])


def file_value(path: Any, **more: Any) -> dict[str, Any]:
    """A file as a page sends it."""
    return {"path": path, "meta": {"_type": "gradio.FileData"}, **more}


def temp_files(studio: Studio) -> set[Path]:
    """Every file in home/temp that holds anything."""
    found = set()
    for folder, _, names in os.walk(studio.settings.home / "temp"):  # passes over what is gone
        for path in (Path(folder, name) for name in names):
            with contextlib.suppress(FileNotFoundError):  # removed since it was listed
                if path.stat().st_size:
                    found.add(path)
    return found
