"""Quantisation tables of files that Pillow writes, and thumbnails compared with their pictures."""

import io

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from tests.tools.provenance.making import exif, of_kind, photo, saved
from tools.provenance.formats.jpeg_segments import ZIGZAG, read_segments
from tools.provenance.quantisation import nearest_quality, standard_tables
from tools.provenance.reading import provenance_of
from tools.provenance.thumbnails import LEAST_CORRELATION, similarity

pytestmark = pytest.mark.fast

OWN = [[max(1, (number * 3) % 40) for number in range(64)], [7] * 64]
PICTURES = ("astronaut", "chelsea", "coffee", "rocket")


@pytest.mark.parametrize("quality", [1, 10, 35, 50, 75, 88, 95, 100])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_the_quality_of_standard_tables_is_found(quality: int, mode: str) -> None:
    """Exactly, for colours and greys."""
    parts = read_segments(saved(photo().convert(mode), quality=quality))
    assert nearest_quality(parts.tables) == (quality, True)


def test_tables_of_ones_own_are_recognised() -> None:
    """They are not the standard's, and a quality is only the nearest."""
    (finding,) = of_kind(provenance_of(saved(photo(), qtables=OWN)), "compression")
    assert dict(finding.details)["standard tables"] == "no"
    assert "nearest to quality" in finding.text
    assert finding.bearing == "fact"


def test_the_tables_read_are_pillows() -> None:
    """Both are row by row; the file's order is the zigzag."""
    data = saved(photo(), quality=60)
    with Image.open(io.BytesIO(data)) as image:
        theirs = {number: tuple(table) for number, table in image.quantization.items()}
    assert read_segments(data).tables == theirs
    assert theirs[0] == standard_tables(60)[0]
    assert ZIGZAG[:6] == (0, 1, 8, 16, 9, 2) and sorted(ZIGZAG) == list(range(64))


@pytest.mark.parametrize("quality", [90, 60])
def test_the_thumbnails_tables_are_compared(quality: int) -> None:
    """The same or others is a fact."""
    small = saved(photo(size=(120, 80)), quality=60)
    data = saved(photo(), quality=quality, exif=exif(thumbnail=small))
    (finding,) = of_kind(provenance_of(data), "compression")
    wanted = "yes" if quality == 60 else "no"
    assert dict(finding.details)["same tables in thumbnail"] == wanted


def thumbnail_texts(picture: Image.Image, thumbnail: Image.Image) -> list[str]:
    """What is found about the thumbnail in a JPEG of the picture."""
    data = saved(picture, exif=exif(thumbnail=saved(thumbnail)))
    return [it.text for it in of_kind(provenance_of(data), "thumbnail")]


@pytest.mark.parametrize("name", PICTURES)
def test_a_thumbnail_that_fits_is_no_finding(name: str) -> None:
    """Also with black bars, turned, brightened, or of a picture that was turned since."""
    picture = photo(name, (600, 400))
    small = picture.resize((120, 80))
    barred = Image.new("RGB", (160, 120))
    barred.paste(picture.resize((160, 107)), (0, 6))
    for fits in (
        small,
        barred,
        small.rotate(90, expand=True),
        ImageEnhance.Brightness(small).enhance(0.7),
    ):
        assert thumbnail_texts(picture, fits) == []


@pytest.mark.parametrize("name", PICTURES)
def test_a_thumbnail_that_shows_something_else_is_a_contradiction(name: str) -> None:
    """Another picture, another shape, the mirror image."""
    picture = photo(name, (600, 400))
    other = photo(PICTURES[PICTURES.index(name) - 1], (120, 80))
    assert thumbnail_texts(picture, other) == ["does not show what the picture shows"]
    (text,) = thumbnail_texts(picture.crop((0, 0, 400, 400)), picture.resize((120, 80)))
    assert "another shape" in text
    mirrored = ImageOps.mirror(picture.resize((120, 80)))
    assert thumbnail_texts(picture, mirrored) == ["does not show what the picture shows"]


def test_the_threshold_lies_between_what_was_measured() -> None:
    """Harmless changes stay above it by far, other pictures below."""
    same, others = [], []
    greys = {name: photo(name, (600, 400)).convert("L") for name in PICTURES}
    for name, grey in greys.items():
        for quality in (20, 60, 95):
            held = saved(grey.resize((120, 80)), quality=quality)
            with Image.open(io.BytesIO(held)) as small:
                same.append(similarity(np.array(small.convert("L")), np.array(grey)))
        others += [
            similarity(np.array(it.resize((120, 80))), np.array(grey))
            for other, it in greys.items()
            if other != name
        ]
    assert min(same) > 0.97 > LEAST_CORRELATION > max(others) + 0.1


def test_a_thumbnail_that_cannot_be_decoded_is_said_to_be_there() -> None:
    """It is neither equal nor different."""
    data = saved(photo(), exif=exif(thumbnail=b"\xff\xd8no picture"))
    found = provenance_of(data)
    assert of_kind(found, "unread") and not of_kind(found, "thumbnail")
