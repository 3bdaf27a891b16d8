"""Headers of recordings: what the values do not need is left out and said, the rest is read."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from fmstudio.errors import UnreadableFile
from fmstudio.types import ModalityInput, Source
from pipelines.audio import PIPELINE as AUDIO
from pipelines.device_logs import PIPELINE as LOGS

DIGITAL = np.stack([np.arange(500) % 90, 40 - np.arange(500) % 70], 1).astype("<i2")
MILLIVOLTS = DIGITAL / 200


def record(
    folder: Path,
    line: str,
    scale: str = "200/mV 16 0 0 0 0 ",
    form: str = "16",
    data: str = "r.dat",
    lead: bytes = b"",
    comment: bytes = b"",
) -> Path:
    (folder / data).write_bytes(lead + DIGITAL.tobytes())
    lines = [line, *(f"{data} {form} {scale}{name}" for name in ("I", "II"))]
    (folder / "r.hea").write_bytes("\n".join(lines).encode() + b"\n" + comment)
    return folder / "r.hea"


def read(path: Path) -> ModalityInput:
    return LOGS.read([Source("monitor", path=path)])


@pytest.mark.parametrize(
    ("line", "rate", "remark"),
    [
        ("r 2 250 500", 250, ""),
        ("r.mat 2 250 500", 250, ""),
        ("some/r.x.dat 2 250 500", 250, ""),
        ("r 2 500/1000(5) 500", 500, ""),
        ("r 2 62.5/999.56 500 10:30:00 05/02/2020", 62.5, ""),
        ("r 2 250 500 05-May-2020 09:49:17", 250, ""),
        ("r 2 250 500 09:49:17.250 2020-05-05", 250, ""),
        ("r 2 250 500 10:30:00 2006", 250, "'2006' cannot be read"),
        ("r 2 250 500 2006", 250, "'2006' cannot be read"),
        ("r 2 250 500 10:30:00 31/02/2020", 250, "'31/02/2020' cannot be read"),
        ("r 2 250 500 99:99:99 01/02/2020", 250, "'99:99:99' cannot be read"),
        ("r 2", 250, "250 Hz is the default"),
        ("r 2 0 500", 250, "250 Hz is the default"),
        ("r 2 100", 100, ""),
        ("r 2 100 0", 100, ""),
        ("r 2 100 10:30:00", 100, ""),
    ],
)
def test_a_record_line_is_read_in_all_its_forms(
    tmp_path: Path, line: str, rate: float, remark: str
) -> None:
    got = read(record(tmp_path, line))
    assert np.allclose(got.values, MILLIVOLTS, atol=1e-6)
    assert got.facts["channels"] == ["I", "II"]
    assert got.facts["units"] == ["mV", "mV"]
    assert got.facts["seconds"][:2] == pytest.approx([0, 1 / rate], abs=1e-6)
    assert remark in " ".join(got.remarks)
    assert bool(remark) == bool(got.remarks)


def test_two_records_of_a_case_keep_the_distance_of_their_dates(tmp_path: Path) -> None:
    paths = []
    for name, line in (
        ("a", "r 2 250 500 05-May-2020 10:00:00"),
        ("b", "r 2 250 500 10:01:00 05/05/2020"),
    ):
        (tmp_path / name).mkdir()
        paths.append(record(tmp_path / name, line))
    got = LOGS.read([Source("ecg", path=path) for path in paths])
    assert got.facts["seconds"][500] == pytest.approx(60)


@pytest.mark.parametrize(
    ("scale", "gain", "unit", "remark"),
    [
        ("", 200, "mV", "200 steps a mV is the default"),
        ("0/mV 16 0 0 0 0 ", 200, "mV", "200 steps a mV is the default"),
        ("100 ", 100, "mV", ""),
        ("100/uV ", 100, "µV", ""),
        ("1e2(0)/mmHg 12 0 ", 100, "mmHg", ""),
        ("50.5(-20)/deg.C/s 16 0 0 0 0 ", 50.5, "deg.C/s", ""),
        ("100(20)/NU 16.0 0 0 0 0 ", 100, "", ""),
    ],
)
def test_a_signal_line_may_lack_what_has_a_default(
    tmp_path: Path, scale: str, gain: float, unit: str, remark: str
) -> None:
    got = read(record(tmp_path, "r 2 250 500", scale))
    base = {"50.5(-20)": -20, "100(20)": 20}.get(scale.split("/")[0], 0)
    assert np.allclose(got.values, (DIGITAL - base) / gain, atol=1e-5)
    assert set(got.facts["units"]) == {unit}
    assert remark in " ".join(got.remarks)


@pytest.mark.parametrize("form", ["16+24", "16"])
def test_signals_in_a_matlab_file_begin_behind_its_header(tmp_path: Path, form: str) -> None:
    lead = struct.pack("<5I", 30, 2, 500, 0, 4) + b"val\0"
    got = read(record(tmp_path, "r 2 250 500", form=form, data="r.one.mat", lead=lead))
    assert np.allclose(got.values, MILLIVOLTS, atol=1e-6)


def test_odd_letters_in_comments_and_names_do_no_harm(tmp_path: Path) -> None:
    path = record(
        tmp_path,
        "r 2 250 500",
        "200/µV 16 0 0 0 0 Kanal, é ",
        comment="# Gerät: Prüfstand".encode("latin-1"),
    )
    got = read(path)
    assert got.facts["channels"] == ["Kanal, é I", "Kanal, é II"]
    assert got.facts["units"] == ["µV", "µV"]


def test_segments_may_differ_in_what_their_headers_leave_out(tmp_path: Path) -> None:
    for name, line in (("p1", "p1.mat 2 250 500 2006"), ("p2", "p2 2 250")):
        path = record(tmp_path, line, data=f"{name}.dat")
        path.rename(tmp_path / f"{name}.hea")
    lines = "~ 0 200/mV 16 0 0 0 0 I\n~ 0 200/mV 16 0 0 0 0 II\n"
    (tmp_path / "layout.hea").write_text(f"layout 2 250 0\n{lines}")
    text = "all/4 2 250 1100 10:30:00 2006\nlayout 0\np1 500\n~ 100\np2 500\n"
    (tmp_path / "all.hea").write_text(text)
    got = read(tmp_path / "all.hea")
    assert np.allclose(got.values, np.concatenate([MILLIVOLTS] * 2), atol=1e-6)
    assert got.facts["seconds"][500] == pytest.approx(600 / 250)


def test_samples_that_a_header_does_not_declare_are_counted(tmp_path: Path) -> None:
    got = read(record(tmp_path, "r 2 10 400"))
    assert len(got.values) == 400
    assert "holds 100 more samples" in " ".join(got.remarks)


# --- EDF ---------------------------------------------------------------------------------------

STORED = np.round(1000 * np.sin(np.arange(400) / 9)).astype("<i2")
PHYSICAL = (STORED + 2048.0) * (1600 / 4095) - 800


def edf(
    path: Path,
    extra: dict[str, str] | None = None,
    records: str = "4",
    seconds: str = "1",
    start: bytes = b"01.02.2113.14.15",
    size: str | None = None,
    tail: bytes = b"",
    good: dict[str, str] | None = None,
    recording: bytes = b"Startdate X X X X",
) -> Path:
    """Two signals of 100 samples a record, and `extra` between them if given."""
    plain = {
        "label": "ECG",
        "unit": "uV",
        "low": "-800",
        "high": "800",
        "dlow": "-2048",
        "dhigh": "2047",
    } | (good or {})
    signals = [plain, *([extra] if extra else []), plain | {"label": "EMG"}]
    said = size or str(256 * (len(signals) + 1))
    head = b"0".ljust(8) + "Ärztin".encode("latin-1").ljust(80) + recording.ljust(80) + start
    head += said.encode().ljust(8) + b"".ljust(44) + records.encode().ljust(8)
    head += seconds.encode().ljust(8) + str(len(signals)).encode().ljust(4)
    for key, width in (
        ("label", 16),
        ("", 80),
        ("unit", 8),
        ("low", 8),
        ("high", 8),
        ("dlow", 8),
        ("dhigh", 8),
        ("", 80),
        ("samples", 8),
        ("", 32),
    ):
        for signal in signals:
            value = signal.get(key, "100" if key == "samples" else "")
            head += value.encode("latin-1").ljust(width)[:width]
    body = b""
    for number in range(4):
        for signal in signals:
            part = STORED[100 * number : 100 * (number + 1)]
            body += (part if signal.get("data", "") == "" else part * 0).tobytes()
    path.write_bytes(head + body + tail)
    return path


@pytest.mark.parametrize(
    "limits",
    [
        {"low": "0", "high": "0", "dlow": "0", "dhigh": "0"},
        {"low": "-1", "high": "1", "dlow": "5", "dhigh": "5"},
        {"low": "1", "high": "1", "dlow": "-9", "dhigh": "9"},
        {"low": "", "high": "", "dlow": "", "dhigh": ""},
        {"low": "n/a", "high": "nan", "dlow": "-9", "dhigh": "9"},
    ],
)
def test_a_signal_without_a_scale_does_not_cost_the_others(tmp_path: Path, limits: dict) -> None:
    got = read(edf(tmp_path / "a.edf", {"label": "-", "data": "0"} | limits))
    assert got.facts["channels"] == ["ECG", "EMG"]
    assert np.allclose(got.values, PHYSICAL[:, None], atol=1e-3)
    assert any("'-'" in remark for remark in got.remarks)


@pytest.mark.parametrize(
    ("options", "remark"),
    [
        ({}, ""),
        ({"records": "-1"}, "number of records is unknown"),
        ({"records": ""}, "number of records is unknown"),
        ({"start": b"00.00.0000.00.00"}, "is no date"),
        ({"start": b"31.02.2113:14:15"}, "is no date"),
        ({"start": b"".ljust(16)}, ""),
        ({"start": b"xx.xx.xxxx.xx.xx"}, "is no date"),
        ({"size": "999"}, "it has 768"),
        ({"size": "abc"}, "it has 768"),
        ({"tail": b"\1" * 37}, "37 bytes behind its last record"),
        ({"good": {"low": "-800,0", "high": "8e2"}}, ""),
    ],
)
def test_a_field_that_the_values_do_not_need_does_not_refuse_an_edf_recording(
    tmp_path: Path, options: dict, remark: str
) -> None:
    got = read(edf(tmp_path / "a.edf", **options))
    assert np.allclose(got.values, PHYSICAL[:, None], atol=1e-3)
    assert got.facts["seconds"][:2] == pytest.approx([0, 0.01])
    assert remark in " ".join(got.remarks)
    assert bool(remark) == bool(got.remarks)


@pytest.mark.parametrize(("seconds", "step"), [("0.5", 0.005), ("0,25", 0.0025), ("2", 0.02)])
def test_records_of_an_edf_recording_may_last_a_fraction(
    tmp_path: Path, seconds: str, step: float
) -> None:
    got = read(edf(tmp_path / "a.edf", seconds=seconds))
    assert got.facts["seconds"][1] == pytest.approx(step)


def test_an_edf_recording_keeps_its_date(tmp_path: Path) -> None:
    first = edf(tmp_path / "a.edf")
    later = edf(tmp_path / "b.edf", start=b"01.02.2113.15.15")
    got = LOGS.read([Source("eeg", path=first), Source("eeg", path=later)])
    assert got.facts["seconds"][400] == pytest.approx(60)
    assert got.facts["channels"] == ["ECG", "EMG"]


def test_an_edf_recording_in_which_nothing_has_a_scale_is_read_as_stored(tmp_path: Path) -> None:
    flat = dict.fromkeys(("low", "high", "dlow", "dhigh"), "0")
    got = read(edf(tmp_path / "a.edf", good=flat))
    assert np.array_equal(got.values[:, 0], STORED.astype(np.float32))
    assert got.facts["units"] == ["", ""]
    assert any("no scale" in remark for remark in got.remarks)


def test_an_edf_recording_that_does_not_tell_its_rate_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match=r"a\.edf declares records of 0 s") as error:
        read(edf(tmp_path / "a.edf", seconds="0"))
    assert error.value.hint


# --- WAV ---------------------------------------------------------------------------------------

PCM = np.round(9_000 * np.sin(np.arange(16_000) / 9)).astype("<i2")
FMT = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 8_000, 16_000, 2, 16)
EXTENSIBLE = struct.pack("<4sIHHIIHHHHI", b"fmt ", 40, 0xFFFE, 1, 8_000, 16_000, 2, 16, 22, 16, 4)
EXTENSIBLE += struct.pack("<H", 1) + bytes.fromhex("000000001000800000aa00389b71")


def riff(*chunks: bytes, magic: bytes = b"RIFF", size: int = 0) -> bytes:
    return magic + struct.pack("<I", size) + b"WAVE" + b"".join(chunks)


def data(size: int = 32_000) -> bytes:
    return b"data" + struct.pack("<I", size) + PCM.tobytes()


def ds64(size: int) -> bytes:
    return b"ds64" + struct.pack("<IQQQI", 28, 0, size, 0, 0)


UNKNOWN = "does not say how long it is"


@pytest.mark.parametrize(
    ("content", "remark"),
    [
        (riff(FMT, data(0x7FFFF000)), UNKNOWN),
        (riff(FMT, data(0x80000000)), UNKNOWN),
        (riff(FMT, data(0x7FFFFFFF - 36)), UNKNOWN),
        (riff(FMT, data(0)), UNKNOWN),
        (riff(FMT, data(0xFFFFFFFF), size=0xFFFFFFFF), UNKNOWN),
        (riff(EXTENSIBLE, data(0x7FFFF000)), UNKNOWN),
        (riff(ds64(32_000), FMT, data(0xFFFFFFFF), magic=b"RF64"), ""),
        (riff(ds64(32_000), FMT, data(0xFFFFFFFF), magic=b"BW64"), ""),
        (riff(ds64(0), FMT, data(0xFFFFFFFF), magic=b"RF64"), UNKNOWN),
        (riff(FMT, data(0xFFFFFFFF), magic=b"RF64"), UNKNOWN),
        (riff(data(), FMT), ""),
        (riff(b"JUNK\5\0\0\0abcde\0", FMT, data()), ""),
        (riff(b"JUNK\5\0\0\0abcde", FMT, data()), ""),
        (riff(FMT, data(), b"LIST\4\0\0\0INFO"), ""),
        (riff(FMT, b"data\0\0\0\0", data()), ""),
        (riff(FMT, data(), b"\1" * 500), "500 bytes behind"),
    ],
)
def test_a_wav_is_read_as_far_as_its_samples_go(
    tmp_path: Path, content: bytes, remark: str
) -> None:
    (tmp_path / "a.wav").write_bytes(content)
    got = AUDIO.read([Source("site", path=tmp_path / "a.wav")])
    want = PCM / 32_768
    assert np.allclose(got.values, want - want.mean(), atol=1e-6)
    assert remark in " ".join(got.remarks)
    assert bool(remark) == bool(got.remarks)


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFF000, 0x7FFFFFFF])
@pytest.mark.parametrize(("ending", "at"), [("au", 8), ("aiff", -1)])
def test_other_sounds_of_unknown_length_are_read_too(
    tmp_path: Path, size: int, ending: str, at: int
) -> None:
    path = tmp_path / f"a.{ending}"
    soundfile.write(path, PCM, 8_000, "PCM_16", format=ending.upper())
    content = bytearray(path.read_bytes())
    at = content.index(b"SSND") + 4 if at < 0 else at
    content[at : at + 4] = struct.pack(">I", size)
    path.write_bytes(content)
    got = AUDIO.read([Source("site", path=path)])
    assert len(got.values) == len(PCM)
    assert UNKNOWN in " ".join(got.remarks)
