"""OpenDocument, HTML, clinical documents and other XML are read without their tags."""

from __future__ import annotations

import base64
import zipfile
from pathlib import Path

import pytest

from fmstudio.errors import UnreadableFile
from fmstudio.types import Source
from pipelines.notes import PIPELINE


def read(path: Path) -> tuple[str, str]:
    got = PIPELINE.read([Source("note", path=path)])
    return str(got.values), " ".join(got.remarks)


OPEN = (
    "<office:document-content xmlns:office='urn:oasis:names:tc:opendocument:xmlns:office:1.0' "
    "xmlns:text='urn:oasis:names:tc:opendocument:xmlns:text:1.0' "
    "xmlns:table='urn:oasis:names:tc:opendocument:xmlns:table:1.0' "
    "xmlns:draw='urn:oasis:names:tc:opendocument:xmlns:drawing:1.0'><office:body><office:text>"
    "<text:tracked-changes><text:changed-region><text:deletion><text:p>gone</text:p></text:deletion>"
    "</text:changed-region></text:tracked-changes>"
    "<text:h>Findings</text:h><text:p>Cough<text:s text:c='2'/>for<text:tab/>3 "
    "<text:span>d<text:span>ay</text:span>s</text:span>.<text:note><text:note-citation>1"
    "</text:note-citation><text:note-body><text:p>at night</text:p></text:note-body></text:note>"
    "<office:annotation><text:p>sure?</text:p></office:annotation></text:p>"
    "<text:list><text:list-item><text:p>fever</text:p></text:list-item></text:list>"
    "<table:table><table:table-row><table:table-cell><text:p>Na</text:p></table:table-cell>"
    "<table:table-cell><text:p>140</text:p></table:table-cell></table:table-row></table:table>"
    "<text:p>See<draw:frame><draw:text-box><text:p>boxed</text:p></draw:text-box></draw:frame>.</text:p>"
    "</office:text></office:body></office:document-content>"
)


def write_odt(path: Path, manifest: str = "<m/>") -> Path:
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("mimetype", "application/vnd.oasis.opendocument.text")
        made.writestr("content.xml", OPEN)
        made.writestr("META-INF/manifest.xml", manifest)
    return path


def test_an_open_document_is_read_as_it_is_seen(tmp_path):
    (tmp_path / "flat.fodt").write_text(
        OPEN.replace("office:document-content", "office:document").replace(
            "<office:d", "<?xml version='1.0'?><office:d", 1
        )
    )
    for path in (write_odt(tmp_path / "letter.odt"), tmp_path / "flat.fodt"):
        text, remarks = read(path)
        assert text == "Findings\nCough  for\t3 days.\nfever\nNa | 140\nSee.\nboxed\nat night"
        assert "1 tracked deletion" in remarks
        assert "1 comment" in remarks


def test_an_open_document_with_a_password_is_refused(tmp_path):
    path = write_odt(
        tmp_path / "l.odt", "<m:manifest xmlns:m='x'><m:encryption-data/></m:manifest>"
    )

    with pytest.raises(UnreadableFile, match="password"):
        read(path)


PAGE = """<!DOCTYPE html><html><head><meta charset="{0}"><title>x</title><style>p {{}}</style></head>
<body><script>var a = "b";</script><h1>Befund</h1><p>Husten &amp;
 Fieber &gt; 38&nbsp;&deg;C, gr&ouml;&szlig;er<br>seit 3 <b>Ta</b>gen.</p><!-- no -->
<table><tr><th>Na</th><td>140</td></tr></table><ul><li>eins<li>zwei</ul>
<p style="display: none">unseen</p><del>gone</del><img src="a.png">
<form><input type="checkbox" checked> rechts <input value="5 mg"><select><option>a
<option selected>b</select></form></body></html>"""


@pytest.mark.parametrize(
    ("name", "encoding"),
    [("a.html", "utf-8"), ("a.htm", "iso-8859-1"), ("a.doc", "utf-8"), ("a.txt", "windows-1252")],
)
def test_a_page_is_read_without_its_tags(tmp_path, name, encoding):
    content = PAGE.format(encoding).replace("Befund", "Befund für").encode(encoding)
    (tmp_path / name).write_bytes(content)

    text, remarks = read(tmp_path / name)

    assert text.split("\n") == [
        "Befund für",
        "Husten & Fieber > 38 °C, größer",
        "seit 3 Tagen.",
        "Na | 140",
        "eins",
        "zwei",
        "☒ rechts 5 mg b",
    ]
    for left_out in ("1 hidden text", "1 tracked deletion", "1 picture"):
        assert left_out in remarks
    assert ("ending" in remarks) == (name in ("a.doc", "a.txt"))


CDA = """<?xml version="1.0" encoding="UTF-8"?>
<ClinicalDocument xmlns="urn:hl7-org:v3"><title>Discharge</title><recordTarget><patientRole>
<patient><name><given>Jane</given><family>Doe</family></name></patient></patientRole></recordTarget>
<component><structuredBody><component><section><code code="1"/><title>Findings</title>
<text><paragraph>Cough for <content styleCode="Bold">three</content> days.</paragraph>
<list><item>fever</item><item><content revised="delete">no </content>rash</item></list>
<table><tbody><tr><td>Na</td><td>140</td></tr></tbody></table></text>
<component><section><title>Plan</title><text>Drain.</text></section></component></section>
</component></structuredBody></component></ClinicalDocument>"""


def test_a_clinical_document_gives_its_narrative_and_not_its_header(tmp_path):
    (tmp_path / "letter.xml").write_text(CDA)

    text, remarks = read(tmp_path / "letter.xml")

    assert text.split("\n") == [
        "Discharge",
        "Findings",
        "Cough for three days.",
        "fever",
        "rash",
        "Na | 140",
        "Plan",
        "Drain.",
    ]
    assert "Doe" not in text
    assert "not its header" in remarks
    assert "1 tracked deletion" in remarks


def test_a_clinical_document_that_wraps_another_file_is_read_or_named(tmp_path):
    wrapped = (
        "<ClinicalDocument xmlns='urn:hl7-org:v3'><component><nonXMLBody><text mediaType='{}' "
        "representation='B64'>{}</text></nonXMLBody></component></ClinicalDocument>"
    )
    plain = base64.b64encode("Husten für 3 Tage.".encode()).decode()
    (tmp_path / "text.xml").write_text(wrapped.format("text/plain", plain))
    (tmp_path / "pdf.xml").write_text(wrapped.format("application/pdf", plain))

    assert read(tmp_path / "text.xml")[0] == "Husten für 3 Tage."
    with pytest.raises(UnreadableFile, match="application/pdf"):
        read(tmp_path / "pdf.xml")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1"])
def test_other_xml_gives_its_text_element_by_element(tmp_path, encoding):
    (tmp_path / "r.xml").write_bytes(
        f"<?xml version='1.0' encoding='{encoding}'?><report><a>Größe &lt; 5</a><b><c>two "
        "<i>wo</i>rds</c></b></report>".encode(encoding)
    )

    assert read(tmp_path / "r.xml")[0] == "Größe < 5\ntwo words"


def test_entities_of_a_document_of_its_own_are_neither_followed_nor_multiplied(tmp_path):
    (tmp_path / "secret.txt").write_text("root:x:0:0")
    bomb = "".join(f"<!ENTITY e{n} '{f'&e{n - 1};' * 10}'>" for n in range(1, 12))
    (tmp_path / "bomb.xml").write_text(
        f"<?xml version='1.0'?><!DOCTYPE r [<!ENTITY e0 'ha'>{bomb}<!ENTITY file SYSTEM 'secret.txt'>]>"
        "<r><a>Cough.</a><b>&e11;</b><c>&file;</c></r>"
    )

    try:
        text = read(tmp_path / "bomb.xml")[0]
    except UnreadableFile:  # libxml2 may refuse it altogether
        return
    assert text == "Cough."


@pytest.mark.parametrize(
    ("name", "content", "named"),
    [
        ("a.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), ".doc"),
        ("a.xml", b"<?xml version='1.0'?><a><b></a>", "not well-formed"),
        ("a.xml", b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        ("a.xml", b"<?xml version='1.0'?><obs value='5'/>", "in attributes"),
        ("a.pages", b"PK\x05\x06" + bytes(18), ".pages"),
    ],
)
def test_what_gives_no_text_is_refused_by_name(tmp_path, name, content, named):
    (tmp_path / name).write_bytes(content)

    with pytest.raises(UnreadableFile) as refused:
        read(tmp_path / name)
    assert named in refused.value.message
