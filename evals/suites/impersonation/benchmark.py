"""Search results of the application on benchmark cases made by our own forge.

Query and gallery come from the half of LFW's validation persons that was used for no fitting.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from assistant import Settings, Unmask
from evals.options import EvalOptions
from evals.protocol.measured import load_models
from evals.protocol.protocol import RELEVANT, RelationToQuery
from evals.suites.impersonation.search_results import MissedImage, RankedImage, SearchResult
from tools.gallery.record_store import Gallery
from tools.search.query import NoFace
from tools.search.results import Findings
from tools.training.calibration.benchmark_cases import (
    BenchmarkFile,
    build_benchmark,
    portraits,
    retry_with_central_face,
    split_persons,
)

EVERYTHING = 1_000_000
GALLERY = "impersonation"
LEADING = 20
"""Hits that get a closer look in the application, unless more are asked for."""
SEED = 2
"""Seed of the benchmark itself, which does not depend on the run's seed."""


@dataclass(frozen=True, slots=True, eq=False)
class CaseworkResult:
    """The files of a benchmark below a folder, and the application's results.

    `answers` are its whole lists before the closer look, `closer` the same with the leading hits as
    the closer look judged and ranked them.
    """

    folder: Path
    exhibits: Sequence[BenchmarkFile]
    answers: Sequence[SearchResult]
    closer: Sequence[SearchResult]


def is_casework_source(data: Path) -> bool:
    """Whether a folder holds the photographs that benchmark cases are made from."""
    return (data / "lfw" / "labels.npz").is_file()


def run_casework(options: EvalOptions, folder: Path) -> CaseworkResult:
    """Make the files, index them as a user would, query every person; `limit` caps the queries."""
    people = split_persons(portraits(options.data, split="val"))[1]
    exhibits = build_benchmark(people, folder, seed=SEED, queries=options.limit)
    # This machine's settings except the state folder: an evaluation must not change the user's
    # data.
    settings = Settings.load().model_copy(update={"home": folder / "home"})
    unmask = Unmask(settings, gallery=GALLERY, models=load_models())
    files = sum(exhibit.kind != "query" for exhibit in exhibits)
    unmask.index(
        [folder / "gallery"],
        on_progress=lambda at: options.progress(at.files_done, files, "indexing"),
    )
    asked = [exhibit for exhibit in exhibits if exhibit.kind == "query"]
    answers, closer = [], []
    for number, exhibit in enumerate(asked):
        options.progress(number, len(asked), "asking")
        whole = _answer(unmask, folder, exhibit, exhibits)
        answers.append(whole)
        closer.append(_looked_closer(unmask, folder, exhibit, exhibits, whole))
    found = (_with_faces(it, settings.home, folder) for it in (answers, closer))
    return CaseworkResult(folder, exhibits, *found)


def _looked_closer(
    unmask: Unmask, folder: Path, query: BenchmarkFile, exhibits: Sequence[BenchmarkFile],
    whole: SearchResult,
) -> SearchResult:  # fmt: skip
    """The list with its leading hits as a search returns them, and all others behind them."""
    if not whole.measurable:
        return whole
    findings = retry_with_central_face(
        lambda face: unmask.find([folder / query.file], top=LEADING, face=face)
    )
    leading = _judged(findings, query.depicted, exhibits)
    known = {it.id for it in leading}
    others = (it for it in whole.judged if it.id not in known)
    behind = tuple(replace(it, rank=rank) for rank, it in enumerate(others, len(leading) + 1))
    return replace(whole, judged=(*leading, *behind))


def _answer(
    unmask: Unmask, folder: Path, query: BenchmarkFile, exhibits: Sequence[BenchmarkFile]
) -> SearchResult:
    person, judged, measurable = query.depicted, tuple[RankedImage, ...](), True
    try:
        findings = retry_with_central_face(
            lambda face: unmask.find([folder / query.file], top=EVERYTHING, face=face, rerank=False)
        )
        judged = _judged(findings, person, exhibits)
    except NoFace:
        measurable = False
    listed = {one.id for one in judged}
    missed = tuple(
        MissedImage(exhibit.file, exhibit.family, face_found=True)
        for exhibit in exhibits
        if kind(person, exhibit) == RELEVANT and exhibit.file not in listed
    )
    return SearchResult(person, (query.file,), judged, missed, measurable)


def _judged(
    findings: Findings, person: str, exhibits: Sequence[BenchmarkFile]
) -> tuple[RankedImage, ...]:
    by_file = {exhibit.file: exhibit for exhibit in exhibits}
    owners = {it.body for it in exhibits if it.kind == "forgery" and it.depicted == person}
    return tuple(
        RankedImage(
            what.file,
            hit.image_id,
            kind(person, what),
            what.family,
            hit.verdict,
            hit.assessment.identity_probability,
            hit.assessment.fake_probability,
            hit.rank,
            what.kind != "forgery" and what.depicted in owners - {person},
        )
        for hit in findings.hits
        for what in [by_file[str(hit.path.relative_to(hit.path.parents[1]))]]
    )


def kind(person: str, what: BenchmarkFile) -> RelationToQuery:
    """Relation of a benchmark file to the queried person."""
    if what.kind == "forgery":
        if what.depicted == person:
            return RELEVANT
        on_body = what.body == person
        return "forgery of another on the person's body" if on_body else "forgery of another"
    if what.depicted != person:
        return "authentic photo of another"
    return "copy of the query" if what.kind == "copy" else "authentic photo of the person"


def _with_faces(answers: Sequence[SearchResult], home: Path, folder: Path) -> list[SearchResult]:
    """Adds which of the missed pictures contain a detectable face."""
    with Gallery.open_existing(home, GALLERY) as gallery:

        def known(it: MissedImage) -> MissedImage:
            return replace(it, face_found=_has_face(gallery, folder / it.id))

        return [replace(one, missed=tuple(map(known, one.missed))) for one in answers]


def _has_face(gallery: Gallery, path: Path) -> bool:
    file = gallery.file(path.resolve())
    return file is not None and file.image_id is not None and bool(gallery.faces_of(file.image_id))
