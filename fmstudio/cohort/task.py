"""Label columns and a task's kind -> a TaskSpec."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from fmstudio.cohort.cells import is_missing, read_number, same_value
from fmstudio.cohort.identity import patient_ids
from fmstudio.cohort.manifest import Manifest
from fmstudio.cohort.roles import check_roles, columns_of
from fmstudio.cohort.targets import NO, YES, read_numbers
from fmstudio.errors import InputError
from fmstudio.types import TASK_KINDS, TaskSpec

FEWEST_PATIENTS = 3  # of a class: one for each of train, validation and test


def make_task(
    manifest: Manifest,
    roles: Mapping[str, str],
    kind: str,
    positive: str | None = None,
    description: str = "",
) -> TaskSpec:
    """The task that the label columns pose.

    Raises InputError if there is no label column or too many, or if their values do not fit
    `kind`.
    """
    check_roles(manifest, roles)
    if kind not in TASK_KINDS:
        raise InputError(
            f"There is no task '{kind}'.", hint=f"Use one of: {', '.join(TASK_KINDS)}."
        )
    columns = [name for name in manifest.columns if name in columns_of(roles, "label")]
    if not columns:
        raise InputError(
            f"{manifest.path.name} has no label column.",
            hint="Name the outcome's column, for example --role COLUMN=label. Its columns are: "
            f"{', '.join(manifest.columns)}.",
        )
    if kind != "multilabel" and len(columns) > 1:
        raise InputError(
            f"A {kind} task has one label column, but {', '.join(columns)} have that role.",
            hint="Give the others the role 'ignore', or choose the task multilabel.",
        )
    if positive is not None and kind != "binary":
        raise InputError(
            f"A positive value was given, but the task is {kind}.",
            hint="Leave it out, or choose the task binary.",
        )
    makers = {"binary": _binary, "multiclass": _multiclass, "multilabel": _multilabel}
    if kind == "regression":
        _answers(manifest, columns[0])
        read_numbers(manifest, columns[0])
        return TaskSpec(kind, tuple(columns), tuple(columns), None, description)
    patients = patient_ids(manifest, roles)
    labels = makers[kind](manifest, columns, patients, positive)
    chosen = labels[1] if kind == "binary" else None
    return TaskSpec(kind, tuple(columns), labels, chosen, description)


def _answers(manifest: Manifest, column: str) -> dict[str, Counter[str]]:
    """Each answer of a column (see `same_value`) with the ways in which it is written."""
    found: dict[str, Counter[str]] = {}
    for cell in manifest.cells(column):
        if not is_missing(cell):
            found.setdefault(same_value(cell), Counter())[cell.strip()] += 1
    if not found:
        raise InputError(
            f"The label column '{column}' is empty.", hint="Fill it in, or name another column."
        )
    if len(found) == 1:
        only = next(iter(found.values())).most_common(1)[0][0]
        raise InputError(
            f"Every case has '{column}' = '{only}': there is only one class.",
            hint="Add cases of another class; nothing can be learned from one.",
        )
    return found


def _spelling(answers: Mapping[str, Counter[str]], key: str) -> str:
    return answers[key].most_common(1)[0][0]


def _binary(
    manifest: Manifest, columns: Sequence[str], patients: Sequence[str], positive: str | None
) -> tuple[str, ...]:
    """(negative, positive) of the one label column."""
    column = columns[0]
    answers = _answers(manifest, column)
    shown = [_spelling(answers, key) for key in answers]
    if len(answers) > 2:
        named = ", ".join(f"'{value}'" for value in shown[:6])
        raise InputError(
            f"Column '{column}' has {len(answers)} values ({named}"
            f"{', …' if len(shown) > 6 else ''}); a binary task has two.",
            hint="Write each answer one way only, or choose the task multiclass or regression.",
        )
    if positive is None:
        chosen = _positive(answers)
    else:
        chosen = same_value(positive)
        if chosen not in answers:
            raise InputError(
                f"Column '{column}' has no value '{positive}'.",
                hint=f"The positive value is one of: {', '.join(shown)}.",
            )
    (other,) = (key for key in answers if key != chosen)
    return _spelling(answers, other), _spelling(answers, chosen)


def _positive(answers: Mapping[str, Counter[str]]) -> str:
    """The answer that says yes, else the one beside a no, else the rarer one."""
    yes = [key for key in answers if key in YES]
    no = [key for key in answers if key in NO]
    if len(yes) == 1:
        return yes[0]
    if len(no) == 1:
        return next(key for key in answers if key != no[0])
    return min(answers, key=lambda key: (answers[key].total(), key))


def _multiclass(
    manifest: Manifest, columns: Sequence[str], patients: Sequence[str], _: str | None
) -> tuple[str, ...]:
    """The classes that at least three patients have, in order."""
    column = columns[0]
    answers = _answers(manifest, column)
    seen: dict[str, set[str]] = {key: set() for key in answers}
    for cell, patient in zip(manifest.cells(column), patients, strict=True):
        if not is_missing(cell):
            seen[same_value(cell)].add(patient)
    kept = [key for key in answers if len(seen[key]) >= FEWEST_PATIENTS]
    if len(kept) < 2:
        rare = [_spelling(answers, key) for key in answers if key not in kept]
        more = f" and {len(rare) - 5} more" if len(rare) > 5 else ""
        raise InputError(
            f"Column '{column}' has fewer than two classes of {FEWEST_PATIENTS} patients each; too "
            f"rare: {', '.join(rare[:5])}{more}.",
            hint="Add patients, join rare classes, or choose the task regression for numbers.",
        )
    numbers = {key: read_number(key) for key in kept}
    ordered = sorted(kept, key=lambda key: (numbers[key] is None, numbers[key] or 0.0, key))
    return tuple(_spelling(answers, key) for key in ordered)


def _multilabel(
    manifest: Manifest, columns: Sequence[str], patients: Sequence[str], _: str | None
) -> tuple[str, ...]:
    """The label columns, each yes or no."""
    for column in columns:
        for key, spellings in _answers(manifest, column).items():
            if key not in YES and key not in NO:
                value = spellings.most_common(1)[0][0]
                row = next(i for i, c in enumerate(manifest.cells(column)) if c.strip() == value)
                raise InputError(
                    f"Column '{column}' holds '{value}' ({manifest.where([row])}); a multilabel "
                    "column holds 1 or 0.",
                    hint="Write 1 for yes, 0 for no, and nothing where it is not known.",
                )
    return tuple(columns)
