"""Numbers of one column or channel in several units: °F among °C, mg/dl among mmol/l."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping

from fmstudio.cohort.audit.evidence import Evidence
from fmstudio.cohort.audit.finding import Check, counted, some
from fmstudio.cohort.audit.units import Told, in_other_units, main_unit, measured_columns
from fmstudio.cohort.cells import is_missing
from fmstudio.cohort.cleaning import Step, accept, convert
from fmstudio.contracts import Measured, pipelines
from fmstudio.results.finding import Finding, Mend


def find(evidence: Evidence) -> Iterator[Finding]:
    """Units told by the values, by the cells, and by the files."""
    for column, told in measured_columns(evidence).items():
        rows = in_other_units(told)
        if rows:
            yield _finding(evidence, column, told, rows)
    yield from _written(evidence)
    yield from _in_files(evidence)


def _finding(evidence: Evidence, column: str, told: Told, rows: Mapping[int, str]) -> Finding:
    main = main_unit(told)
    by_unit: dict[str, list[int]] = defaultdict(list)
    for row, unit in rows.items():
        by_unit[unit].append(row)
    steps: list[Step] = [
        convert(column, own, *told.quantity.conversion(unit, main)) for unit, own in by_unit.items()
    ]
    counts = " and ".join(f"{len(own)} look like {unit}" for unit, own in by_unit.items())
    return Finding(
        "mixed_units",
        "warning",
        f"'{column}' ({told.quantity.name}): most of its {len(told.values)} values are in "
        f"{main or 'one unit'}, {counts}.",
        f"Put all values into {main}.",
        (column,),
        tuple(sorted(rows)),
        (
            Mend(f"Convert {counted(len(rows), 'value')} to {main}", tuple(steps)),
            Mend("The values are right", (accept("mixed_units", [column]),)),
        ),
    )


def _written(evidence: Evidence) -> Iterator[Finding]:
    """Cells that say their unit, and not all the same one."""
    for column in evidence.of_kind("table"):
        units: dict[str, list[int]] = defaultdict(list)
        reading = evidence.reading(column)
        for row, cell in zip(evidence.rows, evidence.cells(column), strict=True):
            said = "" if is_missing(cell) else reading.unit(cell)
            if said:
                units[said.casefold()].append(row)
        if len(units) > 1 and sum(map(len, units.values())) > 0.5 * len(evidence.rows):
            common = max(units, key=lambda unit: len(units[unit]))
            other = [row for unit, rows in units.items() if unit != common for row in rows]
            yield Finding(
                "mixed_units",
                "warning",
                f"The cells of '{column}' name several units: "
                + ", ".join(f"{unit} ({len(rows)})" for unit, rows in units.items())
                + ".",
                "Write all values in one unit.",
                (column,),
                tuple(sorted(other)),
                (Mend("The units are the same", (accept("mixed_units", [column]),)),),
            )


def _in_files(evidence: Evidence) -> Iterator[Finding]:
    """Channels or features whose unit, or whose typical value, differs from file to file."""
    for name in evidence.cohort.modalities:
        pipeline = pipelines()[name]
        if not isinstance(pipeline, Measured):
            continue
        said: dict[str, dict[int, str]] = defaultdict(dict)
        middle: dict[str, dict[int, float]] = defaultdict(dict)
        for row, digest in evidence.read(name):
            for feature, (unit, low, high, _, _) in digest.numbers.items():
                said[feature][row] = unit
                middle[feature][row] = (low + high) / 2
        columns = tuple(evidence.columns_of(name))
        for feature, values in middle.items():
            known = pipeline.quantity(feature, _common(said[feature]))
            rows: dict[int, str] = {}
            if known is not None:
                rows = in_other_units(Told(*known, values))
            if not rows:
                rows = _said_otherwise(pipeline, feature, said[feature])
            if rows:
                yield Finding(
                    "mixed_units",
                    "warning",
                    f"{pipeline.label}: '{feature}' is in another unit in "
                    f"{counted(len(rows), 'case')} ({some(sorted(set(rows.values())))}).",
                    "Export these files in the unit of the others.",
                    columns,
                    tuple(sorted(rows)),
                    (Mend("The values are right", (accept("mixed_units", columns),)),),
                )


def _said_otherwise(pipeline: Measured, feature: str, said: Mapping[int, str]) -> dict[int, str]:
    """Rows whose files name another unit than most, spellings of one unit taken together."""
    plain: dict[int, str] = {}
    for row, unit in said.items():
        known = pipeline.quantity(feature, unit)
        own = known[1] if known is not None else ""
        plain[row] = own or "".join(sign for sign in unit.casefold() if sign.isalnum())
    common = _common({row: unit for row, unit in plain.items() if unit} or {0: ""})
    return {row: said[row] for row, unit in plain.items() if unit and unit != common}


def _common(units: Mapping[int, str]) -> str:
    return Counter(units.values()).most_common(1)[0][0]


CHECK = Check("mixed_units", find)
