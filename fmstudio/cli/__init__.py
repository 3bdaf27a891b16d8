"""The command line: parse, call one verb of the studio, write the answer.

Exit status: 0 on success, 2 for a mistake in the request or its files, 1 for a fault of ours.
"""

from fmstudio.cli.program import main

__all__ = ["main"]
