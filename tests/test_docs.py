"""What the README and docs say is so: files, commands, roles, limits, and the example modality."""

from __future__ import annotations

import argparse
import ast
import re
import shlex
import sys
import types
from dataclasses import fields
from pathlib import Path

import pytest

from data_samples import damage
from fmstudio import contracts
from fmstudio.cli.parser import build_parser
from fmstudio.cohort.roles import FIXED_ROLES
from fmstudio.encoders.checkpoint import supported
from fmstudio.errors import UnreadableFile
from fmstudio.settings import Limits
from fmstudio.types import Source
from tests.pipelines import test_contract as contract

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = sorted(path for path in ROOT.rglob("*.md") if ".venv" not in path.parts)
MANUAL = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")


def blocks(text: str, language: str = "") -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def rooms() -> dict[str, str]:
    """Folder of the package -> the first line of its docstring."""
    found = {}
    for path in sorted((ROOT / "fmstudio").glob("*/**/__init__.py")):
        docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        found[f"{path.parent.relative_to(ROOT).as_posix()}/"] = docstring.split("\n")[0].rstrip(".")
    return found


def test_every_folder_of_the_package_is_in_the_page_on_architecture():
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert dict(re.findall(r"^\| `(fmstudio/.+)` \| (.+) \|$", page, re.MULTILINE)) == rooms()


def test_every_folder_at_the_top_is_in_the_readmes_tree():
    (tree,) = [block for block in blocks(README) if block.startswith("app.py")]
    shown = set(re.findall(r"^([a-z_]+/)", tree, re.MULTILINE))
    kept = {
        f"{path.name}/"
        for path in ROOT.iterdir()
        if path.is_dir() and not path.name.startswith(".") and any(path.rglob("*.*"))
    }
    assert kept - {"venv/", "screenshots/", "build/", "fmstudio.egg-info/"} == shown


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", text)
    gone = [t for t in targets if "://" not in t and not (page.parent / t).exists()]
    assert gone == []


def commands(parser: argparse.ArgumentParser, above: str = "") -> dict[str, set[str]]:
    """Every command with its own options."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            found = {}
            for name, inner in action.choices.items():
                found |= commands(inner, f"{above} {name}".strip())
            return found
    return {above: {word for action in parser._actions for word in action.option_strings}}


def test_every_command_and_option_is_in_the_manual_and_nothing_else():
    parser = build_parser(tuple(contracts.pipelines().values()))
    known = commands(parser)
    listed = {
        m.strip() for m in re.findall(r"^\| `((?:[a-z]+(?:-[a-z]+)* ?)+)", MANUAL, re.MULTILINE)
    }
    assert listed == set(known)
    options = set().union(*known.values()) - {"-h"}
    always = set().union(*commands(build_parser(())).values()) - {"-h"}
    written = {f"--{word}" for word in re.findall(r"--([a-z][a-z-]*)", MANUAL)}
    assert always <= written <= options  # a modality brings its option along


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_commands_shown_in_the_pages_can_be_typed(page):
    parser = build_parser(tuple(contracts.pipelines().values()))
    joined = [block.replace("\\\n", " ") for block in blocks(page.read_text(encoding="utf-8"))]
    for line in "\n".join(joined).splitlines():
        if line.startswith("python -m fmstudio "):
            parser.parse_args(shlex.split(line)[3:])


def test_every_role_is_in_the_page_on_manifests():
    page = (ROOT / "docs" / "manifest.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `([a-z_]+)` \|", page, re.MULTILINE)
    assert set(FIXED_ROLES) <= set(listed) <= {*FIXED_ROLES, *contracts.pipelines()}


def test_every_limit_is_in_the_page_on_security_with_its_default():
    page = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    listed = dict(re.findall(r"^\| `FMSTUDIO_([A-Z_]+)` \| ([\d.]+) \|", page, re.MULTILINE))
    assert {name.lower(): float(value) for name, value in listed.items()} == {
        limit.name: float(limit.default) for limit in fields(Limits)
    }


def test_every_architecture_of_the_page_on_base_models_can_be_read():
    page = (ROOT / "docs" / "base-models.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| (frames|waveform|series|text) \| (.+) \|$", page, re.MULTILINE)
    named = {name: kind for kind, names in listed for name in re.findall(r"`(.+?)`", names)}
    assert named.items() <= {name: kind for name, (_, kind) in supported().items()}.items()


def test_the_readmes_commands_install_what_the_files_name():
    assert "pip install -r requirements.txt && .venv/bin/python app.py" in README
    assert "pip install -r requirements-dev.txt && .venv/bin/python -m pytest -n 2" in README
    wanted = (ROOT / "requirements-dev.txt").read_text(encoding="utf-8")
    assert "-r requirements.txt" in wanted
    assert "pytest-xdist" in wanted
    assert ".venv/bin/python -m pytest -n 2" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


@pytest.fixture
def example(monkeypatch):
    """The modality that the page on adding one shows, as a module."""
    (code,) = blocks((ROOT / "docs" / "adding-a-modality.md").read_text("utf-8"), "python")
    module = types.ModuleType("spirometry")
    monkeypatch.setitem(sys.modules, "spirometry", module)
    exec(compile(code, "adding-a-modality.md", "exec"), module.__dict__)
    return module.PIPELINE


def test_the_example_modality_reads_a_file_and_says_what_it_left_out(example, tmp_path):
    assert isinstance(example, contracts.Pipeline)
    assert example.kind in contracts.KINDS
    path = tmp_path / "blow.spiro"
    path.write_text("2.0 0.0\n2.5 1.5\n3.0 2.75\n")
    read = example.read([Source("blow", path=path)] * 2)
    assert read.values.tolist() == [[0.0], [1.5], [2.75]]
    assert read.facts["seconds"] == [0.0, 0.5, 1.0]
    assert read.remarks == ("1 further manoeuvres were left out.",)
    assert "2.75 L" in example.preview([Source("blow", path=path)]).text


def test_the_example_modality_refuses_what_it_cannot_read(example, tmp_path):
    path = tmp_path / "blow.spiro"
    path.write_text("not a manoeuvre\n")
    with pytest.raises(UnreadableFile, match=r"blow\.spiro"):
        example.read([Source("blow", path=path)])


def test_the_example_modality_keeps_the_contract_with_files_of_its_own(
    example, monkeypatch, tmp_path
):
    """One more modality is one more file: no test names it."""
    for module in (contract, damage):
        monkeypatch.setattr(module, "pipelines", lambda: {"spirometry": example})
    files = damage.whole_files(tmp_path)

    contract.test_there_are_whole_files_for_every_pipeline(files)
    contract.test_a_pipeline_says_what_it_is("spirometry")
    contract.test_every_format_is_read_in_the_standard_form_of_its_kind("spirometry", files)
    contract.test_reading_twice_gives_the_same("spirometry", files)
    contract.test_nothing_given_is_an_empty_input("spirometry")
    contract.test_a_person_can_look_at_what_was_read("spirometry", files)
    contract.test_a_file_of_another_kind_is_refused_with_its_name_and_a_way_out(
        "spirometry", tmp_path
    )


def test_the_example_modality_appears_by_itself_as_role_and_option(example, monkeypatch):
    known = {**contracts.pipelines(), example.name: example}
    monkeypatch.setattr(contracts, "pipelines", lambda: known)
    parser = build_parser(tuple(known.values()))
    args = parser.parse_args(["predict", "a/b", "--spirometry", "x.spiro"])
    assert args.input_spirometry == ["x.spiro"]


def test_every_test_that_the_page_on_reliability_names_is_there():
    page = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    named = re.findall(r"`([a-z_/]+\.py)::(test_\w+)`", page)
    rows = {int(row) for row in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)}
    assert rows == set(range(1, 149))
    gone = [
        f"{file}::{test}"
        for file, test in named
        if not re.search(rf"def {test}\(", (ROOT / "tests" / file).read_text(encoding="utf-8"))
    ]
    assert gone == []
