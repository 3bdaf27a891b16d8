"""Between the widgets of one modality and its sources: what was given, and what to fill in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fmstudio.contracts import Pipeline, files_of
from fmstudio.types import Source
from fmstudio.ui.wording import listed

Cells = list[list[str]]
HEADER = ("Name", "Value", "Seen in training")
_MOST_CATEGORIES = 6


@dataclass(frozen=True)
class Known:
    """What an adapter knows of a modality: its columns in training, and the range of each feature.

    A column is the name of a view, lead, site or feature; a new file takes the name of the column
    of its place, so that it is read as in training.
    """

    columns: tuple[str, ...] = ()
    ranges: Mapping[str, str] | None = None

    @classmethod
    def of(cls, card: Mapping[str, Any], modality: str) -> Known:
        """From an adapter's card."""
        columns = tuple((card.get("columns") or {}).get(modality) or ())
        features = (card.get("table_columns") or {}).get(modality) or {}
        names = [name for name in columns if name in features]
        names += [name for name in features if name not in names]
        return cls(columns, {name: _range(features[name]) for name in names})

    def name(self, place: int, otherwise: str) -> str:
        """The name of the file or text at a place."""
        return self.columns[place] if place < len(self.columns) else otherwise


def _range(feature: Mapping[str, Any]) -> str:
    """'39 to 96' or 'F or M', from what was learned of a feature."""
    if feature.get("quantiles"):
        return f"{feature['quantiles'][0]:g} to {feature['quantiles'][-1]:g}"
    categories = [str(one) for one in feature.get("categories") or ()]
    if len(categories) > _MOST_CATEGORIES:
        return f"{', '.join(categories[:_MOST_CATEGORIES])}, …"
    return listed(categories, "or")


def sources_of(
    pipeline: Pipeline,
    known: Known,
    files: Sequence[str] | None,
    names: Mapping[str, str],
    typed: str | Cells | None = None,
) -> list[Source]:
    """What was given: files, a typed text, or rows that start with name and value.

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
    for name, value, *_ in typed or ():
        if _said(name) and _said(value):
            given.append(Source(_said(name), text=_said(value)))
    return given


def filled(
    pipeline: Pipeline, known: Known, sources: Sequence[Source]
) -> tuple[list[str] | None, dict[str, str], str | Cells]:
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
    if pipeline.kind == "table":
        return files, names, rows(known, typed)
    return files, names, "\n\n".join(typed.values())


def rows(known: Known, values: Mapping[str, str]) -> Cells:
    """One row per feature that the adapter knows, then one per further value; never none."""
    left = dict(values)
    found = [[name, left.pop(name, ""), seen] for name, seen in (known.ranges or {}).items()]
    found += [[name, value, ""] for name, value in left.items()]
    return found or [["", "", ""]]


def typed_values(cells: Cells | None) -> dict[str, str]:
    """The values that a person typed, by name."""
    return {_said(row[0]): _said(row[1]) for row in cells or () if _said(row[0]) and _said(row[1])}


def _said(cell: Any) -> str:
    """A cell as text; nothing for an empty one."""
    return "" if cell is None or cell != cell else str(cell).strip()
