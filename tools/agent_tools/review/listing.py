"""What the list of hits, a review and an undo came to."""

from dataclasses import dataclass

from tools.agent_tools.hit_filter import HitFilter
from tools.agent_tools.review.entries import Decision, HitNote, ReviewEntry
from tools.search.results import Hit


@dataclass(frozen=True, slots=True)
class HitList:
    """The listed `hits` by handle, in order, out of `total`; `hidden` ones are left out.

    `limits` says where dates come from, if they decided anything. If no hit fits a new filter,
    `hits` is empty, and the list stays as it was, with the hits in `kept`. `stays` is true if the
    hits were only asked about, so that the list stays as it was, too.
    """

    hits: tuple[str, ...]
    filter: HitFilter
    total: int
    hidden: tuple[str, ...] = ()
    limits: str = ""
    kept: tuple[str, ...] = ()
    stays: bool = False


@dataclass(frozen=True, slots=True)
class Undone:
    """What was taken back: a decision, a note or a filter; `now` is in force in place of `was`."""

    was: ReviewEntry | HitFilter
    now: ReviewEntry | HitFilter


@dataclass(frozen=True, slots=True)
class ReviewedHit:
    """What is in force on a hit; None: no decision, no note."""

    hit: Hit
    decision: Decision | None
    note: HitNote | None


@dataclass(frozen=True, slots=True)
class ReviewedBefore:
    """What is in force on a picture that had another handle, `was`, when it was reviewed.

    `now` is its handle in the latest search, empty if it is no hit of that.
    """

    image_id: str
    was: str
    now: str
    decision: Decision | None
    note: HitNote | None


@dataclass(frozen=True, slots=True)
class ReviewState:
    """The hits with a decision or a note, by rank; `open` are the handles of those undecided.

    `before` are the pictures whose handles were those of an earlier search: all that are no hits of
    the latest one, or those that had the handle asked for.
    """

    entries: tuple[ReviewedHit, ...]
    open: tuple[str, ...]
    before: tuple[ReviewedBefore, ...] = ()
