"""Word, Excel, PDF, RTF and Parquet files without what they say of their author and title."""

from __future__ import annotations

import io
import re
import zipfile
from functools import partial
from typing import Any

from pipelines.tags.cleared import Cleared

_CORE = (
    b'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n<cp:coreProperties xmlns:cp='
    b'"http://schemas.openxmlformats.org/package/2006/metadata/core-properties"/>'
)
_APP = (
    b'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n<Properties xmlns='
    b'"http://schemas.openxmlformats.org/officeDocument/2006/extended-properties"/>'
)
_CUSTOM = (
    b'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n<Properties xmlns='
    b'"http://schemas.openxmlformats.org/officeDocument/2006/custom-properties"/>'
)
_PROPERTIES = {"docProps/core.xml": _CORE, "docProps/app.xml": _APP, "docProps/custom.xml": _CUSTOM}
_TOLD = tuple(
    (
        b"creator lastModifiedBy title subject description keywords Company Manager category "
        b"vt:lpwstr"
    ).split()
)
# Who wrote a change or a comment (ECMA-376, part 1), and where a workbook lay.
_WHO = re.compile(
    rb'((?:w:author|w:initials|w15:author|userName|displayName|userId|lastEdited)=")[^"]+(")'
)
_AUTHORS = re.compile(rb"(<author[^>/]*>)[^<]+(</author>)")
_FOLDER = re.compile(rb'(<x15ac:absPath [^>]*url=")[^"]+(")')
_MOST_BYTES = 600_000_000
_CELLS = ("xl/worksheets/sheet", "xl/sharedStrings", "word/media/", "xl/media/")
_RTF_INFO = re.compile(rb"\{\\info\b")


def office(data: bytearray) -> Cleared:
    """DOCX and XLSX: properties are emptied, names of authors taken out, the rest copied."""
    done = Cleared(data)
    with zipfile.ZipFile(io.BytesIO(data)) as old:
        if sum(entry.file_size for entry in old.infolist()) > _MOST_BYTES:
            raise ValueError("unpacks to more than a document may hold")
        done.note("comment", old.comment)
        changed = bool(old.comment)
        for entry in old.infolist():
            if not entry.filename.startswith(_CELLS):
                inside = old.read(entry)
                changed |= _part(entry.filename, inside, done) != inside
    done.rebuild = partial(_packed_anew, data) if changed else None
    return done


def _packed_anew(data: bytearray) -> bytes:
    ignored, out = Cleared(), io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
        for entry in old.infolist():
            made = zipfile.ZipInfo(entry.filename)  # with no date of its own
            made.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(made, _part(entry.filename, old.read(entry), ignored))
    return out.getvalue()


def _part(name: str, inside: bytes, done: Cleared) -> bytes:
    if name in _PROPERTIES:
        for word in _TOLD:
            for value in re.findall(rb"<(?:\w+:)?%b[^>/]*>([^<]+)<" % word.split(b":")[-1], inside):
                if value not in (b"openpyxl", b"python-docx", b"Normal"):
                    done.note(word.decode().split(":")[-1], value)
        return _PROPERTIES[name]
    if name.startswith("docProps/"):
        done.note("thumbnail", inside)
        return b""
    if not name.endswith(".xml"):
        return inside
    for pattern, what in ((_WHO, "author"), (_AUTHORS, "author"), (_FOLDER, "folder")):
        for found in pattern.finditer(inside):
            done.note(what, inside[found.end(1) : found.start(2)])
        inside = pattern.sub(rb"\1\2", inside)
    return inside


def rtf(data: bytearray) -> Cleared:
    """RTF: the group of the document's title, author and dates."""
    done, text = Cleared(data), bytes(data)
    while found := _RTF_INFO.search(text):
        end = _group_end(text, found.start())
        done.note("author and title", text[found.end() : end - 1])
        text = text[: found.start()] + text[end:]
    done.content = text
    return done


def _group_end(text: bytes, at: int) -> int:
    """Behind the brace that closes the group which opens at a place."""
    depth = 0
    while at < len(text):
        if text[at : at + 1] == b"\\":
            at += 2
            continue
        depth += (text[at : at + 1] == b"{") - (text[at : at + 1] == b"}")
        at += 1
        if not depth:
            break
    return at


def pdf(data: bytearray) -> Cleared:
    """PDF: the pages alone, without document information, XMP, attachments and remarks."""
    import pypdf

    done = Cleared(data)
    reader = pypdf.PdfReader(io.BytesIO(data))
    if reader.is_encrypted and not reader.decrypt(""):
        return done
    for name, value in (reader.metadata or {}).items():
        word = str(name).strip("/")
        plain = {"CreationDate": "date created", "ModDate": "date modified", "Creator": "Software"}
        done.note(plain.get(word, word), str(value).encode())
    root: Any = reader.trailer["/Root"].get_object()
    if "/Names" in root and "/EmbeddedFiles" in root["/Names"].get_object():
        done.note("attachments", b"x")
    if "/Metadata" in root and not done.told:
        stream = root["/Metadata"].get_object().get_data()
        if re.search(rb"dc:(creator|title|description)", stream):
            done.note("XMP", stream)
    # What is filled into a form is content; its fields have names under the same key.
    if any(
        "/T" in note.get_object() and note.get_object().get("/Subtype") != "/Widget"
        for page in reader.pages
        for note in page.get("/Annots") or ()
    ):
        done.note("remarks", b"x")
    done.rebuild = partial(_pages_alone, reader) if reader.metadata or done.told else None
    return done


def _pages_alone(reader: object) -> bytes:
    import pypdf

    writer, out = pypdf.PdfWriter(), io.BytesIO()
    for page in reader.pages:  # type: ignore[attr-defined]
        writer.add_page(page)
    notes = [n.get_object() for page in writer.pages for n in page.get("/Annots") or ()]
    for note in notes:
        if note.get("/Subtype") == "/FreeText":
            note.pop("/T", None)  # who typed it upon the page
    remarks = {note.get("/Subtype") for note in notes} - {"/Widget", "/FreeText", None}
    if remarks:
        writer.remove_annotations(remarks)
    writer.metadata = None
    writer.write(out)
    made = pypdf.PdfReader(out).pages
    if [p.extract_text() for p in reader.pages] != [p.extract_text() for p in made]:  # type: ignore[attr-defined]
        raise ValueError("its words are not the same without its tags")
    return out.getvalue()


def parquet(data: bytearray) -> Cleared:
    """Parquet: the words beside its schema, but those that pandas and Arrow need."""
    import pyarrow.parquet as pq

    done = Cleared(data)
    schema = pq.ParquetFile(io.BytesIO(data)).schema_arrow
    for name, value in (schema.metadata or {}).items():
        if name not in (b"ARROW:schema", b"pandas"):
            done.note(name.decode("utf-8", "replace"), value)
    for field in schema:
        for name, value in (field.metadata or {}).items():
            if name != b"PARQUET:field_id":
                done.note(f"{field.name}: {name.decode('utf-8', 'replace')}", value)
    if done.told or done.other or b"pandas" in (schema.metadata or {}):
        done.rebuild = partial(_columns_alone, data)
    return done


def _columns_alone(data: bytearray) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table, out = pq.read_table(io.BytesIO(data)), io.BytesIO()
    plain = pa.schema([field.remove_metadata() for field in table.schema])
    pq.write_table(pa.Table.from_arrays(table.columns, schema=plain), out)
    return out.getvalue()
