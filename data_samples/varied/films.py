"""Films and slices: (patient) -> frames of one study, as `pipelines/radiology.py` delivers them.

What is drawn is a density; what is seen went through a detector, a window, a printer, a crop.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter

from data_samples.varied import other_films, slices
from data_samples.varied.chest import draw_chest
from data_samples.varied.made import Made, between, chance, frames, mottle, near, pick
from data_samples.varied.patient import Patient, draw_patient
from data_samples.varied.phrases import describe

SIDES = (112, 112, 112, 128, 144)
_VIEWS = ("film", "image", "cxr", "chest_ap", "frontal", "view_1", "xray", "AP", "PA", "thorax")
_MARKS = ("L", "R", "AP", "PA", "SUPINE", "PORT", "1", "ERECT", "LAT", "12:40", "STEHEND", "A.P.")


def draw(rng: np.random.Generator, patient: Patient | None = None) -> Made:
    """One study of a patient, mostly one chest film from the front."""
    known = patient is not None
    patient = patient or draw_patient(rng)
    side = pick(rng, SIDES)
    what = rng.random()
    if what < (0.80 if known else 0.62):
        density, findings = draw_chest(rng, _size(rng, side), patient)
        pictures, names = [expose(rng, density, side)], [pick(rng, _VIEWS)]
        if chance(rng, 0.10):
            lateral = other_films.draw_lateral(rng, (side, side), patient, findings)
            pictures.append(expose(rng, lateral, side))
            names.append(pick(rng, ("lateral", "view_2", "LAT", "seitlich")))
        return _made(rng, pictures, names, findings)
    if what < 0.90:
        cuts, findings, name = slices.draw_slices(rng, 112, patient)
        marked = chance(rng, 0.15)
        pictures = [_printed(rng, each, marked) for each in cuts]
        names = [f"{name} {i + 1}/{len(cuts)}" for i in range(len(cuts))]
        return _made(rng, pictures, names if len(cuts) > 1 else [name], findings)
    density, findings = other_films.draw_bone(rng, _size(rng, side), patient)
    return _made(
        rng, [expose(rng, density, side)], [pick(rng, ("xray", "bone", "image"))], findings
    )


def _made(
    rng: np.random.Generator,
    pictures: list[np.ndarray],
    names: list[str],
    findings: dict[str, float],
) -> Made:
    given = frames(np.stack(pictures), names)
    return Made(given, findings, " ".join(describe(rng, findings, limit=pick(rng, (2, 3, 4)))))


def _size(rng: np.random.Generator, side: int) -> tuple[int, int]:
    """Rows and columns of a film of some proportions whose longer side is `side`."""
    tall = near(rng, 0.95, 0.14, 0.65, 1.35)
    return (side, int(side / tall)) if tall > 1 else (int(side * tall), side)


def expose(rng: np.random.Generator, density: np.ndarray, side: int) -> np.ndarray:
    """A density (H, W) as the grey picture (side, side) in [0, 1] that a reader is shown."""
    low, high = np.percentile(density[::3, ::3], (1.5, 98.5))
    grey = (density - low) / max(high - low, 1e-3)
    if chance(rng, 0.5):  # scatter and the heel of the anode
        grey = grey + 0.12 * mottle(rng, density.shape, max(density.shape) / 2)
    if chance(rng, 0.25):  # local contrast, as digital detectors raise it
        grey = grey + between(rng, 0.3, 1.0) * (
            grey - gaussian_filter(grey, max(density.shape) / 16)
        )
    grey = _unsharp(rng, grey)
    noise = between(rng, 0.002, 0.05) ** 1.2
    grey = grey + noise * rng.standard_normal(density.shape, np.float32)
    bottom, top = between(rng, -0.12, 0.12), between(rng, 0.85, 1.2)
    grey = np.clip((grey - bottom) / (top - bottom), 0, 1) ** np.float32(between(rng, 0.65, 1.5))
    if chance(rng, 0.03):
        grey = 1 - grey
    grey = _printed(rng, grey, chance(rng, 0.35))
    return _square(_cropped(rng, grey), side)


def _unsharp(rng: np.random.Generator, grey: np.ndarray) -> np.ndarray:
    """Unsharpness of any cause, down to a picture of 28 pixels."""
    how = rng.random()
    if how < 0.22:
        rows, columns = grey.shape
        few = int(pick(rng, (28, 28, 32, 40, 56, 64)))
        small = Image.fromarray(grey.astype(np.float32)).resize(
            (max(4, columns * few // max(rows, columns)), max(4, rows * few // max(rows, columns))),
            Image.Resampling.BOX,
        )
        method = pick(rng, (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC))
        return np.asarray(small.resize((columns, rows), method))
    if how < 0.6:
        return gaussian_filter(grey, between(rng, 0.3, 1.4), truncate=2.5)
    return grey


def _printed(rng: np.random.Generator, grey: np.ndarray, marked: bool) -> np.ndarray:
    """With what people and machines put on it: letters, a collimated border, a frame."""
    rows, columns = grey.shape
    grey = np.array(grey, np.float32)
    if marked:
        for _ in range(pick(rng, (1, 1, 2))):
            stamp = _stamp(pick(rng, _MARKS), pick(rng, (9, 11, 14)))
            if stamp.shape[0] < rows and stamp.shape[1] < columns:
                top = int(pick(rng, (0.03, 0.1, 0.85)) * (rows - stamp.shape[0]))
                left = int(pick(rng, (0.04, 0.15, 0.85, 0.96)) * (columns - stamp.shape[1]))
                spot = grey[top : top + stamp.shape[0], left : left + stamp.shape[1]]
                spot[:] = np.maximum(spot, stamp * np.float32(between(rng, 0.7, 1)))
    if chance(rng, 0.15):
        edge = int(max(rows, columns) * between(rng, 0.02, 0.1))
        shade = pick(rng, (0.0, 0.0, 1.0))
        for cut in (
            (slice(0, edge),),
            (slice(-edge, None),),
            (..., slice(0, edge)),
            (..., slice(-edge, None)),
        ):
            if chance(rng, 0.7):
                grey[cut] = shade
    return grey


@lru_cache(maxsize=256)
def _stamp(letters: str, size: int) -> np.ndarray:
    """Letters as bright pixels on nothing."""
    image = Image.new("L", (size * len(letters) + 4, size + 6))
    pen = ImageDraw.Draw(image)
    pen.text((2, 1), letters, fill=255, font_size=size)
    box = image.getbbox() or (0, 0, 1, 1)
    return np.asarray(image.crop(box), np.float32) / 255


def _cropped(rng: np.random.Generator, grey: np.ndarray) -> np.ndarray:
    if not chance(rng, 0.2):
        return grey
    rows, columns = grey.shape
    keep = between(rng, 0.75, 0.98)
    top, left = (int(between(rng, 0, 1 - keep) * length) for length in (rows, columns))
    return grey[top : top + int(rows * keep), left : left + int(columns * keep)]


def _square(grey: np.ndarray, side: int) -> np.ndarray:
    """Fitted into a square, the rest black, as the pipeline does."""
    rows, columns = grey.shape
    scale = side / max(rows, columns)
    size = (max(1, round(rows * scale)), max(1, round(columns * scale)))
    if size != grey.shape:
        image = Image.fromarray(np.ascontiguousarray(grey, np.float32))
        grey = np.asarray(image.resize((size[1], size[0]), Image.Resampling.BILINEAR))
    square = np.zeros((side, side), np.float32)
    top, left = (side - size[0]) // 2, (side - size[1]) // 2
    square[top : top + size[0], left : left + size[1]] = grey
    return square
