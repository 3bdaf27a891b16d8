"""The health check says in one word whether the studio can work."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from fmstudio.settings import Limits, Settings
from fmstudio.studio import Studio
from fmstudio.ui import health
from fmstudio.ui.guard import Guard
from fmstudio.ui.health import Health
from fmstudio.ui.password import Password
from fmstudio.ui.shell import application


@pytest.fixture
def home(tmp_path, monkeypatch) -> Settings:
    monkeypatch.setattr(health, "FRESH_SECONDS", -1.0)
    with Studio.open(tmp_path / "home") as studio:
        studio.projects.create("secret name", "binary")
    return studio.settings


def test_a_working_home_is_ok(home):
    assert Health(home)() == "ok"


def test_a_full_disk_and_a_registry_of_no_use_are_named(home):
    assert Health(Settings(home.home, Limits(free_disk_mb=10**9)))() == "disk"
    registry = home.home / "registry.sqlite"
    registry.write_bytes(b"no database" * 1_000)
    for ending in ("-wal", "-shm"):
        (home.home / f"registry.sqlite{ending}").unlink(missing_ok=True)
    assert Health(home)() == "registry"
    registry.unlink()
    assert Health(home)() == "registry"
    assert not registry.exists()


def test_monitors_need_no_password_and_learn_nothing_else(tmp_path):
    with Studio.open(tmp_path / "home") as studio:
        studio.projects.create("secret name", "binary")
        app = Guard(application(studio, password=Password("a long password")))
        with TestClient(app, base_url="http://127.0.0.1:7860") as client:
            answer = client.get("/health")
            assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
            assert "set-cookie" not in answer.headers
            app.inner.health = lambda: "disk"
            answer = client.get("/health")
            assert (answer.status_code, answer.json()) == (503, {"status": "disk"})
            assert client.get("/health", headers={"Host": "evil.example"}).status_code == 403
