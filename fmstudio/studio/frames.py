"""What verbs find, as tables for Python: pandas DataFrames, one row per run, case or metric."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fmstudio.records import RunSummary
from fmstudio.types import Interval, PatientCase

if TYPE_CHECKING:
    import pandas as pd


def of_runs(runs: Iterable[RunSummary], projects: Mapping[int, str]) -> pd.DataFrame:
    """One row per run, with its metrics on held-out patients; `projects` are names by id."""
    return _frame(
        {
            "run": run.id,
            "project": projects[run.project_id],
            "kind": run.kind,
            "status": run.status,
            "adapter": run.adapter_id,
            "created_at": run.created_at,
            "ended_at": run.ended_at,
            **{name: metric["value"] for name, metric in run.metrics.items()},
        }
        for run in runs
    )


def of_cases(cases: Iterable[PatientCase], modalities: Sequence[str]) -> pd.DataFrame:
    """One row per case: ids, split, target, groups, and for each modality whether it is there."""
    return _frame(
        {
            "case_id": case.case_id,
            "patient_id": case.patient_id,
            "split": case.split,
            "target": case.target,
            **case.groups,
            **{modality: bool(case.sources.get(modality)) for modality in modalities},
        }
        for case in cases
    )


def of_predictions(rows: Iterable[Mapping[str, str]], columns: Sequence[str]) -> pd.DataFrame:
    """One row per case, as in the CSV of a batch, with numbers as numbers (NaN where missing)."""
    import pandas as pd

    frame = pd.DataFrame(list(rows), columns=list(columns))
    for column in columns:
        if column in ("value", "low", "high") or column.startswith("probability:"):
            frame[column] = pd.to_numeric(frame[column])
    return frame


def of_metrics(metrics: Mapping[str, Interval]) -> pd.DataFrame:
    """One row per metric: its value and the bounds of its 95 % interval."""
    return _frame(
        {"metric": name, "value": metric.value, "low": metric.low, "high": metric.high}
        for name, metric in metrics.items()
    )


def _frame(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(list(rows))
