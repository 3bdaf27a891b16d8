"""Lines of a log -> the same lines in the studio's own words alone.

Logs hold nothing of patients by design, but what libraries say in them was not written by us. So
nothing is let through but what stands in our own source: of each line its time, level and module,
and the words of the call that wrote it; what was filled in there becomes `…`, except the ids of
runs and adapters. Of a traceback the lines of our files stay, and the kind of the fault.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from fmstudio import errors

ROOT = Path(__file__).resolve().parents[2]
OURS = ("fmstudio", "pipelines")
LEVELS = ("debug", "info", "warning", "error", "exception", "critical")
LEFT_OUT = "…"

_LINE = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d),\d{3}Z? ([A-Z]{4,8}) ([\w.]+): (.*)")
# As Python writes a frame, and as `traces` does in the studio's own logs.
_FRAME = re.compile(r'\s+(?:File ")?([^"]+?)(?:", line |:)(\d{1,6}),? in ')
_FAULT = re.compile(r"([A-Za-z_]+)(?::|$)")
_FILLED_IN = re.compile(r"%[sdr]")
_ID = re.compile(r"(?:run|adapter)-[0-9a-f]{6}")
_LEVEL_NAMES = {level.upper() for level in LEVELS}


def in_our_words(lines: Iterable[str]) -> Iterator[str]:
    """The lines without anything that is not in our source; what is left out is counted."""
    left_out = 0
    for line in lines:
        kept = _kept(line.rstrip("\r\n"))
        if kept is None:
            left_out += 1
            continue
        if left_out:
            yield f"  ({left_out} lines left out)"
            left_out = 0
        yield kept
    if left_out:
        yield f"  ({left_out} lines left out)"


def _kept(line: str) -> str | None:
    record = _LINE.fullmatch(line)
    if record:
        at, level, module, said = record.groups()
        if level not in _LEVEL_NAMES:
            return None
        known = _templates(module)
        words = LEFT_OUT if known is None else _said(said, known)
        return f"{at} {level} {'another module' if known is None else module}: {words}"
    frame = _FRAME.match(line)
    if frame:
        return f"  {_file(frame[1])}, line {frame[2]}"
    fault = _FAULT.match(line)
    if fault and _is_fault(fault[1]):
        return f"  {fault[1]}"
    return None


def _said(said: str, templates: tuple[str, ...]) -> str:
    """The words of the call that wrote a line: of those that fit, the longest."""
    for template in templates:
        words = _FILLED_IN.split(template)
        found = re.fullmatch("(.*?)".join(map(re.escape, words)), said)
        if found:
            filled = [text if _ID.fullmatch(text) else LEFT_OUT for text in found.groups()]
            return "".join(map("".join, zip(words, [*filled, ""], strict=True)))
    return LEFT_OUT


@cache
def _templates(module: str) -> tuple[str, ...] | None:
    """The first words of every call of a logger in a module of ours, the longest first."""
    path = ROOT.joinpath(*module.split(".")).with_suffix(".py")
    if module.split(".")[0] not in OURS or not path.is_file():
        return None
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        first = node.args[0] if node.args else None
        if node.func.attr in LEVELS and isinstance(first, ast.Constant):
            found.add(str(first.value))
    return tuple(sorted(found, key=len, reverse=True))


def _file(name: str) -> str:
    """A file of our source as seen from its root; nothing of any other path."""
    path = ROOT / name
    for root in OURS:
        if path.is_relative_to(ROOT / root) and path.is_file() and path.suffix == ".py":
            return path.relative_to(ROOT).as_posix()
    return "another file"


def _is_fault(name: str) -> bool:
    kind = getattr(builtins, name, None) or getattr(errors, name, None)
    return isinstance(kind, type) and issubclass(kind, BaseException)
