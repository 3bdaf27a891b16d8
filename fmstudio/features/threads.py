"""How work is shared out over the cores of a processor."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor

import torch


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """What torch does is done by one thread.

    One case is too small to share out: on a busy machine threads wait for each other longer than
    they work.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def side_by_side(device: torch.device) -> Iterator[Executor]:
    """A pool for batches that need nothing of each other: each by one thread on a core of its own.

    They never wait for each other, so a busy machine slows them by what it takes and no more, and
    the last bit of a result does not depend on how many cores there are. A GPU gets one after the
    other.
    """
    cores = 1 if device.type != "cpu" else min(torch.get_num_threads(), os.cpu_count() or 1)
    with one_thread(), ThreadPoolExecutor(cores) as pool:
        yield pool
