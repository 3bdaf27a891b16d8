"""A real Chromium before the studio's pages: the app it looks at, its windows, its buttons."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError

from playwright.sync_api import Browser, Page

ROOT = Path(__file__).parents[2]
CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE_MS = 120_000  # for whatever a page is waited for, on a machine that does much else
RUN_MS = 900_000  # for a training run
PACE_MS = 1_000
START_SECONDS = 240


@contextmanager
def served(home: Path) -> Iterator[str]:
    """`python app.py` on a home folder and a free port; its address, once the page answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "app.py", "--home", str(home), "--port", str(port), "--no-browser"]
    with (home.parent / f"{home.name}.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
    try:
        _wait_for(address, process)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=120)


def _wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        assert process.poll() is None, "the studio ended before its page could be opened"
        try:
            urllib.request.urlopen(address, timeout=60).close()
        except (URLError, OSError):
            time.sleep(0.2)
        else:
            return
    raise AssertionError(f"no page within {START_SECONDS} s")


@contextmanager
def opened(browser: Browser, address: str) -> Iterator[Page]:
    """A fresh browser window for an address; no request of it may fail or go to another host."""
    wrong: list[str] = []
    context = browser.new_context(base_url=address, viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.on("response", lambda got: got.status >= 400 and wrong.append(f"{got.status} {got.url}"))
    page.on(
        "request",
        lambda sent: (
            sent.url.startswith(("http", "ws"))
            and not sent.url.startswith((address, address.replace("http", "ws")))
            and wrong.append(sent.url)
        ),
    )
    yield page
    context.close()
    assert wrong == []


def press(page: Page, name: str) -> None:
    """Press a button at a person's pace, who reads a page before doing anything on it."""
    page.wait_for_timeout(PACE_MS)
    page.get_by_role("button", name=name, exact=True).locator("visible=true").click()


def picture(page: Page, path: Path) -> None:
    """A screenshot of the whole page, once what slides and fades has come to rest."""
    size = page.viewport_size
    assert size is not None
    height = page.evaluate("document.documentElement.scrollHeight")
    page.set_viewport_size({"width": size["width"], "height": max(size["height"], height)})
    page.wait_for_timeout(PACE_MS)
    page.screenshot(path=path)
    page.set_viewport_size(size)
