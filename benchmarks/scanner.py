"""The cohort report on made-up cohorts: what it says of clean ones, and whether it finds faults.

Clean: a cohort a seed from `data_samples/generate.py`, in which nothing leaks; a warning or stop is
a false alarm. Faults: one of each kind planted in a cohort of its own, with several seeds.
"""

from __future__ import annotations

import multiprocessing
import shutil
import tempfile
import time
from argparse import Namespace
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from data_samples.faults import FAULTS, LABEL, plant
from data_samples.generate import generate
from fmstudio.cohort import build_cohort, make_task, propose_roles, read_manifest
from fmstudio.cohort.audit import cohort_report
from fmstudio.cohort.audit.audit import with_doubts
from fmstudio.cohort.audit.evidence import Evidence
from fmstudio.cohort.audit.input_summaries import read_digests
from fmstudio.cohort.audit.label_check import doubts
from fmstudio.features.cache import Cache
from fmstudio.results.audit import CohortAudit
from fmstudio.sandbox import Reader
from fmstudio.settings import Settings

TITLE = "The cohort report"
SEEDS, CLEAN_CASES = 100, 60
FAULTY_SEEDS, FAULTY_CASES = 3, 120
WORKERS = 2


def measure(options: Namespace, before: Mapping[str, Any]) -> dict[str, Any]:
    """False alarms over clean cohorts, and the faults found."""
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(dir=options.work) as folder:
        clean = partial(_alarms, Path(folder))
        # A fresh interpreter each: a fork of a process with threads may hang.
        fresh = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(WORKERS, mp_context=fresh) as pool:
            runs = list(pool.map(clean, range(SEEDS)))
            faulty = list(pool.map(partial(_planted, Path(folder)), range(FAULTY_SEEDS)))
    faults = {
        kind: {what: sum(each[kind][what] for each in faulty) for what in faulty[0][kind]}
        for kind in FAULTS
    }
    alarms = Counter(kind for kinds, _ in runs for kind in set(kinds))
    return {
        "clean": {
            "seeds": SEEDS,
            "cases": CLEAN_CASES,
            "quiet": sum(not kinds for kinds, _ in runs),
            "alarms": dict(alarms),
            "seconds": sorted(seconds for _, seconds in runs)[SEEDS // 2],
        },
        "faults": faults,
        "seeds": FAULTY_SEEDS,
        "cases": FAULTY_CASES,
        "whole_seconds": time.perf_counter() - started,
    }


def _alarms(folder: Path, seed: int) -> tuple[list[str], float]:
    """The kinds of warnings and stops on a clean cohort, and the seconds that its report took."""
    settings = Settings(folder / f"home-{seed}")
    made = generate(folder / f"clean-{seed}", CLEAN_CASES, 1000 + seed)
    started = time.perf_counter()
    with Reader(settings.limits) as reader:
        found = report(made, reader, settings)
    seconds = time.perf_counter() - started
    shutil.rmtree(made.parent)
    shutil.rmtree(settings.home)
    kinds = [each.kind for each in found.findings if each.severity != "note"]
    print(f"clean {seed}: {kinds}, {seconds:.0f} s", flush=True)
    return kinds, seconds


def _planted(folder: Path, seed: int) -> dict[str, dict[str, int]]:
    """By kind, whether its fault is found and how many of its rows are named."""
    settings = Settings(folder / f"home-faulty-{seed}")
    whole = generate(folder / f"whole-{seed}", FAULTY_CASES, 2000 + seed).parent
    faulty, found = folder / f"faulty-{seed}", {}
    with Reader(settings.limits) as reader:
        for kind in FAULTS:
            shutil.copytree(whole, faulty)
            planted = plant(kind, faulty, seed)
            got = report(faulty / "manifest.csv", reader, settings, kind == "label_noise")
            own = [
                each
                for each in got.findings
                if each.kind == kind and set(each.columns) >= set(planted.columns[:1])
            ]
            named = {row for each in own for row in each.rows}
            found[kind] = {
                "times": int(bool(own)),
                "rows": len(named & set(planted.rows)),
                "planted_rows": len(planted.rows),
            }
            shutil.rmtree(faulty)
    print(f"planted {seed}: {found}", flush=True)
    return found


def evidence(manifest_path: Path, reader: Reader, settings: Settings) -> Evidence:
    """What is known of a made-up cohort, with the roles that the studio proposes."""
    manifest = read_manifest(manifest_path)
    roles = {role.column: role.role for role in propose_roles(manifest, LABEL)}
    cohort = build_cohort(manifest, roles, make_task(manifest, roles, "binary"), "made up")
    return Evidence(
        manifest, roles, cohort, read_digests(cohort, reader, Cache(settings.folder("cache")))
    )


def report(
    manifest_path: Path, reader: Reader, settings: Settings, probe: bool = False
) -> CohortAudit:
    """The report on a made-up cohort; with `probe` the labels are doubted too."""
    known = evidence(manifest_path, reader, settings)
    quick = cohort_report(known)
    if not probe:
        return quick
    return with_doubts(quick, known, doubts(known.cohort, reader, settings))


def section(found: Mapping[str, Any]) -> str:
    """The part's page."""
    clean, faults = found["clean"], found["faults"]
    alarms = ", ".join(f"{kind} {n}" for kind, n in clean["alarms"].items()) or "none"
    lines = ["| planted fault | found in | rows named |", "|---|---|---|"]
    for kind, each in faults.items():
        rows = f"{each['rows']} of {each['planted_rows']}" if each["planted_rows"] else "–"
        lines.append(f"| {kind} | {each['times']} of {found['seeds']} | {rows} |")
    return (
        f"Clean cohorts without any warning or stop: **{clean['quiet']} of {clean['seeds']}** "
        f"(at least 95 %), of {clean['cases']} cases in six modalities each; alarms by kind: "
        f"{alarms}. A report, reading every file, takes {clean['seconds']:.0f} s (median).\n\n"
        + "\n".join(lines)
        + f"\n\nEach fault in {found['seeds']} made-up cohorts of {found['cases']} cases "
        "(`data_samples/faults.py`)."
    )
