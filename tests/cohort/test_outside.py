"""A manifest reaches the files of its own folder and no others, whatever links lie there."""

from __future__ import annotations

import os

import pytest

from fmstudio.cohort import build_cohort, make_task, propose_roles, read_manifest
from fmstudio.errors import InputError, UnreadableFile
from fmstudio.sandbox import Reader
from fmstudio.settings import Limits
from tests.cohort.conftest import patients

ROWS = 24


@pytest.fixture
def noted(tmp_path):
    """noted(cell of row 5) -> the cohort of a folder whose other notes are plain files in it."""
    study, elsewhere = tmp_path / "study", tmp_path / "elsewhere"
    (study / "notes").mkdir(parents=True)
    elsewhere.mkdir()
    (elsewhere / "secret.txt").write_text("not for the studio")
    for number in range(ROWS):
        (study / "notes" / f"n{number}.txt").write_text(f"patient {number} is well")

    def make(cell, check_files=True):
        rows = [
            f"{patient},{number % 2},{cell if number == 5 else f'notes/n{number}.txt'}"
            for number, patient in enumerate(patients(ROWS))
        ]
        path = study / "manifest.csv"
        path.write_text("patient_id,label,note\n" + "\n".join(rows) + "\n")
        manifest = read_manifest(path)
        roles = {role.column: role.role for role in propose_roles(manifest, "label")}
        task = make_task(manifest, roles, "binary")
        return build_cohort(manifest, roles, task, "c", require_label=check_files)

    return make, study, elsewhere


@pytest.mark.parametrize("check_files", [True, False])
@pytest.mark.parametrize("link", ["file", "folder", "two links", "link to a folder above"])
def test_a_link_that_leads_out_of_the_manifests_folder_is_refused(noted, link, check_files):
    make, study, elsewhere = noted
    if link == "file":
        (study / "x.txt").symlink_to(elsewhere / "secret.txt")
        cell = "x.txt"
    elif link == "folder":
        (study / "far").symlink_to(elsewhere)
        cell = "far/secret.txt"
    elif link == "two links":
        (study / "y.txt").symlink_to(elsewhere / "secret.txt")
        (study / "x.txt").symlink_to("y.txt")
        cell = "x.txt"
    else:
        (study / "up").symlink_to("..")
        cell = "up/elsewhere/secret.txt"

    with pytest.raises(InputError, match=r"line 7\), which is outside") as caught:
        make(cell, check_files)

    assert str(elsewhere) not in caught.value.message


@pytest.mark.parametrize(
    "cell",
    [
        "../elsewhere/secret.txt",
        "notes/../../elsewhere/secret.txt",
        "NOTES/../../x.txt",
        "/etc/passwd.txt",
        "~/x.txt",
        "file:///etc/x.txt",
        "C:\\x.txt",
        "..\\x.txt",
    ],
)
def test_a_path_that_is_written_to_lead_out_is_refused(noted, cell):
    with pytest.raises(InputError, match="outside"):
        noted[0](cell)


def test_links_within_the_folder_are_followed(noted):
    make, study, _ = noted
    (study / "again.txt").symlink_to("notes/n3.txt")
    (study / "same").symlink_to(study / "notes")

    (source,) = make("again.txt").cases[5].sources["notes"]
    assert source.path.read_text() == "patient 3 is well"
    (source,) = make("same/n4.txt").cases[5].sources["notes"]
    assert source.path.read_text() == "patient 4 is well"


def test_a_manifest_may_lie_in_a_folder_that_is_itself_a_link(noted, tmp_path):
    make, study, _ = noted
    make("notes/n5.txt")
    (tmp_path / "study-link").symlink_to(study)
    manifest = read_manifest(tmp_path / "study-link" / "manifest.csv")
    roles = {role.column: role.role for role in propose_roles(manifest, "label")}

    cohort = build_cohort(manifest, roles, make_task(manifest, roles, "binary"), "c")
    assert len(cohort.cases) == ROWS


@pytest.mark.parametrize("kind", ["pipe", "folder", "device"])
def test_what_is_no_file_is_refused_by_the_reader_and_nothing_hangs(noted, kind):
    make, study, _ = noted
    place = study / "odd.txt"
    if kind == "pipe":
        os.mkfifo(place)
    elif kind == "folder":
        place.mkdir()
    else:
        place.symlink_to("/dev/zero")
        with pytest.raises(InputError, match="outside"):
            make("odd.txt")
        return
    (source,) = make("odd.txt").cases[5].sources["notes"]

    with Reader(Limits()) as reader, pytest.raises(UnreadableFile, match="odd"):
        reader.read("notes", [source])
