"""What a reader leaves out of a document, counted and said."""

from __future__ import annotations

from collections import Counter


class Skipped:
    """Counts what is left out, by what it is; a text from which something is missing says so."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def add(self, thing: str, count: int = 1) -> None:
        """`thing` in the singular: "comment", "tracked deletion"."""
        self._counts[thing] += count

    def remarks(self, file: str) -> list[str]:
        """One sentence, or none if nothing was left out."""
        said = [f"{n} {thing}{'s' * (n > 1)}" for thing, n in self._counts.items() if n]
        return [f"{file}: left out of the text: {', '.join(said)}."] if said else []
