"""Signs of double compression in JPEGs that Pillow writes once, twice, and cropped in between."""

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw

from tests.tools.provenance.making import exif, of_kind, photo, saved
from tools.provenance.double_compression import coefficients
from tools.provenance.double_compression.coefficients import (
    block_coefficients,
    can_be_judged,
    read_luma,
)
from tools.provenance.double_compression.same_grid import LEAST_GAIN, earlier_compression
from tools.provenance.double_compression.shifted_grid import LEAST_LEAD, shifted_grid
from tools.provenance.findings import Finding
from tools.provenance.reading import provenance_of

pytestmark = pytest.mark.fast

PICTURES = ("astronaut", "chelsea", "coffee")
SIZE = (360, 240)
MAKE, SOFTWARE, CHANGED, TAKEN = 0x010F, 0x0131, 0x0132, 0x9003
NOON, LATER = "2024:05:01 12:00:00", "2024:05:02 12:00:00"


def opened(data: bytes) -> Image.Image:
    """What a program sees that opens a file."""
    return Image.open(io.BytesIO(data))


def twice(name: str, first: int, last: int, **options: object) -> bytes:
    """A photograph saved with one quality and then with another."""
    return saved(opened(saved(photo(name, SIZE), quality=first)), quality=last, **options)


def signs(data: bytes) -> list[Finding]:
    """The findings about double compression."""
    return of_kind(provenance_of(data), "double compression")


@pytest.mark.parametrize("name", [*PICTURES, "rocket"])
def test_once_is_not_twice(name: str) -> None:
    """At any quality, with either sampling, progressive or in greys; far below the thresholds."""
    for quality in range(51, 99, 6):
        grey = quality % 4 == 1
        picture = photo(name, SIZE).convert("L" if grey else "RGB")
        data = saved(picture, quality=quality, progressive=not grey)
        assert signs(data) == [], quality
        luma = read_luma(data)
        assert luma is not None
        assert earlier_compression(luma).gain < LEAST_GAIN / 2
        assert shifted_grid(luma).lead < LEAST_LEAD / 2


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize(("first", "last"), [(60, 75), (75, 90), (50, 95), (90, 96), (80, 65)])
def test_twice_on_the_same_grid_is_found(name: str, first: int, last: int) -> None:
    """With the first quality, which a weaker last compression leaves, and a stronger one often."""
    (finding,) = signs(twice(name, first, last))
    assert finding.bearing == "fact" and "same grid" in finding.text
    named = [int(it) for it in dict(finding.details)["first quality"].split(" to ")]
    assert min(named) - 1 <= first <= max(named) + 1


@pytest.mark.parametrize("options", [{"progressive": True}, {"subsampling": 0}, {"optimize": True}])
def test_how_the_file_is_packed_does_not_matter(options: dict[str, object]) -> None:
    """Nor do colours: the luma of a picture in greys is looked at as well."""
    assert signs(twice("coffee", 70, 90, **options))
    grey = saved(photo("coffee", SIZE).convert("L"), quality=70)
    assert signs(saved(opened(grey), quality=90))


def test_what_leaves_no_traces_is_not_found() -> None:
    """The same quality, a much stronger last one, a smaller size: no finding is no evidence."""
    for first, last in ((80, 80), (96, 60)):
        assert signs(twice("astronaut", first, last)) == []
    smaller = opened(saved(photo("astronaut", (480, 480)), quality=70)).resize((341, 341))
    assert signs(saved(smaller, quality=90)) == []
    (finding,) = signs(twice("astronaut", 70, 90))
    assert "no sign of forgery by itself" in finding.cannot_mean
    assert "messenger" in finding.cannot_mean and "not evidence" in finding.cannot_mean


def test_tables_of_ones_own_are_named_as_such() -> None:
    """A camera's first tables have no quality, but leave the same traces."""
    steps = [5, 4, 9, 7, 11, 13, 17, 19] * 8
    first = saved(photo("coffee", SIZE), qtables=[steps, steps])
    (finding,) = signs(saved(opened(first), quality=92))
    assert "not the standard's" in finding.text
    assert "first quality" not in dict(finding.details)


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize(("left", "top"), [(1, 1), (4, 4), (3, 6)])
def test_a_crop_in_between_is_found_with_its_grid(name: str, left: int, top: int) -> None:
    """The offsets are those of the earlier grid's first whole block, and the quality is near."""
    first = opened(saved(photo(name, SIZE), quality=70))
    (finding,) = signs(saved(first.crop((8 - left, 8 - top, *SIZE)), quality=93))
    details = dict(finding.details)
    assert details["grid"] == f"{left} px right, {top} px down"
    assert abs(int(details["first quality"].removeprefix("about ")) - 70) <= 3
    assert "cropped or moved" in finding.text


def test_drawn_pictures_are_left_out() -> None:
    """Their coefficients take few values, which is no trace of rounding."""
    picture = Image.new("RGB", SIZE, "white")
    draw = ImageDraw.Draw(picture)
    for row in range(0, 240, 40):
        draw.text((10, row), "The quick brown fox jumps over the lazy dog", fill="black")
    luma = read_luma(saved(picture, quality=92))
    assert luma is not None and not can_be_judged(luma)
    photograph = read_luma(saved(photo("coffee", SIZE), quality=92))
    assert photograph is not None and can_be_judged(photograph)
    assert signs(saved(opened(saved(picture, quality=60)), quality=90)) == []


@pytest.mark.parametrize("size", [(1, 1), (7, 9), (8, 8), (16, 3), (19, 23), (250, 9)])
def test_tiny_and_odd_sizes_are_survived(size: tuple[int, int]) -> None:
    """Too little for a finding, and no error."""
    for picture in (photo(size=size), Image.new("L", size, 128)):
        assert signs(saved(picture, quality=90)) == []


def test_other_colours_and_formats_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """CMYK, a JPEG that is stored as RGB, one that is cut off, another format, too many pixels."""
    data = twice("chelsea", 60, 90)
    assert signs(saved(photo("chelsea", SIZE).convert("CMYK"), quality=60)) == []
    assert read_luma(saved(photo("chelsea", SIZE), quality=60, keep_rgb=True)) is None
    assert read_luma(data[: len(data) // 2]) is None
    assert read_luma(saved(photo("chelsea", SIZE), "PNG")) is None
    monkeypatch.setattr(coefficients, "DECODED_PIXELS_MOST", 360 * 240 - 1)
    assert read_luma(data) is None


def test_only_the_middle_is_looked_at_on_the_files_own_grid() -> None:
    """A large picture costs no more, and its blocks stay whole."""
    grey = np.arange(2000 * 1203, dtype=np.uint32).reshape(1203, 2000) % 251
    luma = read_luma(saved(Image.fromarray(grey.astype(np.uint8)), quality=100))
    assert luma is not None and luma.grey.shape == (1024, 1024)
    with opened(saved(Image.fromarray(grey.astype(np.uint8)), quality=100)) as image:
        whole = np.asarray(image)
    assert np.array_equal(luma.grey, whole[88:1112, 488:1512])
    assert signs(saved(photo("coffee", (2400, 1600)), quality=90)) == []


def test_coefficients_are_those_of_the_standard() -> None:
    """Multiples of the table's steps, up to the rounding of decoded grey levels."""
    luma = read_luma(saved(photo("coffee", SIZE), quality=50))
    assert luma is not None
    found = block_coefficients(luma.grey, [(0, 0), (0, 1), (3, 2)])
    for values, place in zip(found.T, (0, 1, 26), strict=True):
        steps = values / luma.table[place]
        assert np.abs(steps - np.rint(steps)).max() * luma.table[place] < 2
        assert np.abs(np.rint(steps)).max() >= 2


@pytest.mark.parametrize(
    ("main", "data", "contradicts"),
    [
        ({MAKE: "Canon", CHANGED: NOON}, twice("coffee", 75, 90), True),
        ({MAKE: "Canon", CHANGED: NOON}, saved(photo("coffee", SIZE), quality=80), False),
        ({MAKE: "Canon", CHANGED: NOON, SOFTWARE: "GIMP"}, twice("coffee", 75, 90), False),
        ({MAKE: "Canon", CHANGED: LATER}, twice("coffee", 75, 90), False),
        ({CHANGED: NOON}, twice("coffee", 75, 90), False),
    ],
    ids=["untouched by its metadata", "once", "by an editor", "changed later", "no camera"],
)
def test_an_untouched_file_is_not_compressed_twice(
    main: dict[int, object], data: bytes, contradicts: bool
) -> None:
    """A contradiction only if the file names a camera, no later change and no software."""
    held = exif(main, {TAKEN: NOON})[6:]
    marked = data[:2] + b"\xff\xe1" + (len(held) + 8).to_bytes(2) + b"Exif\0\0" + held + data[2:]
    found = [it for it in signs(marked) if it.bearing == "contradiction"]
    assert [it.where for it in found] == ["EXIF and JPEG coefficients"] * contradicts
    assert ("contradicts itself" in provenance_of(marked).summary) is contradicts
