"""A note on admission: (burden of symptoms and history, wheeze) -> free text.

Hospitals write in different styles: sentences, telegram, headings, triage. Each topic is told in
words that go with how bad it is; topics may be left out; the outcome is never told.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from data_samples.generator.state import State

# topic: phrases from least to most ill; several for one grade are separated by "|"
TOPICS: dict[str, tuple[str, ...]] = {
    "Breathing": (
        "no breathlessness at all|breathing comfortable, speaks freely",
        "slight breathlessness on climbing stairs|mild shortness of breath on hills",
        "short of breath on walking on the flat|moderate breathlessness with housework",
        "marked breathlessness on dressing|very short of breath on washing and dressing",
        "severe breathlessness at rest, single words only|gasping at rest, exhausted by speaking",
    ),
    "Mobility": (
        "walks for miles and still gardens|fully active, cycles every day",
        "independent, walks to the shops|independent in everything, a little slower",
        "walks about 200 metres with a stick|manages the house, needs rests outdoors",
        "housebound, walks with a frame|needs help with washing and stairs",
        "bedbound for most of the day|in bed or chair, needs help with all care",
    ),
    "History": (
        "previously well, no regular medicines|no past medical history",
        "well controlled hypertension only|one regular medicine, otherwise well",
        "type 2 diabetes and hypertension|one admission in the last year, diabetes on tablets",
        "three admissions this year, heart failure, CKD|COPD, diabetes and a past stroke",
        "many admissions this year, home oxygen, heart failure, kidney disease"
        "|multiple long-term conditions, repeated admissions, on home oxygen",
    ),
    "Appetite": (
        "eating and drinking normally|good appetite, weight steady",
        "appetite a little reduced|eating slightly less than usual",
        "poor appetite since the weekend|has skipped several meals",
        "hardly eating, has lost 5 kg|weight loss, drinks only sips",
        "not eating or drinking for days, cachectic|wasted, refuses food and fluids",
    ),
    "Mind": (
        "alert and cheerful|bright, jokes with staff",
        "alert, a little tired|orientated, mildly fatigued",
        "tired and sleepy by day|fatigued, slow to answer",
        "drowsy and muddled at times|intermittently confused, very drowsy",
        "confused and hard to rouse|agitated and disorientated, barely rousable",
    ),
    "Symptoms": (
        "dry cough for two days, no other complaint|runny nose and a tickle in the throat",
        "cough and mild chills|mild fever and some aches",
        "productive cough, fever and aches for five days|fever, cough and chest discomfort",
        "rigors, chest pain and vomiting|high fever, chest pain and rusty sputum",
        "rigors, vomiting, collapse at home and chest pain|collapse, severe chest pain, blue lips",
    ),
}
WHEEZE = (
    "",
    "",
    "occasional wheeze at night",
    "wheezy, uses the inhaler daily",
    "constant wheeze, inhaler every hour",
)
SMALL_TALK = (
    "Lives with partner",
    "Lives alone, daughter visits",
    "Retired teacher",
    "Works in a bakery",
    "Has a dog at home",
    "No known allergies",
    "Allergic to penicillin",
    "Seen with the family",
    "History partly from the ambulance sheet",
    "Came in by own car",
    "Sent by the family doctor",
)
SHORTHAND = (
    ("short of breath", "SOB"),
    ("shortness of breath", "SOB"),
    ("hypertension", "HTN"),
    ("type 2 diabetes", "T2DM"),
    ("heart failure", "HF"),
    ("kidney disease", "CKD"),
    ("admissions", "adms"),
    ("chest pain", "CP"),
    ("and ", "+ "),
)
GRADES = np.array([-1.1, -0.35, 0.35, 1.1])  # of a standard normal sign, between the five grades


def write(path: Path, state: State, rng: np.random.Generator) -> None:
    """Write the note of one case."""
    path.write_text(compose(state, rng) + "\n", encoding="utf-8")


def compose(state: State, rng: np.random.Generator) -> str:
    """The text of one case's note, in a style drawn at random."""
    burden, wheeze = state.signs["note"]
    told = [topic for topic in TOPICS if rng.random() > 0.15] or ["Breathing"]
    findings = {topic: _phrase(TOPICS[topic], burden, rng) for topic in told}
    heard = _phrase(WHEEZE, wheeze, rng)
    if heard:
        findings["Chest"] = heard
    order = list(findings)
    rng.shuffle(order)
    aside = list(rng.choice(SMALL_TALK, rng.integers(0, 3), replace=False))
    style = STYLES[rng.integers(len(STYLES))]
    return style(state, [(topic, findings[topic]) for topic in order], aside)


def _phrase(grades: tuple[str, ...], sign: float, rng: np.random.Generator) -> str:
    grade = int(np.searchsorted(GRADES, sign + 0.35 * rng.standard_normal()))
    return str(rng.choice(grades[grade].split("|")))


def _who(state: State) -> tuple[str, str]:
    return ("woman", "She") if state.person.sex == "F" else ("man", "He")


def _sentences(state: State, findings: list[tuple[str, str]], aside: list[str]) -> str:
    who, _ = _who(state)
    told = [f"{text[0].upper()}{text[1:]}." for _, text in findings]
    rest = [f"{text}." for text in aside]
    opening = f"{state.person.age} year old {who} seen in the emergency department."
    return " ".join([opening, *told, *rest])


def _telegram(state: State, findings: list[tuple[str, str]], aside: list[str]) -> str:
    text = "; ".join([*(text for _, text in findings), *(text.lower() for text in aside)])
    for long, short in SHORTHAND:
        text = text.replace(long, short)
    return f"{state.person.age}{state.person.sex}. {text}. Bloods + CXR done."


def _headings(state: State, findings: list[tuple[str, str]], aside: list[str]) -> str:
    who, _ = _who(state)
    lines = [f"ADMISSION NOTE\nPatient: {who}, {state.person.age} years"]
    lines += [f"{topic}: {text}" for topic, text in findings]
    if aside:
        lines.append("Social: " + ", ".join(text.lower() for text in aside))
    return "\n".join(lines)


def _triage(state: State, findings: list[tuple[str, str]], aside: list[str]) -> str:
    _, they = _who(state)
    told = ", ".join(text for _, text in findings)
    rest = f" {'. '.join(aside)}." if aside else ""
    return (
        f"Triage nurse: on arrival {told}. {they} was brought to bay 4, observations started.{rest}"
    )


STYLES = (_sentences, _telegram, _headings, _triage)
