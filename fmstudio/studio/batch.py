"""A cohort of cases to a CSV file of predictions, one row per case, in the manifest's order."""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fmstudio.errors import InputError
from fmstudio.files import replacing
from fmstudio.studio import uploads
from fmstudio.types import Cohort, Prediction, Source, TaskSpec

if TYPE_CHECKING:
    from fmstudio.settings import Settings

Predict = Callable[[Mapping[str, Sequence[Source]], str], Prediction]

# Cells that a spreadsheet would run as a formula (OWASP, "CSV Injection"): they begin with one of
# these, in any width or height of it that Unicode has, after anything that leaves no mark.
FORMULA_STARTS = ("=", "+", "-", "@", "−")
LEADING_BREAKS = ("\t", "\r", "\n")
NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
_NO_MARK = ("Cc", "Cf", "Zs", "Zl", "Zp", "Mn")  # Unicode categories: controls, spaces, accents


def safe_cell(text: str) -> str:
    """The text with a ' in front if a spreadsheet could take it for a formula."""
    if NUMBER.fullmatch(text):
        return text
    seen = next((sign for sign in text if unicodedata.category(sign) not in _NO_MARK), "")
    plain = unicodedata.normalize("NFKC", seen)
    if plain.startswith(FORMULA_STARTS) or text.startswith(LEADING_BREAKS):
        return "'" + text
    return text


def predict_to_csv(predict: Predict, settings: Settings, cohort: Cohort, out: Path) -> int:
    """Write the predictions; the file appears only when it is complete.

    `predict` answers one case of the adapter, by its sources and id, and keeps the answer.

    Raises InputError if the file cannot be written there.
    """
    uploads.check_folder_of(out)
    try:
        with (
            uploads.writing(settings, out),
            replacing(out, 0o644) as part,
            part.open("w", newline="", encoding="utf-8") as file,
        ):
            writer = csv.DictWriter(file, columns(cohort.task), lineterminator="\n")
            writer.writeheader()
            for row in rows(predict, cohort):
                writer.writerow({name: safe_cell(cell) for name, cell in row.items()})
    except OSError as fault:
        raise InputError(
            f"{out.name} cannot be written: {fault.strerror}.", hint="Choose another file."
        ) from fault
    return len(cohort.cases)


def columns(task: TaskSpec) -> list[str]:
    """The columns of a batch of predictions for a task."""
    if task.kind == "regression":
        answer = ["value", "low", "high"]
    else:
        answer = ["prediction", *(f"probability:{label}" for label in task.labels), "conformal_set"]
    return ["case_id", *answer, "missing", "warnings", "error"]


def rows(predict: Predict, cohort: Cohort) -> Iterator[dict[str, str]]:
    """The answer to each case in the manifest's order, or in `error` why there is none."""
    for case in cohort.cases:
        try:
            prediction = predict(case.sources, case.case_id)
        except InputError as fault:
            yield {"case_id": case.case_id, "error": fault.message}
        else:
            yield {"case_id": case.case_id, **_answer(prediction)}


def _answer(prediction: Prediction) -> dict[str, str]:
    words = {
        "missing": ";".join(prediction.missing),
        "warnings": " ".join(prediction.warnings),
    }
    if prediction.task == "regression":
        low, high = prediction.interval or ("", "")
        return words | {"value": _number(prediction.value), "low": str(low), "high": str(high)}
    chosen = prediction.prediction
    return words | {
        "prediction": ";".join(chosen) if isinstance(chosen, list) else chosen or "",
        "conformal_set": ";".join(prediction.conformal_set),
        **{f"probability:{k}": _number(p) for k, p in prediction.probabilities.items()},
    }


def _number(value: float | None) -> str:
    """Every digit, so that a batch repeats exactly what a single prediction says."""
    return "" if value is None else repr(float(value))
