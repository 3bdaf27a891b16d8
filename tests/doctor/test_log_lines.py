"""What is let through of a log: the words of the source, and nothing that was filled in."""

from pathlib import Path

import pytest

from fmstudio.doctor.log_lines import in_our_words

ROOT = Path(__file__).resolve().parents[2]
AT = "2026-12-01 11:00:00"


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        (
            f"{AT},123Z INFO fmstudio.runs.worker: run-0a1b2c is finished.",
            f"{AT} INFO fmstudio.runs.worker: run-0a1b2c is ….",
        ),
        (
            f"{AT},123 WARNING fmstudio.registry.opening: The daily copy of the registry was not made: Baker",
            f"{AT} WARNING fmstudio.registry.opening: The daily copy of the registry was not made: …",
        ),
        (
            f"{AT},123 WARNING fmstudio.registry.opening: Baker was here",
            f"{AT} WARNING fmstudio.registry.opening: …",
        ),
        (f"{AT},123 WARNING Baker.Anna: could not remove x", f"{AT} WARNING another module: …"),
        (f"{AT},123 WARNING fmstudio.Baker: could not remove x", f"{AT} WARNING another module: …"),
        (f'  File "{ROOT}/fmstudio/errors.py", line 7, in Baker', "  fmstudio/errors.py, line 7"),
        ("  fmstudio/errors.py:7 in Baker", "  fmstudio/errors.py, line 7"),
        ("  ../Baker.py:7 in anna", "  another file, line 7"),
        ('  File "/home/baker/cases.py", line 7, in anna', "  another file, line 7"),
        ("ValueError: could not convert string to float: 'Baker'", "  ValueError"),
        ("InputError: there is no column 'Baker'", "  InputError"),
        ("BakerError: no", "  (1 lines left out)"),
        ("    note = 'Baker'", "  (1 lines left out)"),
    ],
)
def test_only_the_words_of_our_source_are_kept(line, kept):
    assert list(in_our_words([line])) == [kept]


def test_lines_that_are_left_out_are_counted():
    lines = ["Baker", "Anna", f"{AT},001 INFO fmstudio.ui.gate: A request was broken off.", "Baker"]

    assert list(in_our_words(lines)) == [
        "  (2 lines left out)",
        f"{AT} INFO fmstudio.ui.gate: A request was broken off.",
        "  (1 lines left out)",
    ]
