"""The reporting checklists with each item answered from the registry, pointed to, or left open.

TRIPOD+AI: Collins et al. 2024, BMJ 385:e078378, items 1 to 27. CLAIM, 2024 update: Tejani et al.
2024, Radiology: Artificial Intelligence 6:e240300, items 1 to 44. The numbering is theirs, the
wording ours: look at the originals before you hand anything in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fmstudio.present.evaluation import named
from fmstudio.present.outcomes import outcomes_of
from fmstudio.present.values import interval
from fmstudio.report.facts import Facts, balanced_groups

OPEN = "open"
Answer = str | Callable[[Facts], str]


@dataclass(frozen=True)
class Item:
    """One item: its number, what it asks in our words, and where its answer comes from.

    `state` is answered (the answer stands here), pointed to (in a part of this report), or open:
    only the author knows it.
    """

    number: str
    asks: str
    state: str
    answer: Answer = "For the author."

    def told(self, facts: Facts) -> dict[str, str]:
        """As JSON: {number, asks, state, answer}."""
        answer = self.answer(facts) if callable(self.answer) else self.answer
        return {"number": self.number, "asks": self.asks, "state": self.state, "answer": answer}


def _n(facts: Facts) -> str:
    counts = facts.card.get("n") or {}
    listed = ", ".join(f"{count} {split}" for split, count in counts.items())
    return (
        f"{listed or 'not known'} cases; evaluated on {facts.evaluation.n} of "
        f"{facts.evaluation.patients} patients."
    )


def _outcome(facts: Facts) -> str:
    task = facts.project.task
    return (
        f"{task.kind}: {outcomes_of(task)} (column {', '.join(task.columns)}). "
        f"{task.description or 'How it was assessed is for the author to say.'}"
    )


def _inputs(facts: Facts) -> str:
    columns = facts.card.get("columns") or {}
    parts = [
        f"{facts.modality(name)} ({', '.join(columns.get(name, ())) or 'columns not kept'})"
        for name in facts.evaluation.modalities
    ]
    return "; ".join(parts) + "."


def _missing(facts: Facts) -> str:
    aside = facts.card.get("set_aside")
    kept = f" {aside} rows without label or input were left out." if aside is not None else ""
    return "A missing modality or value is masked, never filled in." + kept


def _made(facts: Facts) -> str:
    versions = facts.card.get("versions") or {}
    return ", ".join(f"{name} {number}" for name, number in versions.items()) or "Not kept."


def _base(facts: Facts) -> str:
    return f"Base '{facts.card.get('base')}', SHA-256 {facts.card.get('base_sha256')}."


def _ensemble(facts: Facts) -> str:
    seeds = (facts.card.get("config") or {}).get("seeds", 1)
    if seeds < 2 or not str(facts.card.get("chosen") or "").startswith("lora"):
        return "None."
    return (
        f"No answers are averaged. LoRA was trained from {seeds} seeds, and the average of their "
        "weights was kept where it did no worse on validation patients than the best seed."
    )


def _performance(facts: Facts) -> str:
    return "; ".join(f"{name} {interval(one)}" for name, one in facts.evaluation.metrics.items())


def _groups(facts: Facts) -> str:
    lines = []
    for question in facts.evaluation.questions():
        found = question.subgroups
        gaps = "; ".join(f"{gap.metric} in {named(gap.group)}" for gap in found.gaps)
        lines.append(f"{question.label}: {found.tests} gaps tested, {gaps or 'none found'}.")
    return " ".join(lines) or "See the groups in section Results."


def _fairness(facts: Facts) -> str:
    return " ".join(filter(None, (balanced_groups(facts), _groups(facts))))


def _failures(facts: Facts) -> str:
    worst = ", ".join(one["case_id"] for one in facts.evaluation.cases["worst"])
    return f"Most surely wrong: {worst}. Why is for the author to find out."


def _imbalance(facts: Facts) -> str:
    balanced = (facts.card.get("config") or {}).get("balance")
    if balanced is None:
        return "Not kept."
    classes = (
        "Classes weighed the same in training, and the shares were put back afterwards (Elkan "
        "2001)."
        if balanced
        else "Classes weighed as they came."
    )
    return " ".join(filter(None, (classes, balanced_groups(facts))))


ANSWERED, POINTED = "answered", "pointed to"
METHODS, RESULTS, CARD = "Section Methods.", "Section Results.", "Section Model card."

TRIPOD_AI: tuple[Item, ...] = (
    Item("1", "A title that names the model's kind, people and outcome", OPEN),
    Item("2", "An abstract in structured form", OPEN),
    Item("3a", "Clinical context and why a model", OPEN),
    Item("3b", "Whom it is for, and where in care", OPEN),
    Item("3c", "Known inequalities between groups", OPEN),
    Item(
        "4",
        "Aims: development, evaluation or both",
        ANSWERED,
        "Both, on patients held out of one cohort; other hospitals are not covered.",
    ),
    Item("5a", "Sources of the data and whom they stand for", OPEN),
    Item("5b", "Dates of the data", OPEN),
    Item("6a", "Setting and places", OPEN),
    Item("6b", "Who could take part", OPEN),
    Item("6c", "Treatments that were given", OPEN),
    Item("7", "How data were prepared and checked, alike for all groups", POINTED, METHODS),
    Item("8a", "The outcome and when it is assessed", ANSWERED, _outcome),
    Item("8b", "Who assessed it, where judgement is needed", OPEN),
    Item("8c", "Blinding of the outcome's assessment", OPEN),
    Item("9a", "Choice of predictors", ANSWERED, _inputs),
    Item("9b", "How and when predictors were measured", OPEN),
    Item("9c", "Who assessed predictors, where judgement is needed", OPEN),
    Item("10", "Size of the study and why", ANSWERED, _n),
    Item("11", "Missing data", ANSWERED, _missing),
    Item("12a", "How data were used, and split", POINTED, METHODS),
    Item("12b", "How predictors enter the model", POINTED, METHODS),
    Item("12c", "Kind of model, how it was built and checked", POINTED, METHODS),
    Item("12d", "Differences between clusters such as hospitals", ANSWERED, _groups),
    Item("12e", "Measures and plots of performance", POINTED, METHODS),
    Item("12f", "Updating of the model, such as recalibration", POINTED, METHODS),
    Item("12g", "How predictions were made for evaluation", POINTED, METHODS),
    Item("13", "What was done about uneven classes", ANSWERED, _imbalance),
    Item("14", "What was done for fairness", ANSWERED, _fairness),
    Item("15", "What the model gives out, and how classes follow from it", POINTED, RESULTS),
    Item(
        "16",
        "Differences between development and evaluation data",
        ANSWERED,
        "Both come from one cohort, split by patient at random or as its table says; where it "
        "splits by place or time, what differs is for the author.",
    ),
    Item("17", "Ethical approval and consent", OPEN),
    Item("18a", "Funding", OPEN),
    Item("18b", "Conflicts of interest", OPEN),
    Item("18c", "Where the protocol is", OPEN),
    Item("18d", "Registration of the study", OPEN),
    Item("18e", "Availability of the data", OPEN),
    Item("18f", "Availability of the code", ANSWERED, _made),
    Item("19", "Part of patients and the public in the study", OPEN),
    Item("20a", "Flow of participants", ANSWERED, _n),
    Item("20b", "Characteristics of participants", OPEN),
    Item("20c", "Development against evaluation data", OPEN),
    Item("21", "Numbers of participants and outcomes in each analysis", POINTED, RESULTS),
    Item(
        "22",
        "The full model, so that it can be used",
        ANSWERED,
        "The adapter as a bundle (`export`), with base, processors and stored answers.",
    ),
    Item("23a", "Performance with intervals, also by groups", ANSWERED, _performance),
    Item("23b", "Differences in performance between clusters", ANSWERED, _groups),
    Item("24", "Results of updating", POINTED, RESULTS),
    Item("25", "Interpretation, fairness included", OPEN),
    Item("26", "Limitations", OPEN),
    Item(
        "27a",
        "What to do with poor or missing inputs",
        ANSWERED,
        "Unreadable inputs are refused with a reason; missing ones are named; unlike ones warned "
        "of.",
    ),
    Item("27b", "What users must do and know", POINTED, CARD),
    Item("27c", "Next steps", OPEN),
)

CLAIM: tuple[Item, ...] = (
    Item("1", "The title or abstract names the AI method", OPEN),
    Item("2", "A structured abstract", OPEN),
    Item("3", "Background and intended role", OPEN),
    Item("4", "Aims and hypotheses", OPEN),
    Item("5", "Prospective or retrospective", OPEN),
    Item("6", "Goal of the study", OPEN),
    Item("7", "Sources of data", OPEN),
    Item("8", "Inclusion and exclusion", OPEN),
    Item("9", "Preprocessing", POINTED, METHODS),
    Item("10", "Choice of parts of the data", ANSWERED, _missing),
    Item(
        "11",
        "De-identification",
        OPEN,
        "The studio keeps case ids, hashes, outcomes and groups; what was done before is for the "
        "author.",
    ),
    Item("12", "Missing data", ANSWERED, _missing),
    Item("13", "How images were acquired", OPEN),
    Item("14", "The reference standard", ANSWERED, _outcome),
    Item("15", "Why this reference standard", OPEN),
    Item("16", "Who annotated, and their experience", OPEN),
    Item("17", "How the test set was annotated", OPEN),
    Item("18", "Variability between and within raters", OPEN),
    Item("19", "How data were assigned to partitions", POINTED, METHODS),
    Item("20", "The level at which partitions are disjoint", ANSWERED, "Patients."),
    Item("21", "Size of the test set and why", ANSWERED, _n),
    Item("22", "The model in detail", POINTED, METHODS),
    Item("23", "Software and its versions", ANSWERED, _made),
    Item("24", "Where the weights came from", ANSWERED, _base),
    Item("25", "Training in detail", POINTED, METHODS),
    Item(
        "26",
        "How the final model was chosen",
        ANSWERED,
        lambda facts: str(facts.card.get("reason") or "Not kept."),
    ),
    Item("27", "Ensembles", ANSWERED, _ensemble),
    Item("28", "Measures of performance", POINTED, METHODS),
    Item("29", "Uncertainty and significance", POINTED, METHODS),
    Item("30", "Robustness", POINTED, "Section Results: what missing modalities cost."),
    Item(
        "31",
        "Explanation of answers",
        ANSWERED,
        "Each answer comes with the part of each modality (Aumann-Shapley).",
    ),
    Item("32", "Evaluation on internal data", ANSWERED, _performance),
    Item(
        "33",
        "Evaluation on external data",
        OPEN,
        "None here. `evaluate ADAPTER --manifest FILE` evaluates it on another hospital's cases.",
    ),
    Item("34", "Registration of a trial", OPEN),
    Item("35", "Flow of patients", ANSWERED, _n),
    Item("36", "Characteristics of patients in each partition", OPEN),
    Item("37", "Performance with uncertainty", ANSWERED, _performance),
    Item("38", "Diagnostic performance with its precision", POINTED, RESULTS),
    Item("39", "Analysis of failures", ANSWERED, _failures),
    Item("40", "Limitations", OPEN),
    Item("41", "Meaning for practice", OPEN),
    Item("42", "The full protocol", OPEN),
    Item("43", "Availability of software, model and data", ANSWERED, _made),
    Item("44", "Funding", OPEN),
)


def checklists(facts: Facts) -> dict[str, list[dict[str, str]]]:
    """Both checklists as JSON."""
    return {
        "TRIPOD+AI": [item.told(facts) for item in TRIPOD_AI],
        "CLAIM": [item.told(facts) for item in CLAIM],
    }
