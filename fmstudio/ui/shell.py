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
from collections.abc import Callable, Iterable
from contextlib import chdir
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

import gradio as gr

from fmstudio.contracts import discover
from fmstudio.errors import ResourceError
from fmstudio.marks import at_work
from fmstudio.ui.entry import Entry
from fmstudio.ui.fragments import NOTHING, Html, area, join, tag, text
from fmstudio.ui.gate import Gate
from fmstudio.ui.guard import Guard
from fmstudio.ui.health import Health
from fmstudio.ui.only_one import ANY, UPLOADS, address_of
from fmstudio.ui.page import Page
from fmstudio.ui.password import Password
from fmstudio.ui.sessions import Sessions
from fmstudio.ui.stream import Stream
from fmstudio.ui.theme import theme
from fmstudio.ui.wire import Wire

if TYPE_CHECKING:
    from fmstudio.studio import Studio

log = logging.getLogger(__name__)

ROOT = Path(__file__).resolve().parents[2]
ASSETS = ROOT / "assets" / "ui"
SCRIPTS = ("studio.js", "terms.js", "values.js")
TITLE = "Foundation Model Studio"
CAUTION = (
    "Foundation Model Studio is for research and teaching. It is not a medical device; "
    "decisions about patients must not rest on it."
)
_HOUR, _DAY = 3600, 86400
# Words of Gradio's own widgets that its translations lack: it would print the keys.
LACKING = {"common.upload": "Upload", "common.complete": "Complete"}


def build(studio: Studio, behind_password: bool = False) -> gr.Blocks:
    """The whole app: every page of `ui/pages`, in its order, each at its own address.

    Behind a password every page has a button to sign out.
    """
    pages = sorted(discover("fmstudio.ui.pages", "PAGE").values(), key=lambda page: page.order)
    with gr.Blocks(
        title=TITLE, analytics_enabled=False, delete_cache=(_HOUR, _DAY), fill_width=True
    ) as app:
        for page in pages:
            _turn_to(app, page)
            _frame(app, studio, pages, page, behind_password)
    return app


def _turn_to(app: gr.Blocks, page: Page) -> None:
    """What is built from here on belongs to this page.

    `Blocks.route` does the same, but can only be called between two `with app:`, each of which
    ends by making the whole web server anew: half a second for six pages.
    """
    if page.path:
        app.pages.append((page.path, page.title, True))
    app.current_page = page.path


def _frame(
    app: gr.Blocks, studio: Studio, pages: list[Page], page: Page, behind_password: bool
) -> None:
    """One page between the head and the foot that all share."""
    gr.Navbar(visible=False)
    area(_head(pages, page, behind_password), elem_id="head")
    page.build(app, studio)
    area(tag("footer", text(CAUTION), "fm-foot"))


def _head(pages: list[Page], current: Page, behind_password: bool) -> Html:
    """Logo, links to all pages, the switch between light and dark, and the way out if any."""
    logo = Html((ASSETS / "logo.svg").read_text(encoding="utf-8"))
    links = join(
        tag(
            "a",
            text(page.title),
            href=f"/{page.path}",
            aria_current="page" if page is current else None,
        )
        for page in pages
    )
    brand = tag("a", join([logo, tag("span", text(TITLE))]), "fm-brand", href="/")
    switch = tag("button", text("Light / dark"), "fm-scheme", type="button", data_scheme=True)
    leave = (
        tag(
            "form",
            tag("button", text("Sign out"), "fm-scheme", type="submit"),
            method="post",
            action="/logout",
        )
        if behind_password
        else NOTHING
    )
    return tag(
        "div",
        join([brand, tag("nav", links, "fm-nav", aria_label="Pages"), switch, leave]),
        "fm-head",
    )


def launch_options(studio: Studio) -> dict[str, Any]:
    """What Gradio is told besides the pages: looks, limits, and no traces left behind.

    What may go out is decided by the gate (ui/gate.py), which serves files itself: Gradio may copy
    what a handler of ours returns, wherever it lies, and takes from a page only what lies in its
    own folder.
    """
    scripts = [(ASSETS / name).read_text(encoding="utf-8") for name in SCRIPTS]
    return {
        "theme": theme(),
        "css_paths": [ASSETS / "studio.css"],
        "head": "".join(f"<script>{script}</script>" for script in scripts),
        "i18n": gr.I18n(en=LACKING),
        "favicon_path": str(ASSETS / "logo.svg"),
        "allowed_paths": sorted({studio.settings.home.anchor, ROOT.anchor}),
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
KEEP_ALIVE_SECONDS = 5
LARGEST_HEAD = 65_536  # bytes of a request before its body


def serve(
    studio: Studio,
    host: str = "127.0.0.1",
    port: int = 7860,
    open_browser: bool = True,
    when_open: Callable[[], object] | None = None,
    password: Password | None = None,
    names: Iterable[str] = (),
    https: bool = False,
    address: str = "",
) -> None:
    """Show the studio at http://host:port until it is interrupted.

    `when_open` is called once a page has been opened, or some seconds later where nobody opens
    one: whatever loads slowly belongs there. With a password, pages are shown to those who know it.
    `names` are further names of this machine, `https` says that a proxy in front speaks TLS, and
    `address` is what to open in a browser if it is not the one that is listened on.

    Raises ResourceError if the port is in use or the address is not this computer's.
    """
    import uvicorn

    address = address or address_of(host, port, https)
    listening = _listen(host, port)  # first, so that a taken port is said at once
    folder = studio.settings.folder("temp")
    with tempfile.TemporaryDirectory(dir=folder, prefix=UPLOADS) as temp, at_work(Path(temp)):
        empty = Path(temp) / "empty"
        empty.mkdir()
        app = application(studio, host, port, Path(temp), password, https)
        guard = Guard(app, host, {*names, *names_of(host)}, https)
        config = uvicorn.Config(
            guard,
            log_level="warning",
            timeout_graceful_shutdown=2,
            server_header=False,
            http=Wire,
            ws="none",
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            h11_max_incomplete_event_size=LARGEST_HEAD,
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


def application(
    studio: Studio,
    host: str = "127.0.0.1",
    port: int = 7860,
    folder: Path | None = None,
    password: Password | None = None,
    https: bool = False,
) -> Entry:
    """The pages as an ASGI app, without the guard.

    `folder` is where uploads and downloads lie while it runs; without one, a new one in home/temp.
    """
    from fastapi import FastAPI

    if folder is None:
        made = tempfile.mkdtemp(dir=studio.settings.folder("temp"), prefix=UPLOADS)
        folder = Path(made)
    os.environ["GRADIO_TEMP_DIR"] = str(folder)
    outer = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    # Said of every app with several pages, asked for or not.
    warnings.filterwarnings("ignore", "SSR mode is not supported", UserWarning)
    pages = build(studio, password is not None)
    mounted = gr.mount_gradio_app(
        outer, pages, path="/", server_name=host, server_port=port, **launch_options(studio)
    )
    # Else Gradio takes the pages for an app in the making, and checks no path at all.
    pages.has_launched = True
    sessions = Sessions(folder, studio.settings.limits, password is not None)
    gate = Gate(Stream(mounted, pages._queue), pages, sessions, folder)
    return Entry(gate, sessions, Health(studio.settings), port, password, https)


def names_of(host: str) -> set[str]:
    """The names and addresses by which this machine is reached if it listens on all of them."""
    if host not in ANY:
        return set()
    import psutil

    own = {socket.gethostname(), socket.getfqdn()}
    for addresses in psutil.net_if_addrs().values():
        own |= {
            one.address.split("%")[0]
            for one in addresses
            if one.family in (socket.AF_INET, socket.AF_INET6)
        }
    return own


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
