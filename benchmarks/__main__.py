"""python -m benchmarks [PART…]: measure, print, and write benchmarks/RESULTS.md."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from benchmarks import (
    at_once,
    bases,
    checkpoint,
    cohorts,
    estimate,
    finetune,
    folds,
    fusion,
    fuzz,
    judgement,
    kills,
    large_files,
    large_table,
    memory,
    power,
    predict,
    pretraining,
    registry_scale,
    resealed,
    scanner,
    soak,
    startup,
)
from benchmarks.results import Results

PARTS = {
    "startup": startup,
    "finetune": finetune,
    "estimate": estimate,
    "predict": predict,
    "memory": memory,
    "pretraining": pretraining,
    "fusion": fusion,
    "judgement": judgement,
    "checkpoint": checkpoint,
    "cohorts": cohorts,
    "folds": folds,
    "bases": bases,
    "scanner": scanner,
    "fuzz": fuzz,
    "large": large_files,
    "resealed": resealed,
    "power": power,
    "registry": registry_scale,
    "at-once": at_once,
    "large-table": large_table,
    "soak": soak,
    "kills": kills,
}


def main() -> None:
    """Run the parts asked for, one after the other."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; else all")
    parser.add_argument("--cases", type=int, default=300, help="generated cases (300)")
    parser.add_argument("--many", type=int, default=3000, help="of the large cohort (3000)")
    parser.add_argument("--epochs", type=int, help="instead of the preset's, to try things out")
    parser.add_argument("--repeats", type=int, default=5, help="starts of each app (5)")
    parser.add_argument("--cohort", action="append", metavar="NAME", help="one of ../shared/data")
    parser.add_argument(
        "--encoder",
        action="append",
        default=[],
        metavar="MODALITY=FOLDER",
        help="a checkpoint instead of the base's own encoder, for folds",
    )
    parser.add_argument("--files", type=int, default=10_000, help="damaged, of a reader (10000)")
    parser.add_argument("--times", type=int, default=10, help="that each work is killed (10)")
    parser.add_argument("--minutes", type=float, default=10.0, help="of the soak (10)")
    parser.add_argument("--work", type=Path, help="where generated cohorts are kept between runs")
    parser.add_argument("--results", type=Path, default=Path(__file__).parent, metavar="DIR")
    options = parser.parse_args()
    unknown = [part for part in options.parts if part not in PARTS]
    if unknown:
        parser.error(f"there is no part '{unknown[0]}'; choose from {', '.join(PARTS)}")
    options.results.mkdir(parents=True, exist_ok=True)
    results = Results(options.results)
    with tempfile.TemporaryDirectory() as scratch:
        options.work = options.work or Path(scratch)
        options.work.mkdir(parents=True, exist_ok=True)
        for part in options.parts or PARTS:
            before = results.read().get(part, {}).get("found", {})
            found = PARTS[part].measure(options, before)
            results.keep(part, found)
            print(f"## {PARTS[part].TITLE}\n\n{PARTS[part].section(found)}\n", flush=True)
    results.write_page(
        {name: part.TITLE for name, part in PARTS.items()},
        {name: part.section for name, part in PARTS.items()},
    )


if __name__ == "__main__":
    main()
