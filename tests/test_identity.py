"""Rules for words that tell who a person is: what they find, and what they leave alone."""

import pytest

from fmstudio.identity import is_nobody, kinds_in, may_identify, names_somebody


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Mrs. Jane Zebrafinch came in at night.", "names"),
        ("Seen with Dr Émile Łukasz-Weiß today.", "names"),
        ("Herr Müller klagt über Husten.", "names"),
        ("Patient name: Jane", "names"),
        ("Name: ZEBRAFINCH, Jane", "names"),
        ("Patient: Jane Zebrafinch, 45 years", "names"),
        ("MRN: 00-12345", "record numbers"),
        ("Hospital number AB123456", "record numbers"),
        ("NHS 943 476 5919", "record numbers"),
        ("DOB 3/4/1950", "dates of birth"),
        ("born on 3 April 1950", "dates of birth"),
        ("geb. am 03.04.1950", "dates of birth"),
        ("jane.z@mail.example.org", "e-mail addresses"),
        ("Tel: 0221 478-5432", "telephone numbers"),
        ("call (221) 478-5432", "telephone numbers"),
        ("123-45-6789", "social security numbers"),
        ("lives at 12 Long Acre Road", "street addresses"),
        ("wohnt Lindenstraße 12", "street addresses"),
    ],
)
def test_what_tells_of_a_person_is_found(text, kind):
    assert kind in kinds_in(text)


@pytest.mark.parametrize(
    "text",
    [
        "No focal opacity. Heart size normal.",
        "BP 120/80, HR 88, SpO2 97 %",
        "100-200 mg 3 times",
        "Compared with 2021-03-04.",
        "Dr. XYZ was called.",
        "Ms. ABC has a cough.",
        "Doctor: How are you?\nPatient: No pain.\nDoctor: Good.\nPatient: Thank You Doctor.",
        "Name: Unknown",
        "Type A aortic dissection, Stanford A",
        "T12-L1 fracture",
        "WBC 12.3-14.2",
        "Patient: stable",
        "Seen by Dr in clinic",
        "Glasgow Coma Scale 15",
        "FEV1 2.31 (78 %)",
    ],
)
def test_findings_and_figures_are_left_alone(text):
    assert kinds_in(text) == []


@pytest.mark.parametrize(
    "value",
    [
        "",
        "^^^",
        "Anonymous",
        "ANON12345",
        "SAMPLE^P0001",
        "XXX",
        "0000",
        "test",
        "N/A",
        "De-identified",
        "case_0001",
    ],
)
def test_what_stands_for_nobody_is_nobody(value):
    assert is_nobody(value)
    assert not names_somebody(value)
    assert not may_identify(value)


@pytest.mark.parametrize("value", ["Sample^Person", "DOE^JANE", "Yamada^Tarou", "王^小东", "Li"])
def test_what_may_be_a_name_is_one(value):
    assert names_somebody(value)
