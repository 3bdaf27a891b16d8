"""Columns whose dates or numbers can be read in two ways: the person says which is meant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fmstudio.cohort.audit.evidence import Evidence
from fmstudio.cohort.audit.finding import Check, counted, some
from fmstudio.cohort.cells import is_missing
from fmstudio.cohort.cleaning import Step, accept, empty, rewrite
from fmstudio.cohort.dates import ORDERS, WrittenDate, possible_orders
from fmstudio.cohort.readings import DATES, NUMBERS
from fmstudio.cohort.written import written
from fmstudio.results.finding import Finding, Mend

Dated = Sequence[tuple[int, str, WrittenDate]]


def find(evidence: Evidence) -> Iterator[Finding]:
    """One finding a column at most."""
    looked = {*evidence.of_kind("table"), *evidence.columns_of("time")}
    for column in [column for column in evidence.manifest.columns if column in looked]:
        kind = evidence.reading(column).kind
        if kind == DATES:
            yield from _dates(evidence, column)
        elif kind == NUMBERS:
            yield from _numbers(evidence, column)


def _filled(evidence: Evidence, column: str) -> Iterator[tuple[int, str]]:
    """(row, cell) over the whole table, which decides as a whole."""
    for row, cell in enumerate(evidence.manifest.cells(column)):
        if not is_missing(cell):
            yield row, cell.strip()


def _dates(evidence: Evidence, column: str) -> Iterator[Finding]:
    reading = evidence.reading(column)
    dated: Dated = [
        (row, cell, date)
        for row, cell in _filled(evidence, column)
        if (date := reading.date(cell)) is not None and date.days and "" not in date.days
    ]
    unclear = [(row, cell, date) for row, cell, date in dated if date.sure is None]
    if reading.order or not dated:
        return
    orders = possible_orders([date for _, _, date in dated])
    if orders and unclear:
        shown = " or ".join(ORDERS[order] for order in orders)
        yield Finding(
            "two_readings",
            "warning",
            f"The dates of '{column}' could be {shown}: {counted(len(unclear), 'one')} of "
            f"{len(dated)} can be read in two ways and would be left out.",
            "Say which is meant.",
            (column,),
            tuple(row for row, _, _ in unclear),
            (
                *(
                    Mend(f"Read them as {ORDERS[order]}", (_in_order(column, dated, order),))
                    for order in orders
                ),
                Mend("Leave them out", (accept("two_readings", [column]),)),
            ),
        )
    elif not orders:
        yield _mixed(column, dated, len(unclear))


def _mixed(column: str, dated: Dated, unclear: int) -> Finding:
    """Some can only be one order, some only another one."""
    fits = {
        order: [row for row, _, date in dated if date.day(order) is not None] for order in ORDERS
    }
    common = max(fits, key=lambda order: len(fits[order]))
    others = [row for row, _, date in dated if date.day(common) is None]
    left = f" {counted(unclear, 'more')} can be read in two ways." if unclear else ""
    return Finding(
        "two_readings",
        "stop",
        f"The dates of '{column}' are in different orders: {len(fits[common])} can be "
        f"{ORDERS[common]}, {counted(len(others), 'one')} cannot.{left}",
        "Write all dates of the column in one order.",
        (column,),
        tuple(others),
        (
            Mend(
                f"Read the others as {ORDERS[common]}, take these for missing",
                (empty(column, others), _in_order(column, dated, common)),
            ),
            Mend("Leave out what can be read in two ways", (accept("two_readings", [column]),)),
        ),
    )


def _in_order(column: str, dated: Dated, order: str) -> Step:
    return rewrite(column, {cell: iso for _, cell, date in dated if (iso := date.iso(order))})


def _numbers(evidence: Evidence, column: str) -> Iterator[Finding]:
    reading = evidence.reading(column)
    cells = {
        row: cell
        for row, cell in _filled(evidence, column)
        if (number := written(cell)) is not None and not reading.sign_of(number)
    }
    if cells:
        grouped = {cell: cell.replace(",", "") for cell in cells.values()}
        points = {cell: cell.replace(",", ".") for cell in cells.values()}
        yield Finding(
            "two_readings",
            "warning",
            f"'{column}' holds {counted(len(cells), 'number')} whose comma can group thousands or "
            f"be the decimal sign, and that would be left out: {some(list(grouped))}.",
            "Say which is meant.",
            (column,),
            tuple(cells),
            (
                Mend("The comma groups thousands", (rewrite(column, grouped),)),
                Mend("The comma is the decimal sign", (rewrite(column, points),)),
            ),
        )


CHECK = Check("two_readings", find)
