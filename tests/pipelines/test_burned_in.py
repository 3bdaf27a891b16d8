"""Text that is burned into a picture is found with its place; films without text raise no alarm."""

from __future__ import annotations

import matplotlib
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from fmstudio.contracts import pipelines
from fmstudio.types import Source
from pipelines.burned_in import lines_of_text

FONT = matplotlib.get_data_path() + "/fonts/ttf/DejaVuSans.ttf"


def film(seed, height=600, width=640):
    """Soft shades, ribs and a wire, as on a film: no letter."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:height, 0:width]
    shades = 90 + 60 * np.sin(columns / width * 3.1) + 20 * np.sin(rows / 14 + columns / 90)
    shades += rng.normal(0, 6, (height, width))
    shades[(np.abs(rows - 300 - 40 * np.sin(columns / 60)) < 2)] = 235
    picture = Image.fromarray(np.clip(shades, 0, 255).astype(np.uint8))
    ImageDraw.Draw(picture).text((width - 40, 20), "L", fill=255, font=ImageFont.truetype(FONT, 28))
    return picture


def written(picture, words, at, size=16, fill=255):
    ImageDraw.Draw(picture).text(at, words, fill=fill, font=ImageFont.truetype(FONT, size))
    return picture


@pytest.mark.parametrize(("size", "fill"), [(12, 255), (16, 255), (24, 250), (20, 0)])
@pytest.mark.parametrize("at", [(6, 6), (6, 560), (250, 100)])
def test_a_name_on_a_film_is_found_where_it_stands(size, fill, at):
    dark = fill == 0
    picture = film(1)
    if dark:  # dark letters stand on a light label
        ImageDraw.Draw(picture).rectangle((at[0] - 4, at[1] - 4, at[0] + 300, at[1] + 34), fill=240)
    lines = lines_of_text(np.asarray(written(picture, "ZEBRAFINCH, JANE 1950", at, size, fill)))

    assert lines
    assert any(
        abs(line.left - at[0]) < 3 * size and abs(line.top - at[1]) < 2 * size for line in lines
    )


@pytest.mark.parametrize("seed", range(8))
def test_a_film_with_a_side_marker_alone_raises_no_alarm(seed):
    assert lines_of_text(np.asarray(film(seed))) == []


def test_the_place_is_given_in_shares_of_the_picture_with_the_file(tmp_path):
    written(film(2), "ZEBRAFINCH, JANE", (30, 30), 20).save(tmp_path / "film of chest.png")
    (place,) = pipelines()["radiology"].about([Source("x", tmp_path / "film of chest.png")])[
        "burned_in"
    ]
    *box, name = place.split(" ", 4)

    assert name == "film of chest.png"
    top, left, bottom, right = map(float, box)
    assert 0 <= top < bottom < 0.15
    assert left < 0.1 < right < 0.6


def test_a_file_that_says_itself_that_text_is_burned_in_is_told_too(write_dicom):
    path = write_dicom(np.asarray(film(3), np.uint16), BurnedInAnnotation="YES")

    assert pipelines()["radiology"].about([Source("x", path)])["burned_in"] == [
        "BurnedInAnnotation"
    ]
