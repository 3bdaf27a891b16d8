"""A TaskSpec and the label columns -> the target of every row."""

from __future__ import annotations

from dataclasses import dataclass

from fmstudio.cohort.cells import is_missing, read_number, same_value
from fmstudio.cohort.manifest import Manifest
from fmstudio.errors import InputError
from fmstudio.types import TaskSpec

YES = frozenset(
    tuple("1 yes y true t positive pos + present abnormal case pathological diseased".split())
)
NO = frozenset(
    tuple("0 no n false f negative neg absent normal none control healthy regular -1".split())
)

Target = float | tuple[float, ...] | None


@dataclass(frozen=True)
class Targets:
    """One target per row, None where there is none.

    `unlabelled` are the rows without an answer, `left_out` those whose class the task lacks.
    """

    values: tuple[Target, ...]
    unlabelled: tuple[int, ...]
    left_out: tuple[int, ...]


def read_targets(manifest: Manifest, task: TaskSpec, strict: bool = True) -> Targets:
    """Each row's target by the task, see PatientCase.

    With `strict`, a value that the task does not know raises InputError (but for the classes that
    a multiclass task left out); without it, the row has no target.
    """
    missing = [column for column in task.columns if column not in manifest.columns]
    if missing or not task.columns:
        if strict and missing:
            manifest.check_column(missing[0])
        rows = tuple(range(len(manifest.rows)))
        return Targets((None,) * len(rows), rows, ())
    if task.kind == "multilabel":
        columns = [_yes_or_no(manifest, column, strict) for column in task.columns]
        values: list[Target] = [
            None
            if all(v is None for v in answers)
            else tuple(float("nan") if v is None else v for v in answers)
            for answers in zip(*columns, strict=True)
        ]
        left_out: list[int] = []
    else:
        values, left_out = _one_column(manifest, task, strict)
    left = set(left_out)
    unlabelled = [i for i, value in enumerate(values) if value is None and i not in left]
    return Targets(tuple(values), tuple(unlabelled), tuple(left_out))


def _one_column(manifest: Manifest, task: TaskSpec, strict: bool) -> tuple[list[Target], list[int]]:
    cells = manifest.cells(task.columns[0])
    if task.kind == "regression":
        numbers = read_numbers(manifest, task.columns[0]) if strict else map(read_number, cells)
        return list(numbers), []
    index = {same_value(label): float(i) for i, label in enumerate(task.labels)}
    values: list[Target] = [
        None if is_missing(cell) else index.get(same_value(cell)) for cell in cells
    ]
    strange = [
        row for row, cell in enumerate(cells) if not is_missing(cell) and values[row] is None
    ]
    if strange and strict and task.kind == "binary":
        raise InputError(
            f"Column '{task.columns[0]}' holds '{cells[strange[0]].strip()[:40]}' "
            f"({manifest.where(strange)}); the task knows {' and '.join(task.labels)}.",
            hint="Write the answers as the project's first cohort does.",
        )
    return values, strange


def _yes_or_no(manifest: Manifest, column: str, strict: bool) -> list[float | None]:
    values: list[float | None] = []
    for row, cell in enumerate(manifest.cells(column)):
        key = same_value(cell)
        known = key in YES or key in NO
        if strict and not known and not is_missing(cell):
            raise InputError(
                f"Column '{column}' holds '{cell.strip()[:40]}' ({manifest.where([row])}); a "
                "multilabel column holds 1 or 0.",
                hint="Write 1 for yes, 0 for no, and nothing where it is not known.",
            )
        values.append(float(key in YES) if known else None)
    return values


def read_numbers(manifest: Manifest, column: str) -> list[float | None]:
    """A regression's target column, None where a cell is empty.

    Raises InputError naming a cell that is no number.
    """
    values: list[float | None] = []
    for row, cell in enumerate(manifest.cells(column)):
        value = None if is_missing(cell) else read_number(cell)
        if value is None and not is_missing(cell):
            raise InputError(
                f"Column '{column}' holds '{cell.strip()[:40]}' ({manifest.where([row])}), which "
                "is not a number.",
                hint="Correct it, or leave the cell empty where the value is not known.",
            )
        values.append(value)
    return values
