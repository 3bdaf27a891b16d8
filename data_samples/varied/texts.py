"""Notes: (patient, what the other modalities show) -> text as hospitals write it, 5 to 400 words.

Reports, summaries, ward notes, drug lists, and dialogues on one topic; some of what the other
modalities show is said, some is not, some is denied.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from data_samples.varied.dialogues import TOPICS, dialogue, statement
from data_samples.varied.foreign import foreign_sentences
from data_samples.varied.made import Made, chance, finding, pick, text
from data_samples.varied.patient import Patient, draw_patient
from data_samples.varied.phrases import describe
from data_samples.varied.wording import COMPLAINTS, DISEASES, DRUGS, LISTS, PLANS

_TOLD = (
    "heart_failure",
    "pneumonia",
    "obstruction",
    "sepsis",
    "arrhythmia",
    "valve",
    "diabetes",
    "low_mood",
    "trauma",
    "kidney",
    "malignancy",
    "stroke",
)


def draw(
    rng: np.random.Generator, patient: Patient | None = None, others: Sequence[Made] = ()
) -> Made:
    """A note on a patient; `others` are the other modalities of the case."""
    patient = patient or draw_patient(rng)
    told: dict[str, float] = {}
    shown = [
        sentence
        for other in others
        for sentence in describe(rng, other.findings, limit=pick(rng, (1, 2, 3)))
    ]
    what = rng.random()
    if what < (0.15 if others else 0.35):
        written, found = _dialogue(rng, patient)
    elif what < 0.30 if others else what < 0.5:
        written, found = _list(rng, patient, told)
    elif others and what < 0.55:
        written, found = _report(rng, patient, shown, told)
    else:
        written, found = _summary(rng, patient, shown, told)
    found |= {f"told_{name}": told[name] for name in (*_TOLD, "worse") if name in told}
    if chance(rng, 0.12):
        written = f"{written} {foreign_sentences(rng, patient)}"
    elif not others and chance(rng, 0.05):
        written, found = foreign_sentences(rng, patient), {}
    words = _words(rng, found, shown)
    return Made(text(written), found, words)


def _words(rng: np.random.Generator, found: dict[str, float], shown: list[str]) -> str:
    said = [pick(rng, shown)] if shown and chance(rng, 0.6) else []
    for topic in TOPICS:
        if found.get(f"topic_{topic}", -1) > 0:
            said.append(
                pick(
                    rng,
                    (
                        f"About {TOPICS[topic]}.",
                        f"Topic: {TOPICS[topic]}.",
                        f"They talk about {TOPICS[topic]}.",
                    ),
                )
            )
    there = [n for n in _TOLD if found.get(f"told_{n}", 0) > 0]
    gone = [n for n in _TOLD if found.get(f"told_{n}", 0) < 0]
    if there:
        said.append("History of " + ", ".join(pick(rng, DISEASES[n]) for n in there[:3]) + ".")
    if gone and chance(rng, 0.6):
        said.append("No " + " or ".join(pick(rng, DISEASES[n]) for n in gone[:2]) + ".")
    if found.get("told_worse", 0) and chance(rng, 0.7):
        better, worse = ("Getting better.", "Improving."), ("Deteriorating.", "Getting worse.")
        said.append(pick(rng, worse if found["told_worse"] > 0 else better))
    return " ".join(said) or pick(rng, ("A short note.", "A brief clinical note.", "Short entry."))


def _dialogue(rng: np.random.Generator, patient: Patient) -> tuple[str, dict[str, float]]:
    topic = pick(rng, tuple(TOPICS))
    there = chance(rng, 0.6)
    make = dialogue if chance(rng, 0.75) else statement
    written = make(rng, topic, there, patient)
    found = {f"topic_{name}": 1.0 if name == topic else -1.0 for name in TOPICS}
    found["topic_affirmed"] = 1.0 if there else -1.0
    return written, found


def _history(rng: np.random.Generator, patient: Patient, told: dict[str, float]) -> list[str]:
    """What the patient has, and what not, noting which was said."""
    ill = [name for name in _TOLD if patient.illnesses.get(name, 0) > 0.15 and chance(rng, 0.8)]
    well = [name for name in _TOLD if name not in patient.illnesses]
    said = []
    if ill:
        listed = ", ".join(pick(rng, DISEASES[name]) for name in ill)
        said.append(
            pick(
                rng,
                (
                    "PMH: {}.",
                    "Known {}.",
                    "History of {}.",
                    "Comorbidities: {}.",
                    "Background of {}.",
                    "Diagnoses: {}.",
                ),
            ).format(listed)
        )
        told |= {name: finding(0.5 + 0.5 * patient.illnesses[name]) for name in ill}
    if well and chance(rng, 0.5):
        name = pick(rng, well)
        said.append(
            pick(
                rng, ("No history of {}.", "Denies {}.", "{} was ruled out.", "No known {}.")
            ).format(pick(rng, DISEASES[name]))
        )
        told[name] = -1.0
    return said


def _drugs(rng: np.random.Generator, patient: Patient, dose: bool) -> list[str]:
    chosen = [
        pick(rng, DRUGS[name])
        for name in patient.illnesses
        if name in DRUGS
        for _ in range(pick(rng, (1, 1, 2)))
    ]
    chosen += [pick(rng, DRUGS["any"]) for _ in range(pick(rng, (0, 1, 2, 3)))]
    chosen = list(dict.fromkeys(chosen))
    if dose:
        often = ("daily", "bid", "tid", "1-0-1", "qd", "prn", "po", "nightly")
        chosen = [
            f"{name} {pick(rng, (2.5, 5, 10, 20, 40, 100, 250, 500)):g} mg {pick(rng, often)}"
            for name in chosen
        ]
    return chosen


def _list(
    rng: np.random.Generator, patient: Patient, told: dict[str, float]
) -> tuple[str, dict[str, float]]:
    parts = _history(rng, patient, told)
    drugs = _drugs(rng, patient, chance(rng, 0.5))
    if drugs:
        parts.append(
            pick(
                rng,
                (
                    "Medications: {}.",
                    "Drugs: {}.",
                    "Current meds: {}.",
                    "Rx {}.",
                    "Other drugs: {}.",
                ),
            ).format(", ".join(drugs))
        )
    if chance(rng, 0.3):
        parts.append(
            "First recorded meals: "
            + " / ".join(pick(rng, LISTS["meals"]) for _ in range(pick(rng, (2, 3, 5))))
            + "."
        )
    if chance(rng, 0.4):
        parts.append(
            pick(rng, ("Allergies: NKDA.", "Allergic to penicillin.", "No known drug allergies."))
        )
    return pick(rng, (" ", "\n")).join(
        parts
    ) or "No known comorbidities, no regular medication.", {}


def _report(
    rng: np.random.Generator, patient: Patient, shown: list[str], told: dict[str, float]
) -> tuple[str, dict[str, float]]:
    lines = [
        pick(rng, ("INDICATION: {}.", "Clinical information: {}.", "Reason for exam: {}.")).format(
            _complaint(rng, patient)
        )
    ]
    if chance(rng, 0.4):
        lines.append(
            pick(rng, ("TECHNIQUE: single view.", "COMPARISON: none.", "Comparison: prior study."))
        )
    lines.append(pick(rng, ("FINDINGS: ", "Findings:\n", "Report: ", "")) + " ".join(shown))
    if shown and chance(rng, 0.6):
        lines.append(pick(rng, ("IMPRESSION: ", "Conclusion: ", "Impression:\n1. ")) + shown[0])
    return "\n".join(lines), {}


def _complaint(rng: np.random.Generator, patient: Patient) -> str:
    ill = [name for name in patient.illnesses if name in COMPLAINTS]
    return pick(rng, COMPLAINTS[pick(rng, ill)] if ill else COMPLAINTS["any"])


def _summary(
    rng: np.random.Generator, patient: Patient, shown: list[str], told: dict[str, float]
) -> tuple[str, dict[str, float]]:
    age = patient.age
    who = (
        f"{int(age)}{pick(rng, ('-year-old', 'yo', ' y/o'))}"
        if age >= 2
        else f"{int(age * 12)}-month-old"
    )
    sex = pick(rng, ("female", "woman", "F") if patient.female else ("male", "man", "M"))
    if age < 16:
        sex = pick(rng, ("girl", "F") if patient.female else ("boy", "M"))
    opening = pick(rng, LISTS["openings"]).format(who=who, sex=sex, what=_complaint(rng, patient))
    parts = [opening, *_history(rng, patient, told)]
    if chance(rng, 0.5):
        drugs = _drugs(rng, patient, chance(rng, 0.4))
        if drugs:
            parts.append(
                pick(rng, ("Meds: {}.", "Takes {}.", "Home medications include {}.")).format(
                    ", ".join(drugs)
                )
            )
    if chance(rng, 0.4):
        parts.append(statement(rng, pick(rng, tuple(TOPICS)), chance(rng, 0.5), patient))
    if shown:
        head = pick(rng, ("On exam: ", "O: ", "Investigations: ", "", "Findings: "))
        parts.append(head + " ".join(shown))
    for _ in range(pick(rng, (0, 0, 1, 3, 6))):
        parts.append(pick(rng, LISTS["examination"]))
    if chance(rng, 0.6):
        ill = [name for name in patient.illnesses if name in PLANS]
        plans = [pick(rng, PLANS[name]) for name in ill] + [
            pick(rng, PLANS["any"]) for _ in range(pick(rng, (0, 1, 2)))
        ]
        if plans:
            parts.append(
                pick(rng, ("Plan: ", "P: ", "PLAN:\n- ", "We will ")) + ", ".join(plans) + "."
            )
    if patient.course > 0.4 and chance(rng, 0.6):
        told["worse"] = 1.0
        parts.append(
            pick(
                rng,
                (
                    "Condition worsening, discussed with ICU.",
                    "Deteriorating despite treatment.",
                    "Getting worse since this morning.",
                ),
            )
        )
    elif patient.course < -0.4 and chance(rng, 0.6):
        told["worse"] = -1.0
        parts.append(
            pick(rng, ("Improving, discharge planned.", "Much better today.", "Recovering well."))
        )
    return pick(rng, (" ", "\n", " ")).join(parts), {}
