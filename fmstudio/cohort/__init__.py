"""From a manifest to a cohort: reading, roles, task, splits and fingerprint.

manifest.py    a table's columns and rows of text
reading.py     a table file -> a manifest (delimited.py, workbook.py)
cleaning.py    steps that clean up a table, kept beside it
roles.py       what each column is, proposed with reasons (columns.py, labels.py, cells.py)
task.py        what is to be predicted (targets.py, identity.py)
build.py       cases with sources, targets and splits (sources.py, splits.py, fingerprint.py)
recorded.py    a cohort of the registry -> its cases again
"""

from fmstudio.cohort.build import build_cohort
from fmstudio.cohort.cleaning import read_manifest
from fmstudio.cohort.fingerprint import file_hashes
from fmstudio.cohort.manifest import Manifest
from fmstudio.cohort.recorded import recorded_cohort, with_manifest
from fmstudio.cohort.roles import ColumnRole, check_roles, propose_roles
from fmstudio.cohort.task import make_task

__all__ = [
    "ColumnRole",
    "Manifest",
    "build_cohort",
    "check_roles",
    "file_hashes",
    "make_task",
    "propose_roles",
    "read_manifest",
    "recorded_cohort",
    "with_manifest",
]
