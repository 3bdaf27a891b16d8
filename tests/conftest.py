"""Fixtures that every test may use. No test reaches the network or a hub."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.update(
    GRADIO_ANALYTICS_ENABLED="False", HF_HUB_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1"
)
# Beside other tests and the runs that they start, threads that wait for each other only cost time.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest

from tests.model.fake_hub import FakeHub

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real cohorts and files beside the project; skips where it is missing."""
    if not SHARED.is_dir():
        pytest.skip("the folder shared/ with real cohorts and files is not beside the project")
    return SHARED


@pytest.fixture(autouse=True)
def reached(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What other machines a test reached for: it fails if there is one, whoever caught the fault."""
    found: list[str] = []
    connect, look_up = socket.socket.connect, socket.getaddrinfo

    def is_here(host: object) -> bool:
        return host in (None, "", "localhost", "::1") or str(host).startswith("127.")

    def only_here(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and not is_here(address[0]):
            found.append(str(address[0]))
            raise ConnectionRefusedError(f"tests may not reach for {address[0]}")
        connect(self, address)

    def only_own(host: Any, *more: Any, **options: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if not is_here(name) and name != socket.gethostname():
            found.append(str(name))
            raise socket.gaierror(f"tests may not look up {name}")
        return look_up(host, *more, **options)

    monkeypatch.setattr(socket.socket, "connect", only_here)
    monkeypatch.setattr(socket, "getaddrinfo", only_own)
    yield found
    assert found == []


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeHub]:
    """A hub on this machine, which processes that are started now take for the real one."""
    with FakeHub() as hub:
        threading.Thread(target=hub.serve_forever, daemon=True).start()
        monkeypatch.setenv("HF_ENDPOINT", hub.address)
        monkeypatch.setenv("HF_HOME", str(tmp_path / "of-the-client"))
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH"):
            monkeypatch.delenv(name, raising=False)
        yield hub
        hub.going.set()
        hub.shutdown()
