"""Every real file of ../shared/formats/{wfdb,edf,audio}: read as its own tools do, or refused."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

from fmstudio.errors import UnreadableFile
from fmstudio.types import Source
from pipelines.audio import PIPELINE as AUDIO
from pipelines.device_logs import PIPELINE as LOGS
from pipelines.recordings import MAX_STEPS

FORMATS = Path(__file__).resolve().parents[3] / "shared" / "formats"

# What cannot be read, and why the message must say so.
REFUSED = {
    "binformats.hea": "names the signal file binformats.d0, which is not there",
    "test_edfann.edf": "holds annotations and no signal",
    "SC4001E0-PSG.wav": "has a rate of 1 Hz, which is not that of a sound recording",
    "100.atr": "not what its ending says",
}
HEADERS = sorted(path.name for path in FORMATS.glob("wfdb/*.hea"))
SOUNDS = sorted(path.name for path in FORMATS.glob("audio/*"))

pytestmark = pytest.mark.skipif(not FORMATS.is_dir(), reason="shared/formats is not beside it")


def read_log(path: Path):
    got = LOGS.read([Source("monitor", path=path)])
    assert got.values.dtype == np.float32
    assert np.isfinite(got.values).all()
    assert (got.values[~got.mask] == 0).all()
    assert 0 < len(got.values) <= MAX_STEPS
    assert len(got.facts["channels"]) == len(got.facts["units"]) == got.values.shape[1]
    assert got.facts["seconds"][0] == 0
    return got


@pytest.mark.parametrize(
    "name",
    sorted(p.name for p in FORMATS.glob("wfdb/*")) + sorted(p.name for p in FORMATS.glob("edf/*")),
)
def test_every_signal_file_is_read_or_refused_with_its_reason(name: str) -> None:
    path = next(FORMATS.glob(f"*/{name}"))
    if name in REFUSED:
        with pytest.raises(UnreadableFile, match=REFUSED[name]) as error:
            read_log(path)
        assert error.value.hint
    else:
        read_log(path)


@pytest.mark.parametrize("name", [name for name in HEADERS if name not in REFUSED])
def test_wfdb_records_hold_what_the_wfdb_package_reads(name: str) -> None:
    import wfdb

    path = FORMATS / "wfdb" / name
    got = read_log(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        want = wfdb.rdrecord(str(path.with_suffix("")))
    rate, signals = float(want.fs), want.p_signal
    assert got.values.shape[1] == want.n_sig
    factor = -(-len(signals) // MAX_STEPS)
    whole = len(signals) // factor
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a step without a sample is NaN, as it should be
        means = np.nanmean(signals[: whole * factor].reshape(whole, factor, -1), axis=1)
    places = np.round(np.array(got.facts["seconds"]) * rate / factor).astype(int)
    inside = places < whole
    assert inside.sum() > 0.99 * whole
    mask = got.mask[inside]
    scale = np.nanstd(means, axis=0) + 1e-9
    assert np.array_equal(mask, np.isfinite(means[places[inside]]))
    difference = np.abs(got.values[inside] - means[places[inside]]) / scale
    assert np.nanmax(np.where(mask, difference, 0)) < 1e-3


def test_an_edf_recording_holds_what_the_edfio_package_reads() -> None:
    import edfio

    path = FORMATS / "edf" / "test_generator_2.edf"
    got, want = read_log(path), edfio.read_edf(path)
    assert got.facts["channels"] == [signal.label for signal in want.signals]
    assert set(got.facts["units"]) == {"µV", "°"}
    for i, signal in enumerate(want.signals):
        means = signal.data.reshape(-1, 6).mean(axis=1)  # 120 000 samples in 20 000 steps
        assert np.allclose(got.values[:, i], means, atol=0.05), signal.label


@pytest.mark.parametrize("share", [0.05, 0.5, 0.99])
def test_a_truncated_edf_recording_is_refused(tmp_path: Path, share: float) -> None:
    data = (FORMATS / "edf" / "test_generator_2.edf").read_bytes()
    (tmp_path / "cut.edf").write_bytes(data[: int(len(data) * share)])
    with pytest.raises(UnreadableFile, match=r"cut\.edf is truncated"):
        read_log(tmp_path / "cut.edf")


@pytest.mark.parametrize("name", SOUNDS)
def test_every_sound_file_is_read_or_refused_with_its_reason(name: str) -> None:
    path = FORMATS / "audio" / name
    if name in REFUSED:
        with pytest.raises(UnreadableFile, match=REFUSED[name]):
            AUDIO.read([Source("site", path=path)])
        return
    got = AUDIO.read([Source("site", path=path)])
    assert got.facts["rate"] in (8_000, 16_000)
    assert 5 < len(got.values) / got.facts["rate"] < 25
    assert got.mask.all()
    assert 0.01 < np.abs(got.values).max() <= 1


@pytest.mark.parametrize("name", [name for name in SOUNDS if name.startswith("cry_E58")])
def test_a_phone_recording_sounds_as_long_as_its_header_says(name: str) -> None:
    got = AUDIO.read([Source("site", path=FORMATS / "audio" / name)])
    assert len(got.values) == 112_000  # 7 s at 16 kHz, by the file's own header
