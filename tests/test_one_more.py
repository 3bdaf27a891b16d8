"""One more modality, encoder or page is one more file: nothing else has to be edited."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
COPIED = ("assets", "benchmarks", "data_samples", "docs", "fmstudio", "pipelines", "tests", ".ci")
BEIT = '''"""BEiT (Bao et al. 2022): pictures through a vision transformer without a class token's pooling."""

from __future__ import annotations

from torch import Tensor

from fmstudio.encoders.architectures import Architecture
from fmstudio.encoders.image_encoders import StillNetwork, still_family


class BeitNetwork(StillNetwork):
    """The class token is the frame's summary."""

    def look(self, pixels: Tensor) -> tuple[Tensor, Tensor | None]:
        """Patches (S, K, D) and class token (S, 1, D)."""
        states = self.model(pixels).last_hidden_state
        return states[:, 1:], states[:, :1]


ARCHITECTURES = {
    "beit": Architecture(
        "BeitConfig", "BeitModel", r"layer\\.\\d+\\.attention\\.attention\\.(query|value)",
        arguments={"add_pooling_layer": False},
    ),
}

ENCODER = still_family("beit", ARCHITECTURES, BeitNetwork, ("Beit",))
'''
FOUND = """
from fmstudio.cohort.columns import Kinds
from fmstudio.contracts import discover, pipelines
from fmstudio.encoders.checkpoint import supported
print("fvc" in Kinds.of(pipelines().values()).words["spirometry"], supported().get("beit"), "welcome" in discover("fmstudio.ui.pages", "PAGE"))
"""


def example(page: str) -> str:
    """The file that a page of the documentation shows."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    (code,) = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return str(code)


@pytest.fixture(scope="module")
def grown(tmp_path_factory) -> Path:
    """A copy of this checkout with a modality, an encoder and a page more, one file each."""
    copy = tmp_path_factory.mktemp("grown")
    ignored = shutil.ignore_patterns("__pycache__", "screenshots")
    for name in COPIED:
        shutil.copytree(ROOT / name, copy / name, ignore=ignored)
    for path in ROOT.iterdir():
        if path.is_file():
            shutil.copy(path, copy / path.name)
    more = {
        "pipelines/spirometry.py": example("adding-a-modality.md"),
        "fmstudio/encoders/beit.py": BEIT,
        "fmstudio/ui/pages/welcome.py": example("adding-a-page.md"),
    }
    for place, code in more.items():
        (copy / place).write_text(code, encoding="utf-8")
    return copy


@pytest.mark.timeout(900)
def test_a_copy_with_one_file_more_of_each_passes_the_tests_of_docs_imports_and_contracts(grown):
    found = subprocess.run(
        [sys.executable, "-c", FOUND], cwd=grown, capture_output=True, text=True, timeout=300
    )
    assert found.stdout.strip() == "True ('beit', 'frames') True", found.stderr
    tests = [
        "tests/test_docs.py",
        "tests/test_imports.py",
        "tests/pipelines/test_contract.py",
        "tests/ui/test_shell.py",
    ]
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-k",
            "not damaged and not sample",
            *tests,
        ],
        cwd=grown,
        capture_output=True,
        text=True,
        timeout=800,
    )
    assert done.returncode == 0, done.stdout
