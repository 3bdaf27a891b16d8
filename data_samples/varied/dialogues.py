"""Talks between doctor and patient on one topic, and the sentence that sums one up.

The topics are the usual headings of a clinic note; `vocabulary/talk.tsv` has what is said. In it
{d} is a disease, {m} a drug, {c} a complaint, {p} a plan, {r} a relative, {o} an operation and {a}
what one is allergic to.
"""

from __future__ import annotations

import numpy as np

from data_samples.varied.made import chance, pick
from data_samples.varied.patient import Patient
from data_samples.varied.wording import COMPLAINTS, DISEASES, DRUGS, LISTS, PLANS, options, rows

_TALK = {row["topic"]: {part: options(said) for part, said in row.items()} for row in rows("talk")}
TOPICS = {topic: parts["about"][0] for topic, parts in _TALK.items()}
_SPEAKERS = (
    ("Doctor", "Patient"),
    ("Doctor", "Patient"),
    ("Doctor", "Patient"),
    ("Dr", "Pt"),
    ("Doctor", "Guest_family"),
    ("Nurse", "Patient"),
    ("D", "P"),
)


def _filled(rng: np.random.Generator, template: str, patient: Patient) -> str:
    while "{" in template:
        mark = template[template.index("{") + 1]
        own = [name for name in patient.illnesses if name in DISEASES and name in DRUGS]
        name = pick(rng, own) if own and chance(rng, 0.7) else pick(rng, tuple(DISEASES))
        word = {
            "d": lambda n=name: pick(rng, DISEASES[n]),
            "m": lambda n=name: pick(rng, DRUGS[n]),
            "c": lambda n=name: pick(rng, COMPLAINTS.get(n, COMPLAINTS["any"])),
            "p": lambda n=name: pick(rng, PLANS.get(n, PLANS["any"])),
            "r": lambda: pick(rng, LISTS["relatives"]),
            "o": lambda: pick(rng, LISTS["operations"]),
            "a": lambda: pick(rng, LISTS["allergens"]),
        }[mark]()
        template = template.replace("{" + mark + "}", word, 1)
    return template[0].upper() + template[1:]


def dialogue(rng: np.random.Generator, topic: str, there: bool, patient: Patient) -> str:
    """A talk of two to a dozen lines on a topic; `there`: the patient affirms."""
    talk = _TALK[topic]
    doctor, other = pick(rng, _SPEAKERS)
    lines = []
    if chance(rng, 0.2):
        lines += [
            f"{doctor}: {pick(rng, LISTS['greetings'])}",
            f"{other}: {pick(rng, LISTS['replies'])}",
        ]
    for _ in range(pick(rng, (1, 1, 2, 3))):
        before = f"{pick(rng, LISTS['fillers'])} " if chance(rng, 0.3) else ""
        lines.append(f"{doctor}: {before}{_filled(rng, pick(rng, talk['questions']), patient)}")
        answer = _filled(rng, pick(rng, talk["yes" if there else "no"]), patient)
        if chance(rng, 0.25):
            answer = f"{pick(rng, ('Well,', 'Um,', 'Yeah,', 'You know,', 'Oh,'))} {answer}"
        lines.append(f"{other}: {answer}")
        if chance(rng, 0.3):
            lines.append(f"{doctor}: {pick(rng, LISTS['fillers'])}")
    return "\n".join(lines)


def statement(rng: np.random.Generator, topic: str, there: bool, patient: Patient) -> str:
    """One or two sentences of a note on a topic."""
    sums = _TALK[topic]["sum_yes" if there else "sum_no"]
    said = _filled(rng, pick(rng, sums), patient)
    if there and chance(rng, 0.2):
        said = f"{said} {_filled(rng, pick(rng, sums), patient)}"
    return said
