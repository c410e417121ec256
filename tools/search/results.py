"""Search results: ranked hits, each with a verdict, evidence and an explanation."""

from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tools.media.file_names import printable
from tools.verdict.calibration import InconclusiveBand, to_json
from tools.verdict.clauses import join_with_and
from tools.verdict.evidence import Evidence
from tools.verdict.interpretation import interpret_forgery
from tools.verdict.rule import VERDICTS, Assessment, Verdict
from tools.verdict.template_writer import Sentence, explain


@dataclass(frozen=True, slots=True)
class HitVersion:
    """Another version of a hit's photograph: the same picture with another face in one place.

    `paths` are its files, or with `file_missing` their last known locations; for a frame of a
    video, `time_s` is its time (for `paged` files the page, counted from 0). `box` (x1, y1, x2, y2)
    is the other face in its pixels; `matrix` (2 rows of 3) maps these to the hit's pixels, where
    `place` is the box of what differs.
    """

    image_id: str
    paths: tuple[Path, ...]
    file_missing: bool
    box: tuple[float, float, float, float]
    place: tuple[float, float, float, float]
    matrix: tuple[tuple[float, float, float], tuple[float, float, float]]
    time_s: float | None = None
    paged: bool = False

    @property
    def path(self) -> Path:
        """The first file that holds it."""
        return self.paths[0]

    @property
    def name(self) -> str:
        """The file's name, with the position in it."""
        return printable(Path(self.path.name)) + format_position(self.time_s, paged=self.paged)

    def to_json(self) -> dict[str, Any]:
        """A JSON-able dict."""
        return {
            "path": printable(self.path),
            "file_missing": self.file_missing,
            "image_id": self.image_id,
            "time_s": None if self.paged else self.time_s,
            "page": round(self.time_s) + 1 if self.paged and self.time_s is not None else None,
            "box": [round(edge, 1) for edge in self.box],
            "place": [round(edge, 1) for edge in self.place],
            "matrix": [[round(value, 5) for value in row] for row in self.matrix],
        }


@dataclass(frozen=True, slots=True)
class Hit:
    """A gallery face returned for a query.

    `paths` are the files known to hold the image (id = sha256 of its bytes); `box`
    (x1, y1, x2, y2) and the five `keypoints` are in pixels of the upright image.
    Probabilities are None when not measured.

    A hit in a video is the whole video, represented by its strongest frame at `time_s` seconds, the
    first of `moments`, strongest first. `frames` is the number of frames analysed and `frames_seen`
    the number that show the person; the evidence is the mean over those (`tools.search.aggregation`
    describes the case without any). For pictures these fields are None and `moments` is empty. If
    the frames are pages (`paged`), `time_s` is the page number, counted from 0.

    `face_hash` is the perceptual hash of the aligned face (unsigned, 64 bits).

    `file_missing`: none of the files exists any more (deleted, moved, or on an unmounted disk);
    `paths` are their last known locations. `file_replaced`: those that exist hold another content
    than what was indexed, which the measurements are about. `version` is another version of its
    photograph, with another face: then one of the two was altered. `missing_version` is the last
    known location of a picture that may be one and could not be compared.
    """

    rank: int
    face_id: str
    image_id: str
    paths: tuple[Path, ...]
    box: tuple[float, float, float, float]
    keypoints: tuple[tuple[float, float], ...]
    assessment: Assessment
    evidence: tuple[Evidence, ...]
    explanation: str
    time_s: float | None = None
    moments: tuple[float, ...] = ()
    frames_seen: int | None = None
    frames: int | None = None
    file_missing: bool = False
    file_replaced: bool = False
    paged: bool = False
    face_hash: int | None = None
    version: HitVersion | None = None
    missing_version: Path | None = None

    @property
    def handle(self) -> str:
        """The hit's handle in a case: "H" and its rank."""
        return f"H{self.rank}"

    @property
    def path(self) -> Path:
        """The first file that holds the image."""
        return self.paths[0]

    @property
    def at(self) -> str:
        """Position in the file, appended to the file's name: " at 0:12", or empty."""
        return format_position(self.time_s, paged=self.paged)

    @property
    def page(self) -> int | None:
        """The page number, from 1; None if the file has no pages."""
        return None if self.time_s is None or not self.paged else round(self.time_s) + 1

    @property
    def seen(self) -> str:
        """How many frames of a video show the person, and when; empty for a picture."""
        if self.frames is None:
            return ""
        what = "pages" if self.paged else "frames"
        if not self.frames_seen:
            return f"Not seen for certain in any of {self.frames} {what}; most alike{self.at}."
        where = dict.fromkeys(format_position(it, paged=self.paged).strip() for it in self.moments)
        first, *others = where
        rest = "".join(f", {each.rpartition(' ')[2]}" for each in others)
        return f"Seen in {self.frames_seen} of {self.frames} {what}; strongest {first}{rest}."

    @property
    def verdict(self) -> Verdict:
        """The rule's outcome."""
        return self.assessment.verdict

    def explain(self, whom: str = "") -> tuple[Sentence, ...]:
        """The explanation with `whom` as its subject: the same in chat, report and terminal."""
        return explain(
            self.assessment,
            self.evidence,
            whom=whom,
            version="" if self.version is None else self.version.name,
            missing_version="" if self.missing_version is None else self.missing_version.name,
        )

    def to_json(self) -> dict[str, Any]:
        """A JSON-able dict; null means not measured."""
        return {
            "rank": self.rank,
            "path": printable(self.path),
            "other_paths": [printable(path) for path in self.paths[1:]],
            "file_missing": self.file_missing,
            "file_replaced": self.file_replaced,
            "image_id": self.image_id,
            "face_id": self.face_id,
            "time_s": None if self.paged else self.time_s,
            "page": self.page,
            "moments": [] if self.paged else list(self.moments),
            "frames_seen": self.frames_seen,
            "frames": self.frames,
            "box": [round(edge, 1) for edge in self.box],
            "verdict": self.verdict,
            "reason": self.assessment.reason,
            "identity_probability": self.assessment.identity_probability,
            "fake_probability": self.assessment.fake_probability,
            "impersonation_probability": self.assessment.impersonation_probability,
            **judged_by(self.assessment),
            "evidence": [item.to_json() for item in self.evidence],
            "other_version": None if self.version is None else self.version.to_json(),
            "missing_version": self.missing_version and printable(self.missing_version),
            "explanation": self.explanation,
        }


@dataclass(frozen=True, slots=True)
class Unassessed:
    """A compared picture or video whose face could not be measured, listed or not.

    `path` is its first file; `problems` are the limits that the face fails, as keys of
    `tools.faces.quality.QUALITY_LIMITS`; `interocular_px` lies between its eyes.
    """

    image_id: str
    path: Path
    problems: tuple[str, ...]
    interocular_px: float


MOST_UNASSESSED = 20
"""Pictures that could not be assessed that findings name; they rank last and are hardly listed."""


@dataclass(frozen=True, slots=True)
class Findings:
    """The answer to one query: hits in order of their impersonation probability.

    `compared` counts the gallery's pictures and videos that were scored, each by one face; `videos`
    of them are videos. `images_without_face` and `videos_without_face` count those without a face
    likewise. `faces` is the number of faces in the gallery, which sets how strictly the identity of
    every hit was judged. `counts` covers everything compared, not only the hits shown.
    `warnings` are sentences for the user; `retention` is the gallery's note on its lawful basis and
    last day of keeping, empty without one. `unassessed` are the first of the pictures that could
    not be assessed, at most `MOST_UNASSESSED`.
    """

    query_paths: tuple[Path, ...]
    query_ids: tuple[str, ...]
    gallery: str
    profile: str
    hits: tuple[Hit, ...]
    compared: int
    counts: dict[str, int]
    images_without_face: int
    warnings: tuple[str, ...]
    videos: int = 0
    faces: int = 0
    retention: str = ""
    unassessed: tuple[Unassessed, ...] = ()
    videos_without_face: int = 0

    @property
    def forged_others(self) -> str:
        """A sentence about listed hits that show somebody else and read as forged; or empty.

        A crude swap can leave so little of the victim that it counts as another person.
        """
        ranks = [
            str(hit.rank)
            for hit in self.hits
            if hit.verdict == "other" and interpret_forgery(hit.assessment) == "forged"
        ]
        if not ranks:
            return ""
        single = len(ranks) == 1
        return (
            f"{len(ranks)} {'picture' if single else 'pictures'} of somebody else "
            f"{'reads' if single else 'read'} as forged ({join_with_and(ranks)}): look at "
            f"{'it' if single else 'them'} too if the person could have been the victim of a crude "
            "swap."
        )

    @property
    def compared_in_words(self) -> str:
        """What `compared` counts: `21 images`, `20 images and 1 video`."""
        return pictures_in_words(self.compared, videos=self.videos)

    @property
    def faceless_in_words(self) -> str:
        """What `images_without_face` counts, in the same words."""
        return pictures_in_words(self.images_without_face, videos=self.videos_without_face)

    def to_json(self) -> dict[str, Any]:
        """A JSON-able dict: an object with `hits`, ordered by rank."""
        return {
            "query": [
                {"path": printable(path), "image_id": image_id}
                for path, image_id in zip(self.query_paths, self.query_ids, strict=True)
            ],
            "gallery": self.gallery,
            "retention": self.retention,
            "profile": self.profile,
            "compared": self.compared,
            "videos": self.videos,
            "faces": self.faces,
            "counts": self.counts,
            "images_without_face": self.images_without_face,
            "videos_without_face": self.videos_without_face,
            "warnings": list(self.warnings),
            "forged_others": self.forged_others,
            "hits": [hit.to_json() for hit in self.hits],
        }


def pictures_in_words(count: int, *, videos: int) -> str:
    """A number of pictures, some of them videos: `21 images`, `20 images and 1 video`."""
    counts = {"image": count - videos, "video": videos}
    said = [f"{n:,} {what}{'' if n == 1 else 's'}" for what, n in counts.items() if n]
    return " and ".join(said) or "no image"


def judged_by(given: Assessment) -> dict[str, Any]:
    """Each probability's place in its band, the number of faces, and what goes undetected."""
    return {
        "identity": {
            "place": given.identity_place,
            "band": _edges(given.identity_band),
            "faces": given.faces,
            "faces_measured": given.faces_measured,
        },
        "forgery": {
            "place": given.fake_place,
            "band": _edges(given.fake_band),
            "question": given.question,
            "of_two": given.of_two,
        },
        "unseen": [
            {
                "what": it.what,
                "forgeries": it.forgeries,
                "passed": it.passed,
                "share": it.share,
                "most": it.most,
            }
            for it in given.unseen
        ],
        "reached": [asdict(it) for it in given.reached],
        "notes": list(given.notes),
    }


def _edges(band: InconclusiveBand | None) -> dict[str, Any] | None:
    if band is None:
        return None
    return {
        **to_json(band), "promises_low": band.guarantees_low, "promises_high": band.guarantees_high,
    }  # fmt: skip


def count_verdicts(verdicts: list[Verdict]) -> dict[str, int]:
    """Number of faces per verdict; every verdict is listed."""
    counter = Counter(verdicts)
    return {verdict: counter[verdict] for verdict in VERDICTS}


def format_position(time_s: float | None, *, paged: bool) -> str:
    """A position to follow a file's name: " at 0:12", " on page 3"; empty without one."""
    if time_s is None:
        return ""
    return f" on page {round(time_s) + 1}" if paged else f" at {format_timestamp(time_s)}"


def format_timestamp(seconds: float) -> str:
    """A time in a video as players show it: 0:12, 1:02:03; in the first second 0:00.4."""
    whole = int(seconds + 1e-6)
    hundredths = int(100 * seconds + 1e-6)
    if 0 < hundredths < 100:  # otherwise all frames of a short animation would have the same time
        return f"0:0{hundredths / 100:g}"
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"
