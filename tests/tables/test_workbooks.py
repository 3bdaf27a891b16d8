"""Every cell of a workbook is read, whatever else the file says of them."""

from __future__ import annotations

import zipfile

import openpyxl
import pytest

from fmstudio.cohort import read_manifest
from fmstudio.contracts import pipeline
from fmstudio.errors import InputError, UnreadableFile
from fmstudio.types import Source
from tests.tables import books
from tests.tables.books import number, row, sheet, text, write_book

HEADER = row(text("case_id"), text("age"), text("label"))
ROWS = 40


def plain_rows() -> str:
    return HEADER + "".join(row(text(f"c{i}"), number(20 + i), number(i % 2)) for i in range(ROWS))


@pytest.fixture
def book(tmp_path):
    """book(rows or sheets, …) -> the Manifest of a workbook."""

    def make(rows, name="m.xlsx", before="", after="", **more):
        sheets = rows if isinstance(rows, dict) else {"Sheet1": sheet(rows, before, after)}
        return read_manifest(write_book(tmp_path / name, sheets, **more))

    return make


@pytest.mark.parametrize(
    "said", ["A1", "A1:B2", "A1:C11", "B5:C9", "A1:XFD1048576", "", "nonsense"]
)
def test_a_wrong_dimension_loses_no_row_and_no_column(book, said):
    got = book(plain_rows(), before=f'<dimension ref="{said}"/>')

    assert got.columns == ("case_id", "age", "label")
    assert [r["case_id"] for r in got.rows] == [f"c{i}" for i in range(ROWS)]
    assert [r["label"] for r in got.rows] == [str(i % 2) for i in range(ROWS)]


def test_a_per_case_table_with_a_wrong_dimension_is_read_whole(tmp_path):
    rows = row(text("name"), text("value")) + "".join(
        row(text(f"lab{i}"), number(i)) for i in range(10)
    )
    path = write_book(tmp_path / "t.xlsx", {"S": sheet(rows, before='<dimension ref="A1:A3"/>')})
    got = pipeline("ehr").read([Source("table", path)])

    assert list(got.values) == list(range(10))


def test_rows_and_cells_without_a_place_come_after_those_before_them(book):
    got = book(
        row(text("case_id", "A1"), text("age"), text("sex", "D1"), r=1)
        + row(text("c0"), number(50, "B2"), text("F", "D2"))
        + row(number(61, "B4"), text("M", "D4"), text("c1", "A4"), r=4)
        + row(text("c2"), number(70))
    )

    assert [dict(r) for r in got.rows] == [
        {"case_id": "c0", "age": "50", "sex": "F"},
        {"case_id": "c1", "age": "61", "sex": "M"},
        {"case_id": "c2", "age": "70", "sex": ""},
    ]
    assert got.lines == [2, 4, 5]


def test_rows_out_of_order_are_put_in_order(book):
    got = book(
        row(text("b", "A3"), number(2, "B3"), r=3)
        + row(text("a", "A2"), number(1, "B2"), r=2)
        + row(text("case_id", "A1"), text("age", "B1"), r=1)
    )

    assert [r["case_id"] for r in got.rows] == ["a", "b"]


def test_a_cell_that_is_there_twice_with_different_values_is_refused(book):
    with pytest.raises(InputError, match="A2 is there twice"):
        book(HEADER + row(text("c1", "A2"), r=2) + row(text("c2", "A2"), r=2))


def test_shared_rich_and_inline_text_is_whole_and_without_escapes(book):
    got = book(
        HEADER
        + row(
            '<c t="s"><v>0</v></c>',
            '<c t="s"><v>1</v></c>',
            '<c t="inlineStr"><is><r><t>in</t></r><r><t>line</t></r></is></c>',
        ),
        shared=[
            "<r><t>bo</t></r><r><rPr><b/></rPr><t>ld</t></r><rPh><t>READING</t></rPh>",
            "<t>two_x000D_\nlines _x005F_x0041_</t>",
        ],
    )

    assert list(got.rows[0].values()) == ["bold", "two\nlines _x0041_", "inline"]


def test_booleans_errors_and_stored_formulas_are_what_the_sheet_shows(book):
    got = book(
        HEADER
        + row('<c t="b"><v>1</v></c>', '<c t="e"><v>#N/A</v></c>', '<c t="b"><v>0</v></c>')
        + row(
            '<c t="str"><f>A1</f><v>c9</v></c>',
            "<c><f>B1*2</f><v>42</v></c>",
            '<c t="str"><f>""</f><v></v></c>',
        )
    )

    assert list(got.rows[0].values()) == ["True", "#N/A", "False"]
    assert list(got.rows[1].values()) == ["c9", "42", ""]
    assert any("#N/A (1)" in remark for remark in got.remarks)


@pytest.mark.parametrize("formula", ["<c r='B2'><f>A2+1</f></c>", "<c r='B2'><f>A2</f><v></v></c>"])
def test_a_formula_without_a_stored_value_is_named_in_manifests_and_tables(tmp_path, formula):
    rows = row(text("age", "A1"), text("crp", "B1"), r=1) + row(number(5, "A2"), formula, r=2)
    path = write_book(tmp_path / "m.xlsx", {"S": sheet(rows)})

    with pytest.raises(InputError, match="cell B2 holds a formula"):
        read_manifest(path)
    with pytest.raises(UnreadableFile, match="cell B2 holds a formula"):
        pipeline("ehr").read([Source("table", path)])


@pytest.mark.parametrize(("since", "first"), [("", "2023-05-17"), ("1", "2027-05-18")])
def test_only_the_style_makes_a_number_a_date_in_the_workbooks_calendar(book, since, first):
    got = book(
        row(text("seen"), text("count"), text("own"), text("at"))
        + row(
            number(45063, style=books.DATE),
            number(45063),
            number(45063, style=books.OWN_DATE),
            number(45063.25, style=books.DATE),
        ),
        workbook=f'<workbookPr date1904="{since}"/>' if since else "",
    )

    assert list(got.rows[0].values()) == [first, "45063", first, f"{first} 06:00:00"]


def test_percentages_padded_numbers_and_durations_are_what_the_sheet_shows(book):
    got = book(
        row(text("share"), text("id"), text("stay"), text("sum"), text("large"))
        + row(
            number(0.535, style=books.PERCENT),
            number(42, style=books.PADDED),
            number(1.5, style=books.DURATION),
            number(0.30000000000000004),
            number("1.5E+20"),
        )
    )

    assert list(got.rows[0].values()) == ["53.5%", "00042", "36:00:00", "0.3", "1.5e+20"]


def test_merged_cells_count_for_each_of_their_rows_and_it_is_said(book):
    got = book(
        HEADER
        + row(text("c1", "A2"), number(1, "B2"), r=2)
        + row(number(2, "B3"), r=3)
        + row(number(3, "B4"), r=4)
        + row(text("c2", "A5"), number(4, "B5"), r=5),
        after='<mergeCells><mergeCell ref="A2:A4"/></mergeCells>',
    )

    assert [r["case_id"] for r in got.rows] == ["c1", "c1", "c1", "c2"]
    assert any("A2:A4" in remark for remark in got.remarks)


def test_a_merged_title_above_and_empty_leading_rows_and_columns_are_no_part_of_the_table(book):
    got = book(
        row(text("Study of 2021", "B2"), r=2)
        + row(text("case_id", "C5"), text("age", "D5"), r=5)
        + row(text("c1", "C6"), number(4, "D6"), r=6)
        + row(text("c2", "C7"), r=7),
        after='<mergeCells><mergeCell ref="B2:D2"/></mergeCells>',
    )

    assert got.columns == ("case_id", "age")
    assert [r["case_id"] for r in got.rows] == ["c1", "c2"]
    assert got.lines == [6, 7]


def test_a_cell_beside_the_named_columns_is_a_fault_that_names_its_row(book):
    with pytest.raises(InputError, match="row 3: a cell stands left of the first or right"):
        book(
            HEADER
            + row(text("c1"), number(1), number(0))
            + row(text("c2"), number(1), number(0), number(9, "F3"))
        )


def test_what_is_hidden_is_said(book):
    hidden = ' hidden="1"'
    got = book(
        {
            "Notes": sheet(""),
            "Old": sheet(HEADER + row(text("x"))),
            "Data": sheet(
                HEADER
                + row(text("c1"), number(1), number(0), more=hidden)
                + row(text("c2"), number(2), number(1)),
                before='<cols><col min="2" max="2" hidden="1"/></cols>',
            ),
            "More": sheet(row(text("other"))),
        },
        states={"Old": "veryHidden"},
    )

    assert [r["case_id"] for r in got.rows] == ["c1", "c2"]
    told = " ".join(got.remarks)
    assert "Only the sheet 'Data' was read." in told
    assert "Hidden sheets were not read: Old." in told
    assert "Rows that are hidden in the sheet were read too: 1." in told
    assert "Columns that are hidden in the sheet were read too: B." in told


def test_a_workbook_whose_only_filled_sheet_is_hidden_says_so(book):
    with pytest.raises(InputError, match="hidden"):
        book({"A": sheet(""), "B": sheet(HEADER)}, states={"B": "hidden"})


def test_the_strict_form_of_the_standard_is_read_too(book):
    rows = HEADER + row(text("c1"), '<c t="d"><v>2021-04-03T00:00:00</v></c>', number(1))
    got = book(rows, strict=True)

    assert list(got.rows[0].values()) == ["c1", "2021-04-03", "1"]


def test_what_openpyxl_writes_is_read_as_openpyxl_shows_it(tmp_path):
    written = openpyxl.Workbook()
    values = ["c1", 61.25, -3, True, 1e-7, "007", " padded ", "größe", 123456789012]
    written.active.append([f"column {i}" for i in range(len(values))])
    written.active.append(values)
    written.save(tmp_path / "m.xlsx")
    got = read_manifest(tmp_path / "m.xlsx")

    assert list(got.rows[0].values()) == [
        "c1",
        "61.25",
        "-3",
        "True",
        "1e-07",
        "007",
        " padded ",
        "größe",
        "123456789012",
    ]


def test_macros_are_said_not_to_run(tmp_path):
    path = write_book(tmp_path / "m.xlsm", {"S": sheet(plain_rows())})
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("xl/vbaProject.bin", b"code")

    assert "The workbook's macros were not run." in read_manifest(path).remarks


@pytest.mark.parametrize(
    "rows",
    [
        '<!DOCTYPE x [<!ENTITY a "b">]>',
        "<row><c t='s'><v>7</v></c></row>",
        "<row><c><v>ten</v></c></row>",
        "<row><c r='AAAA9'><v>1</v></c></row>",
        "<row><c r='ZZZ9'><v>1</v></c></row>",
        "<row><c>",
        "<row><c t='b'><v>maybe</v></c></row>",
    ],
)
def test_a_damaged_sheet_is_refused(book, tmp_path, rows):
    with pytest.raises(InputError, match=r"damaged|cannot be opened"):
        book(HEADER + rows)


def test_a_workbook_that_unpacks_to_a_huge_cell_is_refused_in_the_child(tmp_path):
    with pytest.raises(InputError, match="cell A2 holds more than"):
        read_manifest(
            write_book(tmp_path / "m.xlsx", {"S": sheet(HEADER + row(text("x" * 20_000_000)))})
        )


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_a_workbook_whose_compressed_part_is_damaged_is_refused(tmp_path, method):
    # found by the fuzz
    path = tmp_path / "damaged.xlsx"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("_rels/.rels", "<Relationships>" + "<a/>" * 500 + "</Relationships>")
    content = bytearray(path.read_bytes())
    for place in range(50, 70):  # within the compressed bytes, behind the entry's own header
        content[place] ^= 0xFF
    path.write_bytes(content)

    with pytest.raises(InputError, match=r"damaged\.xlsx cannot be opened as the Excel workbook"):
        read_manifest(path)


def test_a_workbook_without_its_main_part_is_refused(tmp_path):
    path = tmp_path / "bare.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("_rels/.rels", "<Relationships/>")
        archive.writestr("xl/other.xml", "<x/>")

    with pytest.raises(InputError, match=r"bare\.xlsx cannot be opened as the Excel workbook"):
        read_manifest(path)
