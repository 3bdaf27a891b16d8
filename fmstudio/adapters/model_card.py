"""The README.md of a bundle: card.json in, a page for people out.

It follows the idea of model cards (Mitchell et al. 2019, arXiv 1810.03993): what the adapter is
for and not for, on whom it was judged and how well, what it needs, and how to load it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from fmstudio.present.values import bounds, number
from fmstudio.results.metrics import METRICS, headline_in

LOADING = """\
With the studio: `python -m fmstudio import FILE.zip`, then `python -m fmstudio predict`.

With stock `peft`, from the unpacked bundle, with the studio's package on the path:

```python
from peft import PeftModel
from fmstudio.model.load import load_base  # registers the architecture, checks the base's SHA-256

model = PeftModel.from_pretrained(load_base("config.json"), "adapter").eval()
```

`processors/` says how inputs are prepared, `calibration.json` how outputs become probabilities.
"""

NOT_A_DEVICE = (
    "**This is not a medical device.** It is for research and teaching. It has not been examined "
    "by any authority, and nobody may be diagnosed or treated on the strength of its answers."
)


def model_card(card: Mapping[str, Any]) -> str:
    """The page as Markdown. `card` is the adapter's card.json; absent parts are left out."""
    task = card["task"]
    parts = [
        f"# {_plain(card['name'])}",
        _purpose(card, task),
        NOT_A_DEVICE,
        "## How good it is\n\n" + _judged(card),
        "## What it was compared with\n\n" + _ladder(card) if card.get("ladder") else "",
        "## What it was made from\n\n" + _facts(card),
        "## Loading it\n\n" + LOADING,
    ]
    return "\n\n".join(part.rstrip() for part in parts if part) + "\n"


def _purpose(card: Mapping[str, Any], task: Mapping[str, Any]) -> str:
    answer = {
        "binary": "whether a case is",
        "multiclass": "which of these a case is:",
        "multilabel": "which of these a case has:",
        "regression": "the number",
    }.get(task["kind"], _plain(task["kind"]))
    labels = task["labels"][-1:] if task["kind"] == "binary" else task["labels"]
    named = ", ".join(f"“{_plain(label)}”" for label in labels)
    column = ", ".join(_plain(column) for column in task.get("columns", ()))
    lines = [
        f"A LoRA adapter that predicts {answer} {named}" + (f" ({column})." if column else ".")
    ]
    lines += [_plain(text) for text in (task.get("description"), card.get("intended_use")) if text]
    modalities = ", ".join(_plain(name) for name in card["modalities"])
    lines.append(f"It looks at: {modalities}. Any of them may be missing.")
    return "\n\n".join(lines)


def _judged(card: Mapping[str, Any]) -> str:
    n = card.get("n") or {}
    held_out = f" ({_plain(n['test'])} cases)" if "test" in n else ""
    rows = [
        f"| {_metric(name)}{_guessing(figure)} | {_figure(figure)} | {_range(figure)} |"
        for name, figure in card["metrics"].items()
        if isinstance(figure, Mapping)
    ]
    return "\n".join(
        [
            f"On patients that were held out of training{held_out}; intervals by resampling "
            "patients. Other hospitals' patients may differ: evaluate it on your own first.",
            "",
            "| | value | 95 % interval |",
            "|---|---|---|",
            *rows,
        ]
    )


def _metric(key: str) -> str:
    """The name, with the direction where less is better."""
    metric = METRICS.get(key)
    if metric is None:
        return _plain(key)
    return metric.name if metric.higher_is_better else f"{metric.name} (lower is better)"


def _guessing(figure: Mapping[str, Any]) -> str:
    """The prevalence, beside a figure that reaches it by guessing."""
    level = figure.get("prevalence")
    return "" if level is None else f" (prevalence {number(level)})"


def _ladder(card: Mapping[str, Any]) -> str:
    rows = []
    for step in card["ladder"]:
        figure = step.get(headline_in(step) or "") or {}
        chosen = " (chosen)" if step.get("name") == card.get("chosen") else ""
        rows.append(
            f"| {_plain(step.get('name'))}{chosen} | {_figure(figure)} | {_range(figure)} |"
        )
    return "\n".join(["| | value | 95 % interval |", "|---|---|---|", *rows])


def _facts(card: Mapping[str, Any]) -> str:
    base = f"{_plain(card.get('base'))}, weights SHA-256 {_code(card.get('base_sha256'))}"
    n = ", ".join(
        f"{_plain(count)} {_plain(split)}" for split, count in (card.get("n") or {}).items()
    )
    versions = ", ".join(
        f"{_plain(k)} {_plain(v)}" for k, v in (card.get("versions") or {}).items()
    )
    rows = {
        "Base model": base,
        "Cases": n,
        "Data fingerprint": _code(card["fingerprint"]) if card.get("fingerprint") else "",
        "Made": _plain(card.get("created_at")),
        "Versions": versions,
        "Licence": _plain(card.get("licence")),
    }
    lines = [f"- {name}: {value}" for name, value in rows.items() if value]
    return "\n".join([*lines, *map(_checkpoint, card.get("checkpoints") or ())])


def _checkpoint(made: Mapping[str, Any]) -> str:
    """A line on a checkpoint that the adapter needs beside its base."""
    revision = f" at revision {_code(made['revision'])}" if made.get("revision") else ""
    trained = f" Trained on: {_plain(made['trained_on'])}." if made.get("trained_on") else ""
    return (
        f"- Checkpoint for {_plain(', '.join(made['modalities']))}: "
        f"{_plain(made.get('id') or made['name'])}{revision} ({_plain(made['model_type'])}), "
        f"SHA-256 {_code(made['sha256'])}. Licence: {_plain(made['licence'])}"
        f"{', gated' if made.get('gated') else ''}.{trained}"
    )


def _figure(figure: Mapping[str, Any]) -> str:
    value = figure.get("value")
    return "not defined" if value is None else number(value)


def _range(figure: Mapping[str, Any]) -> str:
    return bounds(figure) or "not defined"


def _plain(text: object) -> str:
    """One line that Markdown, and a viewer that passes HTML on, show as it was written.

    Every sign that Markdown knows is escaped (CommonMark 0.31, 2.4), those of HTML are named.
    """
    line = "".join(
        sign if sign.isprintable() or sign.isspace() else "\ufffd"
        for sign in str("" if text is None else text)
    )
    escaped = re.sub(r"([\\`*_{}\[\]#+!|~$@])", r"\\\1", " ".join(line.split()))
    escaped = re.sub(r"^(\d*)([-=.)])", r"\1\\\2", escaped)  # no list, no line under a heading
    escaped = re.sub(r"(?i)(:)(?=//)|(?<=www)(\.)", r"\\\g<0>", escaped)  # no link by itself
    return escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _code(text: object) -> str:
    """A hash or revision as code; anything else, which could end the code, as plain text."""
    return f"`{text}`" if re.fullmatch(r"[A-Za-z0-9._/-]+", str(text)) else _plain(text)
