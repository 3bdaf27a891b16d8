"""What pretraining has made, as fragments: the verdict in a sentence, the groups, the way on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fmstudio.present.values import interval, number
from fmstudio.records import RunRecord
from fmstudio.results.metrics import name_of
from fmstudio.ui.fragments import (
    NOTHING,
    Html,
    facts,
    join,
    link,
    notice,
    section,
    table,
    tag,
    text,
)
from fmstudio.ui.results import on_axis
from fmstudio.ui.wording import duration, listed, plural

SENTENCES: Mapping[str, tuple[str, str]] = {
    "better": ("The new base is better for your patients.", "good"),
    "no evidence": ("No evidence that the new base is better or worse for your patients.", "plain"),
    "worse": ("The new base is worse for your patients: stay with the one before.", "warning"),
}
STABLE = 0.6  # adjusted Rand index from which groups are said to come again


def in_brief(judged: Mapping[str, Any]) -> str:
    """The verdict in a few words, for a cell of a table."""
    if judged.get("verdict") is None:
        return "not evaluated" if judged else ""
    gain = judged["gain"]["value"]
    return f"{judged['verdict']}, {name_of(judged['metric'])} {gain:+.3f}"


def learned(run: RunRecord) -> Html:
    """The JSON of `pretrain --json`, for people."""
    found = run.result or {}
    target = f"/finetune?project={run.project_id}"
    ways = tag("p", link("Fine-tune with it", target, "fm-button"), "fm-ways")
    lead = (
        f"Learned on from '{found['parent']}' with {plural(found['learned_from'], 'case')}. On the "
        f"page Fine-tune it is in the list of base models as '{found['base']}'."
    )
    parts = [
        section(f"New base: {found['base']}", lead, text),
        ways,
        _judged(found["verdict"]),
        _cases(found),
        _groups(found.get("groups")),
    ]
    return tag("div", join(parts), "fm-answer")


def _judged(judged: Mapping[str, Any]) -> Html:
    """Before and after on the held-out patients, and what follows."""
    if judged.get("verdict") is None:
        return notice("The new base was not evaluated.", judged.get("reason", ""))
    message, tone = SENTENCES[judged["verdict"]]
    name = judged["metric"]
    hint = (
        f"A probe on frozen features, {name_of(name)} on {judged['n']['test']} held-out cases that "
        f"neither base has learned from. Gain: {interval(judged['gain'])}."
    )
    rows = [
        [text(label), on_axis(judged[key], name), text(interval(judged[key]))]
        for key, label in (("before", "Base before"), ("after", "New base"))
    ]
    header = ["", name_of(name), "#Value (95 % interval)"]
    return join([section("Before and after"), notice(message, hint, tone), table(header, rows)])


def _cases(found: Mapping[str, Any]) -> Html:
    """What was learned from, and what it took."""
    pairs = [(name.capitalize(), number(count)) for name, count in found["n"].items()]
    pairs += [
        ("Inputs that could not be read", number(found["unreadable"])),
        ("Steps", number(found["steps"])),
        ("Time of learning", duration(found["seconds"]["train"])),
        ("Memory at most", f"{number(found['peak_memory_mb'])} MB"),
    ]
    return join([section("What it was made from"), facts(pairs)])


def _groups(groups: Mapping[str, Any] | None) -> Html:
    """The groups that the new base sees among the cases."""
    if not groups:
        return NOTHING
    again = groups["stability"] >= STABLE
    lead = (
        "What the new base groups together, without knowing any outcome. "
        + (
            "The groups come again with other seeds"
            if again
            else "With other seeds other groups come: do not read much into them"
        )
        + f" (agreement {number(groups['stability'], 2)} of 1)."
    )
    rows = [
        [
            text(f"Group {entry['group'] + 1}"),
            text(number(entry["cases"])),
            text(listed(entry["nearest"][:4])),
        ]
        for entry in groups["groups"]
    ]
    return join(
        [
            section("Groups that it found", lead),
            table(["Group", "#Cases", "Most typical"], rows),
        ]
    )
