"""Pages and the background both need the slow libraries in the first seconds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOGETHER = """
import sys, threading, time
from pathlib import Path
from fmstudio.studio import Studio

studio = Studio.open(Path(sys.argv[1]))
from fmstudio.errors import BundleError

faults = []

def run(wait, verb):
    time.sleep(wait)
    try:
        verb()
    except BundleError:
        pass  # there is no such adapter, which is found out after the import
    except Exception as fault:
        faults.append(repr(fault))

nowhere = Path(sys.argv[1]) / "none"
threads = [
    threading.Thread(target=run, args=(0.0, lambda: studio.context.loaded.predictor("none", nowhere))),
    *(threading.Thread(target=run, args=(float(sys.argv[2]) * step, studio.pretraining.objectives))
      for step in range(4)),
]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
studio.close()
print(*faults, sep="\\n")
sys.exit(bool(faults))
"""


@pytest.mark.parametrize("apart", [0.0, 0.5])
def test_what_is_asked_while_the_model_is_being_loaded_is_answered(tmp_path, apart):
    done = subprocess.run(
        [sys.executable, "-c", TOGETHER, str(tmp_path / "home"), str(apart)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode == 0, done.stdout + done.stderr
