"""Uploads are counted as they come, and one that ends early leaves nothing."""

from __future__ import annotations

import json
import shutil
import socket
import threading
from collections import namedtuple
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from fmstudio.settings import Limits, Settings
from fmstudio.studio import Studio
from fmstudio.ui import bodies, receiving, wire
from fmstudio.ui.entry import Entry
from fmstudio.ui.receiving import clean_name
from tests.ui.running import browser_at, running, temp_files, uploaded

LIMITS = Limits(upload_mb=2, session_uploads_mb=4, all_uploads_mb=6, free_disk_mb=1)
MB = 1_000_000


@pytest.fixture(scope="module")
def studio(tmp_path_factory) -> Iterator[Studio]:
    with Studio.open(tmp_path_factory.mktemp("uploads") / "home") as studio:
        studio.settings = Settings(studio.settings.home, LIMITS)
        yield studio


@pytest.fixture(scope="module")
def served(studio: Studio) -> Iterator[tuple[str, Entry]]:
    with running(studio) as found:
        yield found


@pytest.fixture
def client(served) -> Iterator[httpx.Client]:
    """A browser with room of its own: what earlier tests have left is gone."""
    address, app = served
    for session in list(app.sessions._sessions.values()):
        app.sessions.end(session)
    with browser_at(address) as client:
        yield client


def give(client: httpx.Client, *sizes: int) -> httpx.Response:
    files = [("files", (f"{n}.bin", b"x" * size)) for n, size in enumerate(sizes)]
    return client.post("/gradio_api/upload", files=files)


def until(happened: Callable[[], bool]) -> None:
    """Wait for what another thread does."""
    pause = threading.Event()
    for _ in range(6_000):
        if happened():
            return
        pause.wait(0.02)
    raise AssertionError("it did not happen within two minutes")


def test_several_files_come_whole_and_under_clean_names(client):
    files = [("files", ("../../évil\\Scan (1).txt", b"a" * 70_000)), ("files", ("b.csv", b""))]
    paths = [Path(path) for path in client.post("/gradio_api/upload", files=files).json()]

    assert [path.name for path in paths] == ["Scan (1).txt", "b.csv"]
    assert [path.read_bytes() for path in paths] == [b"a" * 70_000, b""]
    assert [path.stat().st_mode & 0o077 for path in (*paths, paths[0].parent)] == [0, 0, 0]


@pytest.mark.parametrize("sent", ["", ".", "..", "/", "\\", "a/..", "\0"])
def test_a_name_that_is_none_becomes_one(sent):
    assert clean_name(sent) == "file"


def test_a_file_over_the_limit_is_refused_and_gone(client, studio, served):
    before = temp_files(studio)
    answer = give(client, 100_000, 2 * MB + 1)

    assert answer.status_code == 413
    assert "2 MB" in answer.text
    assert "FMSTUDIO_UPLOAD_MB" in answer.text
    assert temp_files(studio) == before
    assert give(client, 2 * MB).status_code == 200


def test_one_browser_and_all_together_have_so_much_room(client, served):
    assert [give(client, 2 * MB - 5_000).status_code for _ in range(3)] == [200, 200, 413]
    assert "4 MB" in give(client, 2 * MB - 5_000).text
    with browser_at(served[0]) as other:
        answers = [give(other, 2 * MB - 5_000) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [200, 413]
        assert "All uploads" in answers[1].text
        many = give(other, *[1] * 600)  # a tiny file takes a block of the disk
        assert many.status_code == 413


def test_room_is_counted_on_what_comes_and_not_on_what_is_said(client, studio):
    def body() -> Iterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n'
        for _ in range(300):
            yield b"x" * 10_000
        yield b"\r\n--b--\r\n"

    before = temp_files(studio)
    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    answer = client.post("/gradio_api/upload", content=body(), headers=kind)
    assert answer.status_code == 413
    assert temp_files(studio) == before


def test_an_upload_is_refused_while_the_disk_is_full(client, studio, monkeypatch):
    usage = namedtuple("usage", "total used free")
    before = temp_files(studio)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(9, 9, 900_000))
    answer = give(client, 10)

    assert answer.status_code == 507
    assert "0.9 MB" in answer.text or "1 MB" in answer.text
    assert temp_files(studio) == before


def test_a_disk_that_fills_up_meanwhile_ends_the_upload(client, studio, served, monkeypatch):
    usage = namedtuple("usage", "total used free")
    looks = iter([10**9, *[0] * 100])
    monkeypatch.setattr("fmstudio.ui.receiving.LOOK_AT_DISK_BYTES", 100_000)
    before = temp_files(studio)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(9, 9, next(looks)))
    assert give(client, MB).status_code == 507
    assert temp_files(studio) == before
    assert next(iter(served[1].sessions._sessions.values())).kept == 0


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nothing",
        b"--b--\r\n"[:3],
        b"--b\r\nContent-Disposition: form-data\r\n\r\na",
        b'--b\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\nhalf',
        b'--b\r\nContent-Disposition: form-data; name="data"\r\n\r\na\r\n--b--\r\n',
        b"--b\r\n" + b"A: b\r\n" * 5_000,
    ],
)
def test_what_is_no_upload_is_refused_and_leaves_nothing(client, studio, body):
    before = temp_files(studio)
    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    assert client.post("/gradio_api/upload", content=body, headers=kind).status_code == 400
    assert client.post("/gradio_api/upload", content=body).status_code == 400
    assert temp_files(studio) == before


def half(client: httpx.Client, path: str, kind: str, body: bytes) -> socket.socket:
    """A request that has begun and is not going to end."""
    cookies = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    connection = socket.create_connection((client.base_url.host, client.base_url.port))
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {client.base_url.host}\r\nCookie: {cookies}\r\n"
        f"Content-Type: {kind}\r\nContent-Length: 1000000\r\n\r\n"
    )
    connection.sendall(head.encode() + body)
    return connection


BEGUN = (
    b'--b\r\nContent-Disposition: form-data; name="files"; filename="half.bin"\r\n\r\n'
    + b"x" * 300_000
)


def test_an_upload_that_is_broken_off_leaves_nothing(client, studio, served):
    before = temp_files(studio)
    sessions = served[1].sessions
    kind = "multipart/form-data; boundary=b"
    with half(client, "/gradio_api/upload", kind, BEGUN):
        until(lambda: any(path.name == "half.bin" for path in temp_files(studio)))
        with browser_at(served[0]) as other:  # nobody else waits
            assert uploaded(other)
    until(
        lambda: temp_files(studio) - before == {p for p in temp_files(studio) if p.suffix == ".zip"}
    )
    until(lambda: sum(one.kept for one in sessions._sessions.values()) == 4_096)


def test_a_body_that_comes_by_drops_is_given_up(client, studio, monkeypatch):
    monkeypatch.setattr(bodies, "PATIENCE_SECONDS", 0.5)
    for path, kind, body in (
        ("/gradio_api/upload", "multipart/form-data; boundary=b", BEGUN),
        ("/gradio_api/queue/join", "application/json", b'{"data": ['),
    ):
        with half(client, path, kind, body) as connection:
            connection.settimeout(60)
            assert b" 408 " in connection.recv(1_000).splitlines()[0]
    until(lambda: not any(path.name == "half.bin" for path in temp_files(studio)))


def test_a_connection_on_which_nothing_is_asked_is_closed(client, monkeypatch):
    monkeypatch.setattr(wire, "LOOK_SECONDS", 0.2)
    monkeypatch.setattr(wire, "IDLE_SECONDS", 0.6)
    with socket.create_connection((client.base_url.host, client.base_url.port)) as connection:
        connection.settimeout(60)
        connection.sendall(b"GET / HTTP/1.1\r\nX-Slow: ")
        assert connection.recv(100) == b""


def test_the_page_is_told_how_far_its_upload_is(client, served):
    files = {"files": ("ü.bin", b"x" * 50_000)}
    assert client.post("/gradio_api/upload?upload_id=u1", files=files).status_code == 200
    lines = client.get("/gradio_api/upload_progress?upload_id=u1").text.split("\n\n")
    told = [json.loads(line.removeprefix("data:")) for line in lines if line]

    assert told[-1] == {"msg": "done"}
    assert sum(one.get("chunk_size", 0) for one in told) == 50_000
    assert {one.get("orig_name") for one in told[:-1]} == {"ü.bin"}
    with browser_at(served[0]) as other:
        assert other.get("/gradio_api/upload_progress?upload_id=u1").status_code == 404


def test_uploads_go_with_their_session_and_after_a_day(client, served, studio, monkeypatch):
    sessions = served[1].sessions
    own = Path(uploaded(client, "day.zip"))
    monkeypatch.setattr("fmstudio.ui.sessions.DAY", -1.0)
    sessions.sweep(every=0.0)
    until(lambda: not own.exists())
    assert sessions._kept == 0


def test_more_files_than_one_request_may_bring_are_refused_and_leave_nothing(
    client, studio, monkeypatch
):  # the pages send many files in several requests
    monkeypatch.setattr(receiving, "MOST_FILES", 3)
    files = [("files", (f"{n}.txt", b"x")) for n in range(4)]

    answer = client.post("/gradio_api/upload", files=files)

    assert answer.status_code == 413
    assert "At most 3 files" in answer.text
    assert temp_files(studio) == set()
    assert client.post("/gradio_api/upload", files=files[:3]).status_code == 200
