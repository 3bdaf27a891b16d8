"""What counts is whether there is a file of that name, however the table or the disk spells it."""

from __future__ import annotations

import unicodedata

import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

from fmstudio.cohort import build_cohort, make_task, propose_roles
from fmstudio.cohort.paths import Files, looks_like_path
from fmstudio.errors import InputError

ROWS = 24
LABELS = ["0", "1"] * (ROWS // 2)
AGES = [str(40 + n % 7) for n in range(ROWS)]
FILM = np.tile(np.linspace(0, 4095, 32), (32, 1)).astype(np.uint16)


@pytest.fixture
def cohort(manifest):
    """cohort(column=cells) -> (the cohort, the proposed role of that column, its reason)."""

    def build(roles=(), **columns):
        got = manifest(label=LABELS, **columns)
        proposed = {r.column: r for r in propose_roles(got, "label")}
        chosen = {name: r.role for name, r in proposed.items()} | dict(roles)
        task = make_task(got, chosen, "binary")
        column = proposed[next(iter(columns))]
        return build_cohort(got, chosen, task, "test"), column.role, column.reason

    return build


def paths(cohort, modality="radiology"):
    return [[s.path for s in case.sources.get(modality, ())] for case in cohort.cases]


def picture(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray((FILM // 16).astype(np.uint8)).save(path, "PNG")
    return path


def dicom(path, **elements):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.SOPClassUID = image.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    image.Modality, image.PhotometricInterpretation = "OT", "MONOCHROME2"
    image.Rows, image.Columns = FILM.shape
    image.SamplesPerPixel, image.BitsAllocated, image.BitsStored = 1, 16, 16
    image.HighBit, image.PixelRepresentation, image.PixelData = 15, 0, FILM.tobytes()
    for keyword, value in elements.items():
        setattr(image, keyword, value)
    image.save_as(path, enforce_file_format=True)
    return path


@pytest.mark.parametrize(
    ("on_disk", "in_table"),
    [
        (lambda n: unicodedata.normalize("NFD", f"Röntgen/größe {n}.png"), "Röntgen/größe {}.png"),
        (lambda n: f"Röntgen/größe {n}.png", unicodedata.normalize("NFD", "Röntgen/größe {}.png")),
        ("Films/IMG{}.PNG".format, "films/img{}.png"),
        ("films/img{}.png".format, "FILMS/Img{}.PNG"),
        ("films /img{} .png".format, "films/img{} .png"),
        ("films/img{}.png".format, "films\\img{}.png"),
        ("films/img{}.png".format, ".\\FILMS\\img{}.png "),
        ("my films/img{}.png".format, "my%20films/img{}.png"),
        ("films/größe{}.png".format, "films/gr%C3%B6%C3%9Fe{}.png"),
        ("films/img%20{}.png".format, "films/img%20{}.png"),
        (lambda n: unicodedata.normalize("NFD", f"STRAẞE/ä{n}.png"), "strasse\\Ä{}.PNG"),
    ],
)
def test_a_file_is_found_however_its_name_is_spelled(cohort, tmp_path, on_disk, in_table):
    files = [picture(tmp_path / on_disk(n)) for n in range(ROWS)]

    got, role, _ = cohort(film=[in_table.format(n) for n in range(ROWS)])

    assert role == "radiology"
    assert [path.read_bytes() for (path,) in paths(got)] == [path.read_bytes() for path in files]
    assert [path.samefile(file) for (path,), file in zip(paths(got), files, strict=True)] == (
        [True] * ROWS
    )
    assert any("spelled otherwise" in each for each in got.remarks) == (
        in_table.format(0) != on_disk(0)
    )


def test_the_name_as_it_stands_comes_first(tmp_path):
    for name in ("a.png", "A.png", unicodedata.normalize("NFD", "ä.png"), "ä.png", "x%20y.png"):
        picture(tmp_path / name)
    picture(tmp_path / "x y.png")
    files = Files(tmp_path)

    for name in ("a.png", "A.png", "ä.png", unicodedata.normalize("NFD", "ä.png"), "x%20y.png"):
        assert files.matches(name) == [name]


def test_a_name_that_can_mean_two_files_is_refused_with_both(cohort, tmp_path):
    for n in range(ROWS):
        picture(tmp_path / f"Img{n}.png")
    picture(tmp_path / "IMG3.png")

    with pytest.raises(InputError) as refused:
        cohort(film=[f"img{n}.png" for n in range(ROWS)])
    assert "'IMG3.png'" in refused.value.message
    assert "'Img3.png'" in refused.value.message


@pytest.mark.parametrize(
    "name",
    [
        "..%2Fsecret.png",
        "%2e%2e/secret.png",
        "a/%2E%2E/%2E%2E/x.png",
        "%2Fetc%2Fpasswd",
        "..\\secret.png",
    ],
)
def test_no_spelling_leads_out_of_the_folder(tmp_path, name):
    picture(tmp_path / "secret.png")
    inner = tmp_path / "inner"
    (inner / "a").mkdir(parents=True)

    assert Files(inner).matches(name) == []


def test_dicom_files_without_an_ending_are_films(cohort, tmp_path):
    for n in range(ROWS):
        dicom(tmp_path / "disc" / f"IM{n:06d}")

    got, role, reason = cohort(film=[f"DISC/im{n:06d}" for n in range(ROWS)])

    assert role == "radiology"
    assert "begin as" in reason
    assert [path.name for (path,) in paths(got)] == [f"IM{n:06d}" for n in range(ROWS)]


def test_a_folder_is_its_files_in_the_order_in_which_people_count(cohort, tmp_path):
    for n in range(ROWS):
        for k in (1, 2, 10):
            dicom(tmp_path / "series" / f"c{n}" / f"IM{k}")
        (tmp_path / "series" / f"c{n}" / "readme.txt").write_text("exported by …")
        (tmp_path / "series" / f"c{n}" / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")

    got, role, _ = cohort(ct=[f"series/c{n}" for n in range(ROWS)])

    assert role == "radiology"
    assert [path.name for path in paths(got)[0]] == ["IM1", "IM2", "IM10"]
    assert any(f"{ROWS} files in the {ROWS} folders" in each for each in got.remarks)


def test_folders_that_are_called_like_values_are_not_taken_for_series(cohort, tmp_path):
    for site in ("north", "south"):
        for n in range(3):
            dicom(tmp_path / site / f"IM{n}")

    got, role, _ = cohort(ward_name=["north", "South"] * (ROWS // 2), age=AGES)

    assert role != "radiology"
    assert got.modalities == ("ehr",)


@pytest.mark.parametrize("ending", [".xml", ".html", ".HTM", ".weird", ""])
def test_a_letter_of_any_ending_is_never_its_own_name(cohort, tmp_path, ending):
    for n in range(ROWS):
        (tmp_path / f"letter {n}{ending}").write_text(f"Cough for {n} days.")

    got, role, _ = cohort(letter=[f"letter {n}{ending}".lower() for n in range(ROWS)])

    assert role == "notes"
    assert [path.read_text() for (path,) in paths(got, "notes")] == (
        [f"Cough for {n} days." for n in range(ROWS)]
    )


def test_one_letter_in_a_file_among_typed_ones_is_read_from_it(cohort, tmp_path):
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "c3.xml").write_text("<a>Cough.</a>")
    cells = [f"He has coughed for {n} days and nights." for n in range(ROWS)]
    cells[3], cells[5] = "Letters/c3.xml", "mg/dl"

    got, role, _ = cohort(letter=cells)

    assert role == "notes"
    given = [case.sources["notes"][0] for case in got.cases]
    assert given[3].path == tmp_path / "letters" / "c3.xml"
    assert [s.text for s in given[4:6]] == cells[4:6]


def test_a_table_of_letters_that_are_not_there_is_refused(cohort):
    with pytest.raises(InputError, match=r"24 files named in .* do not exist"):
        cohort(
            letter=[f"letters/c{n}.odt" for n in range(ROWS)],
            roles={"letter": "notes"},
            age=AGES,
        )


def test_paths_that_lead_to_nothing_are_no_input_and_say_why(cohort):
    _, role, reason = cohort(film=[f"disc/IM{n}.heic" for n in range(ROWS)], age=AGES)

    assert role == "ignore"
    assert "look like names of files" in reason


def test_files_that_no_modality_reads_are_named_by_their_ending(cohort, tmp_path):
    for n in range(ROWS):
        (tmp_path / f"model_{n}.stl").write_bytes(bytes(range(256)))

    _, role, reason = cohort(implant=[f"model_{n}.stl" for n in range(ROWS)], age=AGES)

    assert role == "ignore"
    assert ".stl" in reason


@pytest.mark.parametrize(
    ("cell", "is_one"),
    [
        ("scans/p1.xyz", True),
        ("scans\\p 1.dcm", True),
        ("scan_07.nii.gz", True),
        ("IMG-2.heic", True),
        ("a/b/c.mp4", True),
        ("mg/dl", False),
        ("N/A", False),
        ("b.i.d.", False),
        ("120/80", False),
        ("12/06/2018", False),
        ("S52.5X1A", False),
        ("T40.X1A", False),
        ("J18.9", False),
        ("Cough.Fever since 3 days.", False),
        ("e.g.", False),
        ("https://a.org/b.dcm", False),
        ("Cough for three days, see film.", False),
        ("3.5mg", False),
    ],
)
def test_only_what_nobody_writes_otherwise_looks_like_a_path(cell, is_one):
    assert looks_like_path(cell) == is_one


@pytest.mark.parametrize(
    "name",
    [
        "<img src=x onerror=alert(1)>",
        "\u202egnp.film",
        "\U0001f601",
        "-rf film",
        "CON",
        "a" * 200,
        "ﬁlm",
        "film\u200b",
        'it\'s "100%" & more',
        "=HYPERLINK(1)",
        "{{7*7}}",
        "CO²",
    ],
)
def test_a_file_of_a_strange_name_is_its_cases_film(cohort, tmp_path, name):
    try:
        files = [picture(tmp_path / f"{name} {n}.png") for n in range(ROWS)]
    except OSError:
        pytest.skip("this disk keeps no file of such a name")

    got, role, _ = cohort(film=[file.name for file in files])

    assert role == "radiology"
    assert [found for (found,) in paths(got)] == files


@pytest.mark.parametrize("name", ["a\nb.png", "a\tb.png", "n" * 400 + ".png"])
def test_a_name_that_no_cell_should_hold_leads_nowhere_and_is_no_fault(cohort, name):
    cells = [f"films/{n}.png" for n in range(ROWS - 1)] + [name]

    with pytest.raises(InputError) as refused:
        cohort(film=cells)
    assert refused.value.hint
