"""Frames as a checkpoint's own image processor wants them, from its preprocessor_config.json.

Frames are (C, H, W) in [0, 1]; processors were made for 8-bit pictures and scale them themselves,
so they are given 8-bit pictures. Every number comes from the checkpoint's file: the defaults of a
processor's class are often not those of its checkpoints.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from fmstudio.encoders.architectures import library, refuse_code
from fmstudio.errors import InputError
from fmstudio.types import ModalityInput, Prepared, to_json

STILLS = (("preprocessor_config.json",), ("processor_config.json",))
CLIPS = (("video_preprocessor_config.json",), *STILLS)
MAX_FRAMES = 8
LARGEST = 1024  # pixels a side
# Processors that resize, crop and scale whole pictures, by the name that a checkpoint gives without
# its ending. Checkpoints name them across families: a ViT that of CLIP, a Swin that of ViT.
WHOLE_PICTURES = ("ViT", "Bit", "CLIP", "Siglip", "DeiT", "ConvNext")
_SECTIONS = ("image_processor", "video_processor", "feature_extractor")


def read_numbers(folder: Path, files: Sequence[Sequence[str]]) -> tuple[dict[str, Any], str]:
    """The settings of the first of the processor's files that is there, and their SHA-256.

    Raises InputError if there is none, or if it holds what it should not.
    """
    names = [name for (name,) in files if (folder / name).is_file()]
    if not names:
        raise InputError(
            f"The checkpoint has no {files[0][0]}: how to prepare its inputs is not known.",
            hint="Add the file from the checkpoint's page to its folder.",
        )
    content = (folder / names[0]).read_bytes()
    try:
        given = json.loads(content)
    except (ValueError, RecursionError) as wrong:
        raise InputError(f"{names[0]} is not JSON.", hint="Download it again.") from wrong
    if not isinstance(given, dict):
        raise InputError(f"{names[0]} is not a JSON object.", hint="Download it again.")
    refuse_code(given, names[0])
    nested = [given[key] for key in _SECTIONS if isinstance(given.get(key), dict)]
    return (nested or [given])[0], hashlib.sha256(content).hexdigest()


def _stem(given: Mapping[str, Any], known: Sequence[str]) -> str:
    """Which processor it is: "ViT" of "ViTImageProcessorFast" or "ViTFeatureExtractor".

    The first of the `known` where the file does not say. Raises InputError for any other.
    """
    keys = ("image_processor_type", "video_processor_type", "feature_extractor_type")
    said = next((str(given[key]) for key in keys if given.get(key)), known[0])
    stem = re.sub(r"(FeatureExtractor|(Image|Video)Processor(Fast|Pil)?)$", "", said)
    if stem not in known:
        raise InputError(
            f"The checkpoint's processor '{said[:60]}' is not one that the studio knows for it.",
            hint=f"It knows those of {', '.join(known)}.",
        )
    return stem


class Pixels:
    """A processor: pictures (H, W, 3) 8-bit to (F, 3, height, width) float32.

    `known` are the names of the processors that its family of encoders takes.
    """

    def __init__(self, folder: Path, files: Sequence[Sequence[str]], known: Sequence[str]) -> None:
        self.numbers, self.sha256 = read_numbers(folder, files)
        self.stem = _stem(self.numbers, known)
        for name in ("size", "crop_size"):
            sides = self.numbers.get(name)
            sides = sides.values() if isinstance(sides, dict) else [sides]
            if any(isinstance(side, int) and not 0 < side <= LARGEST for side in sides):
                raise InputError(
                    f"The checkpoint's processor asks for pictures of {self.numbers[name]} pixels.",
                    hint=f"The studio prepares at most {LARGEST} a side.",
                )
        made = getattr(library(), f"{self.stem}ImageProcessorPil", None)
        self.processor = None if made is None else made.from_dict(dict(self.numbers))
        # Processors that need torchvision have no such class: their few steps are done here.
        self.steps = _Steps.read(self.numbers, self.stem) if made is None else None

    def __call__(self, pictures: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        """{pixel_values: (F, 3, height, width), …} of F pictures."""
        if self.steps is not None:
            return {"pixel_values": np.stack([self.steps.apply(one) for one in pictures])}
        made = self.processor(images=list(pictures), return_tensors="np")
        return {key: np.asarray(value) for key, value in made.items()}


@dataclass(frozen=True)
class _Steps:
    """The steps of a processor that transformers does with torchvision only, in float32."""

    size: Mapping[str, int] | None
    crop: Mapping[str, int] | None
    resample: int
    factor: float
    mean: np.ndarray
    std: np.ndarray

    @classmethod
    def read(cls, given: Mapping[str, Any], stem: str) -> _Steps:
        """Raises InputError if a number is missing."""
        try:
            crop = _sides(given["crop_size"]) if given.get("do_center_crop") else None
            size = _sides(given["size"]) if given["do_resize"] else None
            if stem == "VJEPA2" and crop and size:
                # Its class takes the size from the crop, whatever the file says.
                size = {"shortest_edge": int(crop["height"] * 256 / 224)}
            scales = given["do_rescale"], given["do_normalize"]
            return cls(
                size,
                crop,
                int(given["resample"]),
                float(given["rescale_factor"]) if scales[0] else 1.0,
                np.array(given["image_mean"] if scales[1] else [0.0] * 3, np.float32),
                np.array(given["image_std"] if scales[1] else [1.0] * 3, np.float32),
            )
        except (KeyError, TypeError, ValueError) as wrong:
            raise InputError(
                f"The checkpoint's processor lacks or garbles a number: {wrong}.",
                hint="Download its processor's file again.",
            ) from wrong

    def apply(self, picture: np.ndarray) -> np.ndarray:
        """(H, W, 3) 8-bit to (3, height, width)."""
        scaled = picture.astype(np.float32) * self.factor
        if self.size:
            scaled = self._resized(scaled)
        if self.crop:
            scaled = _cropped(scaled, self.crop["height"], self.crop["width"])
        return ((scaled - self.mean) / self.std).transpose(2, 0, 1).astype(np.float32)

    def _resized(self, scaled: np.ndarray) -> np.ndarray:
        height, width = scaled.shape[:2]
        assert self.size is not None
        if "shortest_edge" in self.size:
            factor = self.size["shortest_edge"] / min(height, width)
            target = (int(height * factor), int(width * factor))
        else:
            target = (self.size["height"], self.size["width"])
        planes = [Image.fromarray(np.ascontiguousarray(p)) for p in scaled.transpose(2, 0, 1)]
        sized = [plane.resize(target[::-1], Image.Resampling(self.resample)) for plane in planes]
        return np.stack([np.asarray(plane, np.float32) for plane in sized], -1)


def _sides(value: Any) -> dict[str, int]:
    """A size as files write it: a number, or {height, width} or {shortest_edge}."""
    if isinstance(value, int):
        return {"height": value, "width": value}
    return {str(key): int(side) for key, side in value.items() if side is not None}


def _cropped(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    """The middle of a picture (H, W, 3); zeros where it is smaller."""
    lack = [
        max(0, wanted - there)
        for wanted, there in zip((height, width), picture.shape, strict=False)
    ]
    if any(lack):
        padding = [(one // 2, one - one // 2) for one in lack]
        picture = np.pad(picture, (*padding, (0, 0)))
    top, left = (picture.shape[0] - height) // 2, (picture.shape[1] - width) // 2
    return picture[top : top + height, left : left + width]


def pictures(given: ModalityInput, indices: np.ndarray) -> list[np.ndarray]:
    """Some of the frames that are there, as 8-bit colour pictures (H, W, 3)."""
    frames = np.asarray(given.values)[np.asarray(given.mask)]
    found = []
    for index in indices:
        frame = np.rint(np.clip(frames[int(index)], 0, 1) * 255).astype(np.uint8)
        found.append(np.repeat(frame, 3, 0) if len(frame) == 1 else frame)
    return [frame.transpose(1, 2, 0) for frame in found]


@dataclass(frozen=True)
class Stills:
    """Prepares frames one by one: at most MAX_FRAMES of them, evenly spaced."""

    pixels: Pixels

    @property
    def key(self) -> str:
        """Changes with the checkpoint's processor."""
        return to_json(["stills", 1, MAX_FRAMES, self.pixels.stem, self.pixels.sha256])

    def prepare(self, given: ModalityInput) -> Prepared:
        """Arrays of N frames: what the processor gives, such as pixel_values (N, 3, H, W)."""
        count = int(np.asarray(given.mask).sum())
        chosen = np.unique(np.linspace(0, count - 1, min(count, MAX_FRAMES)).round())
        remarks: tuple[str, ...] = ()
        if count > MAX_FRAMES:
            remarks = (f"{MAX_FRAMES} of {count} frames were used, evenly spaced.",)
        return Prepared(self.pixels(pictures(given, chosen)), remarks)


@dataclass(frozen=True)
class Clip:
    """Prepares frames as one clip of `frames` frames, evenly spaced; few frames are repeated."""

    pixels: Pixels
    frames: int

    @property
    def key(self) -> str:
        """Changes with the checkpoint's processor and the length of its clips."""
        return to_json(["clip", 1, self.frames, self.pixels.stem, self.pixels.sha256])

    def prepare(self, given: ModalityInput) -> Prepared:
        """Arrays of N = `frames` frames: pixel_values (N, 3, H, W)."""
        count = int(np.asarray(given.mask).sum())
        chosen = np.linspace(0, count - 1, self.frames).round()
        values = self.pixels(pictures(given, chosen))["pixel_values"]
        # Some processors put the clip's frames on an axis of their own.
        return Prepared({"pixel_values": values.reshape(self.frames, *values.shape[-3:])})
