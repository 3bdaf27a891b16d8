"""What the cells of one column look like: files of a modality, free text, numbers, identifiers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from fmstudio.cohort.cells import (
    ending,
    is_date,
    is_missing,
    is_path,
    name_words,
    says_number,
    split_paths,
)
from fmstudio.cohort.dates import written_date
from fmstudio.cohort.manifest import Manifest
from fmstudio.cohort.paths import Files, could_name, is_bare, leads_somewhere, readers_of
from fmstudio.cohort.written import is_pressure
from fmstudio.contracts import Measured, Pipeline

MOSTLY = 0.8
PROBED_CELLS = 500  # enough to tell what a column holds
PROBED_FILES = 20  # enough to tell what kind of files they are, by their first bytes
EXAMPLE_LENGTH = 80
_TOKEN = re.compile(r"\S+")
# Words that many columns have, and that say nothing about a modality.
_COMMON_WORDS = frozenset(("table", "file", "data", "path", "of", "and", "the", "value", "column"))


@dataclass(frozen=True)
class Kinds:
    """The pipelines as columns see them; `table` and `text` are those that cells can hold."""

    all: tuple[Pipeline, ...]
    suffixes: tuple[str, ...]
    words: Mapping[str, frozenset[str]]
    table: str | None
    text: str | None

    def measures(self, name: str) -> bool:
        """True if the name is that of a measurement that a pipeline knows."""
        return any(isinstance(p, Measured) and p.quantity(name) for p in self.all)

    @classmethod
    def of(cls, found: Iterable[Pipeline]) -> Kinds:
        """Gather file endings and words of the pipelines."""
        every = tuple(found)
        inline = {p.kind: p.name for p in reversed(every) if p.inline}
        return cls(
            every,
            tuple({suffix: None for p in every for suffix in p.suffixes}),
            {p.name: _pipeline_words(p) for p in every},
            inline.get("table"),
            inline.get("text"),
        )


def _pipeline_words(pipeline: Pipeline) -> frozenset[str]:
    said = " ".join((pipeline.name, pipeline.label, *pipeline.hints))
    return frozenset(name_words(said)) - _COMMON_WORDS


@dataclass(frozen=True)
class Column:
    """One column: its cells as typed (`values`, all rows) and what they look like."""

    name: str
    words: tuple[str, ...]
    values: Sequence[str]
    rows: int
    filled: int
    distinct: int
    examples: tuple[str, ...]
    content: str
    modality: str | None  # "" for files that no modality reads
    why: str
    numbers: bool
    dates: bool
    free_text: bool
    identifier: bool


def describe(name: str, manifest: Manifest, kinds: Kinds, files: Files) -> Column:
    """Look at a column's name and cells, and at the files that these name."""
    values = manifest.cells(name)
    filled = [value.strip() for value in values if not is_missing(value)]
    counts = Counter(filled)
    probed = filled[:: max(1, len(filled) // PROBED_CELLS)]
    words = name_words(name)
    numbers, dates = _share(probed, _is_number) >= MOSTLY, _share(probed, _is_date) >= MOSTLY
    modality, why = _modality(words, probed, kinds)
    if modality is None:
        modality, why = _modality_of_files(
            words, probed, len(counts) / max(1, len(filled)), kinds, files
        )
    plain = modality is None and not numbers and not dates
    named_text = kinds.text is not None and bool(set(words) & kinds.words[kinds.text])
    return Column(
        name=name,
        words=words,
        values=values,
        rows=len(values),
        filled=len(filled),
        distinct=len(counts),
        examples=tuple(_shorten(value) for value in list(counts)[:3]),
        content=_content(counts, len(filled), numbers, dates),
        modality=modality,
        why=why,
        numbers=numbers,
        dates=dates,
        free_text=plain and _is_free_text(probed, counts, named_text),
        identifier=modality is None
        and not dates
        and not (numbers and kinds.measures(name))
        and _is_identifier(filled, counts, numbers),
    )


def _share(values: Sequence[str], holds: Callable[[str], bool]) -> float:
    return sum(map(holds, values)) / len(values) if values else 0.0


def _is_number(cell: str) -> bool:
    return says_number(cell) or is_pressure(cell)


def _is_date(cell: str) -> bool:
    return is_date(cell) or written_date(cell) is not None


def _shorten(value: str) -> str:
    return value if len(value) <= EXAMPLE_LENGTH else value[: EXAMPLE_LENGTH - 1] + "…"


def _content(counts: Counter[str], filled: int, numbers: bool, dates: bool) -> str:
    """What the cells hold, in a few words."""
    if len(counts) <= 4:
        return "values " + ", ".join(f"'{_shorten(value)}'" for value in sorted(counts))
    if numbers:
        return f"numbers, {len(counts)} different ones in {filled} cells"
    if dates:
        return f"dates in {filled} cells"
    return f"{len(counts)} different values in {filled} cells"


def _is_free_text(probed: Sequence[str], counts: Counter[str], named: bool) -> bool:
    """Sentences: many words, mostly different. A fitting name needs less of both."""
    if not probed:
        return False
    length = sum(len(_TOKEN.findall(value)) for value in probed) / len(probed)
    if named:
        return len(counts) >= 10 or length >= 3
    return length >= 5 and len(counts) >= 0.3 * sum(counts.values())


def _is_identifier(filled: Sequence[str], counts: Counter[str], numbers: bool) -> bool:
    """A different single word, long number or row number in (nearly) every cell."""
    if len(filled) < 10 or len(counts) < 0.95 * len(filled):
        return False
    if not numbers:
        return all(len(_TOKEN.findall(value)) == 1 for value in counts)
    if not all(value.isdigit() for value in counts):
        return False
    whole = sorted(int(value) for value in counts)
    row_numbers = whole[-1] - whole[0] + 1 == len(whole)
    return row_numbers or all(len(value) >= 8 for value in counts)


def _modality_of_files(
    words: Sequence[str], probed: Sequence[str], distinct: float, kinds: Kinds, files: Files
) -> tuple[str | None, str]:
    """The modality of files and folders that are there, whatever they are called, and why.

    ("", why) for files that no modality knows and for paths that lead to nothing; None for cells
    that name no files. Bare words are names only where they are (nearly) all different: folders
    named after sites or classes stand beside many manifests.
    """
    some = [value for value in probed if could_name(value)][:PROBED_FILES]
    if not some or len(some) < min(MOSTLY * len(probed), PROBED_FILES):
        return None, ""
    found = {value: files.matches(value) for value in some}
    named = {
        value: files.root / places[0]
        for value, places in found.items()
        if places and (distinct >= MOSTLY or not is_bare(value))
    }
    if len(named) < MOSTLY * len(some):
        if _share(some, leads_somewhere) < MOSTLY:
            return None, ""
        return "", "Its cells look like names of files, but the folder of the table has none such."
    votes = Counter(p.name for path in named.values() for p in readers_of(path, kinds.all))
    folders = any(path.is_dir() for path in named.values())
    fits = {p.name: len(set(words) & kinds.words[p.name]) for p in kinds.all}
    if folders and all(map(is_bare, named)) and not any(fits[name] for name in votes):
        return None, ""
    readers = sorted(
        (p for p in kinds.all if votes[p.name] >= MOSTLY * len(named)),
        key=lambda p: (-fits[p.name], p.inline, p.order),
    )
    if not readers:
        ends = Counter(path.suffix.lower() or "no ending" for path in named.values())
        return "", f"Names files that no modality reads ({ends.most_common(1)[0][0]})."
    what = "folders of files" if folders else "files"
    rivals = [p.label for p in readers[1:] if fits[p.name] == fits[readers[0].name]]
    more = f"; they could also be {' or '.join(rivals)}" if rivals else ""
    return readers[0].name, f"Names {what} that begin as {readers[0].label}{more}."


def _modality(words: Sequence[str], probed: Sequence[str], kinds: Kinds) -> tuple[str | None, str]:
    """The modality whose files the cells name, and why; None if they name no files.

    Among pipelines that read the endings found, the column's name decides, then which of them
    lists the ending first.
    """
    paths = [value for value in probed if is_path(value, kinds.suffixes)]
    if not probed or len(paths) < MOSTLY * len(probed):
        return None, ""
    endings = Counter(
        ending(part, kinds.suffixes) for value in paths for part in split_paths(value)
    )
    common = endings.most_common(1)[0][0]
    readers = [
        (
            -sum(count for suffix, count in endings.items() if suffix in p.suffixes),
            -len(set(words) & kinds.words[p.name]),
            p.suffixes.index(common) if common in p.suffixes else len(p.suffixes),
            p.inline,
            p.order,
            p,
        )
        for p in kinds.all
        if set(endings) & set(p.suffixes)
    ]
    best, *others = sorted(readers, key=lambda entry: entry[:5])
    why = f"Names {common} files"
    rivals = [entry[5].label for entry in others if entry[:1] == best[:1]]
    if rivals and best[1] < 0:
        why += f", and its name fits {best[5].label}"
    elif rivals:
        why += f", taken for {best[5].label}; they could also be {' or '.join(rivals)}"
    return best[5].name, why + "."
