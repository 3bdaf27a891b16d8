"""Whether the files of an adapter say the same: labels, modalities, shapes, encoders, settings.

Each file by itself is judged by its schema; here a list that is shorter than the labels, a modality
that nothing prepares, or a card that describes another model is found.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

from fmstudio.adapters.checks import checkpoints_of
from fmstudio.adapters.schema import AGAIN, Calibration, Manifest, Probes, ProcessorFile, State
from fmstudio.adapters.schema_card import Card, Figure, Judged
from fmstudio.contracts import pipelines
from fmstudio.errors import BundleError, InputError
from fmstudio.results.metrics import HEADLINE, METRICS
from fmstudio.run_config import RunConfig
from fmstudio.types import TaskSpec

READ = ("last", "mean", "lowest", "highest", "is")


def check_agreement(
    manifest: Manifest,
    card: Card,
    model: Mapping[str, Any],
    adapter: Mapping[str, Any],
    calibration: Calibration,
    processors: Mapping[str, ProcessorFile],
    probes: Probes,
) -> None:
    """Raises BundleError, naming the file and the field that does not fit the others."""
    task = TaskSpec.from_dict(
        card.task.model_dump(exclude_none=True) | {"positive": card.task.positive}
    )
    problems = (
        *_of_task(card),
        *_of_modalities(card, model, processors),
        *_of_base(manifest, card, model, adapter),
        *_of_figures(card),
        *_of_settings(card),
        *_of_calibration(task, card, calibration),
        *_of_model(task, model, processors),
        *_of_probes(task, card, probes),
    )
    for file, problem in problems:
        raise BundleError(f"'{file}': {problem}.", hint=AGAIN)


Problems = Iterator[tuple[str, str]]


def _of_task(card: Card) -> Problems:
    task, file = card.task, "card.json"
    for name, values in (("labels", task.labels), ("columns", task.columns)):
        if len(set(values)) < len(values):
            yield file, f"'task.{name}' names something twice"
    wanted = {
        "binary": (2, 2),
        "multiclass": (2, 1000),
        "multilabel": (1, 1000),
        "regression": (1, 1),
    }[task.kind]
    if not wanted[0] <= len(task.labels) <= wanted[1]:
        yield file, f"'task.labels' are {len(task.labels)}, which a {task.kind} task cannot have"
    if task.positive != (task.labels[-1] if task.kind == "binary" else None):
        yield file, f"'task.positive' is {task.positive!r}, which is not the second label"
    if task.kind in ("multilabel", "regression") and task.columns != task.labels:
        yield file, "'task.columns' are not 'task.labels'"


def _of_modalities(
    card: Card, model: Mapping[str, Any], processors: Mapping[str, ProcessorFile]
) -> Problems:
    known, kinds = pipelines(), {}
    for name in card.modalities:
        if name not in known:
            yield "card.json", f"'modalities' names '{name}', which no pipeline reads"
            return
        kinds[name] = known[name].kind
    if len(set(card.modalities)) < len(card.modalities):
        yield "card.json", "'modalities' names one twice"
    if card.modalities != model.get("modalities"):
        yield "config.json", f"'modalities' are {model.get('modalities')!r:.80}, not the card's"
    if set(model["routes"]) != set(card.modalities):
        yield "config.json", "'routes' are not those of the card's modalities"
    if set(processors) != set(card.modalities):
        lacking = sorted(set(card.modalities) ^ set(processors))
        yield f"processors/{lacking[0]}.json", "it does not belong to the card's modalities"
        return
    for name, processor in processors.items():
        file = f"processors/{name}.json"
        encoder = model["encoders"].get(model["routes"][name])
        if processor.modality != name:
            yield file, f"'modality' is '{processor.modality}'"
        if encoder is None:
            yield "config.json", f"'routes' leads {name} to an encoder that is not there"
            return
        wanted = encoder.get("checkpoint")
        given = processor.checkpoint and processor.checkpoint.model_dump()
        if (given, processor.family, processor.config) != (
            wanted,
            encoder.get("family"),
            encoder.get("config"),
        ):
            yield file, f"it is not for the encoder that 'config.json' gives {name}"
        yield from _of_state(file, kinds[name], processor.state, card.table_columns.get(name))
    tables = {name for name, kind in kinds.items() if kind == "table"}
    if set(card.table_columns) != tables:
        yield "card.json", "'table_columns' are not those of the modalities that are tables"
    if not set(card.columns) <= set(card.modalities):
        yield "card.json", "'columns' names another modality"
    for name, columns in card.columns.items():
        if len(set(columns)) < len(columns):
            yield "card.json", f"'columns.{name}' names one twice"


def _of_state(file: str, kind: str, state: State, shown: Mapping[str, Any] | None) -> Problems:
    if kind != "table" and state.features is not None:
        yield file, "'state.features' belongs to tables only"
    if kind != "series" and state.channels is not None:
        yield file, "'state.channels' belongs to series only"
    if kind == "table" and (state.features or {}) != (shown or {}):
        yield file, "'state.features' are not 'table_columns' of the card"
    known = {**(state.features or {}), **(state.channels or {})}
    for name, feature in (state.features or {}).items():
        if (feature.quantiles is None) == (feature.categories is None):
            yield file, f"'state.features.{name}' is neither a number nor a category"
        quantiles, words = feature.quantiles or [], feature.categories or []
        if quantiles != sorted(quantiles):
            yield file, f"'state.features.{name}.quantiles' do not ascend"
        if len(set(words)) < len(words):
            yield file, f"'state.features.{name}.categories' names one twice"
    for column in state.columns or ():
        if column[0] not in known or column[1] not in READ:
            yield file, f"'state.columns' has {column!r:.60}, which is none of its features"


def _of_base(
    manifest: Manifest, card: Card, model: Mapping[str, Any], adapter: Mapping[str, Any]
) -> Problems:
    base = (manifest.base.name, manifest.base.sha256)
    if (model.get("base"), model.get("base_sha256")) != base:
        yield "config.json", "'base' is another one than that of 'manifest.json'"
    if (card.base, card.base_sha256) != base:
        yield "card.json", "'base' is another one than that of 'manifest.json'"
    if adapter.get("base_model_name_or_path") not in (None, manifest.base.name):
        yield "adapter/adapter_config.json", "'base_model_name_or_path' is another base"
    checkpoints = checkpoints_of(model)
    if checkpoints != [one.model_dump() for one in manifest.checkpoints]:
        yield "config.json", "its checkpoints are other ones than those of 'manifest.json'"
    if {one["sha256"] for one in checkpoints} != {one.sha256 for one in card.checkpoints}:
        yield "card.json", "'checkpoints' are other ones than those of 'config.json'"


def _of_figures(card: Card) -> Problems:
    name = HEADLINE[card.task.kind]
    judged: list[tuple[str, Judged]] = [("metrics", card.metrics)]
    judged += [(f"ladder[{i}]", one) for i, one in enumerate(card.ladder)]
    judged += [(f"subsets[{i}]", one) for i, one in enumerate(card.subsets)]
    judged += [(f"missing[{i}]", one) for i, one in enumerate(card.missing)]
    if card.cross_validation is not None:
        judged.append(("cross_validation", card.cross_validation))
    if card.learning_curve is not None:
        points = enumerate(card.learning_curve.points)
        judged += [(f"learning_curve.points[{i}]", one) for i, one in points]
    for place, one in judged:
        if getattr(one, name) is None:
            yield "card.json", f"'{place}' lacks '{name}'"
        for metric in METRICS.values():
            low, high = metric.low, metric.high
            figure: Figure | None = getattr(one, metric.key, None)
            numbers = [] if figure is None else [figure.value, figure.low, figure.high]
            if any(n is not None and not low <= n <= high for n in numbers):
                yield "card.json", f"'{place}.{metric.key}' is outside {low} to {high}"
            if numbers and None not in numbers and numbers[1] > numbers[2]:
                yield "card.json", f"'{place}.{metric.key}' has a low end above its high one"
    for i, subset in enumerate(card.subsets):
        own = set(subset.modalities)
        if not own <= set(card.modalities) or len(own) < len(subset.modalities):
            yield "card.json", f"'subsets[{i}].modalities' are not the card's"
        if subset.n > card.n.test:
            yield "card.json", f"'subsets[{i}].n' is more than the test cases"
    if card.fusion is not None and card.fusion.best_single not in card.modalities:
        yield "card.json", "'fusion.best_single' is none of the modalities"
    names = [one.name for one in card.ladder]
    if card.chosen not in names or len(set(names)) < len(names):
        yield "card.json", f"'chosen' is '{card.chosen:.60}', which is no one model of the ladder"


def _of_settings(card: Card) -> Problems:
    file, known = "card.json", {item.name: item for item in fields(RunConfig)}
    for key in card.config:
        if key not in known:
            yield file, f"'config.{key[:60]}' is no setting of a run"
            return
    try:
        config = RunConfig.from_dict(card.config)
        default = RunConfig()
    except InputError as fault:
        yield file, f"'config' cannot be: {fault.message.rstrip('.')}"
        return
    except (TypeError, ValueError, AttributeError):
        yield file, "'config' has a value of another type than the settings of a run have"
        return
    for name in known:
        value, usual = getattr(config, name), getattr(default, name)
        same = type(value) is type(usual) or (type(usual), type(value)) == (float, int)
        if not same:
            yield file, f"'config.{name}' is {value!r:.60}, which is of another type"
    if (list(config.modalities), config.base) != (card.modalities, card.base):
        yield file, "'config' has other modalities, or another base, than the card"


def _of_calibration(task: TaskSpec, card: Card, found: Calibration) -> Problems:
    file, conformal = "calibration.json", found.conformal
    rows = [len(row) for row in found.typical]
    if rows != [task.outputs] * len(card.modalities):
        yield file, f"'typical' needs {task.outputs} number(s) for each of the modalities"
    each = len(task.labels) if task.kind == "multilabel" else 1
    if (len(conformal.thresholds), len(conformal.n)) != (each, each):
        yield file, f"'conformal.thresholds' and 'conformal.n' need {each} value(s)"
    if ("absolute error" in conformal.method) != (task.kind == "regression"):
        yield file, f"'conformal.method' is not that of a {task.kind} task"
    if task.kind != "regression" and any(t is not None and t > 1 for t in conformal.thresholds):
        yield file, "'conformal.thresholds' are more than 1"
    if not set(found.guard) <= set(card.modalities):
        yield file, "'guard' names another modality"
    if task.kind != "binary" and found.shift:
        yield file, f"'shift' is not 0, which a {task.kind} task does not have"
    if task.kind != "regression" and (found.centre, found.spread) != (0, 1):
        yield file, f"'centre' and 'spread' are not 0 and 1, as a {task.kind} task has them"


def _of_model(
    task: TaskSpec, model: Mapping[str, Any], processors: Mapping[str, ProcessorFile]
) -> Problems:
    if model["outputs"] != task.outputs:
        yield "config.json", f"'outputs' is {model['outputs']}, and the task has {task.outputs}"
    counted = {n: len(p.state.columns) for n, p in processors.items() if p.state.columns}
    if (model.get("columns") or {}) != counted:
        yield "config.json", "'columns' are not as many as the processors have"
    if not set(model.get("trees") or {}) <= set(counted):
        yield "config.json", "'trees' stand on a modality without columns"


def _of_probes(task: TaskSpec, card: Card, probes: Probes) -> Problems:
    file = "probes.json"
    given = [one.modality for one in probes.inputs]
    if set(given) != set(card.modalities):
        yield file, "'inputs' are not of each of the card's modalities"
    for i, one in enumerate(probes.answers):
        if max(one.inputs) >= len(given):
            yield file, f"'answers[{i}].inputs' names an input that is not there"
            return
        if list(one.answer) != list(task.labels):
            yield file, f"'answers[{i}].answer' is not by the labels of the card, in their order"
    alone = {given[one.inputs[0]] for one in probes.answers if len(one.inputs) == 1}
    if alone != set(card.modalities):
        yield file, "'answers' lacks those to single modalities"
