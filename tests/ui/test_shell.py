"""The app as a whole: what it is made of, and how it is served."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import gradio as gr
import pytest
from starlette.testclient import TestClient

from data_samples.generate import generate
from fmstudio.errors import ResourceError
from fmstudio.studio import Studio
from fmstudio.ui.guard import Guard
from fmstudio.ui.shell import application, build, launch_options, serve

PAGES = [
    "",
    "data",
    "finetune",
    "pretrain",
    "runs",
    "evaluate",
    "predict",
    "adapters",
    "bases",
]


@pytest.fixture(scope="module")
def opened(tmp_path_factory) -> Iterator[Studio]:
    with Studio.open(tmp_path_factory.mktemp("home")) as studio:
        yield studio


@pytest.fixture(scope="module")
def app(opened: Studio) -> gr.Blocks:
    return build(opened)


@pytest.fixture(scope="module")
def client(opened: Studio) -> Iterator[TestClient]:
    with TestClient(Guard(application(opened)), base_url="http://127.0.0.1:7860") as client:
        yield client


def test_every_page_has_its_address(app):
    assert [path for path, _, _ in app.pages if path in PAGES] == PAGES


@pytest.mark.parametrize("path", PAGES)
def test_every_page_opens(client, path):
    answer = client.get(f"/{path}")

    assert answer.status_code == 200
    assert "Foundation Model Studio" in answer.text


def test_every_handler_is_private(app):
    public = [fn.api_name for fn in app.fns.values() if fn.api_visibility != "private"]

    assert public == []


def test_every_box_that_can_be_filled_has_a_label(app):
    unnamed = [
        type(block).__name__
        for block in app.blocks.values()
        if isinstance(block, gr.Textbox | gr.Number | gr.Dropdown | gr.Radio | gr.File)
        and block.visible is True
        and not block.label
    ]

    assert unnamed == []


def test_every_button_does_something(app):
    pressed = {
        target for fn in app.fns.values() for target, event in fn.targets if event == "click"
    }
    idle = [
        block.value
        for block in app.blocks.values()
        if isinstance(block, gr.Button) and block._id not in pressed
    ]

    assert idle == []


def test_nothing_is_fetched_from_another_host(client):
    for path in ("/", "/config", "/theme.css"):
        page = client.get(path).text
        assert "fonts.googleapis" not in page
        assert "cdnjs" not in page


def test_neither_analytics_nor_history_of_inputs_are_on(app, opened):
    options = launch_options(opened)

    assert app.analytics_enabled is False
    assert options["run_history"] is False
    assert "share" not in options


def test_a_foreign_host_gets_nothing_of_the_app(client):
    assert client.get("/", headers={"Host": "evil.example"}).status_code == 403


def test_a_foreign_page_cannot_upload(client):
    file = {"files": ("a.zip", b"PK", "application/zip")}
    origin = {"Origin": "http://evil.example"}

    assert client.post("/gradio_api/upload", files=file, headers=origin).status_code == 403
    assert client.post("/gradio_api/upload", files=file).status_code == 200


def test_registry_and_manifests_are_not_served(client, opened):
    home = opened.settings.home
    kept = opened.settings.folder("cohorts") / "x" / "manifest.csv"
    kept.parent.mkdir()
    kept.write_text("case_id\n", encoding="utf-8")

    for path in (home / "registry.sqlite", kept):
        assert path.exists()
        assert client.get(f"/gradio_api/file={path}").status_code == 403


def test_an_upload_that_is_too_large_is_refused_by_the_limit(opened):
    assert launch_options(opened)["max_file_size"] == f"{opened.settings.limits.upload_mb}mb"


def test_a_port_in_use_is_said_with_what_to_do(opened):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        with pytest.raises(ResourceError, match=str(port)) as fault:
            serve(opened, port=port, open_browser=False)
    assert "--port" in fault.value.hint


def test_the_pages_are_up_before_anything_heavy_is_loaded():
    code = (
        "import sys; import fmstudio.ui.shell, fmstudio.ui.pages.predict, fmstudio.ui.pages.runs;"
        "heavy = {'torch', 'transformers', 'peft', 'sqlalchemy', 'plotly', 'sklearn'};"
        "sys.exit(', '.join(heavy & set(sys.modules)) or None)"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)

    assert done.stderr.strip() == ""
    assert done.returncode == 0


def test_the_sample_case_brings_its_adapter_along_as_a_choice(tmp_path, monkeypatch):
    """Somebody may have opened the page before the sample was made."""
    told = []
    few = generate(tmp_path / "few", cases=20)
    monkeypatch.setattr("fmstudio.studio.sample.MANIFEST", few)
    monkeypatch.setattr("fmstudio.ui.message.tell", lambda message, hint="": told.append(message))
    with Studio.open(tmp_path / "home") as studio:
        fill = next(
            fn.fn
            for fn in build(studio).fns.values()
            if fn.name == "fill" and fn.fn.__module__ == "fmstudio.ui.pages.predict"
        )
        fill()
        assert told == ["The sample case is being prepared."]

        studio.demo()
        chosen, case_id, *_ = fill()
        sample = studio.sample()
        assert (chosen["value"], case_id) == (sample.adapter, sample.case_id)
        assert sample.adapter in [value for _, value in chosen["choices"]]
