"""A few sentences on a patient in German, French or Spanish."""

from __future__ import annotations

import numpy as np

from data_samples.varied.made import chance, pick
from data_samples.varied.patient import Patient

# illness: sentences; "" are sentences for anyone
_SAID: tuple[dict[str, str], ...] = (
    {
        "heart_failure": "Bekannte Herzinsuffizienz mit Belastungsdyspnoe.|Beinödeme beidseits.",
        "pneumonia": "Infiltrat im Unterlappen, Pneumonie.|Fieber und Husten mit Auswurf.",
        "obstruction": "Giemen über beiden Lungen.|COPD, aktuell exazerbiert.",
        "sepsis": "Schüttelfrost, Verdacht auf Sepsis.", "diabetes": "Diabetes mellitus, Blutzucker schlecht eingestellt.",
        "valve": "Systolikum über dem Erb'schen Punkt.", "low_mood": "Gedrückte Stimmung, Schlafstörungen.",
        "arrhythmia": "Absolute Arrhythmie bei Vorhofflimmern.", "trauma": "Zustand nach Sturz, Schmerzen am Brustkorb.",
        "kidney": "Nierenfunktion eingeschränkt.", "stroke": "Hemiparese links, Sprache verwaschen.",
        "": "Patient in gutem Allgemeinzustand.|Keine Allergien bekannt.|Kein Pneumothorax.|Kontrolle in zwei Wochen.|Lunge frei belüftet, kein Erguss.",
    },
    {
        "heart_failure": "Insuffisance cardiaque connue, œdèmes des membres inférieurs.", "pneumonia": "Foyer de pneumopathie basale.|Fièvre et toux grasse.",
        "obstruction": "Sibilants diffus.|BPCO en exacerbation.", "sepsis": "Frissons, suspicion de sepsis.",
        "diabetes": "Diabète mal équilibré.", "valve": "Souffle systolique au foyer aortique.", "low_mood": "Humeur triste, insomnie.",
        "arrhythmia": "Fibrillation auriculaire.", "trauma": "Chute, douleurs thoraciques.", "kidney": "Insuffisance rénale.",
        "stroke": "Hémiparésie gauche brutale.", "": "Bon état général.|Pas d'allergie connue.|Pas d'épanchement pleural.|Contrôle dans quinze jours.",
    },
    {
        "heart_failure": "Insuficiencia cardíaca con edemas.", "pneumonia": "Infiltrado basal, neumonía.|Fiebre y tos productiva.",
        "obstruction": "Sibilancias en ambos campos.|EPOC agudizada.", "sepsis": "Escalofríos, sospecha de sepsis.",
        "diabetes": "Diabetes mal controlada.", "valve": "Soplo sistólico en foco mitral.", "low_mood": "Ánimo bajo, insomnio.",
        "arrhythmia": "Fibrilación auricular.", "trauma": "Caída con dolor torácico.", "kidney": "Insuficiencia renal crónica.",
        "stroke": "Hemiparesia izquierda.", "": "Buen estado general.|Sin alergias conocidas.|Sin derrame pleural.|Control en dos semanas.",
    },
)  # fmt: skip
_SPLIT = tuple({key: tuple(said.split("|")) for key, said in one.items()} for one in _SAID)


def foreign_sentences(rng: np.random.Generator, patient: Patient) -> str:
    """One to five sentences in one other language."""
    said = pick(rng, _SPLIT)
    sentences = [pick(rng, said[name]) for name in patient.illnesses if name in said and chance(rng, 0.85)]
    sentences += [pick(rng, said[""]) for _ in range(pick(rng, (1, 1, 2)))]
    return " ".join(dict.fromkeys(sentences))
