"""An adapter's card.json as a page for people: the README.md of a bundle.

It follows the idea of model cards (Mitchell et al. 2019, arXiv 1810.03993): what the adapter is
for and not for, on whom it was evaluated and how well, what it needs, and how to load it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fmstudio.present.blocks import Block, Bullets, Code, Heading, Notice, Paragraph, Table
from fmstudio.present.values import bounds, number
from fmstudio.results.metrics import METRICS, headline_in

LOADING: tuple[Block, ...] = (
    Heading("Loading it"),
    Paragraph("With the studio:"),
    Code("python -m fmstudio import FILE.zip\npython -m fmstudio predict", "sh"),
    Paragraph("With stock peft, from the unpacked bundle, with the studio's package on the path:"),
    Code(
        """\
from peft import PeftModel
from fmstudio.model.load import load_base  # registers the architecture, checks the base's SHA-256

model = PeftModel.from_pretrained(load_base("config.json"), "adapter").eval()""",
        "python",
    ),
    Paragraph(
        "The folder processors says how inputs are prepared, the file calibration.json how outputs "
        "become probabilities."
    ),
)
NOT_A_DEVICE = Notice(
    "This is not a medical device.",
    "It is for research and teaching. It has not been examined by any authority, and nobody may be "
    "diagnosed or treated on the strength of its answers.",
    "warning",
)
HEADER = ("", "value", "95 % interval")


def model_card(card: Mapping[str, Any]) -> list[Block]:
    """The page. `card` is the adapter's card.json; absent parts are left out."""
    return [
        Heading(str(card["name"]), 1),
        *_purpose(card, card["task"]),
        NOT_A_DEVICE,
        *_metrics(card),
        *_ladder(card),
        Heading("What it was made from"),
        Bullets([*_sources(card), *map(_checkpoint, card.get("checkpoints") or ())]),
        *LOADING,
    ]


def _purpose(card: Mapping[str, Any], task: Mapping[str, Any]) -> Iterator[Block]:
    answer = {
        "binary": "whether a case is",
        "multiclass": "which of these a case is:",
        "multilabel": "which of these a case has:",
        "regression": "the number",
    }.get(task["kind"], task["kind"])
    labels = task["labels"][-1:] if task["kind"] == "binary" else task["labels"]
    named = ", ".join(f"“{label}”" for label in labels)
    columns = ", ".join(task.get("columns", ()))
    more = f" ({columns})" if columns else ""
    yield Paragraph(f"A LoRA adapter that predicts {answer} {named}{more}.")
    for text in (task.get("description"), card.get("intended_use")):
        yield Paragraph(text or "")
    modalities = ", ".join(card["modalities"])
    yield Paragraph(f"It looks at: {modalities}. Any of them may be missing.")


def _metrics(card: Mapping[str, Any]) -> Iterator[Block]:
    n = card.get("n") or {}
    held_out = f" ({n['test']} cases)" if "test" in n else ""
    yield Heading("How good it is")
    yield Paragraph(
        f"On patients that were held out of training{held_out}; intervals by resampling patients. "
        "Other hospitals' patients may differ: evaluate it on your own first."
    )
    rows = [
        [_metric(name) + _guessing(figure), *_value(figure)]
        for name, figure in card["metrics"].items()
        if isinstance(figure, Mapping)
    ]
    yield Table(HEADER, rows)


def _metric(key: str) -> str:
    """The name, with the direction where less is better."""
    metric = METRICS.get(key)
    if metric is None:
        return key
    return metric.name if metric.higher_is_better else f"{metric.name} (lower is better)"


def _guessing(figure: Mapping[str, Any]) -> str:
    """The prevalence, beside a metric that reaches it by guessing."""
    level = figure.get("prevalence")
    return "" if level is None else f" (prevalence {number(level)})"


def _ladder(card: Mapping[str, Any]) -> Iterator[Block]:
    if not card.get("ladder"):
        return
    rows = []
    for step in card["ladder"]:
        chosen = " (chosen)" if step.get("name") == card.get("chosen") else ""
        rows.append(
            [f"{step.get('name')}{chosen}", *_value(step.get(headline_in(step) or "") or {})]
        )
    yield Heading("What it was compared with")
    yield Table(HEADER, rows)


def _value(figure: Mapping[str, Any]) -> tuple[str, str]:
    value = figure.get("value")
    return "not defined" if value is None else number(value), bounds(figure) or "not defined"


def _sources(card: Mapping[str, Any]) -> Iterator[str]:
    named = {
        "Base model": f"{card.get('base')}, weights SHA-256 {card.get('base_sha256')}",
        "Cases": ", ".join(f"{count} {split}" for split, count in (card.get("n") or {}).items()),
        "Data fingerprint": card.get("fingerprint"),
        "Made": card.get("created_at"),
        "Versions": ", ".join(f"{k} {v}" for k, v in (card.get("versions") or {}).items()),
        "Licence": card.get("licence"),
    }
    yield from (f"{name}: {value}" for name, value in named.items() if value)


def _checkpoint(made: Mapping[str, Any]) -> str:
    """A line on a checkpoint that the adapter needs beside its base."""
    revision = f" at revision {made['revision']}" if made.get("revision") else ""
    trained = f" Trained on: {made['trained_on']}." if made.get("trained_on") else ""
    return (
        f"Checkpoint for {', '.join(made['modalities'])}: {made.get('id') or made['name']}"
        f"{revision} ({made['model_type']}), SHA-256 {made['sha256']}. Licence: {made['licence']}"
        f"{', gated' if made.get('gated') else ''}.{trained}"
    )
