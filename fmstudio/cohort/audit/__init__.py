"""What a person should look at in a cohort before anything is learned from it.

report.py       a cohort -> its report: counts, and the findings of all checks
checks/         one file per kind of finding, each a pure function: evidence -> findings
finding.py      what a finding and a check are, and the ways to resolve one
evidence.py     what checks look at: the cohort, its manifest, and a digest of every file
digests.py      files -> digests, read once and cached by content
digest.py       one input -> its digest (marks.py: what tells duplicates, looks.py: how it looks)
separation.py   how well something tells the outcome, and whether that can be chance
words.py        what notes alone tell of the outcome
probing.py      what the frozen base makes of each case, for labels that may be wrong
"""

from fmstudio.cohort.audit.audit import cohort_report

__all__ = ["cohort_report"]
