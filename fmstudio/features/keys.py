"""What an input is, as a key: it changes with the content of any of its files."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from fmstudio.contracts import files_of, pipeline
from fmstudio.features.cache import content_key
from fmstudio.types import Source


def source_key(modality: str, sources: Sequence[Source]) -> str:
    """Changes with the content of any source, its name or the pipeline's version."""
    content = [
        [
            s.name,
            _sha256(s.path) if s.path else s.text,
            *([] if s.until is None else [s.until]),
            *([s.answers] if s.answers else []),
        ]
        for s in sources
    ]
    given = {source.path for source in sources}
    named = [_sha256(path) for path in files_of(modality, sources) if path not in given]
    return content_key(modality, pipeline(modality).version, content, named)


def _sha256(path: Path) -> str:
    """Of a file; of its name where it cannot be read, for the reader to say why."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return f"unreadable {path.name}"
