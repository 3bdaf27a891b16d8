"""Small manifests, written as people write them."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from fmstudio.cohort import propose_roles, read_manifest


@pytest.fixture
def write(tmp_path):
    """write("a,b\\n1,2\\n") -> the path of a manifest; bytes are written as they are."""

    def write(content: str | bytes, name: str = "manifest.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.fixture
def manifest(write):
    """manifest(columns as lists) -> the Manifest."""

    def make(**columns):
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
        return read_manifest(write(text.getvalue()))

    return make


@pytest.fixture
def roles():
    """The proposed roles of a manifest, with changes."""

    def propose(manifest, label=None, **changes):
        return {role.column: role.role for role in propose_roles(manifest, label)} | changes

    return propose


def patients(count: int) -> list[str]:
    """P000, P001, …"""
    return [f"P{number:03d}" for number in range(count)]
