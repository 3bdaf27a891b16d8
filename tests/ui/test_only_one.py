"""One web app a home; a second one leads to the first."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fmstudio.settings import Settings, load_settings
from fmstudio.studio import Studio
from fmstudio.ui.only_one import OnlyOne, Other, address_of
from tests.ui.browsing import served

ROOT = Path(__file__).parents[2]


def second(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "app.py", "--home", str(home), "--no-browser", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)


def test_a_second_app_says_where_the_first_listens_and_ends(tmp_path):
    home = tmp_path / "home"
    with served(home) as address:
        said, as_json = second(home), second(home, "--json", "--port", "1")
        assert (said.returncode, as_json.returncode) == (0, 0)
        assert f"{address}/" in said.stdout
        found = json.loads(as_json.stdout)
        assert found["address"] == f"{address}/"
        with Studio.open(home) as studio:  # the command line goes on beside it
            studio.projects.create("beside", "binary")
    assert not (home / "serve.json").exists()
    assert not list((home / "temp").glob("pages-*"))


def test_the_lock_of_a_killed_app_is_no_obstacle(tmp_path):
    settings = Settings(tmp_path)
    code = (
        "import sys, time; from fmstudio.settings import load_settings;"
        "from fmstudio.ui.only_one import OnlyOne; one = OnlyOne(load_settings(sys.argv[1]));"
        "assert one.take() is None; one.tell('127.0.0.1', 7, False, ()); print('held', flush=True);"
        "time.sleep(600)"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    assert OnlyOne(settings).take() == Other("http://127.0.0.1:7/", holder.pid)
    os.kill(holder.pid, signal.SIGKILL if os.name == "posix" else signal.SIGTERM)
    holder.wait()
    left = settings.folder("temp/pages-of-the-killed") / "upload.txt"
    left.write_text("a patient")
    ours = OnlyOne(settings)
    assert ours.take() is None
    assert not left.exists()
    with ours:
        assert ours.tell("::1", 8, False, ()) == "http://[::1]:8/"


@pytest.mark.parametrize(
    ("given", "address"),
    [
        (("127.0.0.1", 7860), "http://127.0.0.1:7860/"),
        (("0.0.0.0", 80), "http://127.0.0.1:80/"),
        (("0.0.0.0", 80, False, ["studio.ward"]), "http://studio.ward:80/"),
        (("127.0.0.1", 80, True, ["studio.ward"]), "https://studio.ward/"),
    ],
)
def test_the_address_to_open_is_one_that_a_browser_can_open(given, address):
    assert address_of(*given) == address


def test_another_host_than_this_machine_is_served_only_with_a_password(tmp_path, monkeypatch):
    from fmstudio.__main__ import main

    monkeypatch.setattr(sys, "stdin", open(os.devnull))  # noqa: SIM115, PTH123
    home = load_settings(tmp_path / "home").home
    for host in ("0.0.0.0", "::", "192.168.1.7", "studio.example"):
        assert main(["serve", "--home", str(home), "--host", host, "--no-browser"]) == 2
    assert not (home / "registry.sqlite").exists()
