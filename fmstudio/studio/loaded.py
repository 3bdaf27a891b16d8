"""What stays in memory between two calls: the reading processes and the latest models."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING

from fmstudio.settings import Settings
from fmstudio.studio.libraries import load_libraries

if TYPE_CHECKING:
    from fmstudio.prediction.predictor import Predictor
    from fmstudio.sandbox import Reader

KEPT_PREDICTORS = 2  # each holds a whole model in memory
MOST_WORKERS = 4


class Loaded:
    """Makes each thing when it is first asked for. Safe for several threads."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.RLock()
        self._reader: Reader | None = None
        self._predictors: OrderedDict[str, Predictor] = OrderedDict()

    def reader(self) -> Reader:
        """The child processes that decode foreign files."""
        from fmstudio.sandbox import Reader

        with self._lock:
            if self._reader is None:
                workers = max(1, min(MOST_WORKERS, os.cpu_count() or 1))
                self._reader = Reader(self._settings.limits, workers=workers)
            return self._reader

    def predictor(self, adapter_id: str, folder: Path, sealed: str | None = None) -> Predictor:
        """The model of an adapter; the one used longest ago makes room for it.

        It is read and checked anew where a file that it rests on was touched. Raises BundleError.
        """
        load_libraries()
        from fmstudio.prediction.predictor import Predictor

        with self._lock:
            kept = self._predictors.get(adapter_id)
            if kept is not None and kept.stale:
                del self._predictors[adapter_id]
            if adapter_id not in self._predictors:
                made = Predictor(adapter_id, folder, self._settings, self.reader(), sealed)
                self._predictors[adapter_id] = made
            self._predictors.move_to_end(adapter_id)
            while len(self._predictors) > KEPT_PREDICTORS:
                self._predictors.popitem(last=False)
            return self._predictors[adapter_id]

    def forget(self, adapter_id: str) -> None:
        """Let go of the model of an adapter that is deleted."""
        with self._lock:
            self._predictors.pop(adapter_id, None)

    def close(self) -> None:
        """End the reading processes and let go of all models."""
        with self._lock:
            self._predictors.clear()
            reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()
