"""Measuring a data set: pictures, video frames, and unreadable files."""

import numpy as np
import pytest

from evals.datasets.manifest import Manifest, ManifestRow
from evals.options import EvalOptions
from evals.protocol.measured import MAX_FRAMES_PER_VIDEO, MeasuredDataset, measure_dataset
from tests.support.cases import astronaut_pixels
from tests.support.clips import write_clip
from tools.media.pictures.decoding import read_photo


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> MeasuredDataset:
    """A photograph, a video that shows it, a picture without a face, and a broken file."""
    from PIL import Image

    root = tmp_path_factory.mktemp("set")
    portrait = astronaut_pixels()
    Image.fromarray(portrait).save(root / "photo.png")
    Image.new("RGB", (300, 200), "green").save(root / "field.png")
    (root / "broken.jpg").write_bytes(b"\xff\xd8\xff and no more")
    write_clip(root / "clip.mp4", [portrait[:400, :400]] * 10, rate=2)
    rows = (
        ManifestRow("photo.png", "made", "real", depicted_id="a"),
        ManifestRow("field.png", "made", "unknown"),
        ManifestRow("broken.jpg", "made", "real"),
        ManifestRow("clip.mp4", "made", "fake", video_id="clip", source_video="clip"),
        ManifestRow("gone.png", "made", "real"),
    )
    return measure_dataset(
        Manifest("made", root, rows), EvalOptions(data=root, output=root / "run")
    )


def test_what_cannot_be_read_is_named(measured: MeasuredDataset) -> None:
    """Broken and missing files are left out with their reasons, and nothing else is."""
    assert dict(measured.skipped) == {"broken.jpg": "damaged", "gone.png": "missing"}
    assert {row.path for row in measured.rows} == {"photo.png", "field.png", "clip.mp4"}


def test_a_video_is_a_row_a_frame(measured: MeasuredDataset) -> None:
    """Frames carry their number, their time and the video's label; pictures have no time."""
    frames = [at for at, row in enumerate(measured.rows) if row.video_id]
    assert 8 <= len(frames) <= MAX_FRAMES_PER_VIDEO
    assert [measured.rows[at].frame for at in frames] == sorted(
        measured.rows[at].frame or 0 for at in frames
    )
    assert measured.times_s[0] is None
    assert measured.ids[frames[1]] == f"clip.mp4@{measured.times_s[frames[1]]:g}"
    assert measured.forged[frames].all()
    assert measured.picture(frames[-1]).shape == (400, 400, 3)


def test_missing_measurements_are_nan(measured: MeasuredDataset) -> None:
    """A picture without a face has no embedding, no face score and no probability."""
    assert measured.found.tolist()[:2] == [True, False]
    assert np.isnan(measured.embeddings[1]).all()
    assert np.isnan(measured.scores()["face/unifd_linear"][1])
    assert np.isfinite(measured.scores()["image/unifd_linear"]).all()
    assert np.isnan(measured.fused()[1])
    assert measured.labelled.tolist()[:2] == [True, False]


def test_the_same_person_is_measured_alike(measured: MeasuredDataset) -> None:
    """The photo as a query lies near the frames of the same face."""
    last = len(measured) - 1
    assert measured.query([0]).template @ measured.embeddings[last] > 0.6
    assert np.array_equal(measured.picture(0), read_photo(measured.root / "photo.png").pixels)
    assert measured.take([last]).rows == (measured.rows[last],)
    assert measured.face_crop(1, size=32).shape == (32, 32, 3)
