"""What a picture looks like in a few numbers, and what is wrong with a recording."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from fmstudio.cohort.audit.perceptual_hashes import grey, shrunk
from fmstudio.types import ModalityInput

SHADES = 12
BLACK = 0.02
FLAT = 0.004  # spread of a picture's grey values, of the full range
WHITE_SHARE = 0.4
STILL = 5e-4
SILENT = 1e-4
CLIPPED_SHARE = 0.01
ENOUGH_READINGS = 10


def look_of(given: ModalityInput) -> np.ndarray:
    """(D,) float32 of the middle frame: shades, colour, edges, black margin, symmetry, layout."""
    if given.kind != "frames" or given.empty:
        return np.zeros(0, np.float32)
    frame = np.asarray(given.values)[given.mask][int(given.mask.sum()) // 2]
    picture = grey(frame)
    inside = picture[picture > BLACK] if (picture > BLACK).any() else picture.ravel()
    shades = np.histogram(inside, SHADES, (0, 1))[0] / inside.size
    colour = float(np.ptp(frame, axis=0).mean()) if len(frame) > 1 else 0.0
    edges = float(np.abs(np.diff(picture, axis=0)).mean() + np.abs(np.diff(picture, axis=1)).mean())
    fine = picture - np.kron(shrunk(picture, 28), np.ones(np.array(picture.shape) // 28))
    mirrored = np.corrcoef(picture.ravel(), picture[:, ::-1].ravel())[0, 1]
    layout = shrunk(picture, 4).ravel()
    numbers = [colour * 4, edges * 10, float(fine.std()) * 5, float((picture <= BLACK).mean())]
    mirror = float(np.nan_to_num(mirrored))
    return np.array([*np.sqrt(shades), *numbers, mirror / 2, *layout], np.float32)


def flaws_of(given: ModalityInput) -> Mapping[str, str]:
    """What is wrong, in words, by "whole" (the whole input says nothing) and "part"."""
    if given.empty or isinstance(given.values, str):
        return {}
    look = {"frames": _frames, "waveform": _waveform, "series": _series}.get(given.kind)
    found = look(given) if look else {}
    told = [str(flaw) for flaw in given.facts.get("flaws", ())]
    if told and "whole" not in found:
        found["part"] = "; ".join([*([found["part"]] if "part" in found else []), *told])
    return found


def _frames(given: ModalityInput) -> dict[str, str]:
    frames = np.asarray(given.values)[given.mask]
    flat = frames.reshape(len(frames), -1).std(1) < FLAT
    if flat.all():
        return {"whole": "one shade of grey throughout"}
    moving = given.facts.get("seconds_per_frame") is not None and len(frames) > 3
    if moving and float(np.abs(np.diff(frames, axis=0)).mean()) < STILL:
        return {"whole": "a film in which nothing moves"}
    white = float((frames >= 0.999).mean())
    if white > WHITE_SHARE:
        return {"part": f"{white:.0%} of the picture is at full white"}
    return {"part": f"{int(flat.sum())} of {len(frames)} pictures are blank"} if flat.any() else {}


def _waveform(given: ModalityInput) -> dict[str, str]:
    sound = np.abs(np.asarray(given.values, np.float32))
    peak = float(sound.max())
    if peak < SILENT or float(np.std(given.values)) < SILENT:  # type: ignore[arg-type]
        return {"whole": "silence throughout"}
    top = sound >= 0.999 * peak
    clipped = float((top[1:] & top[:-1]).mean())  # a peak of its own is one sample
    return {"part": f"clipped: {clipped:.0%} of the samples"} if clipped > CLIPPED_SHARE else {}


def _series(given: ModalityInput) -> dict[str, str]:
    values, there = np.asarray(given.values), given.mask
    flat, known = [], 0
    for channel, name in enumerate(given.facts["channels"]):
        readings = values[there[:, channel], channel]
        known += len(readings) > ENOUGH_READINGS
        if len(readings) > ENOUGH_READINGS and np.ptp(readings) == 0:
            flat.append(str(name))
    if flat and len(flat) == known:
        return {"whole": "a flat line in every channel"}
    return {"part": f"flat: {', '.join(flat[:4])}"} if flat else {}
