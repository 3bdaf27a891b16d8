"""What a threshold does to patients, as fragments: confusion, rates, 1 000 patients, triage."""

from __future__ import annotations

from dataclasses import astuple
from math import isfinite

from fmstudio.present.values import number, percent
from fmstudio.results.thresholds import AtThreshold, Triage
from fmstudio.types import Interval
from fmstudio.ui.fragments import Html, bullets, join, notice, table, tag, text

RATES = {
    "sensitivity": ("Sensitivity", "of those who have it, the share that is flagged"),
    "specificity": ("Specificity", "of those who do not, the share that is left alone"),
    "ppv": ("PPV", "of those flagged, the share that has it"),
    "npv": ("NPV", "of those not flagged, the share that does not"),
    "lr_positive": ("LR+", "how much a flag raises the odds"),
    "lr_negative": ("LR\N{MINUS SIGN}", "how much no flag lowers the odds"),
}
CELLS = {
    "true_positives": ("rightly flagged", "accent"),
    "false_negatives": ("missed", "stop"),
    "false_positives": ("false alarms", "warning"),
    "true_negatives": ("rightly left alone", "muted"),
}


def share(metric: Interval, ratio: bool = False) -> str:
    """'83 % (71 to 92)' of an interval of shares; '2.4 (1.8 to 3.3)' of a ratio."""
    if not isfinite(metric.value):
        return "–"
    scale, unit = (1, "") if ratio else (100, " %")
    digits = 1 if ratio else 0
    value = f"{scale * metric.value:.{digits}f}{unit}"
    if not metric.bounded:
        return value
    return f"{value} ({scale * metric.low:.{digits}f} to {scale * metric.high:.{digits}f})"


def at_threshold(found: AtThreshold, label: str) -> Html:
    """Everything about one threshold."""
    halves = [tag("div", _confusion(found, label)), tag("div", _rates(found))]
    return tag(
        "div", join([tag("div", join(halves), "fm-halves"), per_1000(found, label)]), "fm-answer"
    )


def _confusion(found: AtThreshold, label: str) -> Html:
    counts = found.counts
    rows = [
        [
            text(f"{label}: yes"),
            text(number(counts.true_positives)),
            text(number(counts.false_negatives)),
        ],
        [
            text(f"{label}: no"),
            text(number(counts.false_positives)),
            text(number(counts.true_negatives)),
        ],
    ]
    caption = f"The {number(found.n)} held-out cases at this threshold"
    return table(["", "#Flagged", "#Not flagged"], rows, caption)


def _rates(found: AtThreshold) -> Html:
    rows = [
        [
            join([tag("strong", text(name)), Html(" "), tag("small", text(words))]),
            text(share(getattr(found, key), key.startswith("lr"))),
        ]
        for key, (name, words) in RATES.items()
    ]
    prevalence = percent(found.prevalence)
    return table(["", "#95 % interval"], rows, f"PPV and NPV at a prevalence of {prevalence}")


def per_1000(found: AtThreshold, label: str) -> Html:
    """1 000 patients as one bar in four parts, and in a sentence."""
    numbers = found.per_1000
    if not all(map(isfinite, astuple(numbers))):
        return notice(
            "There are no cases of one kind, so nothing can be projected to 1 000 patients."
        )
    parts = [
        tag(
            "i",
            Html(""),
            f"fm-part fm-{tone}",
            style=f"flex:{max(getattr(numbers, key), 0):.2f} 0 0",
            title=f"{getattr(numbers, key):.0f} {words}",
        )
        for key, (words, tone) in CELLS.items()
    ]
    keys = [
        tag(
            "span",
            join(
                [
                    tag("i", Html(""), f"fm-dot fm-{tone}"),
                    text(f"{getattr(numbers, key):.0f} {words}"),
                ]
            ),
        )
        for key, (words, tone) in CELLS.items()
    ]
    sick = numbers.true_positives + numbers.false_negatives
    sentence = (
        f"Of 1,000 patients {sick:.0f} have the outcome ({label}). The model flags "
        f"{numbers.flagged:.0f}: "
        f"{numbers.true_positives:.0f} rightly and {numbers.false_positives:.0f} wrongly. "
        f"It misses {numbers.false_negatives:.0f}."
    )
    bar = tag("div", join(parts), "fm-parts", role="img", aria_label=sentence)
    return join([tag("p", text(sentence), "fm-say"), bar, tag("div", join(keys), "fm-keys")])


def triage(found: Triage) -> Html:
    """What can be promised, and for how many."""
    sides = []
    for own, name, words, where in (
        (found.rule_in, "Ruled in", "PPV", "at or above"),
        (found.rule_out, "Ruled out", "NPV", "below"),
    ):
        if own.threshold is None:
            sides.append(notice(f"{name}: nobody", own.reason or "", "warning"))
            continue
        sides.append(
            notice(
                f"{name}: {share(own.share)} of patients, those {where} {own.threshold:.2f}",
                f"{words} of at least {own.target:.0%}: with {found.confidence:.0%} "
                f"confidence this holds for new patients like these. Here {own.right} of "
                f"{own.answered} were right.",
                "good",
            )
        )
    deferred = f"Deferred to a person: {share(found.deferred)} of patients."
    told = (
        f"From {number(found.n)} held-out patients, one case of each, that were used for "
        "nothing else. The promise is exact for any model, but only for patients like these, with "
        "as many who are ill."
    )
    return tag(
        "div", join([*sides, bullets([deferred]), tag("p", text(told), "fm-note")]), "fm-answer"
    )
