"""Talks between doctor and patient on one topic, and the sentence that sums one up.

The topics are the usual headings of a clinic note.
"""

from __future__ import annotations

import numpy as np

from data_samples.varied.made import chance, pick
from data_samples.varied.patient import Patient
from data_samples.varied.wording import COMPLAINTS, DISEASES, DRUGS, PLANS

TOPICS = {
    "family": "family history", "allergy": "allergies", "medication": "medications",
    "surgery": "past surgery", "social": "social history", "past": "past medical history",
    "complaint": "the chief complaint", "review": "review of systems", "exam": "the examination",
    "plan": "the plan", "vaccines": "immunisations", "women": "gynaecologic history",
    "diagnosis": "the diagnosis", "emergency": "the course in the emergency department",
}  # fmt: skip
# topic: (questions, answers yes, answers no, sums yes, sums no); {d} disease, {m} drug, {c} complaint, {p} plan, {r} relative, {o} operation, {a} allergen
_TALK: dict[str, tuple[str, str, str, str, str]] = {
    "family": ("Does anyone in your family have {d}?|Any illnesses that run in the family?|How is the health of your parents?", "Yes, my {r} has {d}.|My {r} died of {d}.|{r} had {d}, I think.", "No, everyone is healthy.|Nothing that I know of.|I am adopted, so I don't know.", "Family history of {d} in {r}.|{r} with {d}.", "Family history noncontributory.|No family history of {d}."),
    "allergy": ("Are you allergic to anything?|Any allergies to medicines?|Any drug allergies?", "Yes, {a} gives me a rash.|I am allergic to {a}.|My face swells with {a}.", "No allergies.|None that I know of.|Nope.", "Allergic to {a}.|{a}: hives.", "NKDA.|No known drug allergies."),
    "medication": ("What medicines do you take?|Are you still on {m}?|Any over the counter medicines?", "I take {m} every day.|Just {m} and {m}.|{m}, as needed.", "I take nothing.|No, none.|I stopped all of them.", "Currently on {m} and {m}.|Takes {m} daily.", "No current medications.|None."),
    "surgery": ("Have you ever had surgery?|Any operations in the past?", "Yes, {o} years ago.|I had {o}.|They did {o} when I was young.", "No surgeries.|Never.", "Status post {o}.|PSH: {o}.", "No prior surgeries.|PSH none."),
    "social": ("Do you smoke or drink?|What do you do for work?|Who lives with you at home?", "I smoke a pack a day.|A few beers on weekends.|I work in construction and smoke.|I quit smoking last year.", "I don't smoke, I don't drink.|Never touched it. I'm retired.|No drugs, no alcohol.", "Smokes, drinks socially.|Current smoker, works full-time.", "Nonsmoker, no alcohol or illicit drugs.|Retired, lives with spouse, never smoked."),
    "past": ("Any medical problems?|Have you been treated for {d} before?|Any chronic conditions?", "I have {d}.|They told me I have {d} and {d}.|Yes, {d} for ten years.", "No, I have always been healthy.|None at all.", "PMH significant for {d} and {d}.|Known {d}.", "No significant past medical history.|PMH unremarkable."),
    "complaint": ("What brings you in today?|How can I help you?|What seems to be the problem?", "I have had {c} since last week.|It's {c}, doctor.|{c}, and it gets worse.", "Nothing, just a check-up.|I feel fine, I need a form signed.", "Presents with {c} for several days.|CC: {c}.", "Here for routine check-up, no complaints.|Asymptomatic."),
    "review": ("Any fever or chills?|Any chest pain or trouble breathing?|Nausea, vomiting, weight loss?", "Yes, some {c}.|I lost weight and feel tired.|A bit short of breath at night.", "No, none of that.|No fever, no chills.|Nothing like that.", "ROS positive for {c}.|Reports fatigue and {c}.", "ROS negative.|Denies fever, chills, chest pain or dyspnea."),
    "exam": ("Let me listen to your chest. Take a deep breath.|Does it hurt when I press here?|I will check your reflexes.", "Ouch, yes.|It hurts right there.|That is sore.", "No, that's fine.|No pain.", "Tenderness on palpation.|Swelling and reduced range of motion.", "Exam unremarkable.|Lungs clear, abdomen soft, no tenderness."),
    "plan": ("We will go for {p} and {p}.|I would like to start {m}.|Let us do {p} and see you in two weeks.", "Okay, sounds good.|Will do, thank you.|Do I need to stop {m}?", "I would rather not.|No, I don't want that.", "Plan: {p}, {p}, start {m}.|{p}; follow-up in two weeks.", "No treatment needed.|Patient declines {p}."),
    "vaccines": ("Are the vaccines up to date?|Did he get his flu shot?|Have you had the tetanus booster?", "Yes, all shots are done.|Got the flu shot in October.|He is up to date.", "No, we missed some.|We don't vaccinate.", "Immunizations up to date.|Vaccinated against influenza.", "Immunizations not up to date.|No vaccinations on record."),
    "women": ("When was your last period?|How many pregnancies have you had?|Any abnormal pap smears?", "I have two children, one miscarriage.|My periods are heavy.|Last period was three weeks ago.", "No pregnancies.|I am past menopause.", "G3 P2, last menstrual period three weeks ago.|Menorrhagia.", "Postmenopausal, nulligravida.|No gynecologic problems."),
    "diagnosis": ("The tests show {d}.|I think this is {d}.|Your results are back.", "So it is {d}?|Is {d} serious?|I was afraid of that.", "So nothing was found?|Great, no {d} then.", "Assessment: {d}.|Diagnosis: {d}, {d}.", "{d} was ruled out.|No evidence of {d}."),
    "emergency": ("What did they do in the emergency room?|How was the night in the ED?", "They gave me {m} and did {p}.|They admitted me for {c}.", "They just sent me home.|They found nothing.", "In the ED received {m}; {p} done.|Treated in the ED for {c}, then admitted.", "Seen in ED, discharged without treatment."),
}  # fmt: skip
_SPLIT = {topic: tuple(tuple(part.split("|")) for part in parts) for topic, parts in _TALK.items()}
_RELATIVES = ("mother", "father", "sister", "brother", "grandmother", "uncle", "aunt", "daughter")
_OPERATIONS = ("appendectomy", "a hip replacement", "CABG", "a hernia repair", "cholecystectomy", "a C-section", "tonsillectomy", "knee arthroscopy", "a hysterectomy")
_ALLERGENS = ("penicillin", "sulfa", "peanuts", "codeine", "latex", "aspirin", "shellfish", "contrast dye", "cats")
_FILLERS = ("Okay.", "I see.", "Alright.", "Um, let me think.", "Right.", "Got it.", "Good to know.", "Sure.")
_SPEAKERS = (("Doctor", "Patient"), ("Doctor", "Patient"), ("Doctor", "Patient"), ("Dr", "Pt"), ("Doctor", "Guest_family"), ("Nurse", "Patient"), ("D", "P"))


def _filled(rng: np.random.Generator, template: str, patient: Patient) -> str:
    while "{" in template:
        mark = template[template.index("{") + 1]
        own = [name for name in patient.illnesses if name in DISEASES and name in DRUGS]
        name = pick(rng, own) if own and chance(rng, 0.7) else pick(rng, tuple(DISEASES))
        word = {
            "d": lambda n=name: pick(rng, DISEASES[n]), "m": lambda n=name: pick(rng, DRUGS[n]),
            "c": lambda n=name: pick(rng, COMPLAINTS.get(n, COMPLAINTS["any"])),
            "p": lambda n=name: pick(rng, PLANS.get(n, PLANS["any"])),
            "r": lambda: pick(rng, _RELATIVES), "o": lambda: pick(rng, _OPERATIONS),
            "a": lambda: pick(rng, _ALLERGENS),
        }[mark]()  # fmt: skip
        template = template.replace("{" + mark + "}", word, 1)
    return template[0].upper() + template[1:]


def dialogue(rng: np.random.Generator, topic: str, there: bool, patient: Patient) -> str:
    """A talk of two to a dozen lines on a topic; `there`: the patient affirms."""
    asks, yes, no, *_ = _SPLIT[topic]
    doctor, other = pick(rng, _SPEAKERS)
    lines = []
    if chance(rng, 0.2):
        lines += [f"{doctor}: {pick(rng, ('Hello there, how are you?', 'Good morning.', 'Hi, nice to see you.'))}", f"{other}: {pick(rng, ('Hi, doctor.', 'Good morning.', 'Fine, thanks.'))}"]
    for _ in range(pick(rng, (1, 1, 2, 3))):
        before = f"{pick(rng, _FILLERS)} " if chance(rng, 0.3) else ""
        lines.append(f"{doctor}: {before}{_filled(rng, pick(rng, asks), patient)}")
        answer = _filled(rng, pick(rng, yes if there else no), patient)
        if chance(rng, 0.25):
            answer = f"{pick(rng, ('Well,', 'Um,', 'Yeah,', 'You know,', 'Oh,'))} {answer}"
        lines.append(f"{other}: {answer}")
        if chance(rng, 0.3):
            lines.append(f"{doctor}: {pick(rng, _FILLERS)}")
    return "\n".join(lines)


def statement(rng: np.random.Generator, topic: str, there: bool, patient: Patient) -> str:
    """One or two sentences of a note on a topic."""
    yes, no = _SPLIT[topic][3:]
    said = _filled(rng, pick(rng, yes if there else no), patient)
    return f"{said} {_filled(rng, pick(rng, yes), patient)}" if there and chance(rng, 0.2) else said
