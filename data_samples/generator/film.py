"""A chest film: (opacity, heart size) -> DICOM, 12 or 16 bit grey.

The picture is a sum of path lengths through soft tissue, lung, bone and fluid, as a digital
detector with a logarithmic response stores it, so that more on the way means brighter.
Coordinates: x to the viewer's right, y down, both in half film widths from the centre.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, JPEG2000Lossless
from scipy.ndimage import gaussian_filter

from data_samples.generator.state import State

DIGITAL_XRAY = "1.2.840.10008.5.1.4.1.1.1.1"  # Digital X-Ray Image Storage, PS3.4 B.5
UID_ROOT = "2.25."  # UIDs made of a UUID's integer, PS3.5 B.2
SCANNERS = {  # site: (manufacturer, side in pixels, mm per pixel, photometric, bits, compressed)
    "north": ("SAMPLE^Alpha", 240, 1.70, "MONOCHROME2", 12, True),
    "harbour": ("SAMPLE^Beta", 224, 1.80, "MONOCHROME1", 12, True),
    "valley": ("SAMPLE^Gamma", 208, 1.95, "MONOCHROME2", 16, False),
}


def write(path: Path, state: State, site: str, rng: np.random.Generator) -> None:
    """Write the film of one case as it came from the scanner of a site."""
    maker, side, spacing, photometric, bits, compressed = SCANNERS[site]
    density = chest(*state.signs["film"], side=side, habitus=state.person.habitus, rng=rng)
    stored, centre, width = _digitise(density, photometric, bits, rng)
    image = _header(state, rng)
    image.Manufacturer = maker
    image.InstitutionName = f"SAMPLE {site} hospital"
    image.PixelSpacing = image.ImagerPixelSpacing = [spacing, spacing]
    image.PhotometricInterpretation = photometric
    image.PresentationLUTShape = "INVERSE" if photometric == "MONOCHROME1" else "IDENTITY"
    image.WindowCenter, image.WindowWidth = centre, width
    image.Rows, image.Columns = stored.shape
    image.BitsAllocated, image.BitsStored, image.HighBit = 16, bits, bits - 1
    image.PixelData = stored.astype("<u2").tobytes()
    if compressed:
        image.compress(JPEG2000Lossless, generate_instance_uid=False)
    image.save_as(path, enforce_file_format=True)


def chest(
    opacity: float, heart: float, side: int, habitus: float, rng: np.random.Generator
) -> np.ndarray:
    """The density (side, side) of a chest seen from the front, soft tissue about 1, air 0.

    `opacity` and `heart` are standard normal: consolidation of a lower zone, and heart size.
    """
    x, y = _pose(side, rng)
    width = 0.81 + 0.02 * habitus
    lungs = _lungs(x, y, rng.normal(0, 0.02))
    body = _body(x, y, width)
    density = body * (1 + 0.04 * habitus) - 0.62 * lungs
    density += _heart(x, y, 0.46 + 0.035 * heart + rng.normal(0, 0.015))
    density += _bones(x, y, body, rng)
    density += _vessels(x, y, rng, side) * lungs
    density += _opacity(x, y, opacity, side, rng) * np.clip(lungs + 0.15, 0, 1) * (body > 0.05)
    return gaussian_filter(np.maximum(density, 0), rng.uniform(0.5, 1.0))


def _pose(side: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates of each pixel for a patient placed slightly off, tilted, near or far."""
    line = np.linspace(-1, 1, side)
    x, y = np.meshgrid(line, line)
    tilt, zoom = np.radians(rng.normal(0, 1.8)), 0.92 + rng.normal(0, 0.02)
    x, y = x - rng.normal(0, 0.015), y - rng.normal(-0.03, 0.02)
    return (
        (x * np.cos(tilt) + y * np.sin(tilt)) * zoom,
        (y * np.cos(tilt) - x * np.sin(tilt)) * zoom,
    )


def _edge(distance: np.ndarray, sharpness: float) -> np.ndarray:
    """1 inside (positive distance), 0 outside, with a soft border."""
    return 1 / (1 + np.exp(-np.clip(distance * sharpness, -30, 30)))


def _body(x: np.ndarray, y: np.ndarray, width: float) -> np.ndarray:
    shoulder = np.clip((y + 0.97) / 0.22, 0, 1) ** 0.5  # the neck widens to the shoulders
    half = 0.24 + (width - 0.24 + 0.30 * np.clip(-0.40 - y, 0, 0.4)) * shoulder
    return np.sqrt(np.clip(1 - (x / half) ** 2, 0, 1)) * 0.45 + 0.55 * _edge(half - np.abs(x), 60)


def _lungs(x: np.ndarray, y: np.ndarray, breath: float) -> np.ndarray:
    """Air on the way, 0 to 1: two fields that narrow to the apex, over the domed diaphragm."""
    air = np.zeros_like(x)
    for sign, floor in ((-1, 0.50), (1, 0.55)):  # the right dome (viewer's left) stands higher
        across = (sign * x - 0.415) / 0.315
        down = np.clip((y + 0.10) / 0.72, -1.2, 1.2)
        shape = np.where(down < 0, 1 - across**2 - np.abs(down) ** 2.6, 1 - np.abs(across) ** 3)
        dome = floor + breath + 0.55 * (sign * x - 0.36) ** 2 / 0.3 - y
        inside = _edge(shape, 12) * _edge(dome, 45)
        air += inside * np.clip(0.72 + 0.28 * shape, 0.5, 1)
    return np.clip(air, 0, 1)


def _heart(x: np.ndarray, y: np.ndarray, ratio: float) -> np.ndarray:
    """Heart, aortic knob and mediastinum; `ratio` is the cardiothoracic ratio (normal < 0.5)."""
    half = ratio * 0.72
    across, down = (x - 0.13) / half, (y - 0.33) / (half * 0.90)
    turned = (across * 0.9 + down * 0.25) ** 2 + (down * 0.92 - across * 0.25) ** 2
    heart = 0.42 * np.clip(1 - turned, 0, 1) ** 0.5
    middle = 0.12 * _edge(0.11 + 0.05 * y - np.abs(x - 0.01), 40) * _edge(0.65 - y, 30)
    knob = 0.16 * np.exp(-(((x - 0.12) / 0.07) ** 2 + ((y + 0.33) / 0.08) ** 2))
    return np.maximum(heart, middle) + knob


def _bones(x: np.ndarray, y: np.ndarray, body: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Ribs behind and in front, clavicles and spine."""
    cage = _edge(0.74 - np.abs(x), 40) * _edge(0.72 - y, 12) * _edge(y + 0.80, 25)
    gap, start = 0.185 + rng.normal(0, 0.004), 0.09 + rng.normal(0, 0.012)
    out = np.abs(x)
    behind = _bands(y - start - 0.42 * (out - 0.12) ** 2, gap, out - 0.06)
    front = _bands(y - start - 0.50 * (0.74 - out), gap, out - 0.28)
    ribs = (0.15 * behind + 0.09 * front) * cage
    collar = y + 0.66 - 0.16 * np.exp(-((out / 0.30) ** 2)) + 0.10 * out
    clavicle = (
        0.20 * np.exp(-((collar / 0.028) ** 2)) * _edge(0.66 - out, 30) * _edge(out - 0.05, 40)
    )
    discs = 0.8 + 0.2 * np.tanh(4 * np.cos(2 * np.pi * y / 0.13))
    spine = 0.06 * _edge(0.085 - np.abs(x), 70) * discs
    return (ribs + clavicle + spine) * (body > 0.05)


def _bands(height: np.ndarray, gap: float, reach: np.ndarray) -> np.ndarray:
    """Rib-like bands, brighter at their borders, one every `gap`, where `reach` is positive."""
    phase = np.abs((height / gap) % 1 - 0.5) * 2  # 0 in the middle of a rib
    rim = np.exp(-(((phase - 0.38) / 0.12) ** 2))
    return (0.65 * _edge(0.45 - phase, 14) + 0.5 * rim) * _edge(reach, 40)


def _vessels(x: np.ndarray, y: np.ndarray, rng: np.random.Generator, side: int) -> np.ndarray:
    """Lung markings: a mottle that thins from the hilum outwards, and the hila themselves."""
    mottle = gaussian_filter(rng.standard_normal((side, side)), side / 110)
    mottle = np.maximum(mottle / mottle.std(), 0)
    reach = np.hypot(np.abs(x) - 0.16, y - 0.02)
    return 0.06 * mottle * np.exp(-reach / 0.35) + 0.16 * np.exp(-((reach / 0.11) ** 2))


def _opacity(
    x: np.ndarray, y: np.ndarray, sign: float, side: int, rng: np.random.Generator
) -> np.ndarray:
    """Consolidation of the lower zones, denser on one side; mottled inside."""
    strength = float(np.clip(0.29 + 0.19 * sign, 0, 0.80))
    first = rng.choice([-1, 1])
    cloud = np.zeros_like(x)
    for zone, share in ((first, 1.0), (-first, rng.uniform(0.2, 0.7))):
        centre = (zone * rng.normal(0.43, 0.04), rng.normal(0.26, 0.05))
        size = np.array((0.24, 0.30)) * (1 + 0.08 * sign) * rng.normal(1, 0.08, 2)
        reach = ((x - centre[0]) / size[0]) ** 2 + ((y - centre[1]) / size[1]) ** 2
        cloud += share * np.exp(-(reach**1.3))
    mottle = gaussian_filter(rng.standard_normal((side, side)), side / 45)
    return strength * cloud * np.clip(1 + 0.15 * mottle / mottle.std(), 0.5, 1.5)


def _digitise(
    density: np.ndarray, photometric: str, bits: int, rng: np.random.Generator
) -> tuple[np.ndarray, int, int]:
    """Stored values of a detector with its own gain and noise, and window centre and width."""
    full = 2**bits - 1
    noise = 0.010 * np.exp(0.35 * density) * rng.uniform(0.7, 1.5)  # fewer quanta, more noise
    seen = density + noise * rng.standard_normal(density.shape)
    low, high = rng.uniform(0.10, 0.16), rng.uniform(0.70, 0.88)
    grey = low + (high - low) * seen / np.percentile(density, 99)
    stored = np.clip(np.round(grey * full), 0, full)
    if bits == 16:
        stored = np.round(stored / 16) * 16  # a 12-bit detector behind a 16-bit header
    if photometric == "MONOCHROME1":
        stored = full - stored
    bottom, top = np.percentile(stored, [2, 99.5])
    return stored, int((bottom + top) / 2), int(max(top - bottom, 1))


def _header(state: State, rng: np.random.Generator) -> FileDataset:
    """A DICOM header with made-up identifiers that say so."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = DIGITAL_XRAY
    meta.MediaStorageSOPInstanceUID = _uid(rng)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    image.SOPClassUID, image.SOPInstanceUID = DIGITAL_XRAY, meta.MediaStorageSOPInstanceUID
    image.StudyInstanceUID, image.SeriesInstanceUID = _uid(rng), _uid(rng)
    image.PatientName = f"SAMPLE^{state.person.patient_id}"
    image.PatientID = f"SAMPLE-{state.person.patient_id}"
    image.PatientSex, image.PatientAge = state.person.sex, f"{state.person.age:03d}Y"
    image.PatientBirthDate = image.StudyDate = image.StudyTime = image.AccessionNumber = ""
    image.Modality, image.BodyPartExamined = "DX", "CHEST"
    image.ViewPosition = str(rng.choice(["PA", "AP"]))
    image.StudyDescription = "SAMPLE: made-up film, not of a person"
    image.SamplesPerPixel, image.PixelRepresentation = 1, 0
    image.RescaleIntercept, image.RescaleSlope, image.RescaleType = 0, 1, "US"
    image.PixelIntensityRelationship, image.PixelIntensityRelationshipSign = "LOG", 1
    return image


def _uid(rng: np.random.Generator) -> pydicom.uid.UID:
    words = rng.integers(0, 2**32, 4, dtype=np.uint64)
    number = sum(int(word) << (32 * place) for place, word in enumerate(words))
    number = number & ~(0xF << 76) | (4 << 76)  # version 4 of a UUID
    number = number & ~(0x3 << 62) | (0x2 << 62)  # variant of RFC 4122
    return pydicom.uid.UID(UID_ROOT + str(number))
