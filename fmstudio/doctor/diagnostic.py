"""A ZIP to send to whoever is to help: settings and a target in, the file out.

It holds versions, the doctor's answer as counts, limits, the registry's schema and its counts, and
the logs in the studio's own words. No name that a person gave is in it: of projects, cohorts,
files, columns, adapters, bases or the home; and nothing of a patient.
"""

from __future__ import annotations

import json
import re
import sqlite3
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fmstudio.doctor import installation
from fmstudio.doctor.examine import home_state
from fmstudio.doctor.log_lines import LEFT_OUT, in_our_words
from fmstudio.errors import InputError, StudioError
from fmstudio.files import replacing
from fmstudio.registry import Registry
from fmstudio.registry.connecting import BUSY_SECONDS
from fmstudio.registry.faults import FILE
from fmstudio.registry.read_only import readable
from fmstudio.settings import Settings

LOG_LINES = 5000  # of each log, the newest
RUNS = 10  # whose logs are taken, the newest
ABOUT = """\
What the studio knows of itself, for whoever is to help. No names that a person gave are in it (of
projects, cohorts, files, columns, adapters, bases), no paths, and nothing of a patient: of each
line of a log only the words of the studio's own source are kept. Look into it before you send it.
"""


def write_diagnostic(settings: Settings, target: Path) -> list[str]:
    """Write the file; the names of what is in it.

    Raises InputError for a target that is there already or is no ZIP in a folder that is there.
    """
    if target.suffix.lower() != ".zip" or target.exists() or not target.absolute().parent.is_dir():
        raise InputError(
            f"'{target.name}' is there already, does not end in .zip, or its folder is not there.",
            hint="Choose another name, such as diagnostic.zip.",
        )
    held = {"about.txt": ABOUT} | {
        name: json.dumps(content, indent=1)
        for name, content in (
            ("doctor.json", _doctor(settings)),
            ("limits.json", asdict(settings.limits)),
            ("registry.json", _registry(settings)),
        )
    }
    held |= {name: "\n".join(in_our_words(lines)) for name, lines in _logs(settings)}
    with (
        replacing(target) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for name, content in held.items():
            archive.writestr(name, content)
    return list(held)


def _doctor(settings: Settings) -> dict[str, Any]:
    """The doctor's answer; what could name something of a person's is counted instead."""
    missing: installation.Missing = []
    found: dict[str, Any] = {
        "versions": installation.versions(missing),
        "modalities": installation.modalities(missing),
        "decoders": installation.decoders(missing),
        "device": installation.device(missing),
        "disk": installation.disk(settings, missing),
        "bases": Counter(installation.bases(settings, []).values()),
    }
    del found["disk"]["home"]
    answer, findings = home_state(settings, [])
    answer["state"] = re.sub(r"'[^']*'", f"'{LEFT_OUT}'", answer["state"])
    counted = Counter((finding["about"], finding["lost"]) for finding in findings)
    return found | {
        "missing": missing,
        "database": {key: value for key, value in answer.items() if key != "get"},
        "findings": [{"about": a, "lost": b, "n": n} for (a, b), n in sorted(counted.items())],
    }


def _registry(settings: Settings) -> dict[str, Any]:
    """The schema's revision, the sizes of the files, and how many rows of what there are."""
    path = settings.home / FILE
    sizes = {ending or "file": _size(path.with_name(FILE + ending)) for ending in ("", "-wal")}
    if not path.is_file():
        return {"bytes": sizes}
    try:
        with closing(readable(path, BUSY_SECONDS)()) as connection:
            (revision,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        with Registry.open(settings) as registry:
            runs = Counter(f"{run.kind}, {run.status}" for run in registry.run_summaries())
            tasks = Counter(project.task.kind for project in registry.projects())
            counts = registry.counts()
    except (
        StudioError,
        sqlite3.Error,
        TypeError,
    ) as fault:  # the doctor's answer says what is wrong; the rest is still of use
        return {"bytes": sizes, "fault": type(fault).__name__}
    return {
        "bytes": sizes,
        "revision": revision,
        "rows": counts,
        "runs": runs,
        "projects": tasks,
    }


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _logs(settings: Settings) -> Iterator[tuple[str, list[str]]]:
    """The newest lines of the studio's logs and of those of the newest runs."""
    for number, path in enumerate(sorted((settings.home / "logs").glob("studio.log*"))):
        yield f"logs/studio-{number}.txt", _lines(path)
    try:
        with Registry.open(settings) as registry:
            runs = [run.id for run in registry.run_summaries(limit=RUNS)]
    except StudioError:
        return
    for run in runs:
        for path in sorted((settings.home / "runs" / run).glob("log*.txt")):
            yield f"logs/{run}-{path.stem}.txt", _lines(path)


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES:]
