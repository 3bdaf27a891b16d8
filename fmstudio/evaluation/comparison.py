"""Several adapters on the same cases: figures side by side, and each against the first, paired.

Shape letters: n cases.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import reduce
from typing import Any

import numpy as np

from fmstudio.errors import InputError
from fmstudio.evaluation.fusion import ADAPTER
from fmstudio.evaluation.labelled_predictions import HeldOut, LabelledPredictions
from fmstudio.evaluation.metrics import evaluate, figures_of, headline
from fmstudio.evaluation.resampling import intervals


def comparison(held: Mapping[str, HeldOut]) -> dict[str, Any]:
    """{n, metric, adapters: [{adapter, model, n_own, metrics, differences, verdict}]}.

    All figures are on the `n` cases that every adapter was judged on. After the adapters come the
    simpler models that the first one was compared with when it was made; `model` is "adapter" or
    their name. `differences` are each figure minus that of the first adapter, with paired 95 %
    intervals over resampled patients; the verdict is better, worse or no evidence, by the headline
    figure. Raises InputError if the adapters do not answer the same question, or no case is common
    to them.
    """
    tasks = {name: (one.task.kind, one.task.labels) for name, one in held.items()}
    if len(set(tasks.values())) > 1:
        told = "; ".join(f"{n}: {kind} of {', '.join(own)}" for n, (kind, own) in tasks.items())
        raise InputError(
            f"The adapters do not answer the same question: {told}.",
            hint="Compare adapters of one project.",
        )
    common = reduce(np.intersect1d, [np.array(one.test.case_ids) for one in held.values()])
    same = {name: _rows(one.test, common) for name, one in held.items()}
    first = next(iter(same))
    if not len(common) or any(
        not np.array_equal(one.targets, same[first].targets, equal_nan=True)
        for one in same.values()
    ):
        raise InputError(
            f"{', '.join(held)} were not evaluated on the same patients.",
            hint="Compare adapters that were made from the same cohort.",
        )
    rivals = [(name, ADAPTER, one) for name, one in same.items()]
    for model, outputs in held[first].ladder.items():
        answered = replace(held[first].test, outputs=outputs)
        rivals.append((first, model, _rows(answered, common)))
    task = held[first].task
    entries: list[dict[str, Any]] = []
    for name, model, one in rivals:
        own = evaluate(task, one.targets, one.outputs, one.patients)
        entries.append(
            {
                "adapter": name,
                "model": model,
                "n_own": len(held[name].test),
                "metrics": {key: figure.as_dict() for key, figure in own.items()},
                **({} if entries == [] else _against(held[first], same[first], one)),
            }
        )
    return {"n": len(common), "metric": headline(task), "adapters": entries}


def _rows(answered: LabelledPredictions, case_ids: np.ndarray) -> LabelledPredictions:
    """The cases of these ids, in their order."""
    place = {case_id: row for row, case_id in enumerate(answered.case_ids)}
    return answered.take(np.array([place[case_id] for case_id in case_ids], int))


def _against(
    held: HeldOut, first: LabelledPredictions, other: LabelledPredictions
) -> dict[str, Any]:
    """Differences of `other` minus `first`, and what the headline figure says."""
    own = figures_of(held.task, other.targets, other.outputs)
    before = figures_of(held.task, first.targets, first.outputs)
    figures = {
        name: lambda weights, name=name: own[name](weights) - before[name](weights) for name in own
    }
    found = intervals(figures, len(first), first.patients)
    main = found[headline(held.task)]
    verdict = "better" if main.low > 0 else "worse" if main.high < 0 else "no evidence"
    return {"differences": {name: one.as_dict() for name, one in found.items()}, "verdict": verdict}
