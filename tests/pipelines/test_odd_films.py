"""Films as phones, recorders and scanners write them: pace, depth, fields, and sound beside them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from fmstudio.types import ModalityInput, Source
from pipelines.video import PIPELINE, SIDE

COUNT = 32
GREYS = np.linspace(40, 215, COUNT)


def film(
    path: Path, stamps=range(COUNT), depth: str = "yuv420p", sound: float = 0, form=None, **options
) -> Path:
    """A film of evenly grey frames, each brighter than the one before, at `stamps` / 25 s."""
    with av.open(path, "w", format=form) as container:
        stream = container.add_stream("libx264", rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 64, 48, depth
        stream.time_base = Fraction(1, 25)
        voice = container.add_stream("aac", rate=16_000) if sound else None
        for stamp, grey in zip(stamps, GREYS, strict=True):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), grey, np.uint8), format="rgb24")
            frame.pts, frame.time_base = stamp, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if voice:
            silence = np.zeros((1, int(16_000 * sound)), np.float32)
            heard = av.AudioFrame.from_ndarray(silence, format="fltp", layout="mono")
            heard.sample_rate = 16_000
            container.mux(voice.encode(heard))
            container.mux(voice.encode(None))
    return path


def read(path: Path) -> ModalityInput:
    return PIPELINE.read([Source("clip", path)])


def greys(got: ModalityInput) -> np.ndarray:
    return got.values[:, 0, SIDE // 2 - 20 : SIDE // 2 + 20].mean(axis=(1, 2)) * 255


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("ten bits.mp4", {"depth": "yuv420p10le"}),
        ("fields.mp4", {"flags": "+ildct+ilme"}),
        ("sound goes on.mp4", {"sound": 6.0}),
        ("no duration.ts", {"form": "mpegts"}),
    ],
)
def test_depth_fields_and_sound_do_not_change_what_is_seen(tmp_path, name, options):
    got = read(film(tmp_path / name, **options))

    assert got.values.shape[0] == 16
    np.testing.assert_allclose(greys(got), GREYS[1::2], atol=5)
    assert got.facts["seconds_per_frame"] == pytest.approx(2 / 25, rel=0.05)
    assert "flaws" not in got.facts


def test_a_film_of_uneven_pace_keeps_its_order_and_its_mean_pace(tmp_path):
    stamps = [n if n < 16 else 16 + 4 * (n - 16) for n in range(COUNT)]  # slower by half its way
    got = read(film(tmp_path / "a.mp4", stamps))

    np.testing.assert_allclose(greys(got), GREYS[1::2], atol=5)
    read_at = [stamps[int((place + 0.5) * 2)] for place in range(16)]
    mean = (read_at[-1] - read_at[0]) / 15 / 25
    assert got.facts["seconds_per_frame"] == pytest.approx(mean, rel=0.02)
