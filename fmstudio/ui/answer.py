"""A Prediction as a fragment: the figure, what it rests on, and how far to trust it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fmstudio.contracts import Pipeline
from fmstudio.present.outcomes import named, towards_positive
from fmstudio.present.values import number, percent
from fmstudio.types import Prediction
from fmstudio.ui.fragments import (
    NOTHING,
    Html,
    badge,
    bar,
    bullets,
    join,
    notice,
    table,
    tag,
    text,
)
from fmstudio.ui.wording import listed, plural

CAUTION = (
    "Not a medical device. For research and teaching; no decision about a patient may rest on it."
)

SMALL_ERROR = 0.05
NARROWEST = 0.1  # a contribution of 10 points fills at least this axis: small ones look small


def answer(
    prediction: Prediction,
    task: Mapping[str, Any],
    pipelines: Sequence[Pipeline],
    card: Mapping[str, Any],
) -> Html:
    """The whole answer, the question and the figure first.

    `card` is the adapter's, `task` its task with a question in words.
    """
    names = {pipeline.name: pipeline.label for pipeline in pipelines}
    parts = [
        headline(prediction, task, card),
        spread(prediction, task),
        warnings(prediction),
        contributions(prediction, names),
        basis(prediction, names),
        remarks(prediction),
        tag("p", text(CAUTION), "fm-caution"),
    ]
    return tag("div", join(parts), "fm-answer", aria_live="polite")


def not_answered(refused: Sequence[str]) -> Html:
    """In place of an answer: what has to be corrected first, a sentence for each value."""
    what = "One value has" if len(refused) == 1 else f"{len(refused)} values have"
    first = notice(
        f"{what} to be corrected before there is an answer.",
        "Each is marked at its field. Empty a field if its value is not known.",
        "stop",
    )
    return tag("div", join([first, bullets(refused)]), "fm-answer", aria_live="polite")


def headline(prediction: Prediction, task: Mapping[str, Any], card: Mapping[str, Any]) -> Html:
    """The probability in large type, of a binary task always that of the positive outcome."""
    if prediction.task == "regression":
        column = (task.get("columns") or ["predicted value"])[0]
        figure, label = number(prediction.value, 2), str(column)
    elif prediction.task == "multilabel":
        found = prediction.prediction or []
        found = [found] if isinstance(found, str) else list(found)
        figure, label = str(len(found)), f"found: {listed(found)}" if found else "nothing found"
    else:
        positive = task.get("positive") if prediction.task == "binary" else None
        label = str(prediction.prediction if positive is None else positive)
        figure = percent(prediction.probabilities.get(label, 0.0))
        label = named(label, task)
    question = tag("p", text(task.get("description") or "Answer"), "fm-question")
    big = tag("div", join([tag("strong", text(figure)), tag("span", text(label))]), "fm-big")
    return tag(
        "div", join([question, big, tag("p", text(sureness(prediction, task, card)), "fm-note")])
    )


def sureness(prediction: Prediction, task: Mapping[str, Any], card: Mapping[str, Any]) -> str:
    """How far the chance can be taken at its word, and the conformal set or interval in words."""
    share = f"{100 * (prediction.coverage or 0.9):.0f} %"
    if prediction.task == "regression":
        if prediction.interval is None:
            return ""
        low, high = prediction.interval
        return (
            f"Between {number(low, 2)} and {number(high, 2)}. Such ranges hold the true value for "
            f"{share} of patients like the validation patients."
        )
    calibrated = calibration(card)
    possible = [named(label, task) for label in prediction.conformal_set]
    if prediction.coverage is None:
        return calibrated
    if not possible:
        return f"{calibrated} No outcome fits well: this case is unlike those learned from."
    left = f"only {possible[0]}" if len(possible) == 1 else f"undecided between {listed(possible)}"
    return (
        f"{calibrated} Possible outcomes: {left}. Sets made like this contain the true "
        f"outcome for {share} of patients like the validation patients."
    )


def calibration(card: Mapping[str, Any]) -> str:
    """What held-out patients say of the calibration.

    Even right chances of a few cases show an error. One below 0.05 is small for any use; one above
    that and above what chance explains is told as such.
    """
    said = "The probability is calibrated on validation patients"
    found = (card.get("metrics") or {}).get("ece") or {}
    error, by_chance = found.get("value"), found.get("by_chance")
    cases = (card.get("n") or {}).get("test")
    if error is None or not cases:
        return f"{said}; how well that holds for others was not measured."
    measured = f"{said}; its error on {plural(cases, 'held-out case')} is {error:.2f}"
    if error <= SMALL_ERROR or by_chance is None:
        return f"{measured}."
    if error > by_chance:
        return f"{measured}, so read it with care."
    return f"{measured}, which so few cases show by luck alone."


def spread(prediction: Prediction, task: Mapping[str, Any]) -> Html:
    """The probability of every outcome on the same scale from 0 to 1."""
    if not prediction.probabilities:
        return NOTHING
    best = prediction.prediction
    best = [best] if isinstance(best, str) else list(best or ())
    rows = [
        [
            text(named(label, task)),
            bar(share, percent(share), "accent" if label in best else "muted"),
        ]
        for label, share in prediction.probabilities.items()
    ]
    return table(["Outcome", "Probability"], rows)


def contributions(prediction: Prediction, names: Mapping[str, str]) -> Html:
    """What each modality adds to or takes from the answer, around the middle line."""
    if not prediction.contributions:
        return NOTHING
    regression = prediction.task == "regression"
    known, baseline = towards_positive(prediction)
    widest = max(abs(value) for value in known.values())
    widest = (widest or 1.0) if regression else max(widest, NARROWEST)
    ordered = sorted(known.items(), key=lambda item: -abs(item[1]))
    rows = []
    for modality, value in ordered:
        figure = f"{value:+.2f}" if regression else f"{100 * value:+.1f}"
        rows += [text(names.get(modality, modality)), _signed(value / widest), figure_of(figure)]
    start = number(baseline, 2) if regression else percent(baseline)
    unit = "" if regression else ", in percentage points"
    lead = (
        f"From {start} for a typical training patient: what raises the prediction points to the "
        f"right, what lowers it to the left{unit}."
    )
    return join(
        [
            tag("h3", text("What moved the answer")),
            tag("p", text(lead), "fm-note"),
            tag("div", join(rows), "fm-signed"),
        ]
    )


def figure_of(figure: str) -> Html:
    """A signed figure with a real minus sign, and no sign where it is rounded to nothing."""
    if not float(figure):
        figure = figure[1:]
    return tag("b", text(figure.replace("-", "−")))


def _signed(share: float) -> Html:
    """A bar from the middle: `share` in [-1, 1]."""
    width = round(50 * min(abs(share), 1.0), 2)
    left = 50.0 if share >= 0 else round(50.0 - width, 2)
    fill = tag("i", NOTHING, "" if share >= 0 else "fm-away", style=f"left:{left}%;width:{width}%")
    return tag("span", fill, "fm-axis", aria_hidden="true")


def basis(prediction: Prediction, names: Mapping[str, str]) -> Html:
    """What the answer rests on and what was not given."""
    used = join([badge(names.get(key, key), "accent") for key in prediction.used], " ")
    missing = join([badge(names.get(key, key)) for key in prediction.missing], " ")
    parts = [tag("h3", text("Rests on")), tag("div", used)]
    if prediction.missing:
        parts += [tag("h3", text("Not given")), tag("div", missing)]
    return join(parts)


def warnings(prediction: Prediction) -> Html:
    """What speaks against trusting the answer."""
    return join([notice(warning, tone="warning") for warning in prediction.warnings])


def remarks(prediction: Prediction) -> Html:
    """What was changed or left out while reading."""
    if not prediction.remarks:
        return NOTHING
    said = [tag("h3", text("Noted while reading")), bullets(prediction.remarks)]
    return join(said)
