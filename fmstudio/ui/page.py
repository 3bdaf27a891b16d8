"""What a page is: its address, its place in the navigation, and the function that builds it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import gradio as gr

    from fmstudio.studio import Studio


# After the lists of a page have come: what was pressed before is pressed now (assets/ui/studio.js).
READY = "() => window.fmReady()"


@dataclass(frozen=True)
class Page:
    """One page. `path` is its address without the slash; the first page has none."""

    name: str
    path: str
    title: str
    order: int
    build: Callable[[gr.Blocks, Studio], None]
