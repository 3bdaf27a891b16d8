"""Pretrains in a process of its own and kills itself in the middle: killed.py FOLDER STEP."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from tests.pretraining.conftest import engine_in

if __name__ == "__main__":
    engine = engine_in(Path(sys.argv[1]))
    step = engine._step

    def fatal(number: int) -> dict[str, float]:
        if number == int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)
        return step(number)

    engine._step = fatal
    engine.run()
