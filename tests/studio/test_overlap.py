"""Cases that an adapter was trained on are not called held out, here or where it was imported."""

from __future__ import annotations

import csv
import json
import random
from pathlib import Path

import pytest

from fmstudio.adapters import trained_on
from fmstudio.cli.run_text import result_text
from fmstudio.cohort.fingerprint import Contents
from fmstudio.errors import BundleError, InputError
from fmstudio.results.json_form import as_json
from fmstudio.run_config import RunConfig
from fmstudio.studio import Studio

ROWS = 40


def rows_of(seed: int) -> list[dict[str, str]]:
    """Forty patients with values and a file each; other seeds are other patients."""
    draw = random.Random(seed)
    return [
        {
            "patient_id": f"S{seed}-{i}",
            "age": f"{draw.gauss(60, 12):.1f}",
            "crp": f"{draw.gauss(20 + 60 * (i % 2), 25):.1f}",
            "note": f"notes/{seed}-{i}.txt",
            "label_ill": str(i % 2),
        }
        for i in range(ROWS)
    ]


def write(path: Path, rows: list[dict[str, str]], texts: dict[str, str]) -> Path:
    """A manifest of these rows; files are named by the rows and hold `texts`, or their own name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for row in rows:
        if row.get("note"):
            file = path.parent / row["note"]
            file.parent.mkdir(parents=True, exist_ok=True)
            own = f"{row['note']} came in last night and was looked after by the doctor on duty"
            file.write_text(texts.get(row["note"], own))
    with path.open("w", newline="") as out:
        writer = csv.DictWriter(out, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """(home of the training, another home that imported the adapter, folder)"""
    folder = tmp_path_factory.mktemp("overlap")
    with Studio.open(folder / "home") as studio:
        studio.projects.create("ill", "binary", label="label_ill")
        studio.cohorts.add("ill", write(folder / "study" / "manifest.csv", rows_of(1), {}))
        studio.runs.wait(studio.runs.start("ill", RunConfig(epochs=1)))
        studio.adapters.export("ill/champion", folder / "ill.zip")
    with Studio.open(folder / "elsewhere") as studio:
        studio.adapters.import_bundle(folder / "ill.zip")
    return folder


@pytest.fixture(params=["home", "elsewhere"])
def studio(request, trained):
    with Studio.open(trained / request.param) as studio:
        yield studio


def test_only_the_patients_that_training_has_not_seen_are_judged(studio, trained):
    found = studio.evaluation.evaluate("ill/champion", trained / "study" / "manifest.csv")

    assert found.overlap["cases"] == 32  # the eight held-out patients are left
    assert [found.overlap[what] for what in ("patients", "files", "rows")] == [32, 32, 32]
    assert found.n == 8
    told = result_text(as_json(found))
    assert "held-out" not in told
    assert "32 cases" in told


def kept_of_inputs(studio: Studio) -> set[Path]:
    """Prepared inputs below home, wherever they lie."""
    return set(studio.settings.home.rglob("*.safetensors"))


def test_new_patients_are_all_judged(studio, trained):
    before = kept_of_inputs(studio)
    found = studio.evaluation.evaluate(
        "ill/champion", write(trained / "new" / "m.csv", rows_of(2), {})
    )

    assert found.n == ROWS
    assert kept_of_inputs(studio) == before  # they belong to no cohort: nothing of them is kept
    assert [found.overlap[what] for what in ("patients", "files", "rows")] == [0, 0, 0]


def test_other_names_formats_and_orders_hide_nothing(studio, trained):
    rows, texts = [], {}
    for i, row in enumerate(reversed(rows_of(1))):
        name = f"texts/x{i}.txt"
        texts[name] = f"{row['note']} came in last night and was looked after by the doctor on duty"
        spelled = {"age": f" {row['age']}0", "crp": f"{float(row['crp']):.3f}"}
        rows.append(
            {
                "label_ill": row["label_ill"],
                "crp": spelled["crp"],
                "note": name,
                "patient_id": f"new{i}",
                "age": spelled["age"],
            }
        )
    rows += rows_of(3)
    found = studio.evaluation.evaluate(
        "ill/champion", write(trained / "renamed" / "m.csv", rows, texts)
    )

    assert [found.overlap[what] for what in ("patients", "files", "rows")] == [32, 32, 32]
    assert found.n == ROWS + 8


def test_with_nothing_new_left_it_is_refused(studio, trained):
    stored = json.loads(
        (studio.adapters.folder(studio.adapters.get("ill/champion").id) / "card.json").read_text()
    )
    assert stored["n"]["test"] == 8
    with Studio.open(trained / "home") as at_home:
        known = {c.patient_id for c in at_home.cohorts.cases("ill") if c.split != "test"}
    rows = [row for row in rows_of(1) if row["patient_id"] in known]

    with pytest.raises(InputError, match="all 32 cases"):
        studio.evaluation.evaluate("ill/champion", write(trained / "study" / "known.csv", rows, {}))


def test_a_patient_is_known_by_name_in_the_home_of_the_training_alone(trained):
    rows = [
        row | {"patient_id": old["patient_id"]}
        for row, old in zip(rows_of(4), rows_of(1), strict=True)
    ]
    path = write(trained / "again" / "m.csv", rows, {})

    with Studio.open(trained / "home") as studio:
        found = studio.evaluation.evaluate("ill/champion", path)
        assert (found.n, found.overlap["patients"]) == (8, 32)
        assert found.overlap["ids_known"]
    with Studio.open(trained / "elsewhere") as studio:
        found = studio.evaluation.evaluate("ill/champion", path)
        assert (found.n, found.overlap["patients"]) == (ROWS, 0)
        assert not found.overlap["ids_known"]
        assert "could not be compared by their ids" in result_text(as_json(found))


def test_the_bundle_holds_no_id_value_or_text_of_a_patient(trained):
    import zipfile

    with zipfile.ZipFile(trained / "ill.zip") as archive:
        stored = archive.read(trained_on.FILE).decode()
    for row in rows_of(1):
        assert not any(row[column] in stored for column in ("patient_id", "age", "crp", "note"))


def test_rows_that_anybody_could_have_are_neither_kept_nor_recognised():
    plain = [Contents((), (("age", str(60 + i % 5)), ("sex", "FM"[i % 2]))) for i in range(50)]
    rare = Contents((("f" * 64, 10), ("e" * 64, 900)), (("age", "61.25"), ("crp", "17.3")))
    stored = trained_on.check(trained_on.as_json([*plain, rare], "fingerprint"))

    assert stored["plain_rows"] == 50
    seen = trained_on.seen(stored, [plain[0], rare])
    assert [(one.files, one.row) for one in seen] == [(0, False), (1, True)]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("format", 2),
        ("salt", 3),
        ("salt", "short"),
        ("cases", -1),
        ("cases", True),
        ("files", "?!"),
        ("files", "AAA="),
        ("rows", [1]),
        ("plain_rows", None),
    ],
)
def test_a_foreign_file_of_another_shape_is_refused_naming_the_field(field, value):
    stored = trained_on.as_json([Contents((), (("a", "1"), ("b", "2")))], "x")
    trained_on.check(stored)

    with pytest.raises(BundleError, match="format" if field == "format" else field):
        trained_on.check(stored | {field: value})
    for odd in (None, [], 3, {}):
        with pytest.raises(BundleError):
            trained_on.check(odd)
