"""The commands of an installation: serving and ending, and what doctor finds wrong without making anything."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from fmstudio.studio import Studio

ROOT = Path(__file__).resolve().parents[2]


def test_doctor_says_what_is_missing_without_making_anything(run, home, monkeypatch):
    found = json.loads(run("doctor", "--json").out)
    assert {"versions", "decoders", "device", "disk", "database", "missing"} <= found.keys()
    assert found["database"]["state"] == "not made yet"
    assert not (home / "registry.sqlite").exists()
    monkeypatch.setattr("fmstudio.doctor.installation.metadata.version", lambda name: "0.0.1")
    lacking = json.loads(run("doctor", "--json").out)["missing"]
    assert any("torch" in item["what"] and "pip install" in item["get"] for item in lacking)


@pytest.mark.parametrize("damage", ["overwritten", "cut", "gone", "log"])
def test_doctor_fails_on_a_damaged_registry_and_names_it(run, home, damage):
    run("project", "create", "ill", "--task", "binary")
    file = home / "registry.sqlite"
    assert run("doctor").status == 0
    if damage == "log":
        with sqlite3.connect(file) as connection:
            guards = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
            for (name,) in connection.execute(guards).fetchall():
                connection.execute(f"DROP TRIGGER {name}")
            connection.execute("UPDATE events SET kind = 'other' WHERE rowid = 1")
        connection.close()
    else:
        (home / "adapters" / "adapter-1").mkdir(parents=True)
        for rest in home.glob("registry.sqlite-*"):
            rest.unlink()
        whole = file.read_bytes()
        file.unlink()
        if damage != "gone":
            file.write_bytes(whole[:5000] if damage == "cut" else b"no database" * 100)
    said = run("doctor", "--json")
    found = json.loads(said.out)

    assert said.status == 2
    assert said.err.startswith("error: The registry")
    assert "hint: " in said.err
    assert found["database"]["state"] in [item["what"] for item in found["missing"]]
    assert not found["database"]["sound"]


@pytest.mark.skipif(os.name != "posix", reason="Ctrl-C is sent in the way of POSIX")
def test_app_opens_on_this_machine_sets_nothing_up_twice_and_ends_on_ctrl_c(home):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with Studio.open(home) as studio:
        studio.projects.create("mine", "binary")
    app = subprocess.Popen(
        [sys.executable, ROOT / "app.py", "--no-browser", "--port", str(port), "--home", home],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        page = ""
        for _ in range(240):
            with contextlib.suppress(OSError):
                page = (
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=60).read().decode()
                )
                break
            time.sleep(0.25)
        assert "Foundation Model Studio" in page
        app.send_signal(signal.SIGINT)
        assert app.wait(120) == 0
    finally:
        app.kill()
        _, said = app.communicate()
    assert f"http://127.0.0.1:{port}" in said
    assert "Traceback" not in said
    with Studio.open(home) as studio:
        assert [project.name for project in studio.projects.list()] == ["mine"]
