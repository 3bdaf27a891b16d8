"""What card.json may hold: what an adapter answers, from what, and how well, as a strict schema."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from fmstudio.adapters.schema import (
    MOST,
    Count,
    Feature,
    Key,
    Name,
    Number,
    Plain,
    Sha256,
    Share,
    Strict,
    Text,
    Version,
)

Headings = Annotated[list[Name], Field(min_length=1, max_length=1000)]
Modalities = Annotated[list[Key], Field(min_length=1, max_length=64)]
Seconds = Annotated[float, Field(ge=0, le=1e9)]
Verdict = Literal["helps", "no evidence", "hurts"]


class Task(Strict):
    """What is predicted: see `types.TaskSpec`."""

    kind: Literal["binary", "multiclass", "multilabel", "regression"]
    columns: Headings
    labels: Headings
    positive: Name | None
    description: Text = ""
    moment: Annotated[float, Field(ge=0, le=1e6)] | None = None
    positive_name: Name | None = None
    negative_name: Name | None = None


class Figure(Strict):
    """A metric with its 95 % interval; null where it cannot be computed."""

    value: Number | None
    low: Number | None
    high: Number | None
    prevalence: Share | None = None
    by_chance: Number | None = None


class Judged(Strict):
    """The one metric by which adapters of a kind of task are compared."""

    auroc: Figure | None = None
    macro_auroc: Figure | None = None
    r2: Figure | None = None


class Metrics(Judged):
    """Every metric."""

    auprc: Figure | None = None
    brier: Figure | None = None
    ece: Figure | None = None
    accuracy: Figure | None = None
    mae: Figure | None = None
    rmse: Figure | None = None


class Model(Judged):
    """One model of the ladder."""

    name: Name
    validation: Number | None
    seconds: Seconds


class Subset(Judged):
    """The adapter, or a model of its own, shown some of the modalities only."""

    modalities: Modalities
    n: Count
    model: Name
    adapter: Figure | None = None
    gain: Figure | None = None
    verdict: Verdict | None = None


class Fusion(Strict):
    """All modalities against the best single one."""

    best_single: Key
    n: Count
    gain: Figure
    verdict: Verdict


class Missing(Judged):
    """The metric by how many modalities are hidden."""

    missing: Count
    subsets: Count
    n: Count


class CrossValidation(Judged):
    """The linear probe judged over all patients."""

    model: Name
    folds: Count
    n: Count


class Size(Judged):
    """One point of the learning curve."""

    cases: Count
    positives: Count


class Law(Strict):
    """The power law through the points."""

    ceiling: Number
    scale: Number
    power: Number


class Forecast(Strict):
    """What one more step of the metric would take."""

    class More(Strict):
        """A number of cases, null for more than is forecast."""

        value: Count | None
        low: Count | None
        high: Count | None

    target: Number
    more_cases: More
    more_positives: More


class At(Figure):
    """The law at a number of cases."""

    cases: Number


class LearningCurve(Strict):
    """What more patients would bring."""

    model: Name
    n: Count
    metric: Name
    points: Annotated[list[Size], Field(max_length=100)]
    law: Law | None = None
    curve: Annotated[list[At], Field(max_length=1000)]
    forecast: Annotated[list[Forecast], Field(max_length=100)]
    reason: Text | None


class Counts(Strict):
    """Cases by split."""

    train: Count
    validation: Count
    test: Count


class MadeWith(Strict):
    """A published checkpoint, as people read of it."""

    name: Plain
    source: Literal["hub", "folder"]
    id: Name | None
    revision: Name | None
    sha256: Sha256
    model_type: Name
    kind: Key
    parameters: Count
    licence: Text
    gated: bool
    trained_on: Text
    description: Text
    modalities: Modalities


class Card(Strict):
    """card.json."""

    name: Name
    project: Name | None = None
    task: Task
    modalities: Modalities
    columns: dict[Key, Annotated[list[Text], Field(max_length=MOST)]]
    answers: dict[Key, Text] = Field(default_factory=dict)
    table_columns: dict[Key, dict[Name, Feature]]
    base: Plain
    base_sha256: Sha256
    checkpoints: Annotated[list[MadeWith], Field(max_length=64)]
    config: dict[Name, Any]  # the run's settings, which `RunConfig` checks
    fingerprint: Sha256
    set_aside: Count
    n: Counts
    metrics: Metrics
    ladder: Annotated[list[Model], Field(min_length=1, max_length=100)]
    chosen: Name
    reason: Text
    subsets: Annotated[list[Subset], Field(max_length=5000)]
    fusion: Fusion | None
    missing: Annotated[list[Missing], Field(max_length=64)]
    learning_curve: LearningCurve | None
    cross_validation: CrossValidation | None
    seconds: dict[Name, Seconds]
    licence: Text
    intended_use: Text
    created_at: Annotated[
        str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00$")
    ]
    versions: dict[Plain, Version]
