"""The studio's pages put together, and the server that shows them on this computer only."""

from __future__ import annotations

import logging
import os
import socket
import tempfile
import threading
import time
import warnings
import webbrowser
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

import gradio as gr

from fmstudio.contracts import discover
from fmstudio.errors import ResourceError
from fmstudio.ui.fragments import Html, area, join, tag, text
from fmstudio.ui.guard import Guard
from fmstudio.ui.page import Page
from fmstudio.ui.stream import Stream
from fmstudio.ui.theme import theme

if TYPE_CHECKING:
    from fmstudio.studio import Studio

log = logging.getLogger(__name__)

ROOT = Path(__file__).resolve().parents[2]
ASSETS = ROOT / "assets" / "ui"
TITLE = "Foundation Model Studio"
CAUTION = (
    "Foundation Model Studio is for research and teaching. It is not a medical device; "
    "decisions about patients must not rest on it."
)
_HOUR, _DAY = 3600, 86400
# Words of Gradio's own widgets that its translations lack: it would print the keys.
LACKING = {"common.upload": "Upload", "common.complete": "Complete"}


def build(studio: Studio) -> gr.Blocks:
    """The whole app: every page of `ui/pages`, in its order, each at its own address."""
    pages = sorted(discover("fmstudio.ui.pages", "PAGE").values(), key=lambda page: page.order)
    with gr.Blocks(
        title=TITLE, analytics_enabled=False, delete_cache=(_HOUR, _DAY), fill_width=True
    ) as app:
        for page in pages:
            _turn_to(app, page)
            _frame(app, studio, pages, page)
    return app


def _turn_to(app: gr.Blocks, page: Page) -> None:
    """What is built from here on belongs to this page.

    `Blocks.route` does the same, but can only be called between two `with app:`, each of which
    ends by making the whole web server anew: half a second for six pages.
    """
    if page.path:
        app.pages.append((page.path, page.title, True))
    app.current_page = page.path


def _frame(app: gr.Blocks, studio: Studio, pages: list[Page], page: Page) -> None:
    """One page between the head and the foot that all share."""
    gr.Navbar(visible=False)
    area(_head(pages, page), elem_id="head")
    page.build(app, studio)
    area(tag("footer", text(CAUTION), "fm-foot"))


def _head(pages: list[Page], current: Page) -> Html:
    """Logo, links to all pages, and the switch between light and dark."""
    logo = Html((ASSETS / "logo.svg").read_text(encoding="utf-8"))
    links = join(
        tag("a", text(page.title), href=f"/{page.path}",
            aria_current="page" if page is current else None)
        for page in pages
    )  # fmt: skip
    brand = tag("a", join([logo, tag("span", text(TITLE))]), "fm-brand", href="/")
    switch = tag("button", text("Light / dark"), "fm-scheme", type="button", data_scheme=True)
    return tag("div", join([brand, tag("nav", links, "fm-nav", aria_label="Pages"), switch]),
               "fm-head")  # fmt: skip


def launch_options(studio: Studio) -> dict[str, Any]:
    """What Gradio is told besides the pages: looks, limits, and no traces left behind.

    Only made-up files of the sample cohort and Gradio's own temporary folder may be served.
    """
    home = studio.settings.home
    folders = ("cache", "runs", "adapters", "bases", "checkpoints", "logs", "cohorts")
    private = [home / name for name in folders]
    scripts = [(ASSETS / name).read_text(encoding="utf-8") for name in ("studio.js", "values.js")]
    return {
        "theme": theme(),
        "css_paths": [ASSETS / "studio.css"],
        "head": "".join(f"<script>{script}</script>" for script in scripts),
        "i18n": gr.I18n(en=LACKING),
        "favicon_path": str(ASSETS / "logo.svg"),
        "allowed_paths": [str(ROOT / "data_samples")],
        "blocked_paths": [str(path) for path in (home / "registry.sqlite", *private)],
        "max_file_size": f"{studio.settings.limits.upload_mb}mb",
        "run_history": False,
        "footer_links": [],
        "show_error": False,
        "ssr_mode": False,
        "mcp_server": False,
        "pwa": False,
        "enable_monitoring": False,
    }


PATIENCE_SECONDS = 5.0


def serve(
    studio: Studio,
    host: str = "127.0.0.1",
    port: int = 7860,
    open_browser: bool = True,
    when_open: Callable[[], object] | None = None,
) -> None:
    """Show the studio at http://host:port until it is interrupted.

    `when_open` is called once a page has been opened, or some seconds later where nobody opens
    one: whatever loads slowly belongs there.

    Raises ResourceError if the port is in use or the address is not this computer's.
    """
    import uvicorn

    listening = _listen(host, port)  # first, so that a taken port is said at once
    with tempfile.TemporaryDirectory(dir=studio.settings.folder("temp"), prefix="pages-") as temp:
        os.environ["GRADIO_TEMP_DIR"] = temp
        empty = Path(temp) / "empty"
        empty.mkdir()
        address = f"http://{f'[{host}]' if ':' in host else host}:{port}/"
        guard = Guard(application(studio, host, port), host)
        config = uvicorn.Config(
            guard, log_level="warning", timeout_graceful_shutdown=2, server_header=False
        )
        server = uvicorn.Server(config)

        def opened() -> None:
            while not server.started:
                time.sleep(0.05)
            log.info("The studio is at %s", address)
            if open_browser:
                webbrowser.open(address)
            # Loading models takes the processor from pages: somebody who waits for one comes first.
            guard.page_served.wait(PATIENCE_SECONDS)
            if when_open is not None:
                when_open()

        # Pages that are still open when the studio ends are cut off; that is no fault to report.
        logging.getLogger("uvicorn.error").addFilter(lambda _: not server.should_exit)
        threading.Thread(target=opened, name="when-open", daemon=True).start()
        with chdir(empty):  # Gradio serves files below the working directory: there are none
            server.run(sockets=[listening])


def application(studio: Studio, host: str = "127.0.0.1", port: int = 7860) -> Any:
    """The pages as an ASGI app, without the guard."""
    from fastapi import FastAPI

    outer = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    # Said of every app with several pages, asked for or not.
    warnings.filterwarnings("ignore", "SSR mode is not supported", UserWarning)
    pages = build(studio)
    mounted = gr.mount_gradio_app(
        outer, pages, path="/", server_name=host, server_port=port, **launch_options(studio)
    )
    return Stream(mounted, pages._queue)


def _listen(host: str, port: int) -> socket.socket:
    """A socket bound to host and port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    if os.name == "posix":  # elsewhere it would let two programs share the port
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as fault:
        listening.close()
        raise ResourceError(
            f"Port {port} on {host} cannot be used: {fault.strerror or fault}.",
            hint=f"Close the program that uses it, or choose another: --port {port + 1}.",
        ) from fault
    return listening
