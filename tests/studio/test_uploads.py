"""Uploaded ZIPs are unpacked below their own folder or not at all."""

from __future__ import annotations

import zipfile
from collections import namedtuple
from pathlib import Path

import pytest

from fmstudio.errors import InputError, NotFound, ResourceError, UnreadableFile
from fmstudio.settings import Limits, Settings
from fmstudio.studio import uploads

TABLE = "case_id,film\nc1,films/a.png\n"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(tmp_path / "home", Limits(upload_mb=50))


@pytest.fixture
def archive(tmp_path: Path):
    def write(*entries: tuple[str | zipfile.ZipInfo, str | bytes]) -> Path:
        path = tmp_path / "cohort.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            for name, content in entries:
                file.writestr(name, content)
        return path

    return write


def leftovers(settings: Settings) -> list[Path]:
    return list(settings.folder("temp").iterdir())


def test_the_manifest_is_found_beside_or_above_the_files_that_it_names(settings, archive):
    path = archive(
        ("study/manifest.csv", TABLE),
        ("study/films/a.png", b"x"),
        ("study/films/1.csv", "t"),
        ("__MACOSX/study/._manifest.csv", "x"),
    )
    found = uploads.unpack(path, settings)
    assert found.name == "manifest.csv"
    assert (found.parent / "films" / "a.png").read_bytes() == b"x"
    assert found.is_relative_to(settings.home / "temp")


def test_of_two_tables_the_one_called_manifest_is_taken(settings, archive):
    path = archive(("notes.csv", "a\n1\n"), ("Manifest.tsv", "a\n1\n"))
    assert uploads.unpack(path, settings).name == "Manifest.tsv"


@pytest.mark.parametrize("tables", [(), ("a.csv", "b.csv")])
def test_without_exactly_one_manifest_nothing_is_kept(settings, archive, tables):
    path = archive(("readme.md", "x"), *((name, "a\n1\n") for name in tables))
    with pytest.raises(InputError, match="one table of cases"):
        uploads.unpack(path, settings)
    assert leftovers(settings) == []


def link(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)
    entry.external_attr = 0o120777 << 16
    return entry


@pytest.mark.parametrize(
    "name",
    [
        "../evil.csv",
        "/etc/evil.csv",
        "a/../../evil.csv",
        "C:\\evil.csv",
        "a\\b.csv",
        "c:evil.csv",
        link("films"),
    ],
)
def test_a_name_that_leads_elsewhere_is_refused(settings, archive, name, tmp_path):
    path = archive(("manifest.csv", TABLE), (name, "x"))
    with pytest.raises(UnreadableFile, match="not a plain file"):
        uploads.unpack(path, settings)
    assert leftovers(settings) == []
    assert not list(tmp_path.glob("**/evil*"))


def test_names_that_differ_only_in_case_are_refused(settings, archive):
    path = archive(("manifest.csv", TABLE), ("a.png", "x"), ("A.PNG", "y"))
    with pytest.raises(UnreadableFile, match=r"A\.PNG"):
        uploads.unpack(path, settings)


def test_a_bomb_is_refused_before_it_is_unpacked(settings, archive):
    path = archive(("manifest.csv", TABLE), ("film.dcm", bytes(20_000_000)))
    with pytest.raises(UnreadableFile, match="20 MB"):
        uploads.unpack(path, settings)
    assert leftovers(settings) == []


def test_more_than_the_limit_is_refused(archive, tmp_path):
    path = archive(("manifest.csv", TABLE * 30_000))
    with pytest.raises(UnreadableFile, match="1 files of 1 MB"):
        uploads.unpack(path, Settings(tmp_path / "home", Limits(upload_mb=0)))


def test_a_damaged_or_encrypted_or_missing_zip_is_refused(settings, archive, tmp_path):
    path = archive(("manifest.csv", TABLE * 500))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UnreadableFile, match="cannot be unpacked"):
        uploads.unpack(path, settings)
    path.write_bytes(whole[:40] + bytes([whole[40] ^ 255]) + whole[41:])
    with pytest.raises(UnreadableFile, match="cannot be unpacked"):
        uploads.unpack(path, settings)
    with pytest.raises(NotFound, match=r"none\.zip"):
        uploads.unpack(tmp_path / "none.zip", settings)
    assert leftovers(settings) == []


def test_a_zip_with_damage_inside_a_compressed_file_is_refused(settings, archive):
    path = archive(("manifest.csv", TABLE * 500))
    content = bytearray(path.read_bytes())
    content[42:46] = b"\xff" * 4  # where the compressed bytes begin
    path.write_bytes(content)

    with pytest.raises(UnreadableFile, match="cannot be unpacked"):
        uploads.unpack(path, settings)
    assert leftovers(settings) == []


def test_a_zip_with_a_password_is_refused_by_that(settings, archive):
    path = archive(("manifest.csv", TABLE))
    content = bytearray(path.read_bytes())
    for mark, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(mark) + flags] |= 1
    path.write_bytes(content)

    with pytest.raises(UnreadableFile, match="password") as refused:
        uploads.unpack(path, settings)
    assert refused.value.hint
    assert leftovers(settings) == []


def test_links_are_not_followed_when_a_folder_is_kept(settings, tmp_path):
    (tmp_path / "secret.txt").write_text("secret")
    folder = tmp_path / "upload"
    folder.mkdir()
    (folder / "manifest.csv").write_text(TABLE)
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    kept = uploads.keep(folder / "manifest.csv", settings.folder("cohorts") / "a", settings)
    assert [path.name for path in kept.parent.iterdir()] == ["manifest.csv"]


def test_too_little_room_is_said_with_the_figures(settings, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(uploads.shutil, "disk_usage", lambda _: usage(9, 9, 120_000_000))
    with pytest.raises(ResourceError, match="120 MB free, but 600 MB"):
        uploads.check_free_disk(settings, 100)


def test_a_folder_that_holds_the_home_is_not_copied_into_itself(studio, home):
    studio.projects.create("ill", "binary", "label_ill")
    table = home.parent / "table.csv"
    rows = [f"c{n},{30 + n},{n % 2}" for n in range(30)]
    table.write_text("\n".join(["case_id,age,label_ill", *rows]), encoding="utf-8")

    with pytest.raises(InputError, match="holds the studio's home"):
        studio.cohorts.add("ill", table, copy=True)

    assert studio.cohorts.newest("ill") is None
    assert [*(home / "cohorts").glob("*")] == []
