"""A film (MP4, MOV, AVI, MPEG, MKV, WEBM, GIF) -> a `Stack` of its frames.

The film is first walked through without decoding, which tells how many frames it has and when each
is shown; then only what leads to the frames asked for is decoded, one frame in memory at a time.
"""

from __future__ import annotations

import contextlib
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import av
import numpy as np
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from fmstudio.errors import UnreadableFile
from pipelines.formats.completeness import check_whole
from pipelines.formats.content import AVI, GIF, MATROSKA, MP4, MPEG, MPEG_RAW, MPEG_STREAM, Content
from pipelines.formats.decoding import check_size, decoding
from pipelines.frames import Stack, Window, plausible

# FFmpeg has hundreds of demuxers, some of which open other files and addresses: only these are
# used, chosen by content.
_DEMUXERS = {
    MP4: "mov",
    AVI: "avi",
    MATROSKA: "matroska",
    GIF: "gif",
    MPEG: "mpeg",
    MPEG_STREAM: "mpegts",
    MPEG_RAW: "mpegvideo",
}
# Containers with an index that leads to a key frame; the others are read from the beginning.
_SEEKABLE = (MP4, AVI, MATROSKA)
_INCOMPLETE = "Copy or export it again; this copy is not complete."
# Frames that a film may be short of what it declares: the last one is often only announced.
_SLACK = 0.95
# Above this size decoding on several threads pays for starting them.
_LARGE_PIXELS = 1_000_000


@dataclass(frozen=True)
class _Film:
    """A film seen from outside: the time stamps of its frames as shown, and of its key frames.

    `broken` gathers, as the film is decoded, the time stamps of what could not be decoded whole.
    """

    file: str
    source: Path | bytes
    demuxer: str
    stamps: tuple[int, ...]
    keys: tuple[int, ...]
    broken: set[int] = field(default_factory=set)

    @property
    def damage(self) -> list[str]:
        """A sentence on the frames that were met and are not whole; none if all are."""
        if not self.broken:
            return []
        return [
            f"{self.file} is damaged: at least {len(self.broken)} of its {len(self.stamps)} frames "
            "could not be decoded whole; pictures near them may be wrong."
        ]


def open_clip(path: Path, name: str, content: Content, inside: bytes | None = None) -> Stack:
    """The frames of one film; `name` is that of the view, `inside` the film if a file wraps it.

    Raises UnreadableFile if it holds no film, is damaged or cut short.
    """
    source = path if inside is None else inside
    demuxer = _DEMUXERS[content]
    if inside is None:
        check_whole(path, content)
    with _opened(path.name, source, demuxer) as (container, stream):
        rows, columns = stream.height, stream.width
        check_size(path.name, rows, columns, 3)
        with decoding(path.name, _INCOMPLETE):
            stamps, keys, step = _walk(container, stream)
        _check_count(path.name, stream, len(stamps))
        keys = keys if content in _SEEKABLE else keys[:1]
        aspect = float(1 / stream.sample_aspect_ratio) if stream.sample_aspect_ratio else 1.0
        coding = stream.codec_context.name
    film = _Film(path.name, source, demuxer, tuple(stamps), tuple(keys))
    noted: list[str] = []
    return Stack(
        name=name,
        file=path.name,
        count=len(stamps),
        size=(rows, columns),
        pictures=lambda indices: _pictures(film, indices, noted),
        window=Window(0, 255, "as stored"),
        aspect=plausible(aspect),
        seconds=tuple((stamp - stamps[0]) * step for stamp in stamps),
        about=(coding,),
        noted=noted,
        broken=film.broken,
    )


@contextlib.contextmanager
def _opened(
    file: str, source: Path | bytes, demuxer: str
) -> Iterator[tuple[av.container.InputContainer, VideoStream]]:
    """The container and its film, opened as a local file and as nothing else."""
    with contextlib.ExitStack() as stack:
        with decoding(file, _INCOMPLETE):
            target = BytesIO(source) if isinstance(source, bytes) else f"file:{source.absolute()}"
            options = {"protocol_whitelist": "file"} if isinstance(target, str) else {}
            container = stack.enter_context(
                av.open(target, "r", format=demuxer, container_options=options)
            )
            # A cover picture in a sound file is a film of one frame by its looks.
            films = [
                each
                for each in container.streams.video
                if not each.disposition & av.stream.Disposition.attached_pic
            ]
        if not films:
            found = "only sound" if container.streams.audio else "nothing that can be shown"
            raise UnreadableFile(
                f"{file} holds {found}, no film.", hint="Give a clip with pictures in it."
            )
        if films[0].codec_context is None:
            raise UnreadableFile(
                f"{file} is a film of a coding that cannot be read here.",
                hint="Save it as MP4 with H.264.",
            )
        stream = films[0]
        large = stream.width * stream.height > _LARGE_PIXELS
        stream.thread_type = "AUTO" if large else "NONE"
        yield container, stream


def _walk(
    container: av.container.InputContainer, stream: VideoStream
) -> tuple[list[int], list[int], float]:
    """Time stamps of the frames as shown, those of the key frames, and seconds per unit of them.

    Nothing is decoded, but for raw streams, which have no times: their stamps are numbers and
    there are no key frames.
    """
    packets = [
        (packet.pts, packet.is_keyframe)
        for packet in container.demux(stream)
        if packet.size and not packet.is_discard
    ]
    stamps = [stamp for stamp, _ in packets]
    timed = [stamp for stamp in stamps if stamp is not None]
    if len(set(timed)) < len(stamps) or stream.time_base is None:
        count = sum(1 for _ in _decoded(container, stream, None, set()))
        return list(range(count)), [], 1 / float(stream.average_rate or stream.base_rate or 25)
    keys = [stamp for stamp, is_key in packets if is_key and stamp is not None]
    return sorted(timed), sorted(keys), float(stream.time_base)


def _check_count(file: str, stream: VideoStream, count: int) -> None:
    """Refuse a film of far fewer frames than it declares (0: it does not say)."""
    if count < _SLACK * stream.frames - 1:
        raise UnreadableFile(
            f"{file} is cut short: it declares {stream.frames} frames and holds {count}.",
            hint=_INCOMPLETE,
        )
    if not count:
        raise UnreadableFile(f"{file} holds no frame.", hint=_INCOMPLETE)


def _decoded(
    container: av.container.InputContainer,
    stream: VideoStream,
    start: int | None,
    broken: set[int],
) -> Iterator[VideoFrame]:
    """Frames as shown from the key frame at `start` (None: the beginning); those that cannot be
    decoded are left out. The time stamps of these and of patched ones go into `broken`."""
    container.seek(0 if start is None else start, stream=None if start is None else stream)
    for packet in container.demux(stream):
        try:
            for frame in packet.decode():
                # Frames before the key frame lack what they refer to and are not shown.
                if frame.is_corrupt and frame.pts is not None and frame.pts >= (start or 0):
                    broken.add(frame.pts)
                yield frame
        except av.error.InvalidDataError:
            if packet.pts is not None:
                broken.add(packet.pts)


def _pictures(film: _Film, indices: Sequence[int], noted: list[str]) -> Iterator[np.ndarray]:
    """The frames `indices`, ascending, as (H, W, 3) uint8, upright; damage goes into `noted`."""
    with _opened(film.file, film.source, film.demuxer) as (container, stream):
        if film.keys:
            frames = _by_stamp(film, container, stream, [film.stamps[each] for each in indices])
        else:
            frames = _by_number(film, container, stream, indices)
        size = None
        for picture in frames:
            if size not in (None, picture.shape):
                raise UnreadableFile(
                    f"{film.file} changes its size in the middle, from {size[1]} x {size[0]} to "
                    f"{picture.shape[1]} x {picture.shape[0]}.",
                    hint="It is damaged or put together from several films. Export it again.",
                )
            size = picture.shape
            yield picture
    noted[:] = film.damage


def _by_stamp(
    film: _Film, container: av.container.InputContainer, stream: VideoStream, wanted: list[int]
) -> Iterator[np.ndarray]:
    """The frames of the time stamps `wanted`, leaping from key frame to key frame."""
    while wanted:
        yield from _from_key(film, container, stream, wanted)


def _from_key(
    film: _Film, container: av.container.InputContainer, stream: VideoStream, wanted: list[int]
) -> Iterator[np.ndarray]:
    """Decode from the last key frame before the first wanted one; takes what it finds off `wanted`.

    Goes on as long as no key frame lies between here and the next wanted frame.
    """
    start = _key_before(film, wanted[0])
    found = False
    with decoding(film.file, _INCOMPLETE):
        frames = _decoded(container, stream, start if start > film.stamps[0] else None, film.broken)
    while wanted:
        with decoding(film.file, _INCOMPLETE):
            frame = next(frames, None)
        astray = frame is None or frame.pts is None or (frame.pts > wanted[0] and not found)
        if astray and start > film.stamps[0]:
            # The container's own index missed the key frame: decode from the beginning.
            frames, start = _decoded(container, stream, None, film.broken), film.stamps[0]
            continue
        if frame is None or frame.pts is None:
            break
        if frame.pts < wanted[0]:
            continue
        found = True
        picture = _upright(frame)
        # Where a frame is broken the next whole one, a moment later, stands for it.
        while wanted and wanted[0] <= frame.pts:
            wanted.pop(0)
            yield picture
        if wanted and _key_before(film, wanted[0]) > frame.pts:
            return
    if wanted:
        raise UnreadableFile(
            f"{film.file} is damaged: {len(wanted)} of the frames to be read cannot be decoded.",
            hint=_INCOMPLETE,
        )


def _key_before(film: _Film, stamp: int) -> int:
    """The time stamp of the last key frame at or before `stamp`."""
    place = bisect_right(film.keys, stamp)
    return film.keys[place - 1] if place else film.stamps[0]


def _by_number(
    film: _Film,
    container: av.container.InputContainer,
    stream: VideoStream,
    indices: Sequence[int],
) -> Iterator[np.ndarray]:
    """Decode everything in turn and take the frames of these numbers."""
    wanted = set(indices)
    frames = _decoded(container, stream, None, film.broken)
    for number in range(max(wanted) + 1):
        with decoding(film.file, _INCOMPLETE):
            frame = next(frames, None)
        if frame is None:
            raise UnreadableFile(
                f"{film.file} is damaged: frame {number + 1} cannot be decoded.", hint=_INCOMPLETE
            )
        if number in wanted:
            yield _upright(frame)


def _upright(frame: VideoFrame) -> np.ndarray:
    """A frame as (H, W, 3) uint8, turned as the camera's rotation flag asks."""
    picture = frame.to_ndarray(format="rgb24")
    quarters = round(frame.rotation / 90)
    return np.ascontiguousarray(np.rot90(picture, quarters)) if quarters % 4 else picture
