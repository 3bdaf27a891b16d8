"""A document is read as a person reads it, and says what was left out."""

from __future__ import annotations

import zipfile
from pathlib import Path

import docx
import pypdf
import pytest
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls
from pypdf.generic import (
    ArrayObject,
    DictionaryObject,
    FloatObject,
    NameObject,
    TextStringObject,
)

from fmstudio.types import Source
from pipelines.notes import PIPELINE

W = nsdecls("w")
MORE = (
    'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006" '
    'xmlns:wps="http://schemas.microsoft.com/office/word/2010/wordprocessingShape" '
    'xmlns:v="urn:schemas-microsoft-com:vml" '
    'xmlns:wp="http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing"'
)


def read(path: Path) -> tuple[str, str]:
    got = PIPELINE.read([Source("note", path=path)])
    return str(got.values), " ".join(got.remarks)


def run(text: str, properties: str = "") -> str:
    return f"<w:r><w:rPr>{properties}</w:rPr><w:t xml:space='preserve'>{text}</w:t></w:r>"


@pytest.fixture
def word(tmp_path):
    """word(XML of blocks) -> a document of these blocks alone, and its path."""

    def write(*blocks: str, change=lambda document: None) -> Path:
        document = docx.Document()
        body = document.element.body
        for block in blocks:
            first, rest = (
                block.split(">", 1) if not block.startswith("<w:p>") else ("<w:p", block[5:])
            )
            body.insert(len(body) - 1, parse_xml(f"{first} {W} {MORE}>{rest}"))
        change(document)
        document.save(tmp_path / "letter.docx")
        return tmp_path / "letter.docx"

    return write


def paragraph(*runs: str) -> str:
    return f"<w:p>{''.join(runs)}</w:p>"


BEGIN = "<w:r><w:fldChar w:fldCharType='begin'>{}</w:fldChar></w:r>"
SEPARATE, END = (f"<w:r><w:fldChar w:fldCharType='{kind}'/></w:r>" for kind in ("separate", "end"))
CODE = "<w:r><w:instrText> MERGEFIELD dose </w:instrText></w:r>"
BOX = f"<w:txbxContent>{paragraph(run('in a box'))}</w:txbxContent>"
ALTERNATIVES = (
    "<w:r><mc:AlternateContent><mc:Choice Requires='wps'><w:drawing><wp:inline><wps:txbx>"
    f"{BOX}</wps:txbx></wp:inline></w:drawing></mc:Choice><mc:Fallback><w:pict><v:textbox>"
    f"{BOX}</v:textbox></w:pict></mc:Fallback></mc:AlternateContent></w:r>"
)
INNER = f"<w:tbl><w:tr><w:tc>{paragraph(run('Na'))}</w:tc><w:tc>{paragraph(run('140'))}</w:tc></w:tr></w:tbl>"


@pytest.mark.parametrize(
    ("block", "text", "said"),
    [
        (
            paragraph(run("A "), "<w:sdt><w:sdtContent>", run("field"), "</w:sdtContent></w:sdt>"),
            "A field",
            "",
        ),
        (f"<w:sdt><w:sdtContent>{paragraph(run('block'))}</w:sdtContent></w:sdt>", "block", ""),
        (
            f"<w:tbl><w:tr><w:sdt><w:sdtContent><w:tc>{paragraph(run('cell'))}</w:tc></w:sdtContent>"
            f"</w:sdt><w:tc>{paragraph(run('b'))}</w:tc></w:tr></w:tbl>",
            "cell | b",
            "",
        ),
        (
            "<w:sdt><w:sdtPr><w:showingPlcHdr/></w:sdtPr><w:sdtContent>"
            f"{paragraph(run('Click here to enter text.'))}</w:sdtContent></w:sdt>",
            "",
            "1 empty form field",
        ),
        (paragraph("<w:fldSimple w:instr='DATE'>", run("3 May"), "</w:fldSimple>"), "3 May", ""),
        (
            paragraph(run("Dose: "), BEGIN.format(""), CODE, SEPARATE, run("5 mg"), END),
            "Dose: 5 mg",
            "",
        ),
        (
            paragraph(
                BEGIN.format(""),
                CODE,
                BEGIN.format(""),
                CODE,
                SEPARATE,
                run("inner"),
                END,
                SEPARATE,
                run("outer"),
                END,
            ),
            "outer",
            "",
        ),
        (paragraph(BEGIN.format(""), CODE, run("never ends")), "never ends", ""),
        (
            paragraph(
                BEGIN.format("<w:ffData><w:checkBox><w:checked/></w:checkBox></w:ffData>"),
                END,
                run(" fever"),
            ),
            "☒ fever",
            "",
        ),
        (
            paragraph(
                BEGIN.format(
                    "<w:ffData><w:ddList><w:result w:val='1'/><w:listEntry w:val='left'/>"
                    "<w:listEntry w:val='right'/></w:ddList></w:ffData>"
                ),
                END,
            ),
            "right",
            "",
        ),
        (
            paragraph(
                run("kept "),
                "<w:ins w:id='1' w:author='a'>",
                run("added"),
                "</w:ins>",
                "<w:del w:id='2' w:author='a'><w:r><w:delText>gone</w:delText></w:r></w:del>",
            ),
            "kept added",
            "1 tracked deletion",
        ),
        (
            paragraph(
                "<w:moveTo w:id='1' w:author='a'>",
                run("moved"),
                "</w:moveTo>",
                "<w:moveFrom w:id='2' w:author='a'>",
                run("moved"),
                "</w:moveFrom>",
            ),
            "moved",
            "",
        ),
        (
            f"<w:tbl><w:tr><w:trPr><w:del w:id='1' w:author='a'/></w:trPr><w:tc>{paragraph(run('x'))}"
            f"</w:tc></w:tr><w:tr><w:tc>{paragraph(run('y'))}</w:tc></w:tr></w:tbl>",
            "y",
            "1 tracked deletion",
        ),
        (paragraph(run("before"), ALTERNATIVES), "before\nin a box", ""),
        (
            f"<w:tbl><w:tr><w:tc>{paragraph(run('labs'))}{INNER}{paragraph()}</w:tc></w:tr></w:tbl>",
            "labs\nNa | 140",
            "",
        ),
        (paragraph("<w:hyperlink w:anchor='x'>", run("a link"), "</w:hyperlink>"), "a link", ""),
        (paragraph("<w:smartTag w:element='place'>", run("Oslo"), "</w:smartTag>"), "Oslo", ""),
        (
            paragraph(
                "<w:r><w:t>a</w:t><w:tab/><w:t>b</w:t><w:br/><w:t>c</w:t><w:noBreakHyphen/>"
                "<w:t>d</w:t><w:softHyphen/><w:t>e</w:t></w:r>"
            ),
            "a\tb\nc-de",
            "",
        ),
        (
            paragraph(
                "<w:r><w:sym w:font='Symbol' w:char='F061'/><w:sym w:font='Symbol' w:char='F0B3'/>"
                "<w:sym w:font='Wingdings' w:char='F0FE'/></w:r>"
            ),
            "α≥☑",
            "",
        ),
        (
            paragraph(run("x"), "<w:r><w:sym w:font='Webdings' w:char='F0AA'/></w:r>"),
            "x",
            "1 symbol",
        ),
        (
            paragraph(
                run("seen"), run(" unseen", "<w:vanish/>"), run(" on", "<w:vanish w:val='0'/>")
            ),
            "seen on",
            "1 hidden text",
        ),
        (paragraph(run("film:"), "<w:r><w:drawing/></w:r>"), "film:", "1 picture"),
        (
            paragraph(
                "<w:ruby><w:rt>",
                run("x"),
                "</w:rt><w:rubyBase>",
                run("base"),
                "</w:rubyBase></w:ruby>",
            ),
            "base",
            "",
        ),
    ],
)
def test_wrappers_of_a_word_document_are_looked_into(word, block, text, said):
    got, remarks = read(word(paragraph(run("Letter.")), block, paragraph(run("End."))))

    assert got == "\n".join(filter(None, ["Letter.", text, "End."])) or (
        not text and got.split() == ["Letter.", "End."]
    )
    assert said in remarks
    assert bool(remarks) == bool(said)


def test_headers_notes_and_footers_are_read_once_and_comments_counted(word, tmp_path):
    def change(document):
        document.sections[0].header.paragraphs[0].text = "Chest clinic"
        document.add_section().footer.paragraphs[0].text = "Signed Dr. A"
        run = document.add_paragraph("Fever").runs[0]
        document.add_comment(run, text="really?", author="a")

    path = word(paragraph(run("Cough.")), change=change)
    with zipfile.ZipFile(path) as old:
        held = {name: old.read(name) for name in old.namelist()}
    relations = "word/_rels/document.xml.rels"
    kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/footnotes"
    held[relations] = held[relations].replace(
        b"</Relationships>",
        f"<Relationship Id='rIdF' Type='{kind}' Target='footnotes.xml'/></Relationships>".encode(),
    )
    held["word/footnotes.xml"] = (
        f"<w:footnotes {W}><w:footnote w:id='2'>{paragraph(run('for 3 days'))}</w:footnote>"
        "</w:footnotes>"
    ).encode()
    with zipfile.ZipFile(path, "w") as new:
        for name, content in held.items():
            new.writestr(name, content)

    text, remarks = read(path)

    assert text.split("\n") == [
        "Chest clinic",
        "Cough.",
        "",
        "Fever",
        "for 3 days",
        "Signed Dr. A",
    ] or (
        [line for line in text.split("\n") if line]
        == ["Chest clinic", "Cough.", "Fever", "for 3 days", "Signed Dr. A"]
    )
    assert "1 comment" in remarks


def test_the_strict_form_of_word_documents_is_read(word, tmp_path):
    path = word(paragraph(run("Cough.")))
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(tmp_path / "strict.docx", "w") as new:
        for name in old.namelist():
            content = old.read(name)
            for ours, strict in (
                (
                    b"http://schemas.openxmlformats.org/wordprocessingml/2006/main",
                    b"http://purl.oclc.org/ooxml/wordprocessingml/main",
                ),
                (
                    b"http://schemas.openxmlformats.org/officeDocument/2006/relationships",
                    b"http://purl.oclc.org/ooxml/officeDocument/relationships",
                ),
            ):
                content = content.replace(ours, strict)
            new.writestr(name, content)

    assert read(tmp_path / "strict.docx")[0] == "Cough."


@pytest.mark.parametrize(
    ("body", "text", "said"),
    [
        (
            r"Cough {\deleted never }{\v unseen }for days.",
            "Cough for days.",
            ["1 tracked deletion", "1 hidden text"],
        ),
        (r"a\v b\v0 c{\deleted\b d}\deleted e\plain f", "acf", ["hidden text", "tracked deletion"]),
        (
            r"{\header Clinic\par}Fever{\footnote at night}.",
            "Fever.",
            ["1 page header", "1 footnote"],
        ),
        (r"x{\pict\pngblip 8950}{\*\annotation sure?}", "x", ["1 picture", "1 comment"]),
        (r"{\field{\*\fldinst DATE}{\fldrslt 3 May}}", "3 May", []),
        (r"\'e4 {\deleted \'e4\'e4}\u228?", "ä ä", ["1 tracked deletion"]),
    ],
)
def test_rich_text_leaves_out_what_is_deleted_or_hidden_and_counts_the_rest(
    tmp_path, body, text, said
):
    (tmp_path / "a.rtf").write_text(rf"{{\rtf1\ansi\ansicpg1252 {body}\par}}")

    got, remarks = read(tmp_path / "a.rtf")

    assert got == text
    assert all(each in remarks for each in said)
    assert bool(remarks) == bool(said)


def annotation(**items) -> DictionaryObject:
    made = {
        NameObject("/Type"): NameObject("/Annot"),
        NameObject("/Rect"): ArrayObject([FloatObject(0)] * 4),
    }
    return DictionaryObject(made | {NameObject(f"/{k}"): v for k, v in items.items()})


def test_what_is_filled_into_a_pdf_is_read_and_remarks_are_counted(tmp_path):
    writer = pypdf.PdfWriter()
    page = writer.add_blank_page(200, 200)
    name, text = NameObject, TextStringObject
    notes = [
        annotation(Subtype=name("/Widget"), FT=name("/Tx"), T=text("Diagnosis"), V=text("asthma")),
        annotation(
            Subtype=name("/Widget"),
            FT=name("/Btn"),
            T=text("fever"),
            V=name("/Yes"),
            AS=name("/Yes"),
        ),
        annotation(
            Subtype=name("/Widget"),
            FT=name("/Btn"),
            T=text("rash"),
            V=name("/Off"),
            AS=name("/Off"),
        ),
        annotation(Subtype=name("/FreeText"), Contents=text("typed on the page")),
        annotation(Subtype=name("/Text"), Contents=text("a remark")),
    ]
    page[NameObject("/Annots")] = ArrayObject([writer._add_object(each) for each in notes])
    writer.add_attachment("x.txt", b"hello")
    writer.write(tmp_path / "form.pdf")

    got, remarks = read(tmp_path / "form.pdf")

    assert got.split("\n") == ["Diagnosis: asthma", "fever: Yes", "typed on the page"]
    assert "1 remark" in remarks
    assert "1 attachment" in remarks

    # A copy without its tags keeps what was filled in.
    kept = tmp_path / "kept.pdf"
    kept.write_bytes(PIPELINE.stripped(Source("note", path=tmp_path / "form.pdf")))
    assert read(kept) == (got, "")
