"""EDF, BDF and WFDB headers without what they say of the patient.

Dates stay: files of one case are put on one clock by them. EDF+ (Kemp and Olivan 2003, 2.1.3)
writes X for each subfield of patient and recording that is not known or not told.
"""

from __future__ import annotations

import re

from pipelines.tags.cleared import Cleared

_PATIENT, _RECORDING, _RESERVED = slice(8, 88), slice(88, 168), slice(192, 236)
_NOBODY, _NOWHERE = b"X X X X", b"Startdate X X X X"
# Widths of the fields of a signal before and behind which others stand (see edf.py).
_LABEL, _TRANSDUCER, _MIDDLE, _FILTER, _SAMPLES, _SPARE = 16, 80, 40, 80, 8, 32
_ANNOTATIONS = (b"EDF Annotations", b"BDF Annotations")
_ONSET = re.compile(rb"[+-]\d+(?:\.\d*)?(?:\x15\d+(?:\.\d*)?)?\x14\x14\x00")


def edf(data: bytearray) -> Cleared:
    """An EDF, EDF+ or BDF file: patient, recording, transducers, and the words of annotations."""
    done = Cleared(data)
    for name, place, empty in (
        ("patient", _PATIENT, _NOBODY),
        ("recording", _RECORDING, _NOWHERE),
    ):
        said = bytes(data[place])
        if said.strip() not in (empty, b"", b"X", b"X X X X X"):
            _note_subfields(name, said, done)
        data[place] = empty.ljust(80)
    kind = bytes(data[_RESERVED])[:5]
    done.note_words("reserved field", bytes(data[_RESERVED])[5:])
    plus = kind[3:4] == b"+" or kind == b"24BIT"
    data[_RESERVED] = (kind if plus else b"").ljust(44)
    _signals(data, done)
    return done


def _note_subfields(name: str, said: bytes, done: Cleared) -> None:
    """EDF+ has sex, year and hospital codes beside the name: note what is more than X."""
    words = [w for w in said.split() if w not in (b"X", b"M", b"F", b"Startdate")]
    dates = [w for w in words if re.fullmatch(rb"\d{2}-[A-Z]{3}-\d{4}", w)]
    if name == "recording" and dates and len(words) == len(dates):
        done.note("recording date", dates[0])
    elif words:
        done.note(name, said)


def _signals(data: bytearray, done: Cleared) -> None:
    width = 3 if data[:1] == b"\xff" else 2
    start, count = int(data[184:192]), int(data[252:256])
    labels = [bytes(data[256 + i * _LABEL : 256 + (i + 1) * _LABEL]).strip() for i in range(count)]
    at = 256 + count * _LABEL
    done.note_words("transducer", data[at : at + count * _TRANSDUCER])
    data[at : at + count * _TRANSDUCER] = b" " * (count * _TRANSDUCER)
    at += count * (_TRANSDUCER + _MIDDLE + _FILTER)
    samples = [int(data[at + i * _SAMPLES : at + (i + 1) * _SAMPLES]) for i in range(count)]
    at += count * _SAMPLES
    done.note_words("reserved field", data[at : at + count * _SPARE])
    data[at : at + count * _SPARE] = b" " * (count * _SPARE)
    if not set(labels) & set(_ANNOTATIONS) or min(samples) < 0:
        return
    size = sum(samples) * width
    before = 0
    for label, number in zip(labels, samples, strict=True):
        if label in _ANNOTATIONS:
            for record in range(start + before, len(data) - number * width + 1, size):
                _without_words(data, record, number * width, done)
        before += number * width


def _without_words(data: bytearray, start: int, length: int, done: Cleared) -> None:
    """When a record starts is kept; what somebody wrote into it goes."""
    text = bytes(data[start : start + length])
    onset = _ONSET.match(text)
    kept = onset[0] if onset else b""
    done.note_words("annotations", text[len(kept) :])
    data[start : start + length] = kept.ljust(length, b"\0")


def wfdb(data: bytearray) -> Cleared:
    """A WFDB header: lines that begin with # are comments, with age, sex, drugs and names."""
    done, kept = Cleared(data), []
    for line in bytes(data).splitlines(keepends=True):
        if line.lstrip().startswith(b"#"):
            done.note_words("comment", line.strip(b"# \t\r\n"))
        else:
            kept.append(line)
    done.content = b"".join(kept)
    return done
