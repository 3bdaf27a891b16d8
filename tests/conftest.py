"""Fixtures that every test may use. No test reaches the network or a hub."""

from __future__ import annotations

import os
from pathlib import Path

os.environ.update(
    GRADIO_ANALYTICS_ENABLED="False", HF_HUB_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1"
)

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real cohorts and files beside the project; skips where it is missing."""
    if not SHARED.is_dir():
        pytest.skip("the folder shared/ with real cohorts and files is not beside the project")
    return SHARED
