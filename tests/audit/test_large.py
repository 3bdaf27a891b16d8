"""Wide and varied tables are reported on as narrow ones are, and each cell is read once."""

from __future__ import annotations

from fmstudio.cohort.audit.audit import cohort_report
from fmstudio.cohort.readings import Reading


def test_each_cell_becomes_a_number_once_whatever_the_checks_ask(known, monkeypatch):
    evidence = known(
        **{f"value_{n}": [str(10 * n + row % 7) for row in range(60)] for n in range(4)}
    )
    read: list[str] = []
    number = Reading.number

    def counted(self: Reading, cell: str) -> float:
        read.append(cell)
        return number(self, cell)

    monkeypatch.setattr(Reading, "number", counted)
    cohort_report(evidence)

    assert len(read) == 6 * 60  # four values, the age and the outcome


def test_three_hundred_columns_and_a_column_of_many_categories_are_reported_on(known):
    columns = {
        f"value_{n}": [str(10 + (n + 7 * row) % 13) for row in range(40)] for n in range(300)
    }
    wide = known(**columns, ward=[f"ward {row}" for row in range(40)])

    report = cohort_report(wide)

    assert (report.cases, report.patients) == (40, 40)
    assert len(wide.of_kind("table")) == 302  # with age and ward
