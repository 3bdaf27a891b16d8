"""The slow libraries, imported once and by one thread at a time."""

from __future__ import annotations

import importlib
import threading

_LOCK = threading.Lock()


def load_libraries() -> None:
    """Import torch, transformers and peft. To be called before anything of ours that needs them.

    transformers puts another module in its own place while it is imported. A second thread that
    meanwhile says `from transformers import …` waits for the import and is then handed the module
    that was replaced, which is empty: an ImportError, on a page opened in the first seconds.
    """
    with _LOCK:
        for name in ("torch", "transformers", "peft"):
            importlib.import_module(name)
