"""Where the studio keeps its things and what limits hold: read once, from the environment.

Every limit has a name, a default and an environment variable FMSTUDIO_<NAME IN CAPITALS>.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, fields
from pathlib import Path

from platformdirs import user_data_dir

from fmstudio.errors import InputError, ResourceError, of_disk


@dataclass(frozen=True)
class Limits:
    """Bounds on what foreign files and what is kept of them may cost.

    Sizes in megabytes, times in seconds.
    """

    read_seconds: float = 60.0
    read_memory_mb: int = 3072
    file_mb: int = 2048
    upload_mb: int = 2048
    free_disk_mb: int = 500
    files_per_case: int = 2_000
    session_uploads_mb: int = 8192
    all_uploads_mb: int = 16384
    request_mb: float = 8.0
    session_minutes: float = 30.0
    session_hours: float = 12.0
    cache_mb: int = 20_000


@dataclass(frozen=True)
class Settings:
    """The studio's home folder and limits.

    `home` holds registry.sqlite, cache/, runs/, adapters/, bases/, checkpoints/, cohorts/, temp/
    and logs/.
    """

    home: Path
    limits: Limits = field(default_factory=Limits)

    def folder(self, name: str) -> Path:
        """A folder below home, made if need be, readable by its owner only.

        Raises ResourceError if it cannot be made: the disk is full or write-protected.
        """
        path = self.home / name
        try:
            self.home.parent.mkdir(parents=True, exist_ok=True)
            # One by one: Python gives the parents of a new folder the usual mode, not this one.
            for folder in reversed([path, *path.parents[: len(Path(name).parts)]]):
                folder.mkdir(exist_ok=True, mode=0o700)
        except OSError as fault:
            raise of_disk(fault) or ResourceError(
                f"The folder '{name}' of the studio's home cannot be made: {fault.strerror}.",
                hint="Check the drive and the home folder, or choose another with --home.",
            ) from fault
        return path

    @property
    def database_url(self) -> str:
        """SQLAlchemy's address of the registry."""
        return f"sqlite:///{self.home / 'registry.sqlite'}"


def load_settings(home: str | os.PathLike[str] | None = None) -> Settings:
    """Settings from `home`, else FMSTUDIO_HOME, else the platform's user data folder.

    Raises InputError for a limit that is not a positive number.
    """
    chosen = home or os.environ.get("FMSTUDIO_HOME") or user_data_dir("fmstudio", appauthor=False)
    values: dict[str, float] = {}
    for limit in fields(Limits):
        text = os.environ.get(f"FMSTUDIO_{limit.name.upper()}")
        if text is None:
            continue
        try:
            values[limit.name] = type(limit.default)(text)  # type: ignore[misc]
        except ValueError:
            values[limit.name] = -1
        if values[limit.name] <= 0:
            raise InputError(
                f"FMSTUDIO_{limit.name.upper()} is '{text}'.",
                hint=f"Give a positive number, or leave it unset for {limit.default}.",
            )
    return Settings(Path(chosen).expanduser().resolve(), Limits(**values))  # type: ignore[arg-type]
