"""A report's folder: report.html, report.pdf, report.json, model_card.md and figures/."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fmstudio.present.blocks import Block, Heading, Paragraph, Table
from fmstudio.present.html import page
from fmstudio.present.pdf import pdf
from fmstudio.report.checklists import checklists
from fmstudio.report.facts import Facts
from fmstudio.report.figures import draw
from fmstudio.report.methods import methods
from fmstudio.report.results import results
from fmstudio.results.json_form import as_json

CAUTION = (
    "For research and teaching. Not a medical device: nobody may be diagnosed or treated on the "
    "strength of its answers."
)
SOURCES = {
    "TRIPOD+AI": "Items as numbered by Collins et al. 2024, BMJ 385:e078378, in our own words.",
    "CLAIM": "Items as numbered in the 2024 update of CLAIM (Tejani et al. 2024, Radiology: "
    "Artificial Intelligence 6:e240300), in our own words.",
}


def write_report(facts: Facts, folder: Path) -> list[Path]:
    """Write everything into `folder`, which is made; the files, the HTML first."""
    folder.mkdir(parents=True, exist_ok=True)
    figures = folder / "figures"
    drawn = draw(facts, figures)
    lists = checklists(facts)
    title = f"{facts.project.name}: adapter {facts.adapter.id}"
    made = datetime.now(UTC).strftime("%Y-%m-%d")
    blocks: list[Block] = [
        Heading(title, 1),
        Paragraph(f"Written on {made} from the registry. {CAUTION}"),
        *methods(facts),
        *results(facts, drawn),
        *_checklists(lists),
        *_model_card(facts),
    ]
    (folder / "report.html").write_text(page(title, blocks, figures), encoding="utf-8")
    pdf(title, blocks, figures, folder / "report.pdf")
    (folder / "model_card.md").write_text(facts.model_card, encoding="utf-8")
    everything = {
        "adapter": facts.adapter.id,
        "project": facts.project.name,
        "written": made,
        "card": dict(facts.card),
        "judgement": as_json(facts.evaluation),
        "checklists": lists,
        "figures": drawn,
    }
    text = json.dumps(everything, indent=2, ensure_ascii=False, allow_nan=False, default=str)
    (folder / "report.json").write_text(text, encoding="utf-8")
    names = ("report.html", "report.pdf", "report.json", "model_card.md")
    return [*(folder / name for name in names), *sorted(figures.iterdir())]


def _checklists(lists: dict[str, list[dict[str, str]]]) -> list[Block]:
    blocks: list[Block] = []
    for name, items in lists.items():
        states = [item["state"] for item in items]
        counted = ", ".join(f"{states.count(s)} {s}" for s in ("answered", "pointed to", "open"))
        rows = [[item["number"], item["asks"], item["state"], item["answer"]] for item in items]
        blocks += [
            Heading(f"Checklist: {name}"),
            Paragraph(f"{SOURCES[name]} {counted}."),
            Table(["Item", "What it asks", "State", "Answer"], rows),
        ]
    return blocks


def _model_card(facts: Facts) -> list[Block]:
    card: dict[str, Any] = dict(facts.card)
    rows = [
        ["Meant for", str(card.get("intended_use", "–"))],
        ["Licence", str(card.get("licence", "–"))],
        ["Looks at", ", ".join(facts.modality(name) for name in facts.evaluation.modalities)],
        ["Base", f"{card.get('base')} ({card.get('base_sha256')})"],
        ["Data fingerprint", str(card.get("fingerprint", "–"))],
        ["Made", str(card.get("created_at", "–"))],
    ]
    return [Heading("Model card"), Table(["", ""], rows)]
