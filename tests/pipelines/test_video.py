"""What a cardiologist relies on: the whole beat, in order, at its pace, and no half clip."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.uid import UID

from fmstudio.contracts import Pipeline
from fmstudio.errors import InputError, UnreadableFile
from fmstudio.types import ModalityInput, Source
from pipelines.formats import clips
from pipelines.playback import encode
from pipelines.video import PIPELINE, SIDE

WriteFilm = Callable[..., Path]
CODINGS = {
    ".mp4": "libx264",
    ".mov": "libx264",
    ".mkv": "libx264",
    ".ts": "libx264",
    ".avi": "mpeg4",
    ".mpeg": "mpeg2video",
    ".webm": "libvpx-vp9",
    ".m2v": "mpeg2video",
}


def brightness(count: int) -> np.ndarray:
    """The grey value of each frame of a test film, rising, away from black and white."""
    return np.linspace(40, 215, count)


@pytest.fixture
def write_film(tmp_path: Path) -> WriteFilm:
    """Write a film of `count` frames, each evenly grey and brighter than the one before."""

    def write(
        name: str = "film.mp4",
        count: int = 32,
        size=(64, 48),
        rate: int = 25,
        tint=(1, 1, 1),
        group: int = 12,
        bitrate: int = 2_000_000,
        dark_below: bool = False,
        grain: bool = False,
        **options: str,
    ) -> Path:
        path = tmp_path / name
        form = {".mkv": "matroska", ".ts": "mpegts", ".m2v": "mpeg2video"}.get(path.suffix)
        with av.open(path, "w", format=form, options=options) as film:
            stream = film.add_stream(CODINGS[path.suffix], rate=rate)
            stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
            stream.gop_size, stream.bit_rate = group, bitrate
            for number, value in enumerate(brightness(count)):
                picture = np.empty((size[1], size[0], 3), np.uint8)
                picture[:] = np.array(tint) * value
                picture[size[1] // 2 :] //= 8 if dark_below else 1
                if grain:
                    still = np.random.default_rng(0).integers(0, 255, picture.shape)
                    picture[:] = np.roll(still, 2 * number, axis=1)
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                frame.pts, frame.time_base = number, Fraction(1, rate)
                film.mux(stream.encode(frame))
            film.mux(stream.encode(None))
        return path

    return write


def read(*paths: Path) -> ModalityInput:
    return PIPELINE.read([Source(f"clip {place}", path) for place, path in enumerate(paths)])


def refusal(path: Path) -> UnreadableFile:
    with pytest.raises(UnreadableFile) as refused:
        read(path)
    assert path.name in refused.value.message
    assert str(path.parent) not in refused.value.message
    assert refused.value.hint
    return refused.value


def means(got: ModalityInput, size=(64, 48)) -> np.ndarray:
    """The grey value of each frame, 0 to 255, without the black rest of the square."""
    rows = round(SIDE * size[1] / size[0])
    top = (SIDE - rows) // 2
    return got.values[:, 0, top + 2 : top + rows - 2].mean(axis=(1, 2)) * 255


def test_the_pipeline_offers_what_the_contract_asks():
    assert isinstance(PIPELINE, Pipeline)
    assert (PIPELINE.name, PIPELINE.kind, PIPELINE.order) == ("video", "frames", 5)


def test_no_clips_give_an_empty_input():
    assert read().empty
    assert PIPELINE.preview([]).media is None


@pytest.mark.parametrize("ending", CODINGS)
def test_frames_are_evenly_spaced_over_the_whole_clip_in_every_format(write_film, ending):
    got = read(write_film(f"film{ending}"))

    assert got.values.shape == (16, 1, SIDE, SIDE)
    np.testing.assert_allclose(means(got), brightness(32)[1::2], atol=4)
    assert got.facts["seconds_per_frame"] == pytest.approx(2 / 25, rel=0.05)
    assert got.facts["names"][0] == "clip 0 2/32"


def test_an_animated_gif_is_a_film(tmp_path):
    frames = [Image.new("L", (64, 48), int(value)) for value in brightness(32)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=100)

    got = read(tmp_path / "a.gif")

    np.testing.assert_allclose(means(got), brightness(32)[1::2], atol=2)
    assert got.facts["seconds_per_frame"] == pytest.approx(0.2)


def test_a_long_film_is_leapt_through_from_key_frame_to_key_frame(write_film, monkeypatch):
    path = write_film(count=800, group=10)
    decoded = []
    decode = clips._decoded

    def counted(*given):
        for frame in decode(*given):
            decoded.append(frame.pts)
            yield frame

    monkeypatch.setattr(clips, "_decoded", counted)

    got = read(path)

    places = [int((place + 0.5) * 50) for place in range(16)]
    np.testing.assert_allclose(means(got), brightness(800)[places], atol=4)
    assert len(decoded) < 400


def test_frames_without_time_stamps_are_counted_by_decoding(write_film):
    got = read(write_film("film.m2v", count=20))

    np.testing.assert_allclose(
        means(got), brightness(20)[[int((i + 0.5) * 1.25) for i in range(16)]], atol=4
    )


def test_a_short_clip_gives_the_frames_it_has(write_film):
    got = read(write_film(count=5))

    assert len(got.values) == 5
    np.testing.assert_allclose(means(got), brightness(5), atol=4)


@pytest.mark.parametrize(("count", "each"), [(2, 8), (3, 5), (4, 4), (6, 4)])
def test_several_clips_share_the_frames_and_get_at_least_four_each(write_film, count, each):
    got = read(*[write_film(f"{place}.mp4") for place in range(count)])

    assert len(got.values) == count * each
    assert [name.split()[1] for name in got.facts["names"]] == [
        str(place) for place in range(count) for _ in range(each)
    ]


def test_clips_of_different_pace_have_no_common_time(write_film):
    got = read(write_film("a.mp4", rate=25), write_film("b.mp4", rate=50))

    assert got.facts["seconds_per_frame"] is None


def test_colour_stays_colour(write_film):
    got = read(write_film(tint=(1, 0.4, 0.2)))

    assert got.values.shape[1] == 3
    red, green, blue = got.values[:, :, 56, 56].mean(axis=0)
    assert red > green > blue


def test_proportions_are_kept_and_the_rest_is_black(write_film):
    got = read(write_film(size=(128, 64)))

    assert got.values[:, :, : SIDE // 4 - 1].max() == 0
    assert got.values[:, :, SIDE // 4 + 1].min() > 0.1


def test_a_film_taken_with_the_camera_on_its_side_is_turned(write_film, tmp_path):
    content = bytearray(write_film(size=(128, 64), dark_below=True).read_bytes())
    matrix = content.index(b"tkhd") + 44
    # A quarter clockwise (ISO/IEC 14496-12 section 8.3.2), in 16.16 fixed point.
    struct.pack_into(">9i", content, matrix, 0, 1 << 16, 0, -(1 << 16), 0, 0, 64 << 16, 0, 1 << 30)
    (tmp_path / "side.mp4").write_bytes(content)

    got = read(tmp_path / "side.mp4")

    assert got.values[:, :, :, : SIDE // 4 - 1].max() == 0
    # A quarter clockwise, so that what was above is now on the right.
    left, right = got.values[:, :, 10:-10, 33:50], got.values[:, :, 10:-10, 62:79]
    assert right.min() > 2 * left.max(axis=(1, 2, 3)).min()
    assert (right.mean(axis=(1, 2, 3)) > 3 * left.mean(axis=(1, 2, 3))).all()


def test_a_multi_frame_dicom_file_is_a_film(write_dicom):
    frames = np.zeros((30, 48, 64, 3), np.uint8)
    frames[...] = brightness(30).astype(np.uint8)[:, None, None, None]
    frames[:, :24] = (200, 40, 30)
    path = write_dicom(frames, Modality="US", PhotometricInterpretation="RGB", FrameTime=32.2)

    got = read(path)

    assert got.values.shape == (16, 3, SIDE, SIDE)
    assert (np.diff(got.values[:, 1, SIDE // 2 + 15, SIDE // 2]) > 0).all()
    assert got.facts["seconds_per_frame"] == pytest.approx(2 * 0.0322, rel=0.05)


def test_a_film_wrapped_in_dicom_is_the_film(write_dicom, write_film):
    path = write_film()
    wrapped = write_dicom(
        np.zeros((32, 48, 64, 3), np.uint8),
        "wrapped.dcm",
        UID("1.2.840.10008.1.2.4.102"),
        Modality="US",
        PhotometricInterpretation="YBR_PARTIAL_420",
        PixelData=encapsulate([path.read_bytes()]),
    )

    np.testing.assert_array_equal(read(wrapped).values, read(path).values)


def test_a_clip_of_one_frame_is_refused(write_film, write_dicom, tmp_path):
    Image.new("L", (64, 48), 100).save(tmp_path / "still.gif")
    slice_ = write_dicom(np.arange(64 * 64, dtype=np.uint16).reshape(64, 64), "slice.dcm")

    for path in (write_film(count=1), tmp_path / "still.gif", slice_):
        refused = refusal(path)
        assert f"{path.name} holds one frame; a clip needs at least 2" in refused.message
        assert "image" in refused.hint


def test_a_clip_in_which_nothing_moves_is_read_and_said(write_film, tmp_path):
    frames = [Image.new("L", (64, 48), 90) for _ in range(4)]
    frames[0].putpixel((0, 0), 91)
    frames[0].save(tmp_path / "still.gif", save_all=True, append_images=frames[1:])

    assert any("nothing moves" in each for each in read(tmp_path / "still.gif").remarks)
    assert not read(write_film()).remarks


@pytest.mark.parametrize("share", [0.99, 0.9, 0.5, 0.1])
@pytest.mark.parametrize("name", ["film.mp4", "film.mov", "film.mkv", "film.webm", "film.avi"])
def test_a_film_that_was_cut_short_is_refused(write_film, name, share):
    path = write_film(name)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])

    assert "is cut short" in refusal(path).message


@pytest.mark.parametrize("lost", [3, 100, 1500])
@pytest.mark.parametrize("name", ["film.mpeg", "film.ts"])
def test_a_stream_that_ends_within_a_packet_is_refused(write_film, name, lost):
    path = write_film(name)
    path.write_bytes(path.read_bytes()[:-lost])

    assert f"{path.name} is cut short" in refusal(path).message


@pytest.mark.parametrize("share", [0.99, 0.5])
def test_a_film_that_was_cut_short_behind_its_index_is_refused(write_film, share):
    path = write_film(movflags="faststart")
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])

    assert "is cut short" in refusal(path).message


@pytest.mark.parametrize("name", ["film.mp4", "film.mkv", "film.avi"])
def test_a_film_with_a_damaged_middle_says_so_wherever_it_is_shown(write_film, name):
    path = write_film(name, count=60, size=(128, 96), grain=True)
    whole = read(path)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 200] = np.random.default_rng(0).bytes(200)
    path.write_bytes(content)
    got, shown = read(path), PIPELINE.preview([Source("clip", path)])

    assert not any("damaged" in remark for remark in whole.remarks)
    assert "flaws" not in whole.facts
    for remarks in (got.remarks, shown.remarks):
        assert any(f"{name} is damaged: at least" in remark for remark in remarks)
    assert got.facts["flaws"] == ["damaged frames"]


def test_a_gif_that_was_cut_short_is_refused(tmp_path):
    frames = [Image.new("L", (64, 48), int(value)) for value in brightness(8)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    content = (tmp_path / "a.gif").read_bytes()
    (tmp_path / "a.gif").write_bytes(content[:-30])

    assert "its end is missing" in refusal(tmp_path / "a.gif").message


def test_a_file_with_only_sound_is_refused(tmp_path):
    with av.open(tmp_path / "sound.mp4", "w") as film:
        stream = film.add_stream("aac", rate=8000)
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), "fltp", "mono")
        silence.sample_rate, silence.pts = 8000, 0
        film.mux(stream.encode(silence))
        film.mux(stream.encode(None))

    assert "holds only sound, no film" in refusal(tmp_path / "sound.mp4").message


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("empty.mp4", b"", "is empty"),
        ("list.mp4", b"#EXTM3U\nhttp://example.org/a.ts\n", "is a playlist that only points to"),
        ("list.avi", b"ffconcat version 1.0\nfile /etc/passwd\n", "is a playlist that only points"),
        ("note.mp4", b"The heart beats.", "is a text file, not an MP4 or QuickTime film"),
        ("noise.mov", bytes(range(255, 0, -1)) * 9, "is not an MP4 or QuickTime film"),
        ("sound.avi", b"RIFF\0\0\0\0WAVEfmt ", "is a WAV recording, not an AVI film"),
        ("box.mp4", b"\0\0\0\x18ftypisom\0\0\2\0isomiso2", "damaged or cut short"),
        ("head.avi", b"RIFF\0\1\0\0AVI LIST", "is cut short"),
        ("head.mkv", b"\x1aE\xdf\xa3\x81", "damaged or cut short"),
    ],
)
def test_what_is_no_film_is_refused_by_what_it_is(tmp_path, name, content, what):
    (tmp_path / name).write_bytes(content)

    assert what in refusal(tmp_path / name).message


def test_a_still_image_is_refused_and_one_container_named_as_another_is_said(write_film, tmp_path):
    Image.new("L", (64, 48)).save(tmp_path / "still.png")
    (tmp_path / "still.mp4").write_bytes((tmp_path / "still.png").read_bytes())
    (tmp_path / "film.avi").write_bytes(write_film().read_bytes())

    assert "is a PNG image, not a video clip" in refusal(tmp_path / "still.png").message
    assert (
        "not an MP4 or QuickTime film as its ending says" in refusal(tmp_path / "still.mp4").message
    )
    assert any("in spite of its ending" in each for each in read(tmp_path / "film.avi").remarks)


def test_text_in_place_of_a_clip_is_refused():
    with pytest.raises(InputError, match="'echo' holds text"):
        PIPELINE.read([Source("echo", text="normal")])


def test_the_preview_is_a_strip_with_times_and_a_film_that_browsers_play(write_film):
    preview = PIPELINE.preview([Source("echo", write_film("film.avi", count=30))])

    assert len(preview.images) == 16
    assert preview.images[1][1] == "echo · 0.08 s"
    assert preview.images[0][0].dtype == np.uint8
    assert preview.media_type == "video/mp4"
    with av.open(io.BytesIO(preview.media)) as film:
        stream = film.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (stream.frames, stream.average_rate) == (30, 25)
        assert not film.streams.audio


def test_the_player_shows_frames_of_odd_size_in_their_order():
    frames = [np.full((37, 53), value, np.uint8) for value in (50, 100, 150, 200)]

    content, _ = encode(frames, 10)

    with av.open(io.BytesIO(content)) as film:
        shown = [frame.to_ndarray(format="gray").mean() for frame in film.decode(video=0)]
    np.testing.assert_allclose(np.diff(shown), np.diff(shown).mean(), rtol=0.2)
