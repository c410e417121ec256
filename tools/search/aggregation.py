"""One hit a picture, one hit a video: from scored faces to what is ranked.

A video is judged by the frames in which the query person was seen (if in none, by those in which
it is uncertain): every score is its mean over those frames, and the rule (`tools.verdict.rule`) is
asked once, about the means. Means of raw scores, before any calibration: chance errors of single
frames cancel, and since identity and its bands are linear in the scores, frames of the same
person have a mean that is the same person.

Does not show: a few forged seconds in a long genuine video; their moments are pointed at, but the
mean drowns them. And the more frames, the more chances that a stranger looks alike in one: how
many frames a hit rests on is part of it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from tools.gallery.records import FaceRecord, FramePosition
from tools.verdict.calibration import Scores
from tools.verdict.rule import NOT_ASSESSED, Assessment, VerdictRule

MAX_FRAME_TIMES = 5
"""Moments of a video that a hit points at: enough to see whether they agree."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A face with its scores against the query and what the rule makes of them.

    Of a video: the face of its strongest moment, with the scores and the assessment of the whole;
    `moments` (s) are the strongest frames, strongest first, and `frames_seen` in how many the
    person was seen. Where that is 0, the scores are means over the frames of which it is uncertain
    whether they show the person, and those of the most similar frame where there are none either.
    """

    record: FaceRecord
    scores: Scores
    assessment: Assessment
    moment: FramePosition | None = None
    moments: tuple[float, ...] = ()
    frames_seen: int | None = None
    changed_by: tuple[str, ...] = ()

    @property
    def similarity(self) -> float:
        """Cosine to the query; −2 where it was not measured."""
        value = self.scores.get("cosine_similarity")
        return -2.0 if value is None else value


def assess_scores(scores: Scores, *, usable: bool, rule: VerdictRule | None) -> Assessment:
    """What the rule says, or that there is none."""
    return NOT_ASSESSED if rule is None else rule.assess(scores, usable=usable)


def ranking_key(candidate: Candidate) -> tuple[int, float, float, str]:
    """By probability of impersonation; copies of the query, then what was not assessed, last."""
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
    """One candidate a picture or video; `moments` says of pictures' ids which are frames."""
    pictures, videos = [], dict[str, list[Candidate]]()
    for best in _best_face_per_image(candidates):
        moment = moments.get(best.record.image_id)
        if moment is None:
            pictures.append(best)
        else:
            videos.setdefault(moment.video_id, []).append(replace(best, moment=moment))
    return pictures + [_as_one(frames, rule) for frames in videos.values()]


def _best_face_per_image(candidates: Iterable[Candidate]) -> list[Candidate]:
    """The face most like the query; the others in a picture are somebody else's."""
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
    """The usable frames that show the person, and those of which it is uncertain."""
    places: dict[str, list[Candidate]] = {"high": [], "within": [], "low": []}
    for frame in frames:
        place = frame.assessment.identity_place
        if place is not None and frame.record.face.quality.usable:
            places[place].append(frame)
    return places["high"], places["within"]


def mean_scores(rows: Sequence[Scores]) -> dict[str, float | None]:
    """The mean of each score over the rows in which it was measured; None where it was in none."""
    names = dict.fromkeys(name for row in rows for name in row)
    known = {name: [v for row in rows if (v := row.get(name)) is not None] for name in names}
    return {name: sum(values) / len(values) if values else None for name, values in known.items()}


def _times(frames: Sequence[Candidate]) -> tuple[float, ...]:
    return tuple(frame.moment.time_s for frame in frames if frame.moment is not None)
