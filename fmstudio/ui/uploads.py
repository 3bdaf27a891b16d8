"""Files dropped into a page, laid out beside their table as the table's cells name them."""

from __future__ import annotations

import os
import shutil
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from fmstudio.errors import InputError
from fmstudio.settings import Settings
from fmstudio.studio.uploads import temp_folder


def lay_out(
    manifest: Path, files: Sequence[Path], cells: Iterable[str], settings: Settings
) -> Path:
    """A fresh folder with the table and its files; the path of the table in it.

    A browser hands over files without their folders, so each file goes where a cell says that a
    file of this name is; one that no cell names (such as the second file of a pair) goes beside
    its twin of the same stem, else beside the table.

    Raises InputError if two cells name different files by the same name.
    """
    folder = temp_folder(settings)
    places = _places(cells)
    for file in files:
        below = places.get(_key(file.name)) or _beside_twin(file, places)
        target = folder / below if below else folder / file.name
        target.parent.mkdir(parents=True, exist_ok=True)
        _link(file, target)
    _link(manifest, folder / manifest.name)
    return folder / manifest.name


def _places(cells: Iterable[str]) -> Mapping[str, PurePosixPath]:
    """Where each file named in the cells belongs, by the key of its name."""
    places: dict[str, PurePosixPath] = {}
    for cell in cells:
        for part in cell.split(";"):
            path = PurePosixPath(part.strip().replace("\\", "/"))
            if not path.suffix or path.is_absolute() or ".." in path.parts or len(part) > 500:
                continue
            known = places.setdefault(_key(path.name), path)
            if known != path:
                raise InputError(
                    f"The table names two files '{path.name}': {known} and {path}.",
                    hint="A browser does not keep their folders. Upload a ZIP of the whole "
                    "folder, or point to the folder on this computer.",
                )
    return places


def _beside_twin(file: Path, places: Mapping[str, PurePosixPath]) -> PurePosixPath | None:
    stem = _key(file.stem)
    for place in places.values():
        if _key(place.stem) == stem:
            return place.with_name(file.name)
    return None


def _key(name: str) -> str:
    """A name as it can be compared after a browser and the server have cleaned it."""
    plain = unicodedata.normalize("NFC", name).casefold()
    return "".join(letter for letter in plain if letter.isalnum() or letter in "._-")


def _link(source: Path, target: Path) -> None:
    """The file at a second place, without copying it where the disk allows."""
    if target.exists():
        return
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
