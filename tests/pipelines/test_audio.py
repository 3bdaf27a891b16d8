"""The audio pipeline: any recorder's file becomes mono sound at a rate that keeps its findings."""

from __future__ import annotations

import io
import struct
import wave
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from fmstudio.errors import UnreadableFile
from fmstudio.types import ModalityInput, Source
from pipelines.audio import PIPELINE

RATE = 8_000


def tone(
    seconds: float = 2.0, rate: int = RATE, hertz: float = 440.0, level: float = 0.5
) -> np.ndarray:
    return (level * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)).astype(
        np.float32
    )


def pitch(samples: np.ndarray, rate: float) -> float:
    """The strongest frequency in Hz."""
    return float(np.abs(np.fft.rfft(samples)).argmax() * rate / len(samples))


def write_av(
    path: Path, codec: str, rate: int, samples: np.ndarray, form: str | None = None
) -> Path:
    with av.open(str(path), "w", format=form) as file:
        stream = file.add_stream(codec, rate=rate, layout="mono")
        stream.bit_rate = 64_000
        resampler = av.AudioResampler(stream.format, "mono", rate, stream.frame_size or 1024)
        frame = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
        frame.sample_rate = rate
        for piece in (*resampler.resample(frame), *resampler.resample(None)):
            file.mux(stream.encode(piece))
        file.mux(stream.encode(None))
    return path


def read(*paths: Path, names: tuple[str, ...] = ()) -> ModalityInput:
    names = names or tuple(path.stem for path in paths)
    got = PIPELINE.read([Source(n, path=p) for n, p in zip(names, paths, strict=True)])
    assert got.values.dtype == np.float32
    assert got.mask.shape == got.values.shape
    assert np.abs(got.values).max() <= 1
    return got


@pytest.mark.parametrize(
    ("name", "subtype"),
    [
        ("a.wav", "PCM_16"),
        ("a.wav", "PCM_24"),
        ("a.wav", "PCM_U8"),
        ("a.wav", "FLOAT"),
        ("a.wav", "ULAW"),
        ("a.flac", "PCM_16"),
        ("a.ogg", "VORBIS"),
        ("a.mp3", "MPEG_LAYER_III"),
        ("a.aiff", "PCM_16"),
        ("a.caf", "PCM_16"),
        ("a.au", "PCM_16"),
    ],
)
def test_what_libsndfile_writes_is_read_as_the_same_sound(
    tmp_path: Path, name: str, subtype: str
) -> None:
    soundfile.write(tmp_path / name, tone(), RATE, subtype=subtype)
    got = read(tmp_path / name)
    assert got.facts["rate"] == RATE
    assert pitch(got.values, RATE) == pytest.approx(440, abs=2)
    assert np.abs(got.values[2000:-2000]).max() == pytest.approx(0.5, abs=0.06)
    assert got.remarks == ()


@pytest.mark.parametrize(
    ("name", "codec", "rate"),
    [
        ("a.m4a", "aac", 16_000),
        ("a.opus", "libopus", 16_000),
        ("a.wma", "wmav2", 16_000),
        ("a.caf", "adpcm_ima_wav", 16_000),
        ("a.aac", "aac", 16_000),
        ("a.mka", "aac", 16_000),
    ],
)
def test_what_phones_and_recorders_write_is_read_as_the_same_sound(
    tmp_path: Path, name: str, codec: str, rate: int
) -> None:
    form = {"a.wma": "asf", "a.aac": "adts", "a.opus": "ogg"}.get(name)
    if name == "a.caf":
        codec = "pcm_s16le"
    got = read(write_av(tmp_path / name, codec, rate, tone(rate=rate), form))
    assert got.facts["rate"] == rate
    assert pitch(got.values, rate) == pytest.approx(440, abs=2)
    assert len(got.values) / rate == pytest.approx(2, abs=0.15)


def test_sound_is_read_at_the_level_at_which_it_was_recorded(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "quiet.wav", tone(level=0.01), RATE)
    got = read(tmp_path / "quiet.wav")
    assert np.abs(got.values).max() == pytest.approx(0.01, rel=0.01)
    assert got.facts["segments"][0]["peak_dbfs"] == pytest.approx(-40, abs=0.2)


def test_heart_sounds_keep_their_low_rate_and_high_rates_come_down_to_16_khz(
    tmp_path: Path,
) -> None:
    soundfile.write(tmp_path / "heart.wav", tone(rate=4_000), 4_000)
    assert read(tmp_path / "heart.wav").facts["rate"] == 4_000
    soundfile.write(tmp_path / "lung.wav", tone(rate=44_100), 44_100)
    got = read(tmp_path / "lung.wav")
    assert got.facts["rate"] == 16_000
    assert len(got.values) == 32_000
    assert pitch(got.values, 16_000) == pytest.approx(440, abs=1)
    assert "from 44100 to 16000 Hz" in got.remarks[0]


def test_resampling_leaves_no_alias_of_sounds_beyond_the_new_range(tmp_path: Path) -> None:
    mixed = tone(rate=48_000) + tone(rate=48_000, hertz=12_000, level=0.4)
    soundfile.write(tmp_path / "a.wav", mixed, 48_000)
    spectrum = np.abs(np.fft.rfft(read(tmp_path / "a.wav").values))
    assert spectrum[2 * 4_000 - 20 : 2 * 4_000 + 20].max() < 1e-3 * spectrum.max()


def test_sites_of_a_patient_follow_each_other_with_their_names(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "av.wav", tone(1, 4_000), 4_000)
    soundfile.write(tmp_path / "mv.wav", tone(2, 8_000, 300), 8_000)
    got = read(tmp_path / "av.wav", tmp_path / "mv.wav", names=("audio_AV", "audio_MV"))
    parts = got.facts["segments"]
    assert got.facts["rate"] == 8_000
    assert [(p["name"], p["start"], p["stop"]) for p in parts] == [
        ("audio_AV", 0, 8_000),
        ("audio_MV", 8_000, 24_000),
    ]
    assert pitch(got.values[:8_000], 8_000) == pytest.approx(440, abs=2)
    assert pitch(got.values[8_000:], 8_000) == pytest.approx(300, abs=2)


def test_channels_are_averaged_unless_they_cancel_out(tmp_path: Path) -> None:
    left = tone()
    soundfile.write(tmp_path / "stereo.wav", np.stack([left, 0.5 * left], 1), RATE)
    got = read(tmp_path / "stereo.wav")
    assert np.abs(got.values).max() == pytest.approx(0.375, abs=0.01)
    assert "averaged" in got.remarks[0]
    soundfile.write(tmp_path / "mirrored.wav", np.stack([left, -left], 1), RATE)
    got = read(tmp_path / "mirrored.wav")
    assert np.abs(got.values).max() == pytest.approx(0.5, abs=0.01)
    assert "cancel" in got.remarks[0]


def test_the_offset_of_a_microphone_is_removed(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone(level=0.2) + 0.3, RATE)
    assert abs(read(tmp_path / "a.wav").values.mean()) < 1e-4


def test_only_the_middle_of_a_long_recording_is_used_and_it_is_said(tmp_path: Path) -> None:
    sound = np.concatenate([tone(30, hertz=200), tone(30, hertz=600), tone(30, hertz=1_000)])
    for name in ("a.wav", "a.flac", "a.mp3"):
        soundfile.write(tmp_path / name, sound, RATE)
        got = read(tmp_path / name)
        assert len(got.values) == 30 * RATE
        assert pitch(got.values[1_000:-1_000], RATE) == pytest.approx(600, abs=2)
        assert "only the middle 30 s of 90 s" in got.remarks[0]


def test_the_middle_of_a_long_phone_recording_is_reached_by_seeking(tmp_path: Path) -> None:
    sound = np.concatenate([tone(30, hertz=hertz) for hertz in (200, 600, 1_000)])
    got = read(write_av(tmp_path / "a.m4a", "aac", RATE, sound))
    assert len(got.values) == 30 * RATE
    for part in (got.values[2_000:10_000], got.values[-10_000:-2_000]):
        assert pitch(part, RATE) == pytest.approx(600, abs=2)


def test_ten_hours_in_a_small_file_cost_no_more_than_thirty_seconds(tmp_path: Path) -> None:
    path = tmp_path / "night.flac"
    hour = np.zeros(3600 * 1_000, np.int16)  # ten hours at 1 kHz, the same to the reader
    with soundfile.SoundFile(path, "w", 1_000, 1, "PCM_16") as file:
        for _ in range(10):
            file.write(hour)
    assert path.stat().st_size < 500_000
    with pytest.raises(UnreadableFile, match=r"night\.flac is silent"):
        read(path)


def test_samples_that_are_no_numbers_are_masked(tmp_path: Path) -> None:
    sound = tone()
    sound[100:200] = np.nan
    soundfile.write(tmp_path / "a.wav", sound, RATE, subtype="FLOAT")
    got = read(tmp_path / "a.wav")
    assert np.flatnonzero(~got.mask).tolist() == list(range(100, 200))
    assert (got.values[~got.mask] == 0).all()
    assert "100 samples" in got.remarks[0]


def test_sound_beyond_full_scale_is_scaled_and_clipping_said(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "loud.wav", tone(level=4), RATE, subtype="FLOAT")
    got = read(tmp_path / "loud.wav")
    assert np.abs(got.values).max() == pytest.approx(1)
    assert any("full scale" in remark for remark in got.remarks)
    soundfile.write(tmp_path / "clipped.wav", np.clip(tone(level=3), -1, 1), RATE)
    assert any("clipped" in remark for remark in read(tmp_path / "clipped.wav").remarks)


@pytest.mark.parametrize("sound", [np.zeros(RATE), np.full(RATE, 0.3), tone(level=5e-5)])
def test_silence_is_refused(tmp_path: Path, sound: np.ndarray) -> None:
    soundfile.write(tmp_path / "a.wav", sound, RATE, subtype="FLOAT")
    with pytest.raises(UnreadableFile, match=r"a\.wav is silent") as error:
        read(tmp_path / "a.wav")
    assert "record again" in error.value.hint


def test_a_silent_site_is_left_out_where_others_were_heard(tmp_path: Path) -> None:
    for name, sound in {"av.wav": tone(), "mv.wav": np.zeros(RATE)}.items():
        soundfile.write(tmp_path / name, sound, RATE)
    got = read(tmp_path / "av.wav", tmp_path / "mv.wav")

    assert len(got.facts["segments"]) == 1
    assert any(remark.startswith("Left out: mv.wav is silent") for remark in got.remarks)
    with pytest.raises(UnreadableFile, match=r"mv\.wav is silent"):
        read(tmp_path / "mv.wav", tmp_path / "mv.wav")


def test_an_empty_and_a_too_short_recording_are_refused(tmp_path: Path) -> None:
    for count in (0, 80):
        soundfile.write(tmp_path / "a.wav", np.ones(count), RATE)
        with pytest.raises(UnreadableFile, match=f"holds {count // 8} ms of sound"):
            read(tmp_path / "a.wav")


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.m4a"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_truncated_recording_is_refused(tmp_path: Path, name: str, share: float) -> None:
    path = tmp_path / name
    rng = np.random.default_rng(0)
    sound = (0.3 * rng.standard_normal(5 * 16_000)).clip(-1, 1).astype(np.float32)
    if name == "a.m4a":
        write_av(path, "aac", 16_000, sound)
    else:
        soundfile.write(path, sound, 16_000)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(UnreadableFile, match=rf"{name} .*(truncated|cut off|damaged)"):
        read(path)


def test_a_streamed_wav_without_a_length_is_read_to_its_end(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    soundfile.write(buffer, tone(), RATE, format="WAV", subtype="PCM_16")
    data = bytearray(buffer.getvalue())
    at = data.index(b"data") + 4
    data[at : at + 4] = data[4:8] = struct.pack("<I", 0xFFFFFFFF)
    (tmp_path / "a.wav").write_bytes(data)
    assert len(read(tmp_path / "a.wav").values) == 2 * RATE


@pytest.mark.parametrize(
    ("rate", "channels", "told"),
    [
        (1, 1, "rate of 1 Hz"),
        (4_000_000_000, 1, "rate of 4e|damaged"),
        (8_000, 65_535, "channels|damaged"),
    ],
)
def test_a_header_that_promises_nonsense_is_refused_before_decoding(
    tmp_path: Path, rate: int, channels: int, told: str
) -> None:
    body = bytes(200_000)
    head = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, channels, rate, 0, (2 * channels) & 0xFFFF, 16)
    data = b"WAVE" + head + struct.pack("<4sI", b"data", len(body)) + body
    (tmp_path / "a.wav").write_bytes(b"RIFF" + struct.pack("<I", len(data)) + data)
    with pytest.raises(UnreadableFile, match=told):
        read(tmp_path / "a.wav")


def test_a_video_without_sound_is_refused_and_one_with_sound_heard(tmp_path: Path) -> None:
    for name in ("mute.mp4", "spoken.mp4"):
        with av.open(str(tmp_path / name), "w") as file:
            picture = file.add_stream("mpeg4", rate=10)
            picture.width = picture.height = 32
            picture.pix_fmt = "yuv420p"
            sound = file.add_stream("aac", rate=16_000, layout="mono") if "spoken" in name else None
            for _ in range(10):
                frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
                file.mux(picture.encode(frame))
            if sound:
                for i in range(15):
                    part = tone(2, 16_000)[i * 1024 : (i + 1) * 1024]
                    frame = av.AudioFrame.from_ndarray(part[None], format="fltp", layout="mono")
                    frame.sample_rate, frame.pts = 16_000, i * 1024
                    file.mux(sound.encode(frame))
                file.mux(sound.encode(None))
            file.mux(picture.encode(None))
    with pytest.raises(UnreadableFile, match=r"mute\.mp4 is a video without sound"):
        read(tmp_path / "mute.mp4")
    assert any("only its sound" in remark for remark in read(tmp_path / "spoken.mp4").remarks)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"\x89PNG\r\n\x1a\n" + bytes(99), "a PNG image"),
        (b"time,hr\n0,80\n", "no kind of sound file"),
        (b"#EXTM3U\nhttp://127.0.0.1/a.wav\n", "no kind of sound file"),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", "no kind of sound file"),
        (b"%PDF-1.4\n\xe2", "a PDF document"),
        (b"RIFF\x24\x00\x00\x00WAVE" + bytes(30), "holds no sound"),
        (b"fLaC" + bytes(range(256)), "damaged"),
        (b"", "empty"),
    ],
)
def test_what_is_no_sound_is_refused_by_what_it_is(
    tmp_path: Path, content: bytes, told: str
) -> None:
    (tmp_path / "a.wav").write_bytes(content)
    with pytest.raises(UnreadableFile, match=told) as error:
        read(tmp_path / "a.wav")
    assert error.value.message.startswith("a.wav")
    assert str(tmp_path) not in error.value.message + error.value.hint


def test_a_sound_under_another_sounds_ending_is_read_with_a_remark(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.flac", tone(), RATE)
    (tmp_path / "a.flac").rename(tmp_path / "a.wav")
    got = read(tmp_path / "a.wav")
    assert len(got.values) == 2 * RATE
    assert got.remarks == ("a.wav is a FLAC recording, not what its ending says; read as such.",)


def test_no_recording_gives_nothing() -> None:
    assert PIPELINE.read([]).empty
    assert PIPELINE.preview([]).media is None


def test_the_preview_has_a_picture_per_site_and_a_sound_that_browsers_play(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "av.wav", tone(1, 4_000), 4_000)
    soundfile.write(tmp_path / "mv.wav", tone(2, 4_000), 4_000)
    got = PIPELINE.preview([Source(n, path=tmp_path / f"{n}.wav") for n in ("av", "mv")])
    assert [caption for _, caption in got.images] == [
        "av: 1.0 s at 4 kHz, peak -6 dBFS",
        "mv: 2.0 s at 4 kHz, peak -6 dBFS",
    ]
    assert all(picture.dtype == np.uint8 and picture.shape[2] == 3 for picture, _ in got.images)
    assert got.media_type == "audio/wav"
    with wave.open(io.BytesIO(got.media)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 4_000)
        assert file.getnframes() >= 3 * 4_000


def test_the_spectrogram_shows_a_tone_at_its_frequency(tmp_path: Path) -> None:
    from pipelines.drawing import log_spectrogram

    levels, low, high = log_spectrogram(tone(2, 4_000, 400), 4_000)
    rows = np.geomspace(low, high, len(levels))
    assert rows[levels.mean(axis=1).argmax()] == pytest.approx(400, rel=0.06)
    assert levels.max() == 0


@pytest.mark.parametrize("cohort", ["circor_heart_sounds", "donateacry_negative_control"])
def test_recordings_of_real_cohorts_are_read_sample_by_sample(shared: Path, cohort: str) -> None:
    for path in sorted((shared / "data" / cohort / "audio").glob("*.flac"))[:12]:
        got = read(path)
        want, rate = soundfile.read(path, dtype="float32")
        assert got.facts["rate"] == rate
        assert np.allclose(got.values, want - want.mean(), atol=1e-3)
