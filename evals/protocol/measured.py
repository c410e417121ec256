"""Measure a data set: index every picture with the application's code and collect the results.

Rows of a manifest together with their measured arrays, for all suites. The pictures are indexed
into a gallery in the run's folder, so an interrupted run resumes; broken files are listed and left
out.
"""

import functools
import hashlib
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from assistant import Settings, Unmask
from assistant.profile import LoadedModels
from evals.datasets.manifest import Manifest, ManifestRow
from evals.options import EvalOptions
from tools.faces.alignment import aligned_crop
from tools.gallery.record_store import Gallery
from tools.gallery.records import FaceRecord, ImageRecord
from tools.media.videos.sampling import read_pixels_at
from tools.search.query import Query, QueryFace, build_query
from tools.search.scoring import FaceColumns, detector_scores
from tools.verdict.calibration import Scores
from tools.verdict.rule import ForgeryQuestion

MAX_FRAMES_PER_VIDEO = 32
"""Maximum frames per video, as is usual in the literature."""


@functools.cache
def load_models() -> LoadedModels:
    """The models of the current settings; loaded once per process."""
    return LoadedModels(Settings.load())


@dataclass(frozen=True, slots=True, eq=False)
class MeasuredDataset:
    """n pictures of a data set with the measurements of the chosen face of each.

    `rows` come from the manifest, a video's once per sampled frame, with that frame's number; `ids`
    are stable names, a frame's with its seconds; `times_s` is None for pictures; `faces` is None if
    no face was found; `image_features` (n, d) float32 of the whole picture. `skipped` lists
    unreadable files with the reason; they are in no other field. `closer` are the scores that the
    closer look adds (`evals.protocol.closer_look`); empty if none was taken.
    """

    root: Path
    rows: tuple[ManifestRow, ...]
    ids: tuple[str, ...]
    times_s: tuple[float | None, ...]
    faces: tuple[FaceRecord | None, ...]
    image_features: np.ndarray
    marks: tuple[bool, ...]
    skipped: tuple[tuple[str, str], ...]
    closer: tuple[Scores, ...] = ()

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def found(self) -> np.ndarray:
        """(n,) bool: a face was found that can be cropped."""
        return np.array([_usable(face) for face in self.faces], bool)

    @property
    def forged(self) -> np.ndarray:
        """(n,) bool: labelled fake."""
        return np.array([row.label == "fake" for row in self.rows], bool)

    @property
    def labelled(self) -> np.ndarray:
        """(n,) bool: the label is known."""
        return np.array([row.label != "unknown" for row in self.rows], bool)

    @property
    def groups(self) -> np.ndarray:
        """(n,) str: the person, else the video or original; the units of the bootstrap."""
        return np.array(
            [row.depicted_id or row.source_video or row.video_id or row.path for row in self.rows]
        )

    @property
    def embeddings(self) -> np.ndarray:
        """(n, e) float32 unit vectors; NaN rows without a face."""
        return _stacked([face.face.embedding if face else None for face in self.faces])

    @property
    def face_features(self) -> np.ndarray:
        """(n, d) float32 of the aligned crop, not normalised; NaN rows without a face."""
        # The same encoder as for whole pictures: the same width, even if no face was found.
        width = self.image_features.shape[1]
        return _stacked([face.features if face else None for face in self.faces], width=width)

    @property
    def columns(self) -> FaceColumns:
        """Input of `tools.search.scoring.score_faces` for comparison with a query."""
        return FaceColumns(
            embeddings=self.embeddings,
            face_features=self.face_features,
            image_features=self.image_features,
            face_hashes=[face.face_hash if face else None for face in self.faces],
            interocular_px=[
                face.face.quality.interocular_px if face else np.nan for face in self.faces
            ],
            unmask_marks=self.marks,
        )

    def scores(self) -> dict[str, np.ndarray]:
        """(n,) float64 of every shipped detector, by `<input>/<name>`; higher is more forged."""
        return detector_scores(self.columns, detectors=load_models().detectors)

    def fused(self) -> np.ndarray:
        """(n,) probability of forgery by the verdict rule without a query; NaN: not measured."""
        rule = load_models().rule
        return probabilities(self.forgery_logits(rule.questions["alone"] if rule else None))

    def forgery_logits(self, question: ForgeryQuestion | None) -> np.ndarray:
        """(n,) log odds of forgery by a question of the rule; NaN where a score of it is missing.

        NaN everywhere for None, a question that the profile does not have.
        """
        columns, closer = self.scores(), self.closer or ({},) * len(self)
        values = np.full(len(self), np.nan)
        for index, further in enumerate(closer if question else ()):
            scores = {name: float(column[index]) for name, column in columns.items()}
            logit = question.calibrator.logit({**scores, **further}) if question else None
            values[index] = np.nan if logit is None else logit
        return values

    def take(self, indices: Sequence[int] | np.ndarray) -> "MeasuredDataset":
        """A subset of the pictures, in the given order."""
        kept = [int(index) for index in indices]
        return MeasuredDataset(
            root=self.root,
            rows=tuple(self.rows[index] for index in kept),
            ids=tuple(self.ids[index] for index in kept),
            times_s=tuple(self.times_s[index] for index in kept),
            faces=tuple(self.faces[index] for index in kept),
            image_features=self.image_features[kept],
            marks=tuple(self.marks[index] for index in kept),
            skipped=self.skipped,
            closer=tuple(self.closer[index] for index in kept) if self.closer else (),
        )

    def query(self, indices: Sequence[int]) -> Query:
        """A query from these pictures of one person; each must show a face."""
        return build_query([self._query_face(int(index)) for index in indices])

    def _query_face(self, index: int) -> QueryFace:
        face = self.faces[index]
        if face is None:
            raise ValueError(f"{self.ids[index]} shows no face that can be measured")
        path = self.root / self.rows[index].path
        return QueryFace.of(
            face,
            photo_id=face.image_id,
            path=path,
            name=repr(path.name),
            marked=self.marks[index],
        )

    def picture(self, index: int) -> np.ndarray:
        """(h, w, 3) uint8 RGB, read from disk."""
        return read_pixels_at(self.root / self.rows[index].path, self.times_s[index])

    def face_crop(self, index: int, *, size: int, margin: float = 1.0) -> np.ndarray:
        """The aligned face (size, size, 3) uint8 RGB; without a face, the whole picture,
        resized."""
        pixels, face = self.picture(index), self.faces[index]
        if face is None or not _usable(face):
            return _resized(pixels, size)
        return aligned_crop(pixels, face.face.keypoints, size=size, margin=margin)


def probabilities(logits: np.ndarray) -> np.ndarray:
    """Log odds (n,) to probabilities; NaN stays NaN."""
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -40, 40))))


def measure_dataset(manifest: Manifest, options: EvalOptions) -> MeasuredDataset:
    """Index the pictures of a manifest and collect their measurements.

    The gallery is `options.output / "home"`, or in a temporary folder. Of several faces in a
    picture the large, central one is used, as in insightface's examples.
    """
    if options.limit is not None:
        manifest = manifest.sample(options.limit, options.seed)
    options.record(manifest)
    with tempfile.TemporaryDirectory() as temporary:
        home = (options.output or Path(temporary)) / "home"
        settings = Settings.load().model_copy(update={"home": home})
        # Different checkpoints use a different gallery.
        marks = hashlib.sha256(
            json.dumps(load_models().fingerprint, sort_keys=True).encode()
        ).hexdigest()
        name = f"measured-{marks[:12]}"
        unmask = Unmask(settings, gallery=name, models=load_models())
        named = (manifest.root / row.path for row in manifest.rows)
        files = [file for file in named if file.exists()]  # the others are skipped as missing
        unmask.index(
            files,
            on_progress=lambda at: options.progress(at.files_done, at.files_total, "faces"),
        )
        with Gallery.open_existing(home, name) as gallery:
            return _collected(manifest, gallery)


def _collected(manifest: Manifest, gallery: Gallery) -> MeasuredDataset:
    kept: list[_Picture] = []
    skipped: list[tuple[str, str]] = []
    for row in manifest.rows:
        file = gallery.file((manifest.root / row.path).resolve())
        if file is None or file.image_id is None:
            skipped.append((row.path, "missing" if file is None else str(file.problem)))
        else:
            kept += _pictures(row, file.image_id, gallery)
    return MeasuredDataset(
        root=manifest.root,
        rows=tuple(one.row for one in kept),
        ids=tuple(one.id for one in kept),
        times_s=tuple(one.time_s for one in kept),
        faces=tuple(one.face for one in kept),
        image_features=_stacked([one.image.features for one in kept]),
        marks=tuple(one.image.unmask_forgery for one in kept),
        skipped=tuple(skipped),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Picture:
    """A row with the gallery's data about it, or about one frame of it."""

    row: ManifestRow
    id: str
    time_s: float | None
    image: ImageRecord
    face: FaceRecord | None


def _pictures(row: ManifestRow, image_id: str, gallery: Gallery) -> list[_Picture]:
    """The picture of a file; for a video, evenly spaced ones of its sampled frames."""
    frames = gallery.frames_of(image_id)
    if not frames:
        return [_picture(row, row.path, image_id, None, gallery)]
    places = (
        np.linspace(0, len(frames) - 1, min(len(frames), MAX_FRAMES_PER_VIDEO)).round().astype(int)
    )
    return [
        _picture(
            replace(row, frame=int(place)),
            f"{row.path}@{frames[place].time_s:g}",
            frames[place].image_id,
            frames[place].time_s,
            gallery,
        )
        for place in places
    ]


def _picture(
    row: ManifestRow, name: str, image_id: str, time_s: float | None, gallery: Gallery
) -> _Picture:
    image = gallery.image(image_id)
    faces = gallery.faces_of(image_id)
    face = max(faces, key=lambda one: _prominence(one, image.width, image.height), default=None)
    return _Picture(row, name, time_s, image, face)


def _prominence(face: FaceRecord, width: int, height: int) -> float:
    """insightface's measure: the box's area minus twice the squared distance from the centre."""
    left, top, right, bottom = (float(edge) for edge in face.face.box)
    across, down = (left + right - width) / 2, (top + bottom - height) / 2
    return (right - left) * (bottom - top) - 2.0 * (across**2 + down**2)


def _usable(face: FaceRecord | None) -> bool:
    return face is not None and face.features is not None


def _stacked(vectors: Sequence[np.ndarray | None], *, width: int = 0) -> np.ndarray:
    """Vectors as rows (n, d) float32; missing ones become NaN, with `width` if all are missing."""
    width = next((len(vector) for vector in vectors if vector is not None), width)
    missing = np.full(width, np.nan, np.float32)
    rows = [missing if vector is None else vector for vector in vectors]
    return np.array(rows, np.float32).reshape(len(rows), width)


def _resized(pixels: np.ndarray, size: int) -> np.ndarray:
    import cv2

    return np.asarray(cv2.resize(pixels, (size, size), interpolation=cv2.INTER_AREA))
