"""From a manifest to a cohort: reading, roles, task, splits, fingerprint and report.

manifest.py    a table file -> columns and rows of text (delimited.py, workbook.py)
roles.py       what each column is, proposed with reasons (columns.py, labels.py, cells.py)
task.py        what is to be predicted (targets.py, identity.py)
build.py       cases with sources, targets and splits (sources.py, splits.py, fingerprint.py)
report.py      counts, missingness and findings
"""

from fmstudio.cohort.build import build_cohort
from fmstudio.cohort.fingerprint import file_hashes
from fmstudio.cohort.manifest import Manifest, read_manifest
from fmstudio.cohort.report import cohort_report
from fmstudio.cohort.roles import ColumnRole, check_roles, propose_roles
from fmstudio.cohort.task import make_task

__all__ = [
    "ColumnRole",
    "Manifest",
    "build_cohort",
    "check_roles",
    "cohort_report",
    "file_hashes",
    "make_task",
    "propose_roles",
    "read_manifest",
]
