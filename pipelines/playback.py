"""Frames of a film -> a small MP4 or WEBM that every browser plays, without sound or metadata."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from io import BytesIO

import av
import numpy as np

# (encoder, container, what browsers call it, settings); the first that this PyAV has is used.
_ENCODERS = (
    ("libx264", "mp4", "video/mp4", {"crf": "23", "preset": "veryfast", "movflags": "faststart"}),
    ("libvpx-vp9", "webm", "video/webm", {"crf": "35", "b:v": "0", "deadline": "realtime"}),
)


def encode(frames: Iterable[np.ndarray], frames_per_second: float) -> tuple[bytes, str]:
    """A film of `frames`, each (h, w) or (h, w, 3) uint8 and all of one size, and its media type.

    An odd last row or column is cut off, for the coding halves the resolution of colour.
    """
    encoder, container, media_type, options = next(
        each for each in _ENCODERS if each[0] in av.codecs_available
    )
    rate = Fraction(min(60.0, max(0.5, frames_per_second))).limit_denominator(1000)
    target = BytesIO()
    with av.open(target, "w", format=container) as output:
        stream = output.add_stream(encoder, rate=rate, options=dict(options))
        assert isinstance(stream, av.VideoStream)  # all of _ENCODERS encode pictures
        stream.pix_fmt = "yuv420p"
        for number, picture in enumerate(frames):
            height, width = (size // 2 * 2 for size in picture.shape[:2])
            if not stream.codec_context.is_open:
                stream.height, stream.width = height, width
            kind = "gray" if picture.ndim == 2 else "rgb24"
            even = np.ascontiguousarray(picture[:height, :width])
            frame = av.VideoFrame.from_ndarray(even, format=kind)
            frame.pts, frame.time_base = number, 1 / rate
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return target.getvalue(), media_type
