"""Films: MP4, MOV, AVI, MPEG, MKV, WEBM, GIF, multi-frame DICOM -> frames in [0, 1].

Frames are (L, C, 112, 112). L is 16 frames, evenly spaced over the whole clip; several clips of a
case share them, at least 4 each. Proportions are kept, the rest of the square is black; a large
frame is averaged over areas.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from fmstudio.errors import UnreadableFile
from fmstudio.types import ModalityInput, Preview, Source
from pipelines.burned_in import with_burned_in
from pipelines.formats.clips import open_clip
from pipelines.formats.content import DICOM, HEAD_BYTES, expect, identify_head, starts_as
from pipelines.formats.dicom import film_inside, open_dicom
from pipelines.frames import (
    Stack,
    assemble,
    eight_bits,
    evenly,
    fitted_spacing,
    look,
    render,
    seconds_between,
    shrink,
)
from pipelines.headers import about_files, without_headers
from pipelines.playback import encode

SIDE = 112
MAX_FRAMES = 16
MIN_FRAMES_PER_CLIP = 4
MAX_CLIPS = 8
STRIP_SIDE = 256
PLAYER_SIDE = 480
PLAYER_FRAMES = 240
# Mean change from frame to frame, of the full range, below which nothing moves.
STILL = 0.0005
# Pace of the player, in seconds a frame, where a file does not say.
SECONDS_UNKNOWN = 0.1

FAMILIES = ("video", "DICOM")
FORMATS = "an MP4, MOV, AVI, MPEG, MKV, WEBM, GIF or multi-frame DICOM file"


@dataclass(frozen=True)
class Video:
    """The pipeline of films."""

    name: str = "video"
    label: str = "Video clips"
    kind: str = "frames"
    suffixes: tuple[str, ...] = (
        ".mp4",
        ".m4v",
        ".mov",
        ".avi",
        ".mpeg",
        ".mpg",
        ".mkv",
        ".webm",
        ".gif",
        ".dcm",
    )
    order: int = 5
    version: int = 2
    inline: bool = False
    hints: tuple[str, ...] = (
        "cine",
        "clip",
        "echo",
        "ultrasound",
        "loop",
        "movie",
        "endoscopy",
        "gait",
    )

    def read(self, sources: Sequence[Source]) -> ModalityInput:
        """Read the clips of one case, in the order given. No files gives L = 0.

        Raises UnreadableFile, naming the file, if one is not a film of at least two frames.
        """
        remarks: list[str] = []
        pictures: list[np.ndarray] = []
        names: list[str] = []
        chosen = list(_chosen([open_film(source) for source in sources], remarks))
        for stack, indices in chosen:
            frames = render(stack, indices, SIDE, remarks)
            _remark_on_stillness(stack, frames, remarks)
            pictures += frames
            names += [f"{stack.name} {index + 1}/{stack.count}" for index in indices]
        facts: dict[str, Any] = {
            "names": names,
            "seconds_per_frame": _common([seconds_between(*each) for each in chosen]),
            "spacing_mm": _common([fitted_spacing(stack, SIDE) for stack, _ in chosen]),
        }
        if any(stack.broken for stack, _ in chosen):
            facts["flaws"] = ["damaged frames"]
        values = assemble(pictures, SIDE)
        return ModalityInput("frames", values, np.ones(len(names), bool), facts, tuple(remarks))

    def preview(self, sources: Sequence[Source]) -> Preview:
        """A strip of the frames that are read, and the first clip as a film that browsers play.

        Raises UnreadableFile as `read` does.
        """
        remarks: list[str] = []
        chosen = list(_chosen([open_film(source) for source in sources], remarks))
        images: list[tuple[np.ndarray, str]] = []
        for stack, indices in chosen:
            frames = render(stack, indices, STRIP_SIDE, remarks)
            _remark_on_stillness(stack, frames, remarks)
            captions = [f"{stack.name} · {_moment(stack, index)}" for index in indices]
            images += zip(map(eight_bits, frames), captions, strict=True)
        media, media_type = _player(chosen[0][0]) if chosen else (None, "")
        return Preview(
            images=tuple(images), media=media, media_type=media_type, remarks=tuple(remarks)
        )

    def about(self, sources: Sequence[Source]) -> Mapping[str, Sequence[str]]:
        """What the files say beside their pictures, and text that is burned into these.

        Raises UnreadableFile, naming the file.
        """
        return with_burned_in(about_files(sources), map(open_film, sources))

    def recognises(self, path: Path) -> bool:
        """True for the first bytes of a film; those of DICOM are mostly of an image."""
        return starts_as(path, FAMILIES[:1])

    def stripped(self, source: Source) -> bytes | None:
        """The file without what it says of the patient; None where it says nothing.

        Raises UnreadableFile, naming the file.
        """
        return without_headers(source)


def open_film(source: Source) -> Stack:
    """The frames of one film, whatever its format.

    Raises UnreadableFile if it is not a film that can be read, or holds a single frame.
    """
    path, content, remarks = expect(source, FAMILIES, "video clip", FORMATS)
    if content is DICOM:
        stack = _open_dicom(path, source.name)
    else:
        stack = open_clip(path, source.name, content)
    if stack.count < 2:
        raise UnreadableFile(
            f"{path.name} holds one frame; a clip needs at least 2.",
            hint="Give it as an image, or give the whole clip.",
        )
    return replace(stack, remarks=(*remarks, *stack.remarks))


def _open_dicom(path: Path, name: str) -> Stack:
    """The frames of a multi-frame DICOM file, or of the film that it wraps."""
    film = film_inside(path)
    if film is None:
        return open_dicom(path, name)
    inner = identify_head(film[:HEAD_BYTES])
    if inner is None or inner.family != "video":
        raise UnreadableFile(
            f"{path.name} wraps a film of a kind that cannot be read here.",
            hint="Export the film as MP4.",
        )
    return open_clip(path, name, inner, film)


def _chosen(stacks: Sequence[Stack], remarks: list[str]) -> Iterator[tuple[Stack, list[int]]]:
    """Which frames of which clip are taken."""
    if len(stacks) > MAX_CLIPS:
        remarks.append(f"{len(stacks)} clips are given; {MAX_CLIPS} evenly spaced ones are read.")
        stacks = [stacks[index] for index in evenly(len(stacks), MAX_CLIPS)]
    wanted = max(MIN_FRAMES_PER_CLIP, MAX_FRAMES // max(1, len(stacks)))
    for stack in stacks:
        yield stack, evenly(stack.count, wanted)


def _remark_on_stillness(stack: Stack, frames: Sequence[np.ndarray], remarks: list[str]) -> None:
    """Say so if there is nothing to see, or nothing moves."""
    if max(float(frame.max()) for frame in frames) < 0.02:
        remarks.append(f"{stack.file}: black throughout, so there is nothing to see.")
    elif np.mean([np.abs(a - b).mean() for a, b in pairwise(frames)]) < STILL:
        remarks.append(f"{stack.file}: nothing moves; all its frames are the same.")


def _common(known: Sequence[Any]) -> float | list[float] | None:
    """What all clips have in common to 5 %, None if one does not know or they differ."""
    if not known or any(each is None for each in known):
        return None
    if not np.allclose(known, known[0], rtol=0.05):
        return None
    common: float | list[float] = np.asarray(known[0], dtype=float).tolist()
    return common


def _moment(stack: Stack, index: int) -> str:
    if not stack.seconds:
        return f"frame {index + 1} of {stack.count}"
    return f"{stack.seconds[index]:.2f} s"


def _player(stack: Stack) -> tuple[bytes, str]:
    """The whole clip, small: at its own speed, with frames left out where there are very many."""
    indices = evenly(stack.count, PLAYER_FRAMES)
    few = evenly(stack.count, 4)
    show = look(stack, few, [shrink(each, STRIP_SIDE) for each in stack.pictures(few)], [])
    frames = (
        eight_bits(show(index, shrink(each, _player_side(stack), stack.aspect)))
        for index, each in zip(indices, stack.pictures(indices), strict=True)
    )
    return encode(frames, 1 / (seconds_between(stack, indices) or SECONDS_UNKNOWN))


def _player_side(stack: Stack) -> int:
    """The longer side of the player: small films are not enlarged."""
    return min(PLAYER_SIDE, max(stack.size))


PIPELINE = Video()
