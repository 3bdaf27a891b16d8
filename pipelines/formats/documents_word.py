"""A Word document (.docx, .docm, also as one XML file) -> its text, as a reader sees it.

Wrappers are looked into: form fields, tracked insertions, moved text, links, text boxes, tables in
tables. What was deleted, hidden or only says how to fill something in is left out and counted.
References are to ECMA-376 part 1; elements are told by their local names, which are the same in
the transitional and the strict form of the standard.
"""

from __future__ import annotations

import posixpath
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fmstudio.errors import UnreadableFile
from pipelines.formats.skipped import Skipped
from pipelines.formats.symbols import symbol
from pipelines.formats.xml_trees import local, parse

_DELETED = ("del", "moveFrom")
# Properties, field instructions and marks that a reader does not see as text.
_SILENT = frozenset(
    tuple(
        (
            "pPr rPr sdtPr sdtEndPr tblPr tblGrid trPr tcPr sectPr instrText delInstrText proofErr "
            "bookmarkStart bookmarkEnd footnoteRef endnoteRef annotationRef separator "
            "continuationSeparator lastRenderedPageBreak rt ffData smartTagPr customXmlPr fldData"
        ).split()
    )
)
MAX_PART_BYTES = 64_000_000
_CHECKED, _UNCHECKED = "\u2612", "\u2610"


@dataclass
class _Reader:
    """The state of a walk: what is left out, the fields that are open, the boxes met."""

    skipped: Skipped
    hidden: frozenset[str] = frozenset()  # styles whose text is hidden
    fields: list[bool] = field(default_factory=list)  # for each open field: is this its result?
    boxes: list[Any] = field(default_factory=list)
    balanced: bool = True

    def part(self, root: Any) -> list[str]:
        """The lines of a whole part."""
        marks = Counter(
            _value(each, "fldCharType") for each in root.iter() if local(each) == "fldChar"
        )
        # A field that never ends would hide the rest of the text.
        self.balanced = marks["begin"] == marks["end"]
        self.fields.clear()
        return list(self.blocks(root))

    def blocks(self, parent: Any) -> Iterator[str]:
        """The lines of whatever holds paragraphs and tables."""
        for child in parent:
            name = local(child)
            if name == "p":
                if _style(child, "pPr", "pStyle") in self.hidden:
                    self.skipped.add("hidden text")
                    continue
                yield "".join(self.inline(child))
                yield from self._boxed()
            elif name == "tbl":
                yield from self._table(child)
            elif name == "sdt":
                yield from self.blocks(self._content(child))
            elif name in _DELETED:
                self._deleted(child)
            elif name == "altChunk":
                self.skipped.add("embedded document")
            elif name == "AlternateContent":
                yield from self.blocks(_alternative(child))
            elif name not in _SILENT:
                yield from self.blocks(child)

    def _boxed(self) -> Iterator[str]:
        """The lines of the text boxes of a paragraph, after it."""
        boxes, self.boxes = self.boxes, []
        for box in boxes:
            yield from self.blocks(box)

    def _table(self, table: Any) -> Iterator[str]:
        """A line for each row: cells by " | ", a table in a cell as lines within it."""
        for row in _below(table, "tr"):
            if _property(row, "trPr", "del"):
                self.skipped.add("tracked deletion")
                continue
            cells = []
            for cell in _below(row, "tc"):
                if _property(cell, "tcPr", "cellDel"):
                    self.skipped.add("tracked deletion")
                else:
                    cells.append("\n".join(self.blocks(cell)).strip())
            if any(cells):
                yield " | ".join(cells)

    def _content(self, control: Any) -> Any:
        """What is in a content control (17.5.2); nothing if only its prompt is."""
        if _property(control, "sdtPr", "showingPlcHdr"):
            self.skipped.add("empty form field")
            return ()
        return next((child for child in control if local(child) == "sdtContent"), ())

    def _deleted(self, element: Any) -> None:
        if local(element) == "moveFrom":  # it is read where it was moved to
            return
        if any(local(each) in ("delText", "t") for each in element.iter()):
            self.skipped.add("tracked deletion")

    def inline(self, parent: Any) -> Iterator[str]:
        """The text of whatever holds runs."""
        for child in parent:
            name = local(child)
            if name == "r":
                yield from self._run(child)
            elif name == "sdt":
                yield from self.inline(self._content(child))
            elif name in _DELETED:
                self._deleted(child)
            elif name == "AlternateContent":
                yield from self.inline(_alternative(child))
            elif name in ("p", "tbl"):  # block content where runs are expected
                yield "\n".join(self.blocks([child]))
            elif name not in _SILENT:
                yield from self.inline(child)

    def _run(self, run: Any) -> Iterator[str]:
        hidden = _property(run, "rPr", "vanish") or _style(run, "rPr", "rStyle") in self.hidden
        if hidden and any(local(each) == "t" and each.text for each in run):
            self.skipped.add("hidden text")
        for child in run:
            name = local(child)
            if name == "fldChar":
                yield from self._field(child)
            elif hidden or (self.balanced and not all(self.fields)):
                continue
            elif name == "t":
                yield child.text or ""
            elif name in ("tab", "ptab"):
                yield "\t"
            elif name in ("br", "cr"):
                yield "\n"
            elif name == "noBreakHyphen":
                yield "-"
            elif name == "sym":
                yield symbol(_value(child, "font"), _value(child, "char"), self.skipped)
            elif name == "AlternateContent":
                yield from self._run(_alternative(child))
            elif name in ("drawing", "pict", "object"):
                self._drawing(child)
            elif name == "ruby":
                yield from self.inline(child)

    def _field(self, mark: Any) -> Iterator[str]:
        """A complex field (17.16.18): only its result is text; form fields may have none."""
        kind = _value(mark, "fldCharType")
        if kind == "begin":
            if all(self.fields):
                yield from _form_field(mark)
            self.fields.append(False)
        elif kind == "separate" and self.fields:
            self.fields[-1] = True
        elif kind == "end" and self.fields:
            self.fields.pop()

    def _drawing(self, drawing: Any) -> None:
        boxes = list(_outermost(drawing, "txbxContent"))
        self.boxes += boxes
        if not boxes:
            is_object = local(drawing) == "object"
            self.skipped.add("embedded object" if is_object else "picture")


def _form_field(mark: Any) -> Iterator[str]:
    """The state of a legacy check box or list (17.16.7, 17.16.9); text fields have a result."""
    for data in _below(mark, "ffData"):
        for box in _below(data, "checkBox"):
            states = {local(each): _is_on(each) for each in box}
            checked = states.get("checked", states.get("default", False))
            yield _CHECKED if checked else _UNCHECKED
        for choice in _below(data, "ddList"):
            entries = [_value(each, "val") for each in _below(choice, "listEntry")]
            chosen = next((_value(each, "val") for each in _below(choice, "result")), "0")
            if chosen.isdecimal() and int(chosen) < len(entries):
                yield entries[int(chosen)]


def _alternative(element: Any) -> Any:
    """One of several forms of the same content (part 3, 9.3): the first that holds any."""
    return next(iter(element), ())


def _outermost(parent: Any, name: str) -> Iterator[Any]:
    """Elements of this name, not those within them; of alternatives only the first."""
    for child in parent:
        if local(child) == name:
            yield child
        elif local(child) == "AlternateContent":
            yield from _outermost(_alternative(child), name)
        else:
            yield from _outermost(child, name)


def _below(parent: Any, name: str) -> Iterator[Any]:
    """Children of this name, also those within content controls and other wrappers."""
    for child in parent:
        if local(child) == name:
            yield child
        elif local(child) in ("sdt", "sdtContent", "customXml", "ins", "smartTag"):
            yield from _below(child, name)


def _property(element: Any, holder: str, name: str) -> bool:
    """Whether a property is set: it is there, and not switched off."""
    for properties in element:
        if local(properties) == holder:
            return any(local(each) == name and _is_on(each) for each in properties)
    return False


def _style(element: Any, holder: str, name: str) -> str | None:
    """The style that a paragraph or run names."""
    for properties in element:
        if local(properties) == holder:
            return next((_value(each, "val") for each in properties if local(each) == name), None)
    return None


def _is_on(element: Any) -> bool:
    return _value(element, "val").lower() not in ("0", "false", "off")


def _value(element: Any, name: str) -> str:
    """An attribute by its local name."""
    return next((str(v) for k, v in element.attrib.items() if k.rpartition("}")[2] == name), "")


def read_word(path: Path) -> tuple[str, list[str]]:
    """The text of a document in its archive, and remarks; raises what a broken archive leads to."""
    with zipfile.ZipFile(path) as archive:
        main = next(iter(_related(archive, "")["officeDocument"]), "word/document.xml")
        related = _related(archive, main)
        skipped = Skipped()
        reader = _Reader(skipped, frozenset(_hidden_styles(archive, related["styles"])))
        body = reader.part(_part(archive, main))
        pages = {
            kind: [
                line
                for name in related[kind]
                for line in reader.part(_part(archive, name))
                if line.strip()
            ]
            for kind in ("header", "footer", "footnotes", "endnotes")
        }
        for name in related["comments"]:
            comments = [each for each in _part(archive, name) if local(each) == "comment"]
            skipped.add("comment", len(comments))
    # A header stands on every page, and is read once.
    lines = [
        *dict.fromkeys(pages["header"]),
        *body,
        *pages["footnotes"],
        *pages["endnotes"],
        *dict.fromkeys(pages["footer"]),
    ]
    return "\n".join(lines), skipped.remarks(path.name)


def read_word_xml(root: Any, file: str) -> tuple[str, list[str]]:
    """The text of a document that is one XML file (flat OPC, or Word 2003 XML)."""
    skipped = Skipped()
    bodies = [each for each in root.iter() if local(each) == "body"]
    lines = [line for body in bodies for line in _Reader(skipped).part(body)]
    return "\n".join(lines), skipped.remarks(file)


def _hidden_styles(archive: zipfile.ZipFile, parts: list[str]) -> Iterator[str]:
    for name in parts:
        for style in _part(archive, name):
            if local(style) == "style" and _property(style, "rPr", "vanish"):
                yield _value(style, "styleId")


def _part(archive: zipfile.ZipFile, name: str) -> Any:
    """One XML file of the archive. Raises UnreadableFile for one that no letter has."""
    size = archive.getinfo(name).file_size
    if size > MAX_PART_BYTES:
        raise UnreadableFile(
            f"{Path(str(archive.filename)).name}: a part of it unpacks to {size / 1e6:.0f} MB.",
            hint="Save its text as .txt and give that.",
        )
    return parse(archive.read(name))


class _Related(dict[str, list[str]]):
    def __missing__(self, kind: str) -> list[str]:
        return []


def _related(archive: zipfile.ZipFile, part: str) -> _Related:
    """The parts that one part of the archive names, by the last word of the relation's type."""
    folder, file = posixpath.split(part)
    name = posixpath.join(folder, "_rels", f"{file}.rels")
    found = _Related()
    if name in archive.namelist():
        for relation in _part(archive, name):
            if _value(relation, "TargetMode") != "External":
                kind = _value(relation, "Type").rpartition("/")[2]
                target = posixpath.normpath(posixpath.join("/", folder, _value(relation, "Target")))
                found.setdefault(kind, []).append(target.lstrip("/"))
    return found
