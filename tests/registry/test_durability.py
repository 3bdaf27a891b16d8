"""Several processes at once, and processes that are killed while they write."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from fmstudio.records import Progress
from fmstudio.registry import Registry

ROOT = Path(__file__).resolve().parents[2]
START = (
    "import sys; from pathlib import Path\n"
    "from fmstudio.records import Point, Progress\n"
    "from fmstudio.registry import Registry; from fmstudio.settings import Settings\n"
    "registry, run = Registry.open(Settings(Path(sys.argv[1]))), sys.argv[2]\n"
)
COUNT = START + (
    "from dataclasses import asdict\n"
    "from fmstudio.registry.tables import Run\n"
    "for _ in range(15):\n"
    "    with registry.writing() as session:\n"
    "        row = session.get(Run, run)\n"
    "        row.progress = row.progress | {'epoch': row.progress['epoch'] + 1}\n"
    "    registry.record('counted', run)\n"
)
WRITE = START + (
    "for step in range(10**6):\n"
    "    registry.add_points(run, [Point(name, step, step) for name in 'abcdefgh'])\n"
    "    registry.record('step', str(step))\n"
    "    print(step, flush=True)\n"
)


def spawn(code: str, registry: Registry, run_id: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, str(registry.home), run_id],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_eight_processes_that_count_lose_no_count(registry, run):
    counting = [spawn(COUNT, registry, run.id) for _ in range(8)]

    assert [process.wait(timeout=120) for process in counting] == [0] * 8
    assert registry.run(run.id).progress == Progress(epoch=120)
    assert sum(event.kind == "counted" for event in registry.events(limit=None)) == 120
    assert registry.verify_chain() == (True, None)


def test_what_a_killed_process_had_written_is_there_and_nothing_by_halves(registry, run):
    for _ in range(4):
        writing = spawn(WRITE, registry, run.id)
        said = [writing.stdout.readline() for _ in range(12)]
        os.kill(writing.pid, signal.SIGKILL)
        said += writing.stdout.readlines()
        writing.wait(timeout=120)
        last = int([line for line in said if line.endswith("\n")][-1])

        kept = registry.points(run.id)
        assert {point.step for point in kept if point.name == "a"} >= set(range(last + 1))
        assert len(kept) % 8 == 0
        assert registry.verify_chain() == (True, None)
