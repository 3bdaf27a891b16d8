"""HTML, clinical documents (HL7 CDA) and other XML -> their text, without tags.

Scripts, styles and whatever a browser does not show are left out; entities are decoded. Of a
clinical document the narrative is read (CDA R2, 4.3.5.2), which its author is answerable for; its
header, which tells who the patient is, is not.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lxml import etree

from fmstudio.errors import UnreadableFile
from pipelines.formats.documents_open import read_open_xml
from pipelines.formats.documents_word import read_word_xml
from pipelines.formats.encoding import detect_encoding
from pipelines.formats.skipped import Skipped
from pipelines.formats.xml_trees import local, parse

_BLOCKS = frozenset(
    tuple(
        (
            "address article aside blockquote body caption center dd details dialog div dl dt "
            "fieldset figcaption figure footer form h1 h2 h3 h4 h5 h6 header hr html item legend "
            "li list main nav ol option p paragraph pre section summary table tbody tfoot thead "
            "title tr ul text renderMultiMedia"
        ).split()
    )
)
_NOT_SHOWN = frozenset(
    tuple(
        "script style head template noscript iframe object svg math datalist col colgroup".split()
    )
)
_PICTURES = frozenset(("img", "picture", "video", "audio", "canvas", "embed", "renderMultiMedia"))
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_CHARSET = re.compile(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?\s*([\w.:-]+)", re.IGNORECASE)
_BINARY = re.compile(r"[A-Za-z0-9+/=\s]{400,}")
_CELL = "\x1f"  # between the cells of a row, while lines are put together


def read_markup(path: Path) -> tuple[str, list[str]]:
    """The text of a page or an XML document, and remarks.

    Raises UnreadableFile for XML that is not well-formed or is a picture, and for a clinical
    document that only wraps a file of another kind.
    """
    content = path.read_bytes()
    root = None
    if not _is_page(content):
        try:
            root = parse(content)
        except etree.XMLSyntaxError as fault:
            raise UnreadableFile(
                f"{path.name} is damaged: its XML is not well-formed (line {fault.lineno}).",
                hint="Export it again, or save its text as .txt.",
            ) from fault
    name = "html" if root is None else local(root)
    if root is None or name == "html":
        return _page(path, content)
    if name == "ClinicalDocument":
        return _clinical(root, path)
    if name in ("package", "wordDocument"):
        return read_word_xml(root, path.name)
    if name in ("document", "document-content") and "opendocument" in str(root.tag):
        return read_open_xml([root], path.name)
    if name == "svg":
        raise UnreadableFile(f"{path.name} is a picture (SVG), not a text.", hint="Give its text.")
    return _plain(root, path.name)


def _is_page(content: bytes) -> bool:
    """True for HTML, which need not be well-formed."""
    start = content[:2048].replace(b"\0", b"").lower()
    return b"<html" in start or b"<!doctype html" in start


def _page(path: Path, content: bytes) -> tuple[str, list[str]]:
    declared = _CHARSET.search(content[:4096])
    remarks: list[str] = []
    encoding = declared[1].decode() if declared else ""
    try:
        text = content.decode(encoding or "-")
    except (LookupError, UnicodeDecodeError):
        encoding, remark = detect_encoding(path)
        remarks += [remark] if remark else []
        text = content.decode(encoding, errors="replace")
    text = re.sub(r"^\s*<\?xml[^>]*\?>", "", text)
    root = etree.fromstring(
        text.encode("utf-8", "replace"),
        etree.HTMLParser(encoding="utf-8", no_network=True, remove_comments=True, remove_pis=True),
    )
    skipped = Skipped()
    found = "" if root is None else _shown(root, skipped)
    return found, remarks + skipped.remarks(path.name)


def _clinical(root: Any, path: Path) -> tuple[str, list[str]]:
    """Titles and narrative of a clinical document, section by section."""
    skipped = Skipped()
    lines = [_shown(child, skipped) for child in root if local(child) == "title"]
    for element in root.iter():
        if local(element) == "section":
            lines += [
                _shown(child, skipped) for child in element if local(child) in ("title", "text")
            ]
        elif local(element) == "nonXMLBody":
            lines += [_wrapped(child, path) for child in element if local(child) == "text"]
    remark = f"{path.name}: only the text of its sections is read, not its header and codes."
    return "\n".join(filter(None, lines)), [remark, *skipped.remarks(path.name)]


def _wrapped(element: Any, path: Path) -> str:
    """The text of a body that is no XML (CDA R2, 4.3.1.1). Raises UnreadableFile for a file."""
    kind = (element.get("mediaType") or "text/plain").lower()
    text = "".join(element.itertext())
    if element.get("representation") == "B64":
        try:
            text = base64.b64decode(text).decode("utf-8", "replace")
        except binascii.Error:
            text = ""
    if not kind.startswith("text/") or kind == "text/rtf" or not text.strip():
        raise UnreadableFile(
            f"{path.name} is a clinical document that only wraps a file ({kind}).",
            hint="Give the file that it wraps.",
        )
    if kind == "text/html":
        return _shown(etree.fromstring(text, etree.HTMLParser(no_network=True)), Skipped())
    return text.strip()


def _shown(root: Any, skipped: Skipped) -> str:
    """What a reader sees of HTML or of a narrative, a line for each block or row."""
    lines = "".join(_pieces(root, skipped)).replace("\xa0", " ").split("\n")
    rows = [
        " | ".join(" ".join(cell.split()) for cell in line.split(_CELL) if cell.strip())
        for line in lines
    ]
    return "\n".join(row for row in rows if row)


def _pieces(element: Any, skipped: Skipped) -> Iterator[str]:
    name = local(element)
    if _leaves_out(element, name, skipped):
        return
    if name in ("br", "hr"):
        yield "\n"
        return
    if name in ("input", "textarea", "select"):
        yield _filled_in(element, name)
        return
    if name == "pre":
        yield "\n" + "".join(element.itertext()) + "\n"
        return
    around = "\n" if name in _BLOCKS else _CELL if name in ("td", "th") else ""
    yield around + re.sub(r"\s+", " ", element.text or "")
    for child in element:
        yield from _pieces(child, skipped)
        yield re.sub(r"\s+", " ", child.tail or "")
    yield around


def _leaves_out(element: Any, name: str, skipped: Skipped) -> bool:
    """True for what is not shown; counted where a reader could have expected it."""
    if name in _PICTURES:
        skipped.add("picture")
        return True
    if name == "" or name in _NOT_SHOWN:
        return True
    if name == "del" or element.get("revised") == "delete":
        skipped.add("tracked deletion")
        return True
    hidden = element.get("hidden") is not None or _HIDDEN.search(element.get("style") or "")
    if hidden and "".join(element.itertext()).strip():
        skipped.add("hidden text")
    return bool(hidden)


def _filled_in(element: Any, name: str) -> str:
    """What stands in a field of a form."""
    if name == "textarea":
        return f" {element.text or ''} "
    if name == "select":
        chosen = [each for each in element.iter("option") if each.get("selected") is not None]
        return " ".join("".join(each.itertext()) for each in chosen)
    kind = (element.get("type") or "text").lower()
    if kind in ("checkbox", "radio"):
        return "\u2612" if element.get("checked") is not None else "\u2610"
    if kind in ("hidden", "submit", "button", "reset", "image", "password"):
        return ""
    return f" {element.get('value') or ''} "


def _plain(root: Any, file: str) -> tuple[str, list[str]]:
    """The text of any other XML: a line for each element that holds text itself."""
    skipped = Skipped()
    lines = [line for line in _lines(root, skipped) if line]
    if not lines and any(element.attrib for element in root.iter()):
        raise UnreadableFile(
            f"{file} is XML that holds its values in attributes and no text.",
            hint="Export the report as text, PDF or Word.",
        )
    return "\n".join(lines), skipped.remarks(file)


def _lines(element: Any, skipped: Skipped) -> Iterator[str]:
    own = [element.text or "", *(child.tail or "" for child in element)]
    if any(piece.strip() for piece in own):
        text = " ".join("".join(element.itertext()).split())
        if _BINARY.fullmatch(text) and " " not in text:
            skipped.add("embedded file")
        else:
            yield text
        return
    for child in element:
        if local(child):
            yield from _lines(child, skipped)
        else:
            skipped.add("entity that the document defines itself")
