"""Made-up inputs of every kind: of the right form, repeatable, varied, and with readable findings."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_samples.varied import films, phrases, tables, wearables
from data_samples.varied.cases import MAKERS, case, single
from data_samples.varied.made import Made
from data_samples.varied.parameters import PARAMETERS
from data_samples.varied.patient import ILLNESSES, draw_patient
from data_samples.varied.wording import rows
from fmstudio.contracts import pipelines
from fmstudio.encoders import patches, series_patches, spectrogram, subwords, table_tokens
from fmstudio.encoders.spectrogram import spectrogram as bands_of
from fmstudio.types import COLUMNS

BASE = Path(__file__).resolve().parents[2] / "assets" / "base"
ENCODERS = {
    "frames": patches,
    "waveform": spectrogram,
    "series": series_patches,
    "table": table_tokens,
    "text": subwords,
}
LENGTHS = {
    "frames": ("names",),
    "series": ("channels", "units"),
    "table": ("names", "units", "categories", "seconds"),
}


@cache
def drawn(modality: str, count: int) -> list[Made]:
    return [single(modality, 7, index) for index in range(count)]


def content(made: Made) -> bytes:
    values = made.given.values
    return values.encode() if isinstance(values, str) else np.asarray(values).tobytes()


@pytest.mark.parametrize("modality", MAKERS)
def test_inputs_have_the_form_of_their_kind(modality):
    for made in drawn(modality, 60):
        given = made.given
        assert given.kind == pipelines()[modality].kind
        assert not given.empty
        if given.kind == "text":
            assert 2 <= len(given.values.split()) <= 450
            assert "{" not in given.values
            continue
        values, mask = given.values, given.mask
        assert values.dtype == np.float32
        assert mask.dtype == bool
        assert np.isfinite(values).all()
        there = mask if given.kind != "frames" else np.broadcast_to(True, values.shape)
        assert not values[~there].any()
        assert mask.shape == (values.shape if given.kind == "series" else values.shape[:1])
        axis = 1 if given.kind == "series" else 0
        for fact in LENGTHS.get(given.kind, ()):
            assert len(given.facts[fact]) == values.shape[axis]
        if given.kind == "frames":
            assert values.shape[1] in (1, 3)
            assert values.min() >= 0
            assert values.max() <= 1
        if given.kind == "waveform":
            segments = given.facts["segments"]
            assert [0, *(s["stop"] for s in segments)] == [
                *(s["start"] for s in segments),
                len(values),
            ]
            assert np.abs(values).max() <= 1
        if given.kind == "series":
            seconds = given.facts["seconds"]
            assert seconds[0] == 0
            assert len(seconds) == len(values)
            assert len(seconds) <= 20_000
            assert (np.diff(seconds) > 0).all()


@pytest.mark.parametrize("modality", MAKERS)
def test_embedded_encoders_prepare_every_input(modality):
    given = [made.given for made in drawn(modality, 60)]
    encoder = ENCODERS[given[0].kind].ENCODER
    folder = next(BASE.rglob("tokenizer.json")).parent
    preparer = encoder.preparer(encoder.default(), folder, encoder.fit(given))

    for each in given:
        prepared = preparer.prepare(each)
        # A row of columns has NaN where nothing is known.
        items = [array for name, array in prepared.arrays.items() if name != COLUMNS]
        assert all(np.isfinite(array).all() for array in items)


@pytest.mark.parametrize("modality", MAKERS)
def test_findings_and_words_come_with_every_input(modality):
    for made in drawn(modality, 60):
        assert all(np.isfinite(value) and abs(value) <= 1.5 for value in made.findings.values())
        assert len(made.words.split()) >= 1
        assert not re.search(r"[{}]|\d\.\d", made.words)
    assert len({made.words for made in drawn(modality, 60)}) > 30


def test_the_same_seed_and_index_give_the_same_case():
    first, again = case(3, 17), case(3, 17)

    assert list(first) == list(again)
    for name, made in first.items():
        assert content(made) == content(again[name])
        assert made.findings == again[name].findings
        assert made.words == again[name].words
        assert dict(made.given.facts) == dict(again[name].given.facts)


@pytest.mark.parametrize("modality", MAKERS)
def test_no_two_inputs_are_equal(modality):
    inputs = {content(made) for made in drawn(modality, 60)}

    assert len(inputs) >= (55 if modality == "notes" else 60)


def test_cases_have_two_to_six_modalities_and_their_note_speaks_of_the_others():
    cases = [case(1, index) for index in range(60)]

    assert {len(each) for each in cases} <= set(range(2, 7))
    assert set(Counter(name for each in cases for name in each)) == set(MAKERS)
    large = [
        c
        for c in cases
        if "notes" in c and c.get("radiology") and "heart_size" in c["radiology"].findings
    ]
    said = [
        c["radiology"].findings["heart_size"] > 0.4 for c in large if _speaks("heart_size", 1, c)
    ]
    assert said
    assert all(said)


def _speaks(key: str, value: float, made: dict[str, Made]) -> bool:
    phrase = phrases.PHRASES[key]
    sentences = phrase.high if value > 0 else phrase.low
    return any(sentence in made["notes"].given.values for sentence in sentences)


def test_illnesses_show_in_several_modalities_of_a_case():
    pairs = []
    for index in range(250):
        rng = np.random.default_rng((4, index))
        patient = draw_patient(rng)
        film, row = films.draw(rng, patient).findings, tables.draw(rng, patient).findings
        if "heart_size" in film and "lab_heart_failure" in row:
            pairs.append((film["heart_size"], row["lab_heart_failure"]))

    assert len(pairs) > 60
    assert np.corrcoef(np.array(pairs).T)[0, 1] > 0.3


def test_patients_of_all_ages_have_all_illnesses():
    patients = [draw_patient(np.random.default_rng((9, index))) for index in range(600)]

    assert set(ILLNESSES) == {name for patient in patients for name in patient.illnesses}
    assert min(patient.age for patient in patients) < 0.1
    assert max(patient.age for patient in patients) > 85
    assert all(0 < s <= 1 for patient in patients for s in patient.illnesses.values())


def test_a_name_stands_for_one_unit_and_no_two_findings_share_a_row():
    forms = [form for parameter in PARAMETERS for form in parameter.forms]

    assert len({form.name for form in forms}) == len(forms)
    assert len(phrases.PHRASES) == len(rows("phrases"))


# How well a straight line through simple statistics tells a finding, on inputs it was not drawn on.


def readable(statistics: list[np.ndarray], findings: list[float]) -> float:
    """Correlation of a finding with what ridge regression makes of statistics, in two folds."""
    x, y = np.stack(statistics), np.array(findings)
    x = (x - x.mean(0)) / (x.std(0) + 1e-6)
    guessed = np.zeros(len(y))
    for fold in (0, 1):
        test = np.arange(len(y)) % 2 == fold
        a, b = x[~test], y[~test] - y[~test].mean()
        kernel = a @ a.T
        weights = np.linalg.solve(kernel + 0.3 * np.trace(kernel) / len(a) * np.eye(len(a)), b)
        guessed[test] = x[test] @ a.T @ weights
    return float(np.corrcoef(guessed, y)[0, 1])


def check(modality: str, count: int, statistics, least: dict[str, float]) -> None:
    for key, wanted in least.items():
        made = [each for each in drawn(modality, count) if key in each.findings]
        found = readable([statistics(m.given) for m in made], [m.findings[key] for m in made])
        assert found > wanted, f"{key}: {found:.2f} from {len(made)} inputs"


def small(picture: np.ndarray, side: int) -> np.ndarray:
    image = Image.fromarray(np.ascontiguousarray(picture, np.float32))
    return np.asarray(image.resize((side, side), Image.Resampling.BOX))


def test_findings_of_films_are_readable():
    check(
        "radiology",
        600,
        lambda given: small(given.values[0].mean(0), 16).ravel(),
        {
            "effusion_left": 0.25,
            "effusion_right": 0.25,
            "heart_size": 0.25,
            "congestion": 0.2,
            "consolidation_zone": 0.1,
            "age_film": 0.3,
        },
    )


def test_findings_of_clips_are_readable():
    def statistics(given):
        clip = given.values.mean(1)
        return np.concatenate([small(clip.mean(0), 12).ravel(), small(clip.std(0), 10).ravel()])

    check("video", 300, statistics, {"b_lines": 0.3, "pleural_effusion": 0.35, "ejection_low": 0.2})


def test_findings_of_sounds_are_readable():
    def statistics(given):
        picture = bands_of(given.values, given.facts["rate"])
        loud = picture.mean(1) - picture.mean()
        beats = np.correlate(loud, loud, "full")[len(loud) - 1 :][:90] / (loud @ loud + 1e-9)
        changes = np.abs(np.diff(picture, axis=0)).mean(0)
        return np.concatenate([picture.mean(0), picture.std(0), changes, beats])

    check(
        "audio",
        400,
        statistics,
        {
            "heart_rate": 0.5,
            "murmur": 0.25,
            "wheeze": 0.25,
            "breath_rate": 0.4,
            "cough_wet": 0.3,
        },
    )


FORMS = {form.name: (parameter, form) for parameter in PARAMETERS for form in parameter.forms}
PLACES = {parameter.key: place for place, parameter in enumerate(PARAMETERS)}


def scores(levels: dict[str, float]) -> np.ndarray:
    """Levels by name as standard scores of all parameters, 0 where there is none."""
    found = np.zeros(len(PARAMETERS))
    for name, level in levels.items():
        if name in FORMS:
            parameter, form = FORMS[name]
            level, middle = (level - form.offset) / form.factor, parameter.median
            if parameter.ratio:
                level, middle = np.log(max(level, 1e-3)), np.log(middle)
            found[PLACES[parameter.key]] = np.clip((level - middle) / parameter.spread, -6, 6)
    return found


def test_findings_of_logs_are_readable():
    def charted(given):
        return scores(
            {
                name: float(np.median(given.values[given.mask[:, column], column]))
                for column, name in enumerate(given.facts["channels"])
                if given.mask[:, column].any()
            }
        )

    def spread(given):
        first = given.values[given.mask[:, 0], 0]
        relative = first / first.mean()
        shares = np.percentile(relative, (2, 25, 75, 98))
        return np.array([np.log(first.mean() + 1), first.std() / first.mean(), *shares])

    check("device_logs", 500, charted, {"log_shock": 0.4, "log_infection": 0.4, "log_hypoxia": 0.4})
    check("device_logs", 500, spread, {"glucose_swings": 0.4})


def test_days_of_activity_show_rhythm_and_broken_sleep():
    statistics, rhythm = [], []
    for index in range(120):
        rng = np.random.default_rng((6, index))
        form, findings = wearables.draw_activity(rng, draw_patient(rng, youngest=18))
        counts, step = form["values"][:, 0], form["seconds"][1]
        days = counts[: int(len(counts) // (86_400 / step) * 86_400 / step)]
        profile = days.reshape(-1, 24, int(3600 / step)).mean((0, 2))
        statistics.append(np.sort(profile) / profile.mean())
        rhythm.append(findings["day_rhythm"] - findings["sleep_broken"])

    assert readable(statistics, rhythm) > 0.3


def test_findings_of_tables_are_readable():
    def statistics(given):
        filled = zip(given.facts["names"], given.values, given.mask, strict=True)
        return scores({name: float(value) for name, value, there in filled if there})

    check("ehr", 900, statistics, {"lab_infection": 0.4, "lab_shock": 0.4, "lab_kidney": 0.25})


def test_findings_of_notes_are_readable():
    words = Counter(word for made in drawn("notes", 500) for word in _words(made.given.values))
    common = [word for word, _ in words.most_common(400)]

    def statistics(given):
        there = _words(given.values)
        return np.array([float(word in there) for word in common])

    check(
        "notes",
        500,
        statistics,
        {
            "topic_allergy": 0.5,
            "topic_social": 0.5,
            "topic_family": 0.5,
            "topic_affirmed": 0.4,
        },
    )


def _words(text: str) -> set[str]:
    return set(re.findall(r"[a-z]+", text.lower()))
