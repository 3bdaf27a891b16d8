"""Between the widgets of one modality and its sources: what was given, and what to fill in."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fmstudio.contracts import Pipeline, files_of
from fmstudio.errors import InputError
from fmstudio.types import Source

Values = Mapping[str, str]


@dataclass(frozen=True)
class Known:
    """What an adapter knows of a modality: its columns in training.

    A column is the name of a view, lead, site or feature; a new file takes the name of the column
    of its place, so that it is read as in training.
    """

    columns: tuple[str, ...] = ()

    @classmethod
    def of(cls, card: Mapping[str, Any], modality: str) -> Known:
        """From an adapter's card."""
        return cls(tuple((card.get("columns") or {}).get(modality) or ()))

    def name(self, place: int, otherwise: str) -> str:
        """The name of the file or text at a place."""
        return self.columns[place] if place < len(self.columns) else otherwise


def typed_values(stands: str | None) -> dict[str, dict[str, str]]:
    """By modality and name, what stands in the fields of the page: JSON [[modality, name, text]].

    Raises InputError for anything else than that.
    """
    try:
        rows = json.loads(stands or "[]")
        found: dict[str, dict[str, str]] = {}
        for modality, name, said in rows:
            if not all(isinstance(word, str) for word in (modality, name, said)):
                raise ValueError
            if said.strip():
                found.setdefault(modality, {})[name] = said.strip()
    except (ValueError, TypeError, RecursionError) as fault:
        raise InputError(
            "What stands in the fields did not arrive as it should.", hint="Reload the page."
        ) from fault
    return found


def sources_of(
    pipeline: Pipeline,
    known: Known,
    files: Sequence[str] | None,
    names: Mapping[str, str],
    typed: str | Values | None = None,
) -> list[Source]:
    """What was given: files, a typed text, or values by name.

    `names` says for files of the sample case which column they came from.
    """
    given = []
    for place, file in enumerate(files or ()):
        path = Path(file)
        name = names.get(path.name) or known.name(place, pipeline.name)
        given.append(Source(name, path=path))
    if isinstance(typed, str):
        if typed.strip():
            given.append(Source(known.name(0, pipeline.name), text=typed.strip()))
        return given
    return given + [Source(name, text=said) for name, said in (typed or {}).items()]


def filled(
    pipeline: Pipeline, sources: Sequence[Source]
) -> tuple[list[str] | None, dict[str, str], str | Values]:
    """The reverse: files, their names, and what to type, so that the widgets give `sources`.

    A browser knows nothing of a file's neighbours, so the other files of a recording come along.
    """
    paths: list[Path] = []
    names: dict[str, str] = {}
    for source in sources:
        for path in files_of(pipeline.name, [source]):
            if path.name not in names:
                paths.append(path)
            names[path.name] = source.name
    typed = {source.name: source.text or "" for source in sources if source.path is None}
    files = [str(path) for path in paths] or None
    return files, names, typed if pipeline.kind == "table" else "\n\n".join(typed.values())
