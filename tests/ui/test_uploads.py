"""Files dropped into a page find their places beside the table."""

from __future__ import annotations

from pathlib import Path

import pytest

from fmstudio.errors import InputError, NotFound
from fmstudio.ui.pages.data import FILES, HERE, ZIP, gathered
from fmstudio.ui.uploads import lay_out


def dropped(folder: Path, *names: str) -> list[Path]:
    """Files as a browser hands them over: each in a folder of its own, without their own."""
    made = []
    for place, name in enumerate(names):
        path = folder / f"upload{place}" / name
        path.parent.mkdir(parents=True)
        path.write_text(name, encoding="utf-8")
        made.append(path)
    return made


def laid(studio, tmp_path, names, cells) -> set[str]:
    table = dropped(tmp_path / "table", "cases.csv")[0]
    manifest = lay_out(table, dropped(tmp_path / "files", *names), cells, studio.settings)
    folder = manifest.parent
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_a_file_goes_where_the_table_says(studio, tmp_path):
    found = laid(studio, tmp_path, ["a.dcm", "b.wav"], ["films/a.dcm", "63", "sounds\\b.wav;"])

    assert found == {"cases.csv", "films/a.dcm", "sounds/b.wav"}


def test_the_second_file_of_a_pair_goes_beside_its_twin(studio, tmp_path):
    found = laid(studio, tmp_path, ["m1.hea", "m1.dat"], ["monitor/m1.hea"])

    assert found == {"cases.csv", "monitor/m1.hea", "monitor/m1.dat"}


def test_a_name_that_the_browser_cleaned_still_finds_its_place(studio, tmp_path):
    found = laid(studio, tmp_path, ["Film 1.dcm"], ["films/film(1).dcm", "films/Film [1].DCM"][:1])

    assert "films/film(1).dcm" in found


def test_a_cell_cannot_lead_a_file_out_of_its_folder(studio, tmp_path):
    found = laid(studio, tmp_path, ["a.dcm", "b.dcm"], ["../../a.dcm", "/etc/b.dcm"])

    assert found == {"cases.csv", "a.dcm", "b.dcm"}


def test_two_files_of_one_name_are_refused_with_a_way_forward(studio, tmp_path):
    with pytest.raises(InputError, match=r"p1/film\.dcm and p2/film\.dcm") as fault:
        laid(studio, tmp_path, ["film.dcm"], ["p1/film.dcm", "p2/film.dcm"])
    assert "ZIP" in fault.value.hint


@pytest.mark.parametrize(
    ("kind", "here", "fault"),
    [
        (ZIP, "", InputError),
        (FILES, "", InputError),
        (HERE, "", InputError),
        (HERE, "cases.csv", InputError),
        (HERE, "/no/such/folder/cases.csv", NotFound),
    ],
)
def test_what_was_not_given_is_asked_for(studio, kind, here, fault):
    with pytest.raises(fault):
        gathered(studio, kind, None, None, None, here)


def test_a_fault_never_tells_the_folder(studio):
    with pytest.raises(NotFound) as fault:
        gathered(studio, HERE, None, None, None, "/home/me/secret/cases.csv")

    assert "secret" not in fault.value.message


def test_a_table_on_this_computer_is_read_where_it_lies(studio, table):
    path = table()

    assert gathered(studio, HERE, None, None, None, f'"{path}"') == path
