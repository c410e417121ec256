"""Identities in a data set are measured on real faces before its names are trusted."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from evals.datasets import Manifest, ManifestRow, load
from evals.datasets.identities import IdentityCheck, check_identities, with_identity_check
from tests.support.cases import astronaut_pixels, group_pixels
from tools.checkpoints.table import WEIGHTS_DIR
from tools.errors import SetupError
from tools.faces.analyser import Face, FaceAnalyser
from tools.forge.forgery import forge

FACES = WEIGHTS_DIR / "faces"


@pytest.fixture(scope="module")
def faces() -> FaceAnalyser:
    """The shipped models."""
    return FaceAnalyser(FACES, threads=1)


def largest(faces: FaceAnalyser, pixels: np.ndarray) -> Face:
    """The picture's largest face."""
    return max(faces.analyse([pixels])[0], key=lambda it: float(np.prod(it.box[2:] - it.box[:2])))


def members(faces: FaceAnalyser) -> list[np.ndarray]:
    """insightface's six sample people, a picture each."""
    group, pictures = group_pixels(), []
    for face in faces.analyse([group])[0]:
        x, y = (face.box[:2] + face.box[2:]) / 2
        half = 1.2 * (face.box[2:] - face.box[:2]).max()
        top, left = max(0, int(y - half)), max(0, int(x - half))
        pictures.append(np.ascontiguousarray(group[top : int(y + half), left : int(x + half)]))
    return pictures


@pytest.fixture(scope="module")
def swapped(tmp_path_factory: pytest.TempPathFactory, faces: FaceAnalyser) -> Manifest:
    """The astronaut's face on six people, as a swaps.csv says."""
    root, portrait = tmp_path_factory.mktemp("swaps"), astronaut_pixels()
    face, lines = largest(faces, portrait), ["fake,authentic_source,authentic_target,method"]
    Image.fromarray(portrait).save(root / "astronaut.png")
    for number, picture in enumerate(members(faces)):
        target = largest(faces, picture).landmarks
        assert target is not None
        forged = forge(
            picture, target, family="face_swap", rng=np.random.default_rng(3),
            source_pixels=portrait, source_landmarks=face.landmarks,
        )  # fmt: skip
        Image.fromarray(picture).save(root / f"member{number}.png")
        Image.fromarray(forged.pixels).save(root / f"fake{number}.png")
        lines.append(f"fake{number}.png,astronaut.png,member{number}.png,forge")
    (root / "swaps.csv").write_text("\n".join(lines))
    return load(root)


def inverted(manifest: Manifest) -> Manifest:
    """The same files with depicted and body taken for each other."""
    rows = (
        replace(row, depicted_id=row.body_id, body_id=row.depicted_id)
        for row in manifest.rows
    )  # fmt: skip
    return replace(manifest, rows=tuple(rows))


def test_right_names_agree(swapped: Manifest, faces: FaceAnalyser) -> None:
    """Swaps look like who was swapped in, and the manifest records that this was measured."""
    outcome = check_identities(swapped, faces)
    assert outcome.n == 6
    assert outcome.to_depicted > outcome.to_body + 0.2
    assert outcome.agrees is True
    assert with_identity_check(swapped, faces).notes["identities"].startswith("agrees: 6 fakes")


def test_inverted_names_are_refused(swapped: Manifest, faces: FaceAnalyser) -> None:
    """Ids the wrong way round stop everything, unless one wants to go on."""
    wrong = inverted(swapped)
    with pytest.raises(SetupError, match="the wrong way round"):
        with_identity_check(wrong, faces)
    note = with_identity_check(wrong, faces, anyway=True).notes["identities"]
    assert note.startswith("CONTRADICTS: 6 fakes")


def test_few_fakes_tell_nothing(swapped: Manifest, faces: FaceAnalyser) -> None:
    """Under five fakes nothing is concluded, in either direction."""
    few = inverted(swapped).where(lambda row: row.label == "real" or row.path < "fake3")
    outcome = check_identities(few, faces)
    assert (outcome.n, outcome.agrees) == (3, None)
    assert with_identity_check(few, faces).notes["identities"].startswith("cannot be told: 3 fakes")


def test_nothing_to_compare_is_not_measured(swapped: Manifest, faces: FaceAnalyser) -> None:
    """Without references, ids, faces or readable files there are no figures, not zeros."""
    fakes = swapped.where(lambda row: row.label == "fake")
    nobody = replace(swapped, rows=tuple(replace(row, body_id=None) for row in swapped.rows))
    same = replace(swapped, rows=tuple(replace(row, body_id=row.depicted_id) for row in fakes.rows))
    gone = replace(swapped, root=swapped.root / "gone")
    for manifest in (fakes, nobody, same, gone):
        outcome = check_identities(manifest, faces)
        assert outcome.n == 0
        assert np.isnan([outcome.to_depicted, outcome.to_body, outcome.share]).all()
        assert outcome.agrees is None
        assert with_identity_check(manifest, faces).notes["identities"].startswith("not measured")


@pytest.mark.parametrize(
    ("n", "depicted", "body", "share", "agrees"),
    [
        (50, 0.5, 0.1, 0.95, True),
        (50, 0.1, 0.5, 0.05, False),
        (50, 0.3, 0.3, 0.5, None),
        (4, 0.5, 0.1, 1.0, None),
    ],
)
def test_two_thirds_decide(
    n: int, depicted: float, body: float, share: float, agrees: bool | None
) -> None:
    """Five fakes and two thirds of them are needed to say anything."""
    assert IdentityCheck(n, depicted, body, share).agrees is agrees


def test_the_fakes_own_footage_is_the_last_reference(
    swapped: Manifest, faces: FaceAnalyser
) -> None:
    """With another picture of the body's person, that one is compared, not the source's."""
    fake = next(row for row in swapped.rows if row.path == "fake0.png")
    other = ManifestRow(
        "member1.png", "swaps", "real", depicted_id=fake.body_id, body_id=fake.body_id
    )
    kept = swapped.where(lambda row: row.path in ("fake0.png", "astronaut.png", "member0.png"))
    both = replace(kept, rows=(*kept.rows, other))
    mine, theirs = check_identities(kept, faces), check_identities(both, faces)
    expected = float(
        largest(faces, np.asarray(Image.open(swapped.root / "fake0.png"))).embedding
        @ largest(faces, np.asarray(Image.open(swapped.root / "member1.png"))).embedding
    )
    assert theirs.to_body == pytest.approx(expected, abs=1e-4)
    assert mine.to_body != pytest.approx(theirs.to_body, abs=1e-3)


def test_videos_are_looked_into(swapped: Manifest, faces: FaceAnalyser, tmp_path: Path) -> None:
    """A fake that is a video is judged by a frame of it."""
    pixels = np.asarray(Image.open(swapped.root / "fake0.png"))[:-1, :-1][:330, :270]
    for name in ("astronaut.png", "member0.png"):
        (tmp_path / name).write_bytes((swapped.root / name).read_bytes())
    film = cv2.VideoWriter(
        str(tmp_path / "fake0.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 10, pixels.shape[1::-1]
    )
    for _ in range(5):
        film.write(np.ascontiguousarray(pixels[..., ::-1]))
    film.release()
    rows = tuple(
        replace(row, path=row.path.replace("fake0.png", "fake0.mp4")) for row in swapped.rows
    )
    outcome = check_identities(replace(swapped, root=tmp_path, rows=rows), faces)
    assert outcome.n == 1
    assert outcome.to_depicted > outcome.to_body
