"""Only this computer's own pages may talk to the studio."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from fmstudio.ui.guard import Guard


def ask(
    method: str = "GET", host: str = "127.0.0.1:7860", bound: str = "127.0.0.1", **headers: str
) -> tuple[int, dict[str, str], bool]:
    """(status, headers of the answer, whether the app behind the guard was reached)."""
    reached: list[bool] = []
    sent: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        reached.append(True)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"page"})

    async def send(message: Any) -> None:
        sent.append(message)

    given = {"host": host} | {name.replace("_", "-"): value for name, value in headers.items()}
    scope = {
        "type": "http",
        "method": method,
        "path": "/",
        "headers": [(name.encode(), value.encode()) for name, value in given.items()],
    }
    asyncio.run(Guard(app, bound)(scope, None, send))  # type: ignore[arg-type]
    answer = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], answer, bool(reached)


@pytest.mark.parametrize("host", ["127.0.0.1:7860", "localhost:7860", "[::1]:7860", "LOCALHOST"])
def test_this_computer_may_ask(host):
    assert ask(host=host)[::2] == (200, True)


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:7860", "127.0.0.1.evil.example", "192.168.1.7", "", "["]
)
def test_a_foreign_host_header_is_refused(host):
    assert ask(host=host)[::2] == (403, False)


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9999"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
    ],
)
def test_a_foreign_page_can_neither_upload_nor_press_a_button(headers):
    assert ask("POST", **headers)[::2] == (403, False)


@pytest.mark.parametrize(
    "headers",
    [{}, {"origin": "http://127.0.0.1:7860"}, {"sec_fetch_site": "same-origin"}],
)
def test_the_studios_own_pages_and_local_scripts_may_send(headers):
    assert ask("POST", **headers)[::2] == (200, True)


def test_a_link_from_elsewhere_may_open_a_page():
    assert ask("GET", sec_fetch_site="cross-site")[::2] == (200, True)


def test_a_request_for_many_ranges_is_refused():
    assert ask(range="bytes=0-1,2-3")[::2] == (403, False)
    assert ask(range="bytes=0-1")[::2] == (200, True)


@pytest.mark.parametrize("host", ["127.0.0.1", "evil.example"])
def test_every_answer_carries_the_security_headers(host):
    headers = ask(host=host)[1]

    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://127.0.0.1:7860"},
        {"origin": "http://127.0.0.1"},
        {"origin": "http://localhost:7860"},
        {"sec_fetch_site": "same-site", "sec_fetch_mode": "cors"},
        {"sec_fetch_site": "cross-site", "sec_fetch_mode": "no-cors"},
    ],
)
def test_a_foreign_page_can_neither_read_nor_embed_what_is_here(headers):
    assert ask("GET", **headers)[::2] == (403, False)
    assert ask("POST", **headers)[::2] == (403, False)


def test_what_a_request_claims_about_tls_counts_for_nothing():
    claimed = {"origin": "https://127.0.0.1:7860", "x_forwarded_proto": "https"}
    assert ask("POST", **claimed)[::2] == (403, False)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({f"x-{n}": "a" for n in range(10_000)}, 431),
        ({f"x-{n}": "a" for n in range(101)}, 431),
        ({"x-long": "a" * 40_000}, 431),
    ],
)
def test_more_headers_than_any_browser_sends_are_refused(headers, status):
    assert ask(**headers)[::2] == (status, False)
