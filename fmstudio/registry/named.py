"""The rows of a registry -> the folders below home that they name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

from fmstudio.registry.store import Registry

# What a home keeps beside the registry's rows: bases and checkpoints name themselves in a card.
BY_THEMSELVES = ("bases", "checkpoints")
KEYS = "keys"


@dataclass(frozen=True)
class Named:
    """What a row names: the row in words, and a folder relative to home (`adapters/…`).

    `sealed` is the SHA-256 that the row keeps of the folder's content, None where it keeps none.
    """

    row: str
    folder: str
    sealed: str | None = None


def named_folders(registry: Registry) -> list[Named]:
    """The folders that the rows name, each once. A run that never began has none on the disk."""
    found = [
        Named(f"the adapter {a.id}", f"adapters/{a.id}", a.sealed) for a in registry.adapter_names()
    ]
    found += [Named(f"the run {run}", f"runs/{run}") for run in registry.run_ids()]
    tables = {f"the run {run}": table for run, table in registry.run_tables().items()}
    for project in registry.projects():
        for cohort in registry.cohorts(project.id):
            tables[f"the cohort {cohort.id}"] = cohort.manifest
    for row, manifest in tables.items():
        if is_kept(manifest):
            found.append(Named(row, f"cohorts/{PurePath(manifest).parts[1]}"))
    return list({named.folder: named for named in found}.values())


def is_kept(manifest: str) -> bool:
    """Whether a table lies in the home, as copied ones do; others stay where the user has them."""
    parts = PurePath(manifest).parts
    return len(parts) > 2 and parts[0] == "cohorts"


def own_folders(home: Path) -> Iterator[str]:
    """The folders of bases, checkpoints and keys, relative to home."""
    for part in BY_THEMSELVES:
        for folder in sorted((home / part).glob("[!.]*")):
            if folder.is_dir():
                yield f"{part}/{folder.name}"
    if (home / KEYS).is_dir():
        yield KEYS
