"""A table file -> header and columns of text, every cell as a person sees or typed it.

reading.py     a CSV, TSV, XLSX or Parquet file -> a Table
delimited.py   the bytes of a text table -> records
workbook.py    which sheet of a workbook is read, and what is said of the others
sheet.py       a sheet's XML -> its cells
styles.py      a stored number -> the text that a cell of this style shows
parquet.py     a Parquet file -> records
header.py      which of the first records is the header
table.py       what a table is, and how it is packed

Runs in the sandbox's child process: nothing here is called by the studio itself.
"""
