"""The same photograph is proven by alignment, also after common edits."""

import io
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageFont
from skimage import data

from tools.search.same_photograph.decision import Alignment, same_photograph
from tools.search.same_photograph.local_features import local_features, match_features

FACE = np.array([176, 64, 274, 190], np.float32)
"""The astronaut's face in her portrait, x1 y1 x2 y2 px."""

Edit = Callable[[Image.Image], Image.Image]


def portrait() -> Image.Image:
    """512 px wide and high."""
    return Image.fromarray(data.astronaut())


def aligned(edited: Image.Image, *, face: bool = True) -> Alignment:
    """The portrait and a picture made of it."""
    return same_photograph(
        np.asarray(portrait()), np.asarray(edited.convert("RGB")), first_face=FACE if face else None
    )


def as_jpeg(image: Image.Image, quality: int) -> Image.Image:
    """Through a JPEG."""
    written = io.BytesIO()
    image.save(written, "JPEG", quality=quality)
    return Image.open(written).convert("RGB")


def bordered(image: Image.Image) -> Image.Image:
    """With a coloured border."""
    framed = Image.new("RGB", (image.width + 120, image.height + 120), (200, 30, 60))
    framed.paste(image, (60, 60))
    return framed


def captioned(image: Image.Image) -> Image.Image:
    """With a banner of text across its lower part."""
    changed = image.copy()
    pen = ImageDraw.Draw(changed)
    pen.rectangle((0, 400, 512, 470), fill="white")
    pen.text((10, 405), "BREAKING NEWS", font=ImageFont.load_default(size=52), fill="black")
    return changed


def watermarked(image: Image.Image) -> Image.Image:
    """With an agency's name all over it."""
    marks = Image.new("RGBA", image.size)
    pen = ImageDraw.Draw(marks)
    for y in range(0, image.height, 90):
        for x in range(-200, image.width, 260):
            text = (x + y % 220, y), "(c) agency"
            pen.text(*text, font=ImageFont.load_default(size=36), fill=(255, 255, 255, 110))
    return Image.alpha_composite(image.convert("RGBA"), marks).convert("RGB")


def on_a_page(image: Image.Image) -> Image.Image:
    """A screenshot: lines of text above and below."""
    page = Image.new("RGB", (900, 1200), "white")
    page.paste(image, (190, 330))
    pen = ImageDraw.Draw(page)
    for y in (*range(10, 300, 40), *range(860, 1180, 40)):
        line = "The quick brown fox jumps over the lazy dog."
        pen.text((40, y), line, font=ImageFont.load_default(size=28), fill="black")
    return page


def scaled(image: Image.Image, factor: float) -> Image.Image:
    """Smaller or larger."""
    size = round(image.width * factor), round(image.height * factor)
    return image.resize(size, Image.Resampling.LANCZOS)


EDITS: dict[str, Edit] = {
    "nothing": lambda it: it,
    "crop": lambda it: it.crop((90, 10, 400, 330)),
    "crop to a third": lambda it: it.crop((130, 20, 330, 220)),
    "tight face crop": lambda it: it.crop((140, 30, 310, 220)).resize((224, 224)),
    "mirror": lambda it: it.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "border": bordered,
    "watermark": watermarked,
    "text": captioned,
    "screenshot": on_a_page,
    "grey": lambda it: it.convert("L"),
    "JPEG": lambda it: as_jpeg(it, 30),
    "smaller": lambda it: scaled(it, 0.3),
    "larger": lambda it: scaled(it, 2.5),
    "turned a little": lambda it: it.rotate(4, Image.Resampling.BICUBIC),
    "stretched": lambda it: it.resize((620, 512)),
    "blur": lambda it: it.filter(ImageFilter.GaussianBlur(2)),
    "dark": lambda it: it.point(lambda value: int(value * 0.4)),
    "bleached": lambda it: it.point(lambda value: int(140 + value * 0.45)),
    "crop on a page": lambda it: on_a_page(it.crop((60, 0, 450, 400)).resize((512, 525))),
    "small screenshot": lambda it: scaled(on_a_page(it), 0.45),
    "mirrored watermark": lambda it: watermarked(it).transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "grey JPEG with text": lambda it: as_jpeg(captioned(it).convert("L").convert("RGB"), 30),
}


@pytest.mark.parametrize("name", EDITS)
@pytest.mark.parametrize("face", [True, False])
def test_an_edited_photograph_is_the_same_photograph(name: str, face: bool) -> None:
    """Whatever was done to the whole picture, and whether or not the face is known."""
    found = aligned(EDITS[name](portrait()), face=face)
    assert found.proven, found.reason
    assert not found.reason
    assert found.mirrored == name.startswith("mirror")
    assert (found.agreeing_share or 0) > 0.4


def test_the_map_takes_pixels_of_the_second_to_the_first() -> None:
    """At the sizes that were given, mirrored or not."""
    cut = portrait().crop((90, 10, 400, 330)).resize((930, 960))
    found = aligned(cut)
    assert found.matrix is not None
    np.testing.assert_allclose(found.matrix @ [300, 150, 1], [190, 60], atol=1.5)
    flipped = aligned(cut.transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    assert flipped.matrix is not None
    np.testing.assert_allclose(flipped.matrix @ [929 - 300, 150, 1], [190, 60], atol=1.5)


def test_a_mirrored_picture_needs_no_second_look() -> None:
    """Reordered descriptors are those of the flipped picture: nearly all keypoints match."""
    pixels = np.ascontiguousarray(data.astronaut()[40:360, 60:420])
    flipped = local_features(np.ascontiguousarray(pixels[:, ::-1]))
    found = match_features(local_features(pixels).mirrored(), flipped)
    assert found is not None
    assert len(found.inliers) > 0.6 * len(flipped.points)


@pytest.mark.parametrize("other", ["camera", "chelsea", "coffee", "rocket", "cat_on_page"])
def test_another_picture_is_not(other: str) -> None:
    """Nothing is claimed, and a reason is given."""
    if other == "cat_on_page":
        picture = on_a_page(Image.fromarray(data.chelsea()))
    else:
        picture = Image.fromarray(getattr(data, other)())
    found = aligned(picture)
    assert not found.proven
    assert found.reason
    assert found.face_difference is None


def test_pages_with_the_same_text_are_not_the_same_photograph() -> None:
    """What they share is the page; the photographs on them are two."""
    pages = [on_a_page(portrait()), on_a_page(Image.fromarray(data.chelsea()).resize((512, 512)))]
    face = FACE + np.array([190, 330, 190, 330], np.float32)
    found = same_photograph(*(np.asarray(it) for it in pages), first_face=face)
    assert not found.proven


def test_another_moment_before_the_same_background_is_not() -> None:
    """The background agrees, the person has moved: what surrounds the face does not agree."""
    moved = data.astronaut()
    person = np.zeros((512, 512), np.uint8)
    cv2.ellipse(person, (225, 200), (150, 190), 0, 0, 360, 255, -1)
    turn = cv2.getRotationMatrix2D((225, 200), 14, 1.04)
    turned = cv2.warpAffine(moved, turn, (512, 512), borderMode=cv2.BORDER_REFLECT)
    moved = np.where(person[..., None] > 0, turned, moved)
    assert not aligned(Image.fromarray(moved)).proven


@pytest.mark.parametrize(
    "where", [(300, 0, 512, 190), (310, 0, 512, 160), (0, 0, 150, 230), (330, 20, 512, 150)]
)
def test_another_shot_of_a_burst_is_not(where: tuple[int, int, int, int]) -> None:
    """The person has not moved, and most of the picture agrees; something behind has changed."""
    before = data.astronaut()
    mask = np.zeros(before.shape[:2], np.float32)
    left, top, right, bottom = where
    mask[top:bottom, left:right] = 1
    soft = cv2.GaussianBlur(mask, (0, 0), 6)[..., None]
    after = before * (1 - soft) + cv2.resize(data.chelsea(), (512, 512)) * soft
    after = after * 0.93 + 4 + np.random.default_rng(0).normal(0, 3, after.shape)
    found = aligned(Image.fromarray(after.clip(0, 255).astype(np.uint8)))
    assert not found.proven
    assert "something else" in found.reason
    assert (found.agreeing_share or 0) > 0.8


@pytest.mark.parametrize("shape", [(512, 512), (8, 8), (1, 300), (40, 40)])
def test_a_picture_without_details_is_not(shape: tuple[int, int]) -> None:
    """Plain and tiny pictures align with nothing, not even with themselves."""
    plain = np.full((*shape, 3), 127, np.uint8)
    assert not same_photograph(plain, plain).proven
    assert not same_photograph(data.astronaut(), plain, first_face=FACE).proven


def another_face(image: Image.Image) -> Image.Image:
    """Its face replaced by other details, blended in."""
    pixels = np.asarray(image).copy()
    cat = cv2.resize(data.chelsea()[40:240, 140:320], (98, 126))
    mask = np.zeros(pixels.shape[:2], np.uint8)
    cv2.ellipse(mask, (225, 130), (40, 52), 0, 0, 360, 255, -1)
    left, top = 176, 67
    whole = pixels.copy()
    whole[top : top + 126, left : left + 98] = cat
    soft = cv2.GaussianBlur(mask, (0, 0), 4)[..., None] / 255
    return Image.fromarray((whole * soft + pixels * (1 - soft)).astype(np.uint8))


def test_another_face_in_the_same_photograph_differs() -> None:
    """It is the same photograph, and its face differs far more than under any harmless edit."""
    swapped = aligned(another_face(portrait()))
    assert swapped.proven
    assert swapped.differs is not None
    centre = (swapped.differs[:2] + swapped.differs[2:]) / 2
    assert (FACE[:2] < centre).all()
    assert (centre < FACE[2:]).all()
    harmless = [
        aligned(EDITS[name](portrait())).face_difference or 0.0
        for name in ("JPEG", "grey", "mirror", "smaller", "border", "screenshot", "blur", "dark")
    ]
    assert (swapped.face_difference or 0.0) > max(harmless) + 0.3


FACE_EDITS: dict[str, Edit] = {
    "another face": lambda it: another_face(it),
    "a smoothed eye": lambda it: with_part(it, it.filter(ImageFilter.GaussianBlur(4))),
    "a darker mouth": lambda it: with_part(it, it.point(lambda value: int(value * 0.8))),
}


def with_part(image: Image.Image, changed: Image.Image) -> Image.Image:
    """Only a part of the face is the changed picture's."""
    place = (195, 110, 250, 135)
    edited = image.copy()
    edited.paste(changed.crop(place), place[:2])
    return edited


@pytest.mark.parametrize("name", FACE_EDITS)
@pytest.mark.parametrize("after", ["nothing", "JPEG", "dark", "mirror", "text"])
def test_a_face_that_was_changed_stands_out(name: str, after: str) -> None:
    """More than under what is done to the whole photograph, which comes on top."""
    harmless = aligned(EDITS[after](portrait()))
    forged = aligned(EDITS[after](FACE_EDITS[name](portrait())))
    assert harmless.face_change is not None
    assert forged.face_change is not None
    assert forged.face_change > harmless.face_change + 0.3


@pytest.mark.parametrize("name", sorted(set(EDITS) - {"tight face crop"}))
def test_what_is_done_to_the_whole_photograph_is_no_change_of_the_face(name: str) -> None:
    """What is left over in the face is about what is left over around it."""
    found = aligned(EDITS[name](portrait())).face_change
    assert found is not None
    assert found < 0.8


def test_the_same_pictures_always_give_the_same_answer() -> None:
    """RANSAC draws at random, from the same seed every time."""
    answers = {
        (it.inliers, it.agreeing_share, it.matrix.tobytes() if it.matrix is not None else b"")
        for it in (aligned(EDITS["screenshot"](portrait())) for _ in range(3))
    }
    assert len(answers) == 1
