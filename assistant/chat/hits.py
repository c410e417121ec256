"""HTML of the findings: the ranked list, and all measurements of one hit.

Pictures are scaled down and embedded; no gallery file is ever exposed by its path.
"""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from assistant.chat.button_actions import DECISION_ACTIONS, HIT_ACTIONS
from assistant.chat.citations import sentences_html
from assistant.conversation.messages import PromptImages
from assistant.conversation.steps import CheckedSentence
from assistant.report.pictures.blurring import blur_people
from assistant.report.pictures.data_uris import data_uri, draw_box
from assistant.report.pictures.maps import (
    MapView,
    distance_view,
    forgery_view,
    what_maps_compare,
)
from assistant.report.pictures.versions import version_view
from assistant.report.templating import inconclusive_bands, render_template
from tools.agent_tools.casework_tools import EXPORT_FORMATS
from tools.agent_tools.copies import NEAR_BITS, group_copies
from tools.agent_tools.hit_filter import DECISIONS
from tools.agent_tools.review.entries import MAX_NOTE_LENGTH
from tools.agent_tools.review.listing import HitList
from tools.agent_tools.review.review import Review
from tools.errors import ToolError
from tools.localisers import Localisation
from tools.media.file_names import printable
from tools.media.pictures.perceptual_hash import hash_distance, perceptual_hash
from tools.provenance.findings import LIMITS, Provenance
from tools.provenance.reading import read_provenance
from tools.search.bystanders import Box
from tools.search.checking.impression import IMPRESSION_LABEL
from tools.search.reranking.reference_comparison import ReferenceMap
from tools.search.reranking.reranker import MAX_RERANKED_HITS
from tools.search.results import Findings, Hit
from tools.verdict.handles import Fact
from tools.verdict.interpretation import UNCALIBRATED
from tools.verdict.measured_rates import in_words
from tools.verdict.rule import VERDICTS, VerdictRule

_LIST_PX, _FACE_PX, _IMAGE_PX = 96, 240, 360
_AT_ONCE = 20
_DOWNLOAD_MAX_BYTES = 32_000_000
_MEDIA_TYPES = {
    ".html": "text/html", ".pdf": "application/pdf", ".json": "application/json",
    ".csv": "text/csv", ".zip": "application/zip",
}  # fmt: skip


class FaceThumbnails:
    """Faces of one search as data URIs, each rendered once."""

    def __init__(self, pictures: PromptImages) -> None:
        self._pictures = pictures
        self._made: dict[tuple[str, int], tuple[str | None, int]] = {}

    def uri(self, handle: str, size: int) -> str | None:
        """The aligned face; None if its file is missing."""
        return self._face(handle, size)[0]

    def near(self, handle: str, others: Sequence[str]) -> list[str]:
        """The handles among `others` whose face is nearly the same picture."""
        uri, mine = self._face(handle, _LIST_PX)
        if uri is None:
            return []
        faces = {other: self._face(other, _LIST_PX) for other in others if other != handle}
        return [
            other
            for other, (shown, theirs) in faces.items()
            if shown is not None and hash_distance(mine, theirs) <= NEAR_BITS
        ]

    def _face(self, handle: str, size: int) -> tuple[str | None, int]:
        key = handle, size
        if key not in self._made:
            try:
                pixels = self._pictures.aligned(handle, size)
            except ToolError:
                self._made[key] = None, 0  # moved or deleted since; the page reports it
            else:
                self._made[key] = data_uri(pixels), perceptual_hash(pixels)
        return self._made[key]


def placeholder_html() -> str:
    """The placeholder shown before the first findings."""
    return render_template("chat_start.html")


def hits_html(
    findings: Findings,
    faces: FaceThumbnails,
    *,
    rule: VerdictRule | None,
    chosen: str | None,
    offers_model: bool = True,
    listed: HitList | None = None,
    review: Review | None = None,
    export: Path | None = None,
    resting: bool = False,
) -> str:
    """The listed hits, all of them by rank without `listed`; `chosen` is the one shown in detail.

    `offers_model` is true if some hit has no explanation by the model yet. `review` holds decisions
    and notes, and who reads them. Near-identical hits stand folded below the first of them.
    `export` is a report that was just written, offered as a download. A list that is `resting` can
    be read but not used: another search runs.
    """
    decisions = review.decisions_for(findings) if review else {}
    notes = review.notes_for(findings) if review else {}
    by_handle = {hit.handle: hit for hit in findings.hits}
    shown = [*by_handle] if listed is None else [it for it in listed.hits if it in by_handle]
    views = {
        hit.handle: {
            "hit": hit,
            "name": _name(hit),
            "face": faces.uri(hit.handle, _LIST_PX),
            "bands": inconclusive_bands(hit.assessment),
            "passing": hit.assessment.unseen,
        }
        for hit in map(by_handle.__getitem__, shown)
    }
    groups = group_copies([by_handle[it] for it in shown])
    folded = {hit.handle for each in groups for hit in each.hits[1:]}
    return render_template(
        "chat_hits.html",
        findings=findings,
        views=[view for handle, view in views.items() if handle not in folded],
        behind={
            each.hits[0].handle: [views[hit.handle] for hit in each.hits[1:]] for each in groups
        },
        groups={each.hits[0].handle: each for each in groups},
        count=len(views),
        verdicts=VERDICTS,
        chosen=chosen,
        offers_model=offers_model,
        offer=_offer(findings),
        resting=resting,
        filter=listed.filter.describe() if listed else "",
        limits=listed.limits if listed else "",
        hidden=review.hidden_by(review.authors.by) if review and listed and listed.hidden else {},
        review=review,
        decisions=decisions,
        notes=notes,
        decision_heading=(
            review.authors.column("decision", [*decisions.values()])[0] if review else ""
        ),
        decided=[
            it
            for it in DECISIONS
            if it == "none" or any(made.decision == it for made in decisions.values())
        ],
        filters=[each for each in VERDICTS if any(hit.verdict == each for hit in findings.hits)],
        formats=EXPORT_FORMATS,
        download=None if export is None else _download(export),
    )


def _offer(findings: Findings) -> tuple[int, str] | None:
    """How many further hits are offered at once, and the words for it; None if there are none."""
    left = min(findings.compared, MAX_RERANKED_HITS) - len(findings.hits)
    if not findings.hits or left <= 0:
        return None
    return (
        (left, f"Show the other {left}")
        if left <= _AT_ONCE
        else (_AT_ONCE, f"Show {_AT_ONCE} more")
    )


def _download(report: Path) -> Mapping[str, str] | None:
    """A written report as data of the page: no address of this server leads to a case's file.

    One that is too large to be sent with the page has only its place and size. None if it is gone.
    """
    try:
        if (size := report.stat().st_size) > _DOWNLOAD_MAX_BYTES:
            return {"place": printable(report), "size": f"{size / 1e6:,.0f} MB"}
        content = base64.b64encode(report.read_bytes()).decode("ascii")
    except OSError:
        return None
    return {
        "place": "", "name": report.name, "type": _MEDIA_TYPES[report.suffix], "content": content,
    }  # fmt: skip


def detail_html(
    hit: Hit,
    faces: FaceThumbnails,
    *,
    query: str,
    image: np.ndarray | None,
    rule: VerdictRule | None,
    facts: Sequence[Fact],
    sentences: Sequence[CheckedSentence],
    located: Localisation | None = None,
    reference_distance_map: ReferenceMap | None = None,
    picture: MapView | None = None,
    further: Sequence[MapView] = (),
    others: Sequence[str] = (),
    review: Review | None = None,
    impression: str = "",
    people: Sequence[Box] = (),
    resting: bool = False,
) -> str:
    """One hit with all its measurements; `query` is the photo shown beside it.

    `image` is the hit's whole picture, None if it is missing; `located`, `reference_distance_map`,
    `picture` and `further` are its maps, once computed; `others` are the other hits' handles;
    `review` holds the decision and the note; `impression` is the model's, in words; empty if there
    is no picture. `people` are other people in it, who are blurred.
    """
    by_id = {fact.id: fact for fact in facts}
    measured = [fact for fact in facts if ".E" in fact.id]
    face = faces.uri(hit.handle, _FACE_PX)
    heat = None if located is None else forgery_view(located)
    distance = None if reference_distance_map is None else distance_view(reference_distance_map)
    maps = [it for it in (heat, distance, picture) if it is not None]
    return render_template(
        "chat_detail.html",
        hit=hit,
        name=_name(hit),
        query=query,
        query_face=faces.uri(query, _FACE_PX),
        face=face if image is not None else None,
        image=None if image is None else _whole(image, hit, people),
        blurred=len(people),
        bands=inconclusive_bands(hit.assessment),
        buttons=HIT_ACTIONS,
        review=review,
        decision=review.decision(hit) if review else None,
        decision_buttons=DECISION_ACTIONS,
        note=review.note(hit) if review else None,
        longest=MAX_NOTE_LENGTH,
        passing=hit.assessment.unseen,
        usual=in_words(hit.assessment.reached),
        explanation=Markup(sentences_html(sentences, by_id.get, subject=hit.handle)),  # noqa: S704 - escaped there
        offers_model=all(sentence.source == "plain" for sentence in sentences),
        evidence=[_row(fact) for fact in measured if _says_something(fact)],
        bare=[_row(fact) for fact in measured if not _says_something(fact)],
        resting=resting,
        paths=[printable(path) for path in hit.paths],
        near=faces.near(hit.handle, others),
        heat=heat,
        distance=distance,
        maps_note=what_maps_compare(maps, hit.assessment.fake_scores),
        picture=picture,
        version=version_view(hit, image, others=people),
        further=further,
        origin=None if image is None else _origin(hit),
        impression=impression,
        impression_label=IMPRESSION_LABEL,
        limits=LIMITS,
    )


def _origin(hit: Hit) -> Provenance | None:
    """What the hit's file says about its own origin; None if the file is gone."""
    try:
        return read_provenance(hit.path)
    except ToolError:
        return None


def _says_something(fact: Fact) -> bool:
    """Whether a measurement has a reading: without a threshold, a value is no evidence."""
    return fact.value is not None and fact.reads != UNCALIBRATED


def _row(fact: Fact) -> Mapping[str, Any]:
    return {
        "id": fact.id.rpartition(".")[2],
        "name": fact.name,
        "value": fact.value,
        "shown": fact.shown,
        "reads": fact.reads,
        "method": fact.method,
        "limits": fact.limits,
        "share_of_authentic_below": fact.share_of_authentic_below,
    }


def _whole(image: np.ndarray, hit: Hit, people: Sequence[Box]) -> str:
    shown = blur_people(image, people, keep=[hit.box])
    return data_uri(draw_box(shown, np.asarray(hit.box), longest_px=_IMAGE_PX))


def _name(hit: Hit) -> str:
    return f"{printable(Path(hit.path.name))}{hit.at}"
