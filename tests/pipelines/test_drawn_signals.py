"""Recordings that the test writes itself hold what their own packages read from them."""

from __future__ import annotations

import warnings
from pathlib import Path

import edfio
import numpy as np
import pytest
import wfdb

from fmstudio.errors import UnreadableFile
from fmstudio.types import ModalityInput, Source
from pipelines.device_logs import PIPELINE
from pipelines.recordings import MAX_STEPS

SECONDS = np.arange(4000) / 250
# Three channels of a monitor, in their own units.
WAVES = np.stack(
    [1.5 * np.sin(7 * SECONDS), 80 + 20 * np.cos(5 * SECONDS), 97 + np.sin(SECONDS)], axis=1
)


def read(path: Path) -> ModalityInput:
    got = PIPELINE.read([Source("monitor", path=path)])
    assert got.values.dtype == np.float32
    assert np.isfinite(got.values).all()
    assert (got.values[~got.mask] == 0).all()
    assert 0 < len(got.values) <= MAX_STEPS
    assert got.facts["seconds"][0] == 0
    return got


@pytest.mark.parametrize("form", ["80", "16", "212", "24", "32"])
def test_a_wfdb_record_holds_what_the_wfdb_package_reads(tmp_path: Path, form: str) -> None:
    waves = WAVES.copy()
    waves[100:200, 1] = np.nan
    wfdb.wrsamp(
        "ward",
        fs=250,
        units=["mV", "mmHg", "%"],
        sig_name=["II", "ABP", "SpO2"],
        p_signal=waves,
        fmt=[form] * 3,
        write_dir=str(tmp_path),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        want = wfdb.rdrecord(str(tmp_path / "ward")).p_signal

    got = read(tmp_path / "ward.hea")

    assert got.facts["channels"] == ["II", "ABP", "SpO2"]
    assert got.facts["units"] == ["mV", "mmHg", "%"]
    assert got.facts["seconds"] == pytest.approx(SECONDS)
    assert np.array_equal(got.mask, np.isfinite(want))
    assert not got.mask[100:200, 1].any()
    np.testing.assert_allclose(got.values[got.mask], want[got.mask], rtol=1e-5, atol=1e-5)


def test_an_edf_recording_holds_what_the_edfio_package_reads(tmp_path: Path) -> None:
    made = edfio.Edf(
        [
            edfio.EdfSignal(200 * WAVES[:, 0], 250, label="EEG Fpz", physical_dimension="uV"),
            edfio.EdfSignal(WAVES[::10, 2], 25, label="SpO2", physical_dimension="%"),
        ]
    )
    made.write(tmp_path / "night.edf")

    got, want = read(tmp_path / "night.edf"), edfio.read_edf(tmp_path / "night.edf")

    assert got.facts["channels"] == [signal.label for signal in want.signals]
    assert got.facts["units"] == ["µV", "%"]
    for place, signal in enumerate(want.signals):
        there = got.mask[:, place]
        np.testing.assert_allclose(got.values[there, place], signal.data, rtol=1e-5, atol=1e-4)
        step = np.diff(np.array(got.facts["seconds"])[there])
        assert np.allclose(step, 1 / signal.sampling_frequency)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_truncated_edf_recording_is_refused(tmp_path: Path, share: float) -> None:
    path = tmp_path / "cut.edf"
    edfio.Edf([edfio.EdfSignal(WAVES[:, 0], 250, label="II")]).write(path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])

    with pytest.raises(UnreadableFile, match=r"cut\.edf is truncated"):
        read(path)


def test_a_recording_of_annotations_alone_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "marks.edf"
    edfio.Edf([], annotations=[edfio.EdfAnnotation(1, None, "apnoea")]).write(path)

    with pytest.raises(UnreadableFile, match="holds annotations and no signal"):
        read(path)


def write_edf(path: Path, width: int, kind: bytes, onsets: list[float]) -> None:
    """A file of one signal, two samples of 1 s a record, and an annotation signal of onsets."""
    label = b"BDF" if width == 3 else b"EDF"
    version = b"\xffBIOSEMI" if width == 3 else b"0       "
    top = 2 ** (8 * width - 1)
    head = version + b"X".ljust(80) + b"X".ljust(80) + b"04.03.2110.00.00" + b"768".ljust(8)
    head += kind.ljust(44) + str(len(onsets)).encode().ljust(8) + b"1".ljust(8) + b"2".ljust(4)
    columns = [
        (16, b"SpO2", label + b" Annotations"),
        (80, b"", b""),
        (8, b"%", b""),
        (8, b"-100", b"-1"),
        (8, b"100", b"1"),
        (8, b"%d" % -top, b"%d" % -top),
        (8, b"%d" % (top - 1), b"%d" % (top - 1)),
        (80, b"", b""),
        (8, b"2", b"8"),
        (32, b"", b""),
    ]
    head += b"".join(first.ljust(size) + second.ljust(size) for size, first, second in columns)
    body = b""
    for onset in onsets:
        body += b"".join(v.to_bytes(width, "little", signed=True) for v in (0, top - 1))
        body += (b"+%g\x14\x14" % onset).ljust(8 * width, b"\0")
    path.write_bytes(head + body)


@pytest.mark.parametrize(("name", "width"), [("a.edf", 2), ("a.bdf", 3)])
def test_edf_and_bdf_are_read_in_physical_units(tmp_path: Path, name: str, width: int) -> None:
    write_edf(tmp_path / name, width, b"EDF+C" if width == 2 else b"BDF+C", [0, 1])
    got = read(tmp_path / name)
    assert got.facts == {"channels": ["SpO2"], "units": ["%"], "seconds": [0, 0.5, 1, 1.5]}
    assert got.values[:, 0] == pytest.approx([0, 100, 0, 100], abs=0.01)


def test_gaps_of_a_discontinuous_edf_recording_are_kept(tmp_path: Path) -> None:
    write_edf(tmp_path / "a.edf", 2, b"EDF+D", [0, 60])
    got = read(tmp_path / "a.edf")
    assert got.facts["seconds"] == [0, 0.5, 60, 60.5]
    assert any("gaps" in remark for remark in got.remarks)


def test_segments_of_a_wfdb_record_follow_each_other(tmp_path: Path) -> None:
    for part in ("one", "two"):
        wfdb.wrsamp(
            part,
            fs=500,
            units=["mV"],
            sig_name=["II"],
            p_signal=WAVES[:, :1],
            fmt=["16"],
            write_dir=str(tmp_path),
        )
    (tmp_path / "whole.hea").write_text("whole/2 1 500 8000\none 4000\ntwo 4000\n")
    got, single = read(tmp_path / "whole.hea"), read(tmp_path / "one.hea")
    assert np.allclose(got.values, np.concatenate([single.values] * 2))
    assert got.facts["seconds"][-1] == pytest.approx(7999 / 500)
    (tmp_path / "two.hea").unlink()
    with pytest.raises(UnreadableFile, match=r"names the segment two\.hea, which is not there"):
        read(tmp_path / "whole.hea")


@pytest.mark.parametrize("count", ["²", "²58", "①"])
def test_a_count_that_only_looks_like_a_digit_is_no_header(tmp_path: Path, count: str) -> None:
    # found by the fuzz
    path = tmp_path / "r.hea"
    coding = "utf-8" if count == "①" else "latin-1"
    path.write_text(f"r {count} 250\nr.dat 16 200/mV 16 0 0 0 0 I\n", encoding=coding)

    with pytest.raises(UnreadableFile, match=r"r\.hea"):
        read(path)
