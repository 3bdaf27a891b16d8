"""Keeps what was measured in results.json and writes it down for people in RESULTS.md."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

PACKAGES = ("torch", "transformers", "peft", "gradio", "scikit-learn")
HEAD = """# Benchmarks

Written by `python -m benchmarks`; each part can be run alone. Times on a shared machine vary:
read the ratios, each of which comes from one run on one machine.
"""


class Results:
    """The file of what was measured, by part."""

    def __init__(self, folder: Path) -> None:
        self.data, self.page = folder / "results.json", folder / "RESULTS.md"

    def read(self) -> dict[str, Any]:
        """Everything measured so far: {part: {found, at, machine}}."""
        return json.loads(self.data.read_text("utf-8")) if self.data.is_file() else {}

    def keep(self, part: str, found: Mapping[str, Any]) -> None:
        """Put a part's new figures in the place of its old ones."""
        entry = {
            "found": found,
            "machine": _machine(),
            "at": datetime.now(UTC).strftime("%Y-%m-%d"),
        }
        everything = self.read() | {part: entry}
        self.data.write_text(json.dumps(everything, indent=1, sort_keys=True) + "\n", "utf-8")

    def write_page(
        self, titles: Mapping[str, str], sections: Mapping[str, Callable[[Any], str]]
    ) -> None:
        """RESULTS.md: a section for each part that was ever run, with its command."""
        kept = self.read()
        parts = [
            f"## {titles[part]}\n\n`python -m benchmarks {part}`, {kept[part]['at']}, "
            f"{kept[part]['machine']}\n\n{sections[part](kept[part]['found'])}\n"
            for part in sections
            if part in kept
        ]
        self.page.write_text("\n".join([HEAD, *parts]), "utf-8")


def _machine() -> str:
    cores, memory = psutil.cpu_count(), psutil.virtual_memory().total / 2**30
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return f"{cores} cores, {memory:.0f} GB, Python {platform.python_version()}, {packages}"
