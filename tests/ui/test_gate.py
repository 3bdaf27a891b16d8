"""No handler sees a file that its session was not given, and no file goes to anybody else."""

from __future__ import annotations

import json
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import gradio as gr
import httpx
import pytest

from fmstudio.studio import Studio
from fmstudio.ui.entry import Entry
from fmstudio.ui.payload import DEEPEST
from tests.ui.running import WAIT, browser_at, file_value, running, temp_files, uploaded

SECRET = b"nobody else may read this line"
FILES = (gr.File, gr.UploadButton)
JOIN = "/gradio_api/queue/join"


@pytest.fixture(scope="module")
def studio(tmp_path_factory) -> Iterator[Studio]:
    with Studio.open(tmp_path_factory.mktemp("gate") / "home") as studio:
        yield studio


@pytest.fixture(scope="module")
def served(studio: Studio) -> Iterator[tuple[str, Entry]]:
    with running(studio) as found:
        yield found


@pytest.fixture(scope="module")
def pages(served) -> gr.Blocks:
    return served[1].gate.pages


@pytest.fixture
def client(served) -> Iterator[httpx.Client]:
    with browser_at(served[0]) as client:
        yield client


@pytest.fixture
def other(served) -> Iterator[httpx.Client]:
    """A second browser."""
    with browser_at(served[0]) as client:
        yield client


def ask(
    client: httpx.Client, number: Any, data: list[Any], page: str = "page", **more: Any
) -> httpx.Response:
    body = {"data": data, "fn_index": number, "session_hash": page, **more}
    return client.post(JOIN, json=body)


def handlers(pages: gr.Blocks) -> list[tuple[int, Any]]:
    return [(number, fn) for number, fn in pages.fns.items() if fn.fn is not None]


def handler(pages: gr.Blocks, name: str, page: str) -> tuple[int, Any]:
    return next(
        (number, fn)
        for number, fn in handlers(pages)
        if fn.name == name and fn.fn.__module__ == f"fmstudio.ui.pages.{page}"
    )


def told(client: httpx.Client, page: str) -> list[dict[str, Any]]:
    """What is sent to a page until its stream of answers ends."""
    with client.stream("GET", "/gradio_api/queue/data", params={"session_hash": page}) as stream:
        assert stream.status_code == 200
        return [json.loads(line.removeprefix("data:")) for line in stream.iter_lines() if line]


def foreign_values(studio: Studio, own: str, others: str, tmp_path: Path) -> list[dict[str, Any]]:
    """Files that a session was not given, in every way of naming one."""
    home = studio.settings.home
    secret = tmp_path / "secret.txt"
    secret.write_bytes(SECRET)
    beside = home / "temp" / "left.txt"
    beside.write_bytes(SECRET)
    link = home / "temp" / "link.txt"
    link.unlink(missing_ok=True)
    link.symlink_to(secret)
    paths = [
        secret,
        beside,
        link,
        home / "registry.sqlite",
        home / "logs",
        others,
        f"{own}/../../../../left.txt",
        f"/{own}",
        own.replace("/", "//"),
        f"./{own}",
        f"{own}\0",
        str(secret).replace("/", "%2f"),
        f"file://{secret}",
        "http://127.0.0.1:9/a",
        "",
        None,
        7,
        [own],
        f"{Path(own).parent}/./{Path(own).name}",
        Path(own).parent,
    ]
    values = [file_value(str(path) if isinstance(path, Path) else path) for path in paths]
    return [
        *values,
        {"path": str(secret)},
        {"path": str(secret), "meta": "none"},
        {"url": f"file://{secret}", "meta": {"_type": "gradio.FileData"}},
        {"url": "http://127.0.0.1:9/a", "meta": {"_type": "gradio.FileData"}},
        file_value(str(secret), url="http://127.0.0.1:9/a", is_stream=True),
    ]


def test_no_handler_takes_a_file_that_its_session_was_not_given(
    studio, pages, client, other, tmp_path
):
    own, others = uploaded(client, content=b"mine"), uploaded(other)
    values = foreign_values(studio, own, others, tmp_path)
    before = temp_files(studio)
    found = []
    for place, (number, fn) in enumerate(handlers(pages)):
        slots = [i for i, block in enumerate(fn.inputs) if isinstance(block, FILES)]
        # A handler of files is offered every one of them, and any handler one at each input.
        offered = [(slots[0], value) for value in values] if slots else []
        offered += [(i, values[(place + i) % len(values)]) for i in range(len(fn.inputs))]
        for slot, value in offered:
            data: list[Any] = [None] * len(fn.inputs)
            data[slot] = [value, [value], {"deep": [{"er": value}]}][place % 3]
            found.append((ask(client, number, data).status_code, fn.name, value))
        value = values[place % len(values)]
        data = [None] * len(fn.inputs)
        found.append((ask(client, number, data, event_data=value).status_code, fn.name, value))

    assert sum(isinstance(b, FILES) for _, fn in handlers(pages) for b in fn.inputs) > 10
    assert [one for one in found if one[0] != 403] == []
    assert temp_files(studio) == before
    for value in values:
        answer = client.get(f"/gradio_api/file={quote(str(value.get('path')))}")
        # The client itself takes "/./" out of an address, which is the session's own file then.
        assert answer.status_code == 403 or answer.content == b"mine"


def test_a_handler_gets_the_sessions_own_file_and_nothing_that_is_claimed_about_it(
    pages, client, other
):
    number, fn = handler(pages, "verify", "adapters")
    own = uploaded(client, "mine.zip", b"no ZIP at all")
    value = file_value(own, url="http://127.0.0.1:9/a", orig_name="../../x", is_stream=True)
    seen: list[str] = []
    before, fn.fn = fn.fn, lambda path: (seen.append(str(path)), gr.skip())
    try:
        assert ask(other, number, [value]).status_code == 403
        assert ask(client, number, [value], "verifying").status_code == 200
        last = [one for one in told(client, "verifying") if one["msg"] == "process_completed"]
    finally:
        fn.fn = before

    assert last[-1]["success"]
    assert seen == [own]
    assert "127.0.0.1:9" not in json.dumps(last)


def test_a_file_goes_only_to_the_browser_that_gave_it(client, other):
    own = uploaded(client, "scan ü.txt", b"mine")
    found = client.get(f"/gradio_api/file={own}")

    assert (found.status_code, found.content) == (200, b"mine")
    assert found.headers["content-disposition"].startswith("attachment")
    assert "no-store" in found.headers["cache-control"]
    for stranger in (other, httpx.Client(base_url=client.base_url, timeout=WAIT)):
        assert stranger.get(f"/gradio_api/file={own}").status_code == 403
        assert stranger.head(f"/gradio_api/file={own}").status_code == 403
    for odd in (f"/{own}", own.replace("/", "//"), f"{Path(own).parent}/../{own}"):
        assert client.get(f"/gradio_api/file={odd}").status_code == 403
    assert client.get(f"/gradio_api/file%3D{own}").content == b"mine"  # the same address
    assert client.get(f"/gradio_api/file/{own}").status_code == 404


def test_what_the_studio_hands_out_goes_to_the_browser_that_asked(studio, pages, client, other):
    made = Path(tempfile.mkdtemp(dir=studio.settings.folder("temp"))) / "report.zip"
    made.write_bytes(b"report")
    number, fn = next((n, f) for n, f in handlers(pages) if f.name == "export")
    before, fn.fn = fn.fn, lambda *_: gr.update(value=str(made), visible=True)
    try:
        assert ask(client, number, [None] * len(fn.inputs), "asked").status_code == 200
        answers = told(client, "asked")
    finally:
        fn.fn = before
    text = json.dumps([one for one in answers if one["msg"] == "process_completed"])
    path = json.loads(text)[-1]["output"]["data"][-1]["value"]["path"]

    assert client.get(f"/gradio_api/file={path}").content == b"report"
    assert other.get(f"/gradio_api/file={path}").status_code == 403


def test_answers_go_only_to_the_browser_whose_page_asked(pages, client, other):
    number, fn = handler(pages, "verify", "adapters")
    assert ask(client, number, [None] * len(fn.inputs), "mine").status_code == 200
    stranger = httpx.Client(base_url=client.base_url, timeout=WAIT)

    for somebody in (other, stranger):
        stolen = somebody.get("/gradio_api/queue/data", params={"session_hash": "mine"})
        assert stolen.status_code == 403
        assert somebody.get("/gradio_api/heartbeat/mine").status_code == 403
    twice = client.get("/gradio_api/queue/data?session_hash=mine&session_hash=other")
    assert twice.status_code == 400
    assert ask(other, number, [None], "mine").status_code == 403
    assert told(client, "mine")[-1]["msg"] == "close_stream"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "call/predict"),
        ("POST", "call/v2/predict"),
        ("POST", "run/predict"),
        ("POST", "api/predict"),
        ("POST", "component_server"),
        ("POST", "component_server/"),
        ("POST", "process_recording"),
        ("POST", "stream/abc"),
        ("POST", "cancel"),
        ("POST", "reset"),
        ("POST", "vibe-edit"),
        ("POST", "login"),
        ("GET", "proxy=http://a/"),
        ("GET", "deep_link?session_hash=a"),
        ("GET", "openapi.json"),
        ("GET", "call/a/b"),
        ("GET", "stream/a/b/1/playlist.m3u8"),
        ("GET", "queue/status"),
        ("GET", "dev/reload"),
        ("GET", "custom_component/a/client/b/c"),
        ("GET", "runs"),
        ("GET", "token"),
        ("GET", "../monitoring"),
        ("GET", "../monitoring/summary"),
        ("GET", "../svelte/a"),
        ("GET", "../assets/%2e%2e/index.html"),
        ("GET", "../gradio_api"),
    ],
)
def test_of_gradios_addresses_only_those_that_the_pages_use_are_there(client, method, path):
    where = f"/gradio_api/{path}".replace("/gradio_api/..", "")

    assert client.request(method, where, json={"data": []}).status_code in (404, 405)


def test_a_question_that_no_page_asks_is_refused_and_is_no_fault(pages, client):
    number, fn = handler(pages, "verify", "adapters")
    by_itself = next(number for number, fn in pages.fns.items() if fn.fn is None)
    for wrong in (-1, 10**6, 10**30, 1.5, True, "1", None, [1], by_itself):
        assert ask(client, wrong, [None]).status_code == 404
    for data in ([], [None, None], None, {"a": 1}, "x"):
        assert ask(client, number, data).status_code == 400
    for page in ("", None, 7, "a/b", "ü", "a" * 65):
        assert ask(client, number, [None], page).status_code == 400
    assert ask(client, number, [None], trigger_id=10**9).status_code == 400
    deep: Any = None
    for _ in range(DEEPEST + 2):
        deep = [deep]
    assert ask(client, number, [deep]).status_code == 400
    for body in (
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"a": NaN}',
        b'{"data": [1e999], "fn_index": %d, "session_hash": "p"}' % number,
        b'{"data": ["\\ud800"], "fn_index": %d, "session_hash": "p"}' % number,
    ):
        assert client.post(JOIN, content=body).status_code == 400
    assert len(fn.inputs) == 1


def test_a_large_question_is_refused_while_it_comes(served, client):
    def much() -> Iterator[bytes]:
        yield b'{"data": ["'
        for _ in range(sent.maxsize):
            yield b"a" * 65_536
            sent.append(65_536)

    class Sent(list[int]):
        maxsize = 4_000

    sent = Sent()
    limit = served[1].sessions.limits.request_mb * 1e6
    try:
        # The refusal comes before all is sent, and its words may be lost with the connection.
        question = b'{"data": ["' + b"a" * int(limit) + b'"]}'
        with client.stream("POST", JOIN, content=question) as answer:
            assert answer.status_code == 413
    except httpx.TransportError:
        pass
    try:
        assert client.post(JOIN, content=much()).status_code == 413
    except httpx.TransportError:  # cut off in the middle, which is a refusal too
        assert sum(sent) < 4_000 * 65_536
    assert client.get("/theme.css").status_code == 200


def test_sessions_are_known_by_a_cookie_that_scripts_and_other_sites_cannot_use(served):
    page = httpx.get(served[0] + "/", timeout=WAIT)
    name, _, rest = page.headers["set-cookie"].partition("=")

    assert name == f"fmstudio-{served[0].rpartition(':')[2]}"
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(rest.split("; "))
    synthetic_input = {"Cookie": f"{name}=made-up"}
    assert (
        httpx.get(served[0] + "/", timeout=WAIT, headers=synthetic_input).headers["set-cookie"]
        != f"{name}=made-up"
    )
    assert "set-cookie" not in httpx.get(served[0] + "/theme.css", timeout=WAIT).headers


def test_a_link_on_another_site_opens_the_page_of_the_same_session(client):
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    first = httpx.get(client.base_url, timeout=WAIT, headers=link)
    assert "refresh" in first.text
    assert "Strict" not in first.headers["set-cookie"]
    # A browser that sends no cookie the second time either gets a session, not a loop.
    again = {"Cookie": first.headers["set-cookie"].split(";")[0], **link}
    assert "Strict" in httpx.get(client.base_url, timeout=WAIT, headers=again).headers["set-cookie"]
    assert "set-cookie" not in client.get("/").headers


def test_many_browsers_at_once_keep_their_files_apart(served):
    wrong: list[str] = []

    def one(mark: str) -> None:
        with browser_at(served[0]) as client:
            own = uploaded(client, "same.txt", mark.encode())
            if client.get(f"/gradio_api/file={own}").text != mark:
                wrong.append(mark)

    threads = [threading.Thread(target=one, args=(str(n),)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
