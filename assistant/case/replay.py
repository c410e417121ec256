"""Run a recorded search again, on the recorded pictures, and compare it with the record.

The photos are the case's own copies; the hits' files are those of an imported case, or where the
record says they were. Each file must have its recorded hash. Identity is judged among as many faces
as then, so the collection itself is not needed, and no other picture is ranked.

Does not show: whether pictures that were not among the hits should have been.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assistant.case.exhibits import find_exhibit
from assistant.case.instruments import describe_instruments, differences
from assistant.case.record import Case
from assistant.case.signed.verification import is_intact
from tools.agent_tools.state.query_photos import QueryPhotos
from tools.errors import SetupError, ToolError
from tools.gallery.records import FaceRecord
from tools.search.aggregation import aggregate_candidates
from tools.search.checking.unsaved import UnsavedPictures
from tools.search.model_bundle import ModelBundle
from tools.search.query import Query
from tools.search.reranking.reranker import RERANK_MEASURES, Reranker
from tools.search.results import Hit
from tools.search.search import score_records, to_hit

TOLERANCE = 1e-3
"""Largest difference of a number, absolute or relative, that counts as none: the last digits depend
on the processor."""

_AXES = ("identity_probability", "fake_probability", "impersonation_probability")


@dataclass(frozen=True, slots=True)
class Difference:
    """A number or word that differs; None is "not measured"."""

    what: str
    recorded: float | str | None
    here: float | str | None


@dataclass(frozen=True, slots=True)
class ReplayedHit:
    """A recorded hit and its replay; `problem` says why it could not be measured again."""

    handle: str
    path: str
    recorded_verdict: str
    verdict: str | None
    differences: tuple[Difference, ...]
    problem: str = ""

    @property
    def same(self) -> bool:
        """Whether verdict and every number are as recorded."""
        return not self.problem and not self.differences


@dataclass(frozen=True, slots=True)
class Replay:
    """The result: every hit, and what differs between then and now in what measured (sentences)."""

    hits: tuple[ReplayedHit, ...]
    instruments: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Whether every verdict and number is as recorded."""
        return all(hit.same for hit in self.hits)

    @property
    def same_verdicts(self) -> int:
        """The number of hits whose verdict is as recorded."""
        return sum(hit.verdict == hit.recorded_verdict for hit in self.hits)


def replay_search(
    case: Case, models: ModelBundle, *, on_progress: Callable[[int, int], None] | None = None
) -> Replay:
    """Replay the latest search of a case.

    Raises SetupError if there is none, or if its photos are missing or cannot serve any more.
    """
    latest = case.latest_search()
    if latest is None or not latest["findings"].get("hits"):
        raise SetupError(f"case {case.id!r} records no search with hits that could be replayed")
    recorded = latest["findings"]["hits"]
    try:
        query = _query(case, latest, models)
    except ToolError as error:
        raise SetupError(f"the photos of case {case.id!r} cannot serve: {error}") from error
    found, problems = _measured(
        case, recorded, query, models, faces=int(latest["findings"].get("faces") or 1),
        on_progress=on_progress,
    )  # fmt: skip
    hits = [_compared(row, found.get(_file(row)), problems) for row in recorded]
    here = describe_instruments(models)
    return Replay(tuple(hits), tuple(differences(latest.get("made_with"), here)))


def _query(case: Case, latest: Mapping[str, Any], models: ModelBundle) -> Query:
    """The query of the recorded search, from the case's copies."""
    photos = QueryPhotos(faces=models.faces, encoder=models.encoder)
    for copy in case.photos().values():  # they get the handles that they had
        if is_intact(copy):
            photos.add(copy)
        else:
            photos.add_missing(copy)
    # Older cases hold the handles as the model wrote them: "[Q1]".
    named = latest["arguments"]["photos"]
    asked = [str(it).strip("[] ") for it in ([named] if isinstance(named, str) else named)]
    for handle, number in latest.get("chosen", {}).items():
        photos.face(handle, number=number)
    face = None if latest.get("chosen") else latest["arguments"].get("face")
    return photos.query(asked, face=face, rule=models.rule)


def _measured(
    case: Case,
    recorded: Sequence[Mapping[str, Any]],
    query: Query,
    models: ModelBundle,
    *,
    faces: int,
    on_progress: Callable[[int, int], None] | None,
) -> tuple[dict[str, Hit], dict[str, str]]:
    """The hits by the sha256 of their file, and why others could not be measured."""
    pictures, problems = UnsavedPictures(models), dict[str, str]()
    records = list[FaceRecord]()
    for sha256, row in {_file(row): row for row in recorded}.items():
        places = (Path(it) for it in (row["path"], *row.get("other_paths", ())))
        path = find_exhibit(case, sha256, places)
        if path is None:
            problems[sha256] = "its file is missing, or is not the recorded one"
            continue
        try:
            records += pictures.faces_in(pictures.add(path))
        except ToolError as error:
            problems[sha256] = str(error)
    rule = None if models.rule is None else models.rule.for_gallery_size(faces)
    scored = score_records(pictures, records, query, instruments=models, rule=rule)
    candidates = aggregate_candidates(scored, pictures.moments, rule=rule)
    reranker = Reranker(RERANK_MEASURES, on_progress=on_progress)
    seen = reranker.rerank(candidates, query, gallery=pictures, instruments=models, rule=rule)
    hits = [to_hit(pictures, rank, found, rule=rule) for rank, found in enumerate(seen, start=1)]
    return {hit.image_id.partition("@")[0]: hit for hit in hits}, problems


def _compared(row: Mapping[str, Any], hit: Hit | None, problems: Mapping[str, str]) -> ReplayedHit:
    handle, verdict = f"H{row['rank']}", str(row["verdict"])
    if hit is None:
        why = problems.get(_file(row), "no face was found in it")
        return ReplayedHit(handle, row["path"], verdict, None, (), why)
    return ReplayedHit(
        handle, row["path"], verdict, hit.verdict, tuple(_differing(row, hit.to_json()))
    )


def _differing(row: Mapping[str, Any], here: Mapping[str, Any]) -> Iterator[Difference]:
    """Verdict, probabilities, and evidence that is in both or only in one."""
    if row["verdict"] != here["verdict"]:
        yield Difference("verdict", row["verdict"], here["verdict"])
    for name in _AXES:
        if _differs(row.get(name), here[name]):
            yield Difference(name.replace("_", " "), row.get(name), here[name])
    before = {item["id"]: item for item in row.get("evidence", ())}
    now = {item["id"]: item for item in here["evidence"]}
    for id in dict.fromkeys((*before, *now)):
        values = [side.get(id, {}).get("value") for side in (before, now)]
        if _differs(*values):
            name = (before.get(id) or now[id])["name"]
            yield Difference(f"{id} {name}", *values)


def _differs(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is not other
    return abs(one - other) > TOLERANCE * max(1.0, abs(one), abs(other))


def _file(row: Mapping[str, Any]) -> str:
    """The sha256 of a hit's file: a frame's id begins with its video's."""
    return str(row["image_id"]).partition("@")[0]
