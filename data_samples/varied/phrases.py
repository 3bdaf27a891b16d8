"""Findings as clinicians put them: what they say where it is there, and where it is not.

`{grade}` becomes a word for how much, `{where}` a side and zone. A finding without an entry here
is not spoken of.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from data_samples.varied.made import chance, pick


@dataclass(frozen=True)
class Phrase:
    """Sentences for a finding that is low or absent, in the middle, or high or present."""

    low: tuple[str, ...] = ()
    high: tuple[str, ...] = ()
    middle: tuple[str, ...] = ()
    signed: bool = False


def _there(high: str, low: str) -> Phrase:
    return Phrase(tuple(low.split("|")) if low else (), tuple(high.split("|")))


def _scale(low: str, middle: str, high: str) -> Phrase:
    low_, middle_, high_ = (tuple(part.split("|")) if part else () for part in (low, middle, high))
    return Phrase(low_, high_, middle_, True)


PHRASES: dict[str, Phrase] = {
    # chest films
    "heart_size": _scale("Small heart|Narrow cardiac silhouette", "Heart size normal|Cardiac silhouette within normal limits|Cor normal", "Cardiomegaly|Enlarged cardiac silhouette|The heart is enlarged|CTR increased"),
    "consolidation": _there("{grade} consolidation {where}|{grade} airspace opacity {where}|{grade} infiltrate {where}|Pneumonic infiltrate {where}", "No consolidation|Lungs clear|No focal airspace disease|No infiltrate seen"),
    "interstitial": _there("{grade} reticular markings|{grade} interstitial pattern|Diffuse interstitial thickening, {grade}", "No interstitial changes"),
    "congestion": _there("{grade} pulmonary venous congestion|{grade} pulmonary edema|Perihilar haze with vascular redistribution, {grade}", "No congestion|Pulmonary vascularity normal"),
    "effusion_right": _there("{grade} right pleural effusion|Right costophrenic angle blunted|{grade} fluid on the right", "Right costophrenic angle clear|No right effusion"),
    "effusion_left": _there("{grade} left pleural effusion|Left costophrenic angle blunted|{grade} fluid on the left", "Left costophrenic angle sharp|No left effusion"),
    "atelectasis": _there("{grade} atelectasis {where}|Plate-like atelectasis {where}|Volume loss {where}", "No atelectasis"),
    "pneumothorax": _there("{grade} pneumothorax {where}|Visceral pleural line {where}, {grade} PTX", "No pneumothorax|No PTX"),
    "hyperinflation": _scale("Low lung volumes|Poor inspiration", "", "Hyperinflated lungs|Flattened diaphragms|Overinflation"),
    "nodules": _there("Pulmonary nodules|{grade} nodular opacities|Round lesions in the lung", "No nodules|No suspicious mass"),
    "tube": _there("ETT in situ|Endotracheal tube in place|Intubated", ""),
    "line": _there("Central line in situ|CVC tip projects over the SVC|Central venous catheter in place", ""),
    "pacemaker": _there("Pacemaker in situ|Left chest wall pacing device with lead", ""),
    # slices and bones
    "brain_lesion": _there("{grade} intracranial lesion|Space-occupying lesion, {grade}", "No intracranial mass|No focal lesion"),
    "brain_bleeding": _there("Acute intraparenchymal haemorrhage|Hyperdense bleed", "No acute bleed|No haemorrhage"),
    "midline_shift": _there("{grade} midline shift|Mass effect with shift", "No midline shift"),
    "atrophy": _there("{grade} cerebral atrophy|Sulci and ventricles prominent for age", "Ventricles and sulci normal"),
    "ground_glass": _there("{grade} ground-glass opacities|GGO in both lungs, {grade}", "No ground-glass change"),
    "ct_effusion": _there("{grade} pleural fluid on CT|Dependent effusion", "No effusion on CT"),
    "ct_mass": _there("{grade} pulmonary mass|Spiculated mass", "No mass on CT"),
    "liver_lesion": _there("{grade} focal liver lesion|Hypodense hepatic lesion", "Liver homogeneous"),
    "ascites": _there("{grade} ascites|Free fluid, {grade}", "No free fluid|No ascites"),
    "fracture": _there("{grade} fracture of the shaft|Cortical break, fracture line visible|Fx seen", "No fracture|No bony injury"),
    "displacement": _there("{grade} displacement", "Undisplaced|Good alignment"),
    "bone_density": _scale("Osteopenia|Demineralised bone", "Bone density normal", "Dense cortical bone"),
    "bone_lysis": _there("Lytic lesion in the shaft|{grade} osteolysis", ""),
    # heart sounds
    "heart_rate": _scale("Bradycardic|Slow heart rate", "Normal heart rate|HR regular and normal", "Tachycardic|Fast heart rate|Tachycardia"),
    "irregular_pulse": _there("Irregular rhythm|Irregularly irregular pulse", "Regular rhythm|RRR"),
    "murmur": _there("{grade} {murmur} murmur {where}|{grade} {murmur} heart murmur heard {where}|Murmur {where}, {murmur}, {grade}", "No murmur|S1 S2 normal, no murmurs|Heart sounds pure"),
    "gallop": _there("S3 gallop|Third heart sound audible", "No gallop"),
    "s2_split": _there("S2 split|Wide splitting of S2", "S2 single"),
    "s1_loud": _scale("Soft S1", "", "Loud S1"),
    "s2_loud": _scale("Soft S2", "", "Loud S2|Accentuated second sound"),
    # breathing and voice
    "breath_rate": _scale("Bradypnoeic|Slow breathing", "Normal respiratory rate|Breathing unlaboured", "Tachypnoea|Tachypneic|Fast breathing"),
    "wheeze": _there("{grade} expiratory wheeze|Wheezing on auscultation, {grade}|{grade} wheezes bilaterally", "No wheeze|No wheezing"),
    "crackles": _there("{grade} {crackles} crackles|{crackles} rales, {grade}|Inspiratory crackles", "No crackles|No rales"),
    "stridor": _there("{grade} inspiratory stridor|Stridor at rest", "No stridor"),
    "rhonchi": _there("Rhonchi|{grade} coarse rhonchi", "No rhonchi"),
    "breath_sounds_weak": _there("Diminished breath sounds|{grade} reduction of air entry", "Good air entry|Vesicular breath sounds"),
    "long_expiration": _there("Prolonged expiration", ""),
    "cry_pitch": _scale("Low-pitched cry", "", "High-pitched cry|Shrill crying"),
    "cry_density": _scale("Intermittent whimpering", "Crying on and off", "Inconsolable, crying without pause|Persistent crying"),
    "hoarse": _there("Hoarse voice|{grade} hoarseness", "Voice clear"),
    "cough_wet": _there("Productive cough|Wet cough, {grade}", "Dry cough|Nonproductive cough"),
    "cough_barking": _there("Barking cough|Croupy cough", ""),
    "cough_many": _scale("Occasional cough", "", "Frequent coughing fits|Coughing in bouts"),
    "speech_rate": _scale("Slowed speech|Speech slow with long pauses", "Speech normal in rate", "Pressured speech"),
    "speech_lively": _scale("Monotonous voice|Flat prosody", "", "Lively prosody"),
    "slurred": _there("Slurred speech|{grade} dysarthria", "Speech clear"),
    "voice_tremor": _there("Tremulous voice", ""),
    # logs
    "deteriorating": _scale("Improving over the stay|Steady recovery", "Stable course", "Deteriorating|Clinical worsening over hours|Trend is worsening"),
    "log_shock": _there("{grade} shock|Hypotensive and tachycardic|Haemodynamically unstable", "Haemodynamically stable|BP stable"),
    "log_hypoxia": _there("{grade} hypoxia|Desaturating, {grade}|Increased oxygen requirement", "Saturating well|Oxygenation normal"),
    "log_infection": _there("Febrile with raised inflammatory markers|{grade} inflammatory response|Septic picture", "Afebrile|Inflammatory markers low"),
    "log_kidney": _there("{grade} acute kidney injury|AKI, {grade}|Rising creatinine", "Renal function normal|Kidneys ok"),
    "log_coma": _there("Reduced GCS|{grade} depression of consciousness|Obtunded", "Alert|GCS full"),
    "log_anaemia": _there("{grade} anaemia|Low haemoglobin", "Hb stable"),
    "log_liver": _there("Deranged LFTs|{grade} hepatic dysfunction", "LFTs normal"),
    "desaturations": _there("Repeated desaturations|Frequent dips of saturation", "No desaturations"),
    "glucose_high": _scale("Glucose well controlled|Sugars in target", "Glucose slightly raised", "Marked hyperglycaemia|Poorly controlled sugars|High mean glucose"),
    "glucose_swings": _scale("Flat glucose profile", "", "Large postprandial excursions|Labile glucose|High glycaemic variability"),
    "dawn_effect": _there("Dawn phenomenon|Early morning rise of glucose", ""),
    "hypoglycaemia": _there("Recurrent hypoglycaemia|{grade} hypos at times", "No hypoglycaemia|No hypos"),
    "activity_level": _scale("Low physical activity|Hardly moves by day|Psychomotor slowing", "Average activity", "Very active|Restless"),
    "day_rhythm": _scale("Blunted circadian rhythm|Day and night hardly differ", "", "Strong day-night rhythm"),
    "sleep_broken": _scale("Sleeps through|Consolidated sleep", "", "Fragmented sleep|Wakes often at night|Insomnia"),
    "late_type": _scale("Early riser", "", "Delayed sleep phase|Goes to bed late"),
    "strip_rate": _scale("Sinus bradycardia|Slow rate on ECG", "Normal rate on ECG", "Tachycardia on ECG|Fast ventricular rate"),
    "atrial_fibrillation": _there("Atrial fibrillation|AF on the strip|Irregular rhythm without P waves", "Sinus rhythm|P waves before each QRS"),
    "extrasystoles": _there("Frequent ventricular ectopics|PVCs", "No ectopy"),
    "wide_qrs": _there("Wide QRS|Bundle branch block pattern", "Narrow QRS"),
    "st_shift": _scale("ST depression", "ST segments isoelectric|No ST changes", "ST elevation"),
    # clips
    "b_lines": _there("{grade} B-lines|Multiple B lines, {grade}|Interstitial syndrome with B-lines", "No B-lines"),
    "a_lines": _there("A-lines present|A-line pattern", "No A-lines"),
    "lung_consolidation": _there("{grade} subpleural consolidation|Hepatisation with air bronchograms|Consolidated lung on ultrasound", "No consolidation on ultrasound"),
    "pleural_effusion": _there("{grade} anechoic pleural effusion|Effusion on ultrasound, {grade}", "No effusion on ultrasound"),
    "pleura_rough": _there("Irregular pleural line|Thickened, broken pleura", "Thin smooth pleural line"),
    "sliding_lost": _there("Absent lung sliding|No lung sliding, suspicious for pneumothorax", "Lung sliding present"),
    "ejection_low": _scale("Good LV function|EF preserved|Hyperdynamic ventricle", "Mildly reduced EF", "Severely reduced EF|Poor LV function|LVEF low"),
    "ventricle_wide": _scale("Small LV cavity", "LV size normal", "Dilated LV|Left ventricle enlarged"),
    "wall_thick": _scale("Thin walls", "", "LVH|Hypertrophied left ventricle|Thick walls"),
    "pericardial_effusion": _there("{grade} pericardial effusion|Fluid around the heart", "No pericardial effusion"),
    "wall_motion_patchy": _there("Regional wall motion abnormality|Hypokinetic segment", "No regional wall motion abnormality"),
    "pupil_wide": _scale("Miosis|Pinpoint pupils", "Pupils mid-size", "Mydriasis|Dilated pupils"),
    "pupil_fixed": _there("Fixed pupils|Sluggish light reaction, {grade}", "Pupils react briskly|PERRL"),
    "pupils_uneven": _there("Anisocoria|Unequal pupils", "Pupils equal"),
    "limp": _there("{grade} limp|Hemiparetic gait|Antalgic gait", "Gait symmetric"),
    "gait_slow": _scale("Brisk gait", "", "Slow short steps|Slow gait"),
    "stooped": _scale("Upright posture", "", "Stooped posture"),
    "tremor": _there("Tremor of the hands", "No tremor"),
    # tables
    "lab_infection": _there("CRP and leukocytes raised, {grade}|{grade} elevation of inflammatory markers", "Inflammatory markers normal"),
    "lab_kidney": _there("{grade} renal impairment|Creatinine elevated", "Normal kidney function"),
    "lab_liver": _there("Transaminases and bilirubin raised|{grade} liver dysfunction", "Liver enzymes normal"),
    "lab_anaemia": _there("{grade} anemia|Hb low", "No anemia"),
    "lab_diabetes": _there("HbA1c raised|Diabetic, {grade} hyperglycaemia", "Glucose metabolism normal"),
    "lab_heart_failure": _there("NT-proBNP raised|Elevated natriuretic peptide, {grade}", "BNP normal"),
    "lab_shock": _there("Lactate elevated|{grade} lactic acidosis", "Lactate normal"),
    "lab_hypoxia": _there("Low PaO2|{grade} hypoxaemia", "Blood gases normal"),
    "age": _scale("Young patient|Child", "", "Elderly patient|Advanced age"),
    "overweight": _scale("Underweight|Slim", "", "Obese|Overweight"),
    "fever": _there("Fever|Febrile", "No fever|Afebrile"), "cough": _there("Cough", "No cough"),
    "dyspnoea": _there("Shortness of breath|SOB|Dyspnoea", "No dyspnoea|Denies SOB"),
}  # fmt: skip

_GRADES = (
    ("subtle", "minimal", "mild", "small", "slight", "discrete"),
    ("moderate", "definite", "medium", "clear", "some"),
    ("severe", "marked", "large", "extensive", "massive", "gross"),
)
_SIDES = {-1: ("on the right", "in the right lung", "R"), 0: ("bilaterally", "on both sides", "in both lungs"), 1: ("on the left", "in the left lung", "L")}
_ZONES = (("upper zone", "upper lobe", "apex"), ("mid zone", "perihilar region"), ("lower zone", "base", "lower lobe"))


def describe(
    rng: np.random.Generator, findings: Mapping[str, float], limit: int = 3, denied: float = 0.3
) -> list[str]:
    """Up to `limit` sentences on findings, what is there before what is not, in varied order."""
    present, absent = [], []
    for key, value in findings.items():
        phrase = PHRASES.get(key)
        if phrase is None:
            continue
        options, said = _options(phrase, value)
        if options:
            (present if said else absent).append((key, options, value))
    _shuffle(rng, present)
    _shuffle(rng, absent)
    present.sort(key=lambda each: -abs(each[2]) * (0.5 + rng.random()))
    spare = int(rng.random() < 0.6) if denied else 0
    chosen = present[: max(limit - spare, 1)]
    chosen += absent[: limit - len(chosen)] if not chosen or chance(rng, denied + 0.4) else []
    if chance(rng, 0.5):
        _shuffle(rng, chosen)
    return [_sentence(rng, pick(rng, options), key, value, findings) for key, options, value in chosen]


def _shuffle(rng: np.random.Generator, items: list) -> None:
    for last in range(len(items) - 1, 0, -1):
        other = int(rng.random() * (last + 1))
        items[last], items[other] = items[other], items[last]


def _options(phrase: Phrase, value: float) -> tuple[tuple[str, ...], bool]:
    """The sentences that fit a value, and whether they speak of something that is there."""
    if phrase.signed:
        if value < -0.4:
            return phrase.low, True
        return (phrase.high, True) if value > 0.4 else (phrase.middle, False)
    if value < -0.75:
        return phrase.low, False
    return (phrase.high, True) if value > -0.6 else ((), False)


def _sentence(
    rng: np.random.Generator, template: str, key: str, value: float, findings: Mapping[str, float]
) -> str:
    grade = pick(rng, _GRADES[0 if value < -0.1 else 1 if value < 0.5 else 2])
    if chance(rng, 0.25):
        template = template.replace("{grade} ", "").replace(", {grade}", "")
    said = template.replace("{grade}", grade)
    if "{" in said:
        said = said.replace("{where}", _where(rng, key, findings))
        said = said.replace("{murmur}", _murmur(rng, findings))
        coarse = findings.get("crackles_coarse", 0.0)
        said = said.replace("{crackles}", "coarse" if coarse > 0 else "fine")
    said = " ".join(said.split()).replace(" ,", ",").strip(" ,")
    return said[0].upper() + said[1:] + "."


def _where(rng: np.random.Generator, key: str, findings: Mapping[str, float]) -> str:
    if key == "murmur":
        base = findings.get("murmur_base", 0.0)
        return pick(rng, ("at the base", "over the aortic area", "at the upper sternal border") if base > 0.2 else ("at the apex", "at the lower sternal border", "radiating to the axilla"))
    side = findings.get(f"{key}_side")
    words = pick(rng, _SIDES[int(side)]) if side is not None else ""
    zone = findings.get(f"{key}_zone")
    if zone is not None and chance(rng, 0.7):
        place = pick(rng, _ZONES[0 if zone < -0.3 else 1 if zone < 0.3 else 2])
        words = f"{words}, {place}"
    if findings.get(f"{key}_peripheral", -1) > 0 and chance(rng, 0.7):
        words = f"{words}, peripheral"
    if findings.get(f"{key}_patchy", -1) > 0 and chance(rng, 0.6):
        words = f"{words}, patchy"
    return words


def _murmur(rng: np.random.Generator, findings: Mapping[str, float]) -> str:
    if findings.get("murmur_systolic", 1) < 0:
        return pick(rng, ("diastolic", "early diastolic"))
    if findings.get("murmur_holosystolic", -1) > 0:
        return pick(rng, ("holosystolic", "pansystolic"))
    return pick(rng, ("ejection systolic", "crescendo-decrescendo systolic") if findings.get("murmur_diamond", -1) > 0 else ("systolic", "late systolic"))
