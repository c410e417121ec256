"""Aggregate face scores into one ranked candidate per picture and one per video.

A video is judged by the frames that show the query person, or, if there are none, by the frames
that may show them. Each score is its mean over those frames, and the rule (`tools.verdict.rule`)
assesses the means once. The means are of raw scores, before calibration: chance errors of single
frames cancel, and since identity and its bands are linear in the scores, frames of the same person
have a mean that is the same person.

Does not show: a few forged seconds in a long genuine video. The hit lists their moments, but the
mean hides them. More frames also give more chances that a stranger looks alike in one of them, so
a hit includes the number of frames it rests on.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from tools.gallery.records import FaceRecord, FramePosition
from tools.search.reranking.other_version import OtherVersion
from tools.verdict.calibration import Scores
from tools.verdict.rule import NOT_ASSESSED, Assessment, VerdictRule

MAX_FRAME_TIMES = 5
"""Maximum number of moments listed for a video hit: enough to see whether they agree."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A face with its scores against the query and the rule's assessment of them.

    For a video, the face is that of its strongest frame; the scores and the assessment are those of
    the whole video. `moments` are the times (s) of the strongest frames, strongest first, and
    `frames_seen` is the number of frames that show the person. If that is 0, the scores are means
    over the frames that may show the person, or, without such frames, those of the most similar
    frame. `version` is another version of the photograph, if reranking proved one, and
    `missing_version` the id of a picture that may be one and whose file is gone.
    """

    record: FaceRecord
    scores: Scores
    assessment: Assessment
    moment: FramePosition | None = None
    moments: tuple[float, ...] = ()
    frames_seen: int | None = None
    changed_by: tuple[str, ...] = ()
    version: OtherVersion | None = None
    missing_version: str | None = None

    @property
    def similarity(self) -> float:
        """Cosine similarity to the query; −2 if not measured."""
        value = self.scores.get("cosine_similarity")
        return -2.0 if value is None else value


def assess_scores(scores: Scores, *, usable: bool, rule: VerdictRule | None) -> Assessment:
    """The rule's assessment, or `NOT_ASSESSED` without a rule."""
    return NOT_ASSESSED if rule is None else rule.assess(scores, usable=usable)


def ranking_key(candidate: Candidate) -> tuple[int, float, float, str]:
    """Sort key: impersonation probability, highest first; then copies, then not assessed."""
    given = candidate.assessment
    group = {"copy": 1, "not assessed": 2}.get(given.verdict, 0)
    likely = -(given.impersonation_probability or 0.0)
    return group, likely, -candidate.similarity, candidate.record.id


def aggregate_candidates(
    candidates: Iterable[Candidate],
    moments: Mapping[str, FramePosition],
    *,
    rule: VerdictRule | None,
) -> list[Candidate]:
    """One candidate per picture or video; `moments` maps image ids of frames to video positions."""
    pictures, videos = [], dict[str, list[Candidate]]()
    for best in _best_face_per_image(candidates):
        moment = moments.get(best.record.image_id)
        if moment is None:
            pictures.append(best)
        else:
            videos.setdefault(moment.video_id, []).append(replace(best, moment=moment))
    return pictures + [_as_one(frames, rule) for frames in videos.values()]


def _best_face_per_image(candidates: Iterable[Candidate]) -> list[Candidate]:
    """The face most similar to the query in each picture; the other faces are other people."""
    best: dict[str, Candidate] = {}
    for found in candidates:
        known = best.get(found.record.image_id)
        if known is None or found.similarity > known.similarity:
            best[found.record.image_id] = found
    return list(best.values())


def _as_one(frames: Sequence[Candidate], rule: VerdictRule | None) -> Candidate:
    certain, uncertain = _frames_with_the_person(frames)
    seen = sorted(certain or uncertain, key=ranking_key)
    if not seen:
        usable = [frame for frame in frames if frame.record.face.quality.usable] or frames
        likest = max(usable, key=lambda frame: frame.similarity)
        return replace(likest, moments=_times([likest]), frames_seen=0)
    scores = mean_scores([frame.scores for frame in seen])
    return replace(
        seen[0],
        scores=scores,
        assessment=assess_scores(scores, usable=True, rule=rule),
        moments=_times(seen[:MAX_FRAME_TIMES]),
        frames_seen=len(certain),
    )


def _frames_with_the_person(
    frames: Sequence[Candidate],
) -> tuple[list[Candidate], list[Candidate]]:
    """The usable frames that show the person, and those that may show the person."""
    places: dict[str, list[Candidate]] = {"high": [], "within": [], "low": []}
    for frame in frames:
        place = frame.assessment.identity_place
        if place is not None and frame.record.face.quality.usable:
            places[place].append(frame)
    return places["high"], places["within"]


def mean_scores(rows: Sequence[Scores]) -> dict[str, float | None]:
    """The mean of each score over the rows that have it; None if no row has it."""
    names = dict.fromkeys(name for row in rows for name in row)
    known = {name: [v for row in rows if (v := row.get(name)) is not None] for name in names}
    return {name: sum(values) / len(values) if values else None for name, values in known.items()}


def _times(frames: Sequence[Candidate]) -> tuple[float, ...]:
    return tuple(frame.moment.time_s for frame in frames if frame.moment is not None)
