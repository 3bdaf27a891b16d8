"""Workbooks as other programs write them: the parts of an XLSX file, put together by hand."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
LINKS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
STRICT_MAIN = "http://purl.oclc.org/ooxml/spreadsheetml/main"
STRICT_LINKS = "http://purl.oclc.org/ooxml/officeDocument/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"

DATE, PERCENT, PADDED, DURATION, OWN_DATE = 1, 2, 3, 4, 5
STYLES = (
    '<numFmts count="3"><numFmt numFmtId="164" formatCode="00000"/>'
    '<numFmt numFmtId="165" formatCode="[h]:mm:ss"/>'
    '<numFmt numFmtId="166" formatCode="dd\\.mm\\.yyyy;@"/></numFmts><cellXfs count="6">'
    + "".join(f'<xf numFmtId="{n}"/>' for n in (0, 14, 9, 164, 165, 166))
    + "</cellXfs>"
)


def sheet(rows: str, before: str = "", after: str = "", main: str = MAIN) -> str:
    """A sheet's XML around its rows."""
    return f'<worksheet xmlns="{main}">{before}<sheetData>{rows}</sheetData>{after}</worksheet>'


def text(value: str, place: str = "") -> str:
    """A cell with its text in it."""
    r = f' r="{place}"' if place else ""
    return f'<c{r} t="inlineStr"><is><t xml:space="preserve">{value}</t></is></c>'


def number(value: object, place: str = "", style: int = 0, more: str = "") -> str:
    """A cell with a stored number."""
    r = f' r="{place}"' if place else ""
    return f'<c{r} s="{style}"{more}><v>{value}</v></c>'


def row(*cells: str, r: int | None = None, more: str = "") -> str:
    """A row of cells."""
    place = "" if r is None else f' r="{r}"'
    return f"<row{place}{more}>{''.join(cells)}</row>"


def write_book(
    path: Path,
    sheets: Mapping[str, str],
    shared: Sequence[str] = (),
    states: Mapping[str, str] | None = None,
    workbook: str = "",
    strict: bool = False,
) -> Path:
    """An XLSX file of these sheets; `shared` are the XML of shared strings, `workbook` goes before
    the list of sheets."""
    main, links = (STRICT_MAIN, STRICT_LINKS) if strict else (MAIN, LINKS)
    entries, related = [], []
    for i, title in enumerate(sheets, 1):
        state = f' state="{states[title]}"' if states and title in states else ""
        entries.append(f'<sheet name="{title}" sheetId="{i}" r:id="rId{i}"{state}/>')
        related.append(
            f'<Relationship Id="rId{i}" Type="{links}/worksheet" Target="worksheets/s{i}.xml"/>'
        )
    related += [
        f'<Relationship Id="rId98" Type="{links}/styles" Target="styles.xml"/>',
        f'<Relationship Id="rId99" Type="{links}/sharedStrings" Target="/xl/sharedStrings.xml"/>',
    ]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as book:
        book.writestr("[Content_Types].xml", "<Types/>")
        book.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{PACKAGE}"><Relationship Id="rId1" '
            f'Type="{links}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        )
        book.writestr(
            "xl/_rels/workbook.xml.rels",
            f'<Relationships xmlns="{PACKAGE}">{"".join(related)}</Relationships>',
        )
        book.writestr(
            "xl/workbook.xml",
            f'<workbook xmlns="{main}" xmlns:r="{links}">{workbook}'
            f"<sheets>{''.join(entries)}</sheets></workbook>",
        )
        book.writestr("xl/styles.xml", f'<styleSheet xmlns="{main}">{STYLES}</styleSheet>')
        strings = "".join(f"<si>{one}</si>" for one in shared)
        book.writestr("xl/sharedStrings.xml", f'<sst xmlns="{main}">{strings}</sst>')
        for i, xml in enumerate(sheets.values(), 1):
            book.writestr(f"xl/worksheets/s{i}.xml", xml.replace(MAIN, main))
    return path
