"""Findings of the report, the most serious first: the rows concerned, and buttons that resolve."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from fmstudio.results.audit import Mended
from fmstudio.results.finding import Finding, Mend
from fmstudio.ui.fragments import NOTHING, Html, badge, join, table, tag, text
from fmstudio.ui.previews import strip
from fmstudio.ui.wording import plural

SEVERITIES: Mapping[str, tuple[str, str]] = {
    "stop": ("Must be fixed", "stop"),
    "warning": ("Look at this", "warning"),
    "note": ("Note", "plain"),
}
ANSWER = ("Answer before training", "stop")
KINDS: Mapping[str, str] = {
    "patient_across_splits": "Patient in several splits",
    "duplicate_files": "Duplicates",
    "label_in_notes": "Label leakage through notes",
    "column_gives_label": "Label leakage through a column",
    "after_outcome": "Recorded after the outcome",
    "site_gives_label": "Label leakage through site",
    "order_gives_label": "Label leakage through row order",
    "mixed_units": "Several units",
    "impossible_values": "Impossible values",
    "spelling": "Several spellings",
    "paths_to_nothing": "Names of no files",
    "unreadable": "Cannot be read",
    "open_question": "A question on the files",
    "answered": "Answered for all files",
    "constant_signal": "Nothing in it",
    "wrong_modality": "Another kind of picture",
    "identifiers": "Identifies the patient",
    "label_noise": "Labels in doubt",
    "few_cases": "Number of cases",
    "one_class": "A class is missing",
    "missing_labels": "No label",
    "no_input": "No input",
    "no_patient_id": "No patient number",
}
"""What people call the kinds of the contract."""

# Hands the pressed button's finding and way to the handler of the hidden button that it presses.
PRESSED = "(pressed, ...rest) => [window.fmMend.pressed(), ...rest]"
UNDO = "undo"
"""What the button for the way back says in the place of a finding."""
_LONGEST_CELL = 70

Cut = tuple[np.ndarray, str]
Rows = Callable[[Finding], Sequence[Mapping[str, str]]]
"""For a finding the first rows that it is about: the name of the case, then cells by column."""
Pictures = Callable[[Finding], Sequence[Cut]]
"""For a finding what it points to in pictures, with captions."""


def in_words(found: Sequence[Finding]) -> str:
    """'1 must be fixed, 3 to look at, 4 notes.'"""
    waiting = sum(bool(one.must_answer) for one in found)
    counts = Counter(one.severity for one in found if not one.must_answer)
    said = [
        f"{waiting} to answer before training" if waiting else "",
        f"{counts['stop']} must be fixed" if counts["stop"] else "",
        f"{counts['warning']} to look at" if counts["warning"] else "",
        plural(counts["note"], "note") if counts["note"] else "",
    ]
    known = [words for words in said if words]
    return ", ".join(known) + "." if known else ""


def findings(
    found: Sequence[Finding],
    rows: Rows = lambda finding: [],
    cleaning: bool = True,
    pictures: Pictures = lambda finding: [],
) -> Html:
    """One card a finding; with `cleaning` its ways to be resolved are buttons."""
    order = list(SEVERITIES)
    found = sorted(found, key=lambda one: (order.index(one.severity), not one.must_answer))
    if not found:
        return tag("p", text("No findings."), "fm-note")
    return tag(
        "div", join(_card(one, rows(one), pictures(one), cleaning) for one in found), "fm-findings"
    )


def _card(
    finding: Finding,
    rows: Sequence[Mapping[str, str]],
    cuts: Sequence[Cut],
    cleaning: bool,
) -> Html:
    label, tone = ANSWER if finding.must_answer else SEVERITIES[finding.severity]
    kind = KINDS.get(finding.kind, finding.kind.replace("_", " "))
    head = [badge(label, tone), tag("h3", text(kind)), tag("small", text(_where(finding)))]
    parts = [
        tag("header", join(head)),
        tag("p", text(finding.message)),
        tag("p", text(finding.fix), "fm-fix"),
    ]
    if cuts:
        parts.append(strip(cuts))
    if rows:
        parts.append(_rows(finding, rows))
    ways = finding.mends if cleaning else ()
    if ways:
        parts.append(tag("footer", join(_button(finding, n, way) for n, way in enumerate(ways))))
    return tag("article", join(parts), f"fm-finding fm-{tone}", data_kind=finding.kind)


def _button(finding: Finding, place: int, way: Mend) -> Html:
    """One way to resolve a finding; merely accepting it never looks like the first choice."""
    classes = "fm-button fm-quiet" if place or way.accepts else "fm-button"
    return tag(
        "button",
        text(way.label),
        classes,
        type="button",
        data_mend=finding.id,
        data_way=place + 1,
    )


def undoing(how: Mended | None) -> Html:
    """What was cleaned last, and the way back; nothing where the table is as it was added."""
    if how is None:
        return NOTHING
    kind = KINDS.get(how.finding, how.finding.replace("_", " "))
    said = tag(
        "span", join([text("Cleaned last: "), tag("strong", text(how.way)), text(f" ({kind}).")])
    )
    button = tag(
        "button", text("Undo"), "fm-button fm-quiet", type="button", data_mend=UNDO, data_way=0
    )
    return tag("div", join([said, button]), "fm-undo")


def _where(finding: Finding) -> str:
    """'columns a, b · 12 rows'."""
    columns = finding.columns
    named = ", ".join(columns[:6]) + (f" and {len(columns) - 6} more" if len(columns) > 6 else "")
    count = len(finding.rows)
    parts = [named, plural(count, "row") if count else ""]
    return " · ".join(part for part in parts if part)


def _rows(finding: Finding, rows: Sequence[Mapping[str, str]]) -> Html:
    """The first rows concerned, folded away."""
    header = list(rows[0])
    lines = [[text(_short(row[name])) for name in header] for row in rows]
    count = len(finding.rows)
    more = "" if count <= len(rows) else f" (the first {len(rows)} of {count})"
    inside = [tag("summary", text(f"Rows concerned{more}")), table(header, lines, write=text)]
    return tag("details", join(inside), "fm-details")


def _short(cell: str) -> str:
    plain = " ".join(cell.split())
    return plain if len(plain) <= _LONGEST_CELL else plain[: _LONGEST_CELL - 1] + "…"
