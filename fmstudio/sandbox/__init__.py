"""Foreign files in, clean numbers out: every pipeline runs in a child process with limits.

reader.py   the studio's side: a pool of warm children, time limit, replacement
child.py    the other side: reads one case at a time under a memory limit
moment.py   an input up to the moment of prediction
wire.py     what travels between them: JSON headers and raw bytes, never pickle
"""

from fmstudio.sandbox.reader import MEMORY_LIMITED, Reader
from fmstudio.sandbox.wire import pack, unpack

__all__ = ["MEMORY_LIMITED", "Reader", "pack", "unpack"]
