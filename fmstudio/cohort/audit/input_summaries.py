"""Files of a cohort -> a digest of each, read once in the sandbox and cached by content.

One input is in memory at a time; what is kept of it is small. What cannot be read gives its error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from fmstudio.cohort.audit.input_summary import VERSION, Digest, digest_of, from_arrays, to_arrays
from fmstudio.contracts import Asking, Described, pipeline
from fmstudio.errors import StudioError
from fmstudio.features.cache import Cache, content_key
from fmstudio.features.keys import source_key
from fmstudio.sandbox import Reader
from fmstudio.types import Cohort, ModalityInput, OpenQuestion, Source

Key = tuple[int, str]
Digests = Mapping[Key, Digest | StudioError]


def read_digests(
    cohort: Cohort,
    reader: Reader,
    cache: Cache,
    report: Callable[[float], None] = lambda share: None,
) -> Digests:
    """By (row, modality), everything that comes from files; `report` is told the share done."""
    given = {
        (case.row, name): sources
        for case in cohort.cases
        for name, sources in case.sources.items()
        if any(source.path is not None for source in sources)
    }
    keys = {at: content_key("digest", VERSION, source_key(at[1], s)) for at, s in given.items()}
    found: dict[Key, Digest | StudioError] = {
        at: from_arrays(cache.read(key)) for at, key in keys.items() if key in cache
    }
    jobs = [(at, at[1], given[at]) for at in given if at not in found]
    for done, (at, read) in enumerate(reader.read_many(jobs) if jobs else ()):
        found[at] = _digest(reader, at[1], given[at], read)
        if isinstance(one := found[at], Digest):
            cache.write(keys[at], to_arrays(one))
        report((done + 1) / len(jobs))
    return {at: found[at] for at in given}


def _digest(
    reader: Reader, modality: str, sources: Sequence[Source], read: ModalityInput | StudioError
) -> Digest | StudioError:
    if isinstance(read, StudioError):
        return read
    files = [source for source in sources if source.path is not None]
    try:
        described = isinstance(pipeline(modality), Described)
        about = reader.about(modality, files) if described else {}
        left_open = _asked(reader, modality, files)
    except StudioError as fault:
        return fault
    return digest_of(read, about, left_open)


def read_left_open(
    cohort: Cohort, reader: Reader, digests: Digests
) -> dict[Key, tuple[OpenQuestion, ...]]:
    """By (row, modality), what files leave open for a person to say; only where they do."""
    found: dict[Key, tuple[OpenQuestion, ...]] = {}
    for case in cohort.cases:
        for name, sources in case.sources.items():
            digest = digests.get((case.row, name))
            if isinstance(digest, Digest):
                found[case.row, name] = digest.left_open
            elif digest is not None:
                try:
                    found[case.row, name] = _asked(reader, name, sources)
                except StudioError:  # a fault that no answer would resolve
                    continue
    return {at: left for at, left in found.items() if left}


def _asked(reader: Reader, modality: str, sources: Sequence[Source]) -> tuple[OpenQuestion, ...]:
    asking = isinstance(pipeline(modality), Asking)
    return reader.open_questions(modality, sources) if asking else ()


def readable(digests: Digests, modality: str) -> Iterator[tuple[int, Digest]]:
    """(row, digest) of the inputs of a modality that could be read and hold something."""
    for (row, name), digest in digests.items():
        if name == modality and isinstance(digest, Digest) and not digest.empty:
            yield row, digest
