"""An OpenDocument text (.odt, .ott, .fodt) -> its text, as a reader sees it.

Tracked deletions, comments, hidden text and pictures are left out and counted. References are to
OpenDocument 1.3 part 3.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fmstudio.errors import UnreadableFile
from pipelines.formats.skipped import Skipped
from pipelines.formats.xml_trees import local, parse

MAX_PART_BYTES = 64_000_000
_LEFT_OUT = {
    "annotation": "comment",
    "hidden-text": "hidden text",
    "hidden-paragraph": "hidden text",
    "placeholder": "empty form field",
    "object": "embedded object",
    "object-ole": "embedded object",
}
_SILENT = frozenset(
    tuple(
        (
            "annotation-end sequence-decls variable-decls user-field-decls forms note-citation "
            "bookmark bookmark-start bookmark-end soft-page-break title desc script "
            "covered-table-cell table-column binary-data style automatic-styles meta settings "
            "scripts font-face-decls styles ruby-text"
        ).split()
    )
)


class _Reader:
    """The state of a walk: what is left out, and the notes that stand at the end."""

    def __init__(self, skipped: Skipped) -> None:
        self.skipped = skipped
        self.notes: list[str] = []

    def blocks(self, parent: Any) -> Iterator[str]:
        """The lines of whatever holds paragraphs, lists, tables and frames."""
        for child in parent:
            name = local(child)
            if name in ("p", "h"):
                boxes: list[str] = []
                yield "".join(self._inline(child, boxes))
                yield from boxes
            elif name == "table-row":
                cells = [
                    "\n".join(self.blocks(cell)).strip()
                    for cell in child
                    if local(cell) == "table-cell"
                ]
                if any(cells):
                    yield " | ".join(cells)
            elif name == "tracked-changes":
                self._changes(child)
            elif name in _LEFT_OUT:
                self.skipped.add(_LEFT_OUT[name])
            elif name == "image":
                self.skipped.add("picture")
            elif name not in _SILENT:
                yield from self.blocks(child)

    def _changes(self, changes: Any) -> None:
        """What was deleted is kept aside of the text (5.5); what was inserted stands in it."""
        self.skipped.add(
            "tracked deletion", sum(local(each) == "deletion" for each in changes.iter())
        )

    def _inline(self, parent: Any, boxes: list[str]) -> Iterator[str]:
        """The text of a paragraph; what frames in it hold goes into `boxes`."""
        yield parent.text or ""
        for child in parent:
            name = local(child)
            if name == "s":
                yield " " * int(_value(child, "c") or 1)
            elif name == "tab":
                yield "\t"
            elif name == "line-break":
                yield "\n"
            elif name == "note":
                for body in child:
                    if local(body) == "note-body":
                        self.notes += self.blocks(body)
            elif name in _LEFT_OUT:
                self.skipped.add(_LEFT_OUT[name])
            elif name in ("frame", "text-box", "custom-shape", "g"):
                boxes += self.blocks(child)
            elif name not in _SILENT:
                yield from self._inline(child, boxes)
            yield child.tail or ""


def read_open(path: Path) -> tuple[str, list[str]]:
    """The text of a document in its archive, and remarks; raises what a broken archive leads to.

    Raises UnreadableFile for one with a password.
    """
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        if "META-INF/manifest.xml" in names and b"encryption-data" in archive.read(
            "META-INF/manifest.xml"
        ):
            raise UnreadableFile(
                f"{path.name} is protected by a password.",
                hint="Save it without one and give that.",
            )
        roots = [_part(archive, name) for name in ("content.xml", "styles.xml") if name in names]
    return read_open_xml(roots, path.name)


def read_open_xml(roots: list[Any], file: str) -> tuple[str, list[str]]:
    """The text of a document, and remarks, from its content and its styles, in one file or two."""
    reader = _Reader(Skipped())
    found: dict[str, list[str]] = {"header": [], "text": [], "footer": []}
    for root in roots:
        for element in root.iter():
            name = local(element)
            if name in found and "}" in str(element.tag):
                is_page = name != "text"
                if is_page or local(element.getparent()) == "body":
                    found[name] += reader.blocks(element)
    header, footer = (
        [line for line in dict.fromkeys(found[each]) if line.strip()]
        for each in ("header", "footer")
    )
    lines = [*header, *found["text"], *reader.notes, *footer]
    return "\n".join(lines), reader.skipped.remarks(file)


def _part(archive: zipfile.ZipFile, name: str) -> Any:
    size = archive.getinfo(name).file_size
    if size > MAX_PART_BYTES:
        raise UnreadableFile(
            f"{Path(str(archive.filename)).name}: a part of it unpacks to {size / 1e6:.0f} MB.",
            hint="Save its text as .txt and give that.",
        )
    return parse(archive.read(name))


def _value(element: Any, name: str) -> str:
    return next((str(v) for k, v in element.attrib.items() if k.rpartition("}")[2] == name), "")
