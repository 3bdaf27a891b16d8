"""The reading child: `python -m fmstudio.sandbox.child SECONDS MEMORY_MB [tables]`, started by
reader.py; one for tables loads no pipelines.

Takes requests on standard input and answers on standard output (see wire.py) until its input
ends. A file that breaks a decoder can only end this process; the studio then names the file.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

from fmstudio import contracts
from fmstudio.errors import StudioError
from fmstudio.sandbox.index_time import until_moment
from fmstudio.sandbox.wire import (
    pack,
    pack_preview,
    pack_table,
    question_to_json,
    receive,
    send,
    source_from_json,
)
from fmstudio.standard_form import deviation
from fmstudio.tables.reading import read_table
from fmstudio.types import Source

FILE_BYTES = 64 * 2**20  # a decoder's scratch file may grow to this
REQUEST_BYTES = 2**30
GRACE_SECONDS = 5.0


def main(seconds: float, memory_mb: int, only_tables: bool = False) -> None:
    """Answer requests until standard input ends."""
    requests, answers = _take_over_pipes()
    if not only_tables:
        contracts.pipelines()
    _limit(memory_mb)
    send(answers, {"ready": True})
    while True:
        try:
            request, _ = receive(requests, REQUEST_BYTES)
        except EOFError:
            return
        _alarm(seconds + GRACE_SECONDS)
        header, parts = _answer(request)
        send(answers, header, parts)
        del header, parts  # what was read may be large, and must not lie beside the next input
        _alarm(0.0)


def _take_over_pipes() -> tuple[BinaryIO, BinaryIO]:
    """The pipes as binary streams; what libraries print goes to standard error instead."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    return requests, answers


def _limit(memory_mb: int) -> None:
    """Bound the memory of a read, its scratch files, core dumps and connections.

    The address space may grow by `memory_mb` from what the libraries take at rest.
    """
    sys.addaudithook(_refuse_network)
    try:
        import resource
    except ImportError:  # Windows has none; `doctor` says so
        return
    at_rest = Path("/proc/self/statm")
    pages = int(at_rest.read_text().split()[0]) if at_rest.exists() else 0
    memory = pages * resource.getpagesize() + memory_mb * 2**20
    for limit, value in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_FSIZE, FILE_BYTES),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(limit)
        allowed = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(limit, (allowed, allowed))


def _refuse_network(event: str, _: tuple[Any, ...]) -> None:
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        raise PermissionError("a file reader does not use the network")


def _alarm(seconds: float) -> None:
    """End this process after `seconds` even if the studio that should do so is gone."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, seconds)


def _answer(request: dict[str, Any]) -> tuple[dict[str, Any], Sequence[bytes]]:
    """Run one request; every fault becomes a header that says what it was."""
    try:
        if request["verb"] == "table":
            header, parts = pack_table(*read_table(Path(request["sources"][0]["path"])))
            return {"table": header}, parts
        pipeline = contracts.pipeline(request["modality"])
        sources: list[Source] = [source_from_json(given) for given in request["sources"]]
        if request["verb"] == "preview":
            header, parts = pack_preview(pipeline.preview(sources))
            return {"preview": header}, parts
        if request["verb"] == "about":
            told = pipeline.about(sources) if isinstance(pipeline, contracts.Described) else {}
            return {"about": {what: list(said) for what, said in told.items()}}, []
        if request["verb"] == "questions":
            asking = pipeline if isinstance(pipeline, contracts.Asking) else None
            left = asking.open_questions(sources) if asking else ()
            return {"questions": [question_to_json(one) for one in left]}, []
        if request["verb"] == "strip":
            described = pipeline if isinstance(pipeline, contracts.Described) else None
            kept = described.stripped(*sources) if described else None
            return {"stripped": kept is not None}, [] if kept is None else [kept]
        given = until_moment(pipeline.read(sources), sources)
        if wrong := deviation(given):
            raise ValueError(wrong)
        return {"input": True}, [pack(given)]
    except StudioError as fault:
        return {"error": type(fault).__name__, "message": fault.message, "hint": fault.hint}, []
    except MemoryError:
        return {"memory": True}, []
    except Exception as fault:
        # Place and type only: the text of a foreign exception may quote the patient's file.
        where = [f"{Path(step.filename).name}:{step.lineno}" for step in _steps(fault)]
        return {"fault": type(fault).__name__, "where": where}, []


def _steps(fault: Exception) -> list[traceback.FrameSummary]:
    return traceback.extract_tb(fault.__traceback__)[-4:]


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]), sys.argv[3:] == ["tables"])
