"""Patients of the sample cohort with a word of their own in every place that can hold one."""

from __future__ import annotations

import csv
import shutil
import struct
import zipfile
from pathlib import Path

import av
import pydicom

from fmstudio.studio.sample import MANIFEST

FILES = ("film", "device_log", "breath_sound", "echo_clip", "note_file")


def words_of(who: str) -> dict[str, str]:
    """The words that are planted for a patient, by where: none is part of any other."""
    places = ("case", "patient", "site", "smoker", "header", "note", "channel", "sound", "clip")
    return {place: f"{who}{place}quux" for place in (*places, *FILES)}


def plant(folder: Path, patients: dict[str, int], rows: int) -> Path:
    """The first cases of the sample; files for `patients` alone, by row, with their words."""
    with MANIFEST.open(encoding="utf-8") as file:
        table = list(csv.DictReader(file))[:rows]
    for number, row in enumerate(table):
        who = next((name for name, at in patients.items() if at == number), None)
        if who is None:
            row.update(dict.fromkeys(FILES, ""))
        else:
            _plant_one(folder, row, words_of(who))
    folder.mkdir(exist_ok=True)
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(table[0]))
        writer.writeheader()
        writer.writerows(table)
    return folder / "manifest.csv"


def _plant_one(folder: Path, row: dict[str, str], words: dict[str, str]) -> None:
    row.update(
        case_id=words["case"],
        patient_id=words["patient"],
        site=words["site"],
        smoker=words["smoker"],
    )
    for column in FILES:
        source = MANIFEST.parent / row[column]
        target = folder / words[column] / f"{words[column]}{source.suffix}"
        target.parent.mkdir(parents=True)
        shutil.copyfile(source, target)
        row[column] = target.relative_to(folder).as_posix()
        _WAYS[column](target, words)


def _film(path: Path, words: dict[str, str]) -> None:
    image = pydicom.dcmread(path)
    image.PatientName, image.PatientID = words["header"], words["header"]
    image.save_as(path)


def _log(path: Path, words: dict[str, str]) -> None:
    with path.open(encoding="utf-8") as file:
        header, *lines = list(csv.reader(file))
    with path.open("w", newline="", encoding="utf-8") as file:
        more = [[*line, f"{n % 7}.5"] for n, line in enumerate(lines)]
        csv.writer(file).writerows([[*header, words["channel"]], *more])


def _sound(path: Path, words: dict[str, str]) -> None:
    data, said = path.read_bytes(), words["sound"].encode().ljust(64, b"\0")
    chunk = b"INFO" + b"INAM" + struct.pack("<I", len(said)) + said
    data += b"LIST" + struct.pack("<I", len(chunk)) + chunk
    path.write_bytes(data[:4] + struct.pack("<I", len(data) - 8) + data[8:])


def _clip(path: Path, words: dict[str, str]) -> None:
    told = path.with_name("told.mp4")
    with av.open(str(path)) as source, av.open(str(told), "w", format="mp4") as target:
        target.metadata["title"] = words["clip"]
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    told.replace(path)


def _note(path: Path, words: dict[str, str]) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(f"\nSleeps well; {words['note']} was seen.\n")


_WAYS = dict(zip(FILES, (_film, _log, _sound, _clip, _note), strict=True))


def holding(home: Path, *words: str) -> list[str]:
    """The files below home that hold one of the words: in their name, their bytes, or packed."""
    sought = [each for word in words for each in (word.encode(), word.encode("utf-16-le"))]
    found = []
    for path in sorted(home.rglob("*")):
        name = path.relative_to(home).as_posix()
        contents = [name.encode(), *(_contents(path) if path.is_file() else [])]
        if any(word in content for word in sought for content in contents):
            found.append(name)
    return found


def _contents(path: Path) -> list[bytes]:
    """A file's bytes, and those of what is packed in it."""
    found = [path.read_bytes()]
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as packed:
            found += [packed.read(name) for name in packed.namelist()]
    return found
