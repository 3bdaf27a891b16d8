"""The audit of a cohort is read from what the registry keeps, of this version and earlier ones."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fmstudio.errors import InputError
from fmstudio.results.audit import IndexTime, LabelRange, Mended, read_audit
from fmstudio.results.finding import Finding, LikelyAnswers, Mend
from fmstudio.results.json_form import as_json
from tests.audits import audit_of

FOUND = Finding(
    "identifiers",
    "warning",
    "Text is burned in.",
    "Clean up it.",
    columns=("film",),
    rows=(3,),
    mends=(Mend("It identifies nobody", ({"do": "accept", "kind": "identifiers"},)),),
    must_answer=True,
    about="pictures",
    places=((3, "0.1 0.2 0.3 0.4 film 3.png"),),
    asks=(LikelyAnswers("log_rate", "How many rows a second?", "HZ", "See the device.", ("250",)),),
)
WHOLE = replace(
    audit_of(30),
    label_range=LabelRange(0.0, 14.5, 29.0),
    moment=IndexTime(36, {"device_logs": 1200}),
    findings=(FOUND.numbered(0),),
    mended=Mended(1, "spelling", "Write them one way", "Dr Ada"),
)


def test_an_audit_is_the_same_after_it_was_kept():
    kept = as_json(WHOLE)

    assert read_audit(kept) == WHOLE
    assert kept["mended"]["from"] == 1
    assert kept["findings"][0]["asks"][0]["choices"] == ["250"]
    assert "about" not in kept["findings"][0]


def test_what_is_not_there_is_no_key():
    kept = as_json(audit_of(30))

    assert not {"label_range", "moment", "mended"} & kept.keys()
    assert "must_answer" not in as_json(Finding("spelling", "note", "a", "b"))


def test_the_first_cohorts_of_the_studio_are_still_read():
    first = {"cases": 3, "patients": 2, "modalities": {}, "labels": {}, "splits": {"test": 1}}
    told = {
        key: value for key, value in as_json(FOUND).items() if key in ("kind", "severity", "fix")
    }
    audit = read_audit(
        {**first, "findings": [{**told, "message": "m", "columns": [], "rows": [2]}]}
    )

    assert (audit.patients, audit.probed) == (2, False)
    assert audit.findings[0].rows == (2,)


def test_a_key_that_no_version_has_written_is_named():
    with pytest.raises(InputError, match=r"report\.cases"):
        read_audit({"patients": 3})
