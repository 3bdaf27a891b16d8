"""The notes pipeline: any document with words becomes the same clean text."""

from __future__ import annotations

import unicodedata
import zipfile
from pathlib import Path

import docx
import pypdf
import pytest

from fmstudio.errors import UnreadableFile
from fmstudio.types import ModalityInput, Source
from pipelines.formats.documents import MAX_CHARACTERS
from pipelines.notes import PIPELINE


def write_pdf(path: Path, pages: list[str]) -> Path:
    """A minimal PDF with one line of text on each page; "" gives a page with a drawing only."""
    count = len(pages)
    kids = " ".join(f"{4 + 2 * i} 0 R" for i in range(count))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {count} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    for i, text in enumerate(pages):
        drawn = f"BT /F1 12 Tf 72 700 Td ({text}) Tj ET" if text else "10 10 90 90 re f"
        objects.append(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] "
            f"/Resources << /Font << /F1 3 0 R >> >> /Contents {5 + 2 * i} 0 R >>"
        )
        objects.append(f"<< /Length {len(drawn)} >>\nstream\n{drawn}\nendstream")
    data, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(data))
        data += f"{number} 0 obj\n{body}\nendobj\n".encode("latin-1")
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    data += (
        f"xref\n0 {len(places) + 1}\n0000000000 65535 f \n{table}"
        f"trailer << /Size {len(places) + 1} /Root 1 0 R >>\nstartxref\n{len(data)}\n%%EOF"
    ).encode("latin-1")
    path.write_bytes(data)
    return path


def read(path: Path) -> ModalityInput:
    return PIPELINE.read([Source("note", path=path)])


def read_text(text: str) -> ModalityInput:
    return PIPELINE.read([Source("note", text=text)])


NOTE = "Dyspnée à l'effort.\nTempérature 38,5 °C – “crépitants”"


def test_a_note_in_a_cell_is_kept_as_written() -> None:
    got = read_text("  Fever for 3 days.\nNo cough.  ")
    assert got.values == "Fever for 3 days.\nNo cough."
    assert got.mask.tolist() == [True]
    assert got.remarks == ()


@pytest.mark.parametrize(
    "text", ["None", "N/A", "nan", "BMI 27, was free of pain", "%", "ID3 lead"]
)
def test_words_that_look_like_something_else_are_text(tmp_path: Path, text: str) -> None:
    assert read_text(text).values == text
    (tmp_path / "note.txt").write_text(text)
    assert read(tmp_path / "note.txt").values == text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "cp1252"])
def test_a_text_file_reads_alike_in_every_usual_encoding(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "note.txt").write_bytes(NOTE.replace("\n", "\r\n").encode(encoding))
    got = read(tmp_path / "note.txt")
    assert got.values == NOTE
    assert bool(got.remarks) == (encoding not in ("utf-8", "utf-8-sig"))


def test_a_code_page_that_cannot_be_told_is_refused_and_not_guessed(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_bytes("Больной жалуется на боль в груди".encode("cp1251"))
    with pytest.raises(UnreadableFile, match="encoding that its bytes do not show") as error:
        read(tmp_path / "note.txt")
    assert "UTF-8" in error.value.hint


def test_the_text_layer_of_a_pdf_is_read_page_by_page(tmp_path: Path) -> None:
    got = read(
        write_pdf(tmp_path / "letter.pdf", ["Admitted with chest pain.", "Discharged well."])
    )
    assert got.values == "Admitted with chest pain.\n\nDischarged well."


def test_a_scanned_pdf_is_refused_and_a_scanned_page_said(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="no text layer") as error:
        read(write_pdf(tmp_path / "scan.pdf", ["", ""]))
    assert "OCR" in error.value.hint
    got = read(write_pdf(tmp_path / "mixed.pdf", ["Typed page.", ""]))
    assert got.remarks == ("mixed.pdf: no text layer on page 2.",)


def test_a_pdf_with_a_password_is_refused_and_one_with_print_limits_read(tmp_path: Path) -> None:
    for name, password in (("locked.pdf", "secret"), ("limited.pdf", "")):
        writer = pypdf.PdfWriter(clone_from=write_pdf(tmp_path / "plain.pdf", ["Chest pain."]))
        writer.encrypt(user_password=password, owner_password="owner", algorithm="RC4-128")
        writer.write(tmp_path / name)
    with pytest.raises(UnreadableFile, match="protected by a password"):
        read(tmp_path / "locked.pdf")
    assert read(tmp_path / "limited.pdf").values == "Chest pain."


def test_a_word_document_is_read_with_its_tables_in_order(tmp_path: Path) -> None:
    document = docx.Document()
    document.add_paragraph("Assessment: pneumonia.")
    table = document.add_table(rows=2, cols=2)
    for cell, text in zip(table._cells, ("CRP", "120", "Na", "138"), strict=True):
        cell.text = text
    document.add_paragraph("Plan: antibiotics.")
    document.save(tmp_path / "letter.docx")
    got = read(tmp_path / "letter.docx")
    assert got.values == "Assessment: pneumonia.\nCRP | 120\nNa | 138\nPlan: antibiotics."


def test_rtf_is_read_without_its_commands(tmp_path: Path) -> None:
    rtf = r"{\rtf1\ansi{\fonttbl\f0 Arial;}\f0\b Diagnosis:\b0  M\'fcller sign.\par Fi\u232?vre.}"
    (tmp_path / "note.rtf").write_text(rtf)
    assert read(tmp_path / "note.rtf").values == "Diagnosis: Müller sign.\nFièvre."


def test_several_notes_are_joined_under_their_column_names() -> None:
    got = PIPELINE.read(
        [
            Source("admission", text="Fever."),
            Source("empty", text=" "),
            Source("ward", text="Well."),
        ]
    )
    assert got.values == "admission:\nFever.\n\nward:\nWell."


def test_letters_are_composed_and_unseen_characters_removed_with_a_remark() -> None:
    got = read_text("Fie\u0300vre\u200b\x07 \ufeffhaute\u202e")
    assert got.values == "Fièvre haute"
    assert unicodedata.is_normalized("NFC", got.values)
    assert got.remarks == ("note: 4 unseen characters were removed.",)


def test_right_to_left_text_and_its_joiners_are_kept() -> None:
    persian = "می\u200cخواهم بیمار تب دارد"
    assert read_text(persian).values == persian
    assert read_text("pa\u200cin").values == "pain"


def test_a_lone_surrogate_becomes_a_visible_mark() -> None:
    got = read_text("Fever \ud800 38")
    assert got.values == "Fever \ufffd 38"
    assert got.values.encode()
    assert "could not be read" in got.remarks[0]


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("患者は発熱しています", "ja"),
        ("환자는 열이 있다", "ko"),
        ("患者有发热和咳嗽", "zh"),
        ("למטופל יש חום", "he"),
        ("Ο ασθενής έχει πυρετό", "el"),
        ("ผู้ป่วยมีไข้", "th"),
        ("The patient has a fever", None),
        ("Пациент с температурой", None),
        ("المريض يعاني من الحمى", None),
        ("38.5", None),
    ],
)
def test_a_language_is_named_only_where_the_script_leaves_no_doubt(
    text: str, language: str | None
) -> None:
    assert read_text(text).facts == {"language": language}


def test_an_empty_note_is_missing() -> None:
    assert read_text(" \n ").empty
    assert PIPELINE.read([]).empty


def test_a_very_long_note_is_cut_and_said() -> None:
    got = read_text("fever " * (MAX_CHARACTERS // 5))
    assert len(got.values) == MAX_CHARACTERS
    assert "characters" in got.remarks[-1]


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("note.txt", b"\x89PNG\r\n\x1a\n" + bytes(64), "it is a PNG image"),
        ("note.txt", bytes(range(256)) * 8, "binary data"),
        ("note.txt", b"", "empty"),
        ("note.pdf", b"Just words", "not PDF"),
        ("note.pdf", b"%PDF-1.7\nbroken", "damaged"),
        ("note.docx", b"PK\x03\x04" + b"x" * 99, "ZIP"),
        ("note.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512), "old Word document"),
        ("note.txt", b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(64), "a WAV recording"),
    ],
)
def test_what_is_no_readable_document_is_refused(
    tmp_path: Path, name: str, content: bytes, told: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UnreadableFile, match=told) as error:
        read(tmp_path / name)
    assert error.value.message.startswith(name)
    assert str(tmp_path) not in error.value.message + error.value.hint


def test_a_word_document_that_unpacks_to_gigabytes_is_refused_before_unpacking(
    tmp_path: Path,
) -> None:
    with zipfile.ZipFile(
        tmp_path / "bomb.docx", "w", zipfile.ZIP_DEFLATED, compresslevel=1
    ) as file:
        file.writestr("word/document.xml", bytes(700_000_000))
    with pytest.raises(UnreadableFile, match="would unpack to 700 MB"):
        read(tmp_path / "bomb.docx")


def test_a_part_of_a_document_that_no_letter_has_is_refused_by_the_files_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.formats.documents_word.MAX_PART_BYTES", 10)
    docx.Document().save(str(tmp_path / "large.docx"))
    with pytest.raises(UnreadableFile, match=r"^large\.docx: a part of it unpacks to"):
        read(tmp_path / "large.docx")


def test_a_document_under_another_documents_ending_is_read_with_a_remark(tmp_path: Path) -> None:
    write_pdf(tmp_path / "letter.txt", ["Chest pain."])
    got = read(tmp_path / "letter.txt")
    assert got.values == "Chest pain."
    assert "PDF" in got.remarks[0]


def test_the_preview_is_the_text_that_the_model_gets() -> None:
    got = PIPELINE.preview([Source("note", text="<b>Fever</b>\u200b")])
    assert got.text == "<b>Fever</b>"
    assert got.remarks


def test_made_up_notes_of_every_sort_are_read_without_loss() -> None:
    from data_samples.varied.cases import single

    for index in range(40):
        note = single("notes", 11, index).given.values
        assert read_text(note).values.split() == note.split()


def test_notes_of_real_cohorts_are_read_without_loss(shared: Path) -> None:
    import csv

    for cohort, column in (("mts_dialog_notes", "note"), ("shanghai_diabetes_cgm", "note")):
        with (shared / "data" / cohort / "manifest.csv").open(encoding="utf-8") as stream:
            for case in list(csv.DictReader(stream))[:40]:
                got = read_text(case[column])
                assert got.values.split() == case[column].split()
