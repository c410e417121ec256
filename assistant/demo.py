"""The demo: a small gallery of real photographs and forgeries of them, generated on the spot.

The pictures come with installed packages: NASA's public-domain portrait of an astronaut in
scikit-image and the sample photos of insightface. The query person is the astronaut. Because the
answers are known, the demo can count how many of its own hits are right.
"""

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageEnhance

from assistant.investigation import Unmask
from assistant.report.findings_page import write_report
from assistant.settings import Settings
from tools.faces.analyser import Face, FaceAnalyser
from tools.forge.forgery import SWAPS, forge, save_forgery
from tools.gallery.indexing.progress import IndexSummary
from tools.gallery.locking.state import require_unlocked
from tools.media.private_files import private_folder, restrict_permissions
from tools.search.checking.check import OnProgress
from tools.search.results import Findings

DEMO_GALLERY = "unmask-demo"


@dataclass(frozen=True, slots=True)
class DemoPortrait:
    """A photograph and the selected face in it."""

    name: str
    pixels: np.ndarray
    face: Face

    @property
    def landmarks(self) -> np.ndarray:
        """(68, 2) px; the demo uses only faces that have them."""
        if self.face.landmarks is None:
            raise ValueError(f"no landmarks on {self.name!r}")
        return self.face.landmarks


@dataclass(frozen=True, slots=True)
class DemoResult:
    """The demo's findings, the true nature of every file, and the path of the page."""

    findings: Findings
    summary: IndexSummary
    answers: dict[str, str]
    page: Path
    folder: Path


def run_demo(settings: Settings, on_progress: OnProgress | None = None) -> DemoResult:
    """Generate the pictures, index them, search for the astronaut, and write the page.

    Works in `<home>/demo` and in the gallery `unmask-demo`; both are recreated each time.
    `on_progress` is called with the stage, the number done and the total.
    """
    told = on_progress or _silent
    told("making the pictures", 0, 1)
    home = settings.demo_dir
    for old in (home, settings.galleries_dir / DEMO_GALLERY):
        shutil.rmtree(old, ignore_errors=True)
    folder = home / "pictures"
    require_unlocked(home, "the demo", unlock="--all")
    private_folder(home)
    private_folder(folder)
    unmask = Unmask(settings, gallery=DEMO_GALLERY)
    query, answers = write_demo_images(folder, unmask.models.faces)
    told("making the pictures", 1, 1)
    summary = unmask.index(
        [folder], on_progress=lambda it: told("indexing", it.files_done, it.files_total)
    )
    findings, measured = unmask.investigate(
        [query], top=len(answers), on_progress=partial(told, "looking closer")
    )
    page = write_report(
        findings, measured, home / "report.html", rule=unmask.models.rule,
        instruments=unmask.models, on_progress=partial(told, "drawing pictures and maps"),
    )  # fmt: skip
    (home / "answers.json").write_text(json.dumps(answers, indent=1))
    restrict_permissions(home)
    return DemoResult(findings, summary, answers, page, folder)


def _silent(stage: str, done: int, total: int) -> None:
    pass


def write_demo_images(folder: Path, faces: FaceAnalyser) -> tuple[Path, dict[str, str]]:
    """Write the query photo beside `folder` and the gallery into it.

    Returns the query's path, and the true nature of each gallery file by file name.
    """
    astronaut, group = _sources(faces)
    query = folder.parent / "query.png"
    Image.fromarray(astronaut.pixels).save(query)
    answers: dict[str, str] = {}
    for name, pixels in _authentic(astronaut):
        Image.fromarray(pixels).save(folder / f"{name}.jpg", quality=90)
        answers[f"{name}.jpg"] = "the query photo, edited without forging"
    for person in group:
        Image.fromarray(_around(person)).save(folder / f"{person.name}.jpg", quality=90)
        answers[f"{person.name}.jpg"] = "an authentic photo of another person"
    answers |= _forgeries(folder, astronaut, group)
    for name, pixels in _without_faces():
        Image.fromarray(pixels).save(folder / f"{name}.png")
    return query, answers


def _sources(faces: FaceAnalyser) -> tuple[DemoPortrait, list[DemoPortrait]]:
    from insightface.data import get_image
    from skimage.data import astronaut

    group = np.ascontiguousarray(get_image("t1")[..., ::-1])
    pictures = [np.ascontiguousarray(astronaut()), group]  # type: ignore[no-untyped-call]
    first, rest = faces.analyse(pictures)
    portrait = max(first, key=lambda face: face.quality.width_px)
    people = [
        DemoPortrait(f"person_{number}", pictures[1], face) for number, face in enumerate(rest, 1)
    ]
    return DemoPortrait("astronaut", pictures[0], portrait), people


def _authentic(portrait: DemoPortrait) -> Iterator[tuple[str, np.ndarray]]:
    pixels = portrait.pixels
    left, top, right, bottom = (int(edge) for edge in portrait.face.box)
    reach = (right - left) // 2
    image = Image.fromarray(pixels)
    yield "query_reencoded", pixels
    rows, columns = slice(max(0, top - reach), bottom + reach), slice(max(0, left - reach), None)
    yield "query_cropped", pixels[rows, columns]
    yield "query_brighter", np.asarray(ImageEnhance.Brightness(image).enhance(1.25))
    yield "query_smaller", cv2.resize(pixels, None, fx=0.7, fy=0.7, interpolation=cv2.INTER_AREA)
    yield "query_mirrored", np.ascontiguousarray(pixels[:, ::-1])


def _around(person: DemoPortrait) -> np.ndarray:
    left, top, right, bottom = (int(edge) for edge in person.face.box)
    reach = right - left
    height, width = person.pixels.shape[:2]
    return person.pixels[
        max(0, top - reach) : min(height, bottom + reach),
        max(0, left - reach) : min(width, right + reach),
    ]


def _forgeries(
    folder: Path, astronaut: DemoPortrait, group: Sequence[DemoPortrait]
) -> dict[str, str]:
    """Forgeries that depict the astronaut, and forgeries that depict other people."""
    rng = np.random.default_rng(11)
    answers = {}
    for family in ("self_blend", "region_swap", "inpainting", "resynthesis"):
        name = f"forged_{family}.jpg"
        _forge(folder / name, astronaut, group[0], family=family, rng=rng)
        answers[name] = f"a forgery of the query person ({family})"
    for number, body in enumerate(group[:4], start=1):
        name = f"forged_swap_{number}.jpg"
        _forge(folder / name, _cut(body), astronaut, family="face_swap", rng=rng)
        answers[name] = "a forgery of the query person (face_swap)"
    for number, face in enumerate(group[-2:], start=1):
        name = f"forged_other_{number}.jpg"
        _forge(folder / name, astronaut, face, family="face_swap", rng=rng)
        answers[name] = "a forgery of another person (face_swap)"
    return answers


def _forge(
    path: Path, target: DemoPortrait, source: DemoPortrait, *, family: str, rng: np.random.Generator
) -> None:
    swap = family in SWAPS
    forgery = forge(
        target.pixels, target.landmarks, family=family, rng=rng,
        source_pixels=source.pixels if swap else None,
        source_landmarks=source.landmarks if swap else None,
    )  # fmt: skip
    save_forgery(forgery, path)


def _cut(person: DemoPortrait) -> DemoPortrait:
    """Crop a person: pixels around the face, with the landmarks moved accordingly."""
    left, top, right, _ = (int(edge) for edge in person.face.box)
    reach = right - left
    shift = np.array([max(0, left - reach), max(0, top - reach)], np.float32)
    face = person.face
    moved = replace(
        face,
        box=face.box - np.tile(shift, 2),
        keypoints=face.keypoints - shift,
        landmarks=person.landmarks - shift,
    )
    return DemoPortrait(person.name, np.ascontiguousarray(_around(person)), moved)


def _without_faces() -> Iterator[tuple[str, np.ndarray]]:
    from skimage import data

    for name in ("coffee", "chelsea", "rocket", "page"):
        pixels = getattr(data, name)()
        yield name, pixels if pixels.ndim == 3 else np.stack([pixels] * 3, axis=2)
