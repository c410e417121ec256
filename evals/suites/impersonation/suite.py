"""Does Unmask find the impersonations of a person? The full search, on unseen persons.

Protocol: `evals.protocol`. On the project's own data the collection is a benchmark of photos,
forgeries by our forge and copies, of persons used for no fitting, searched by the application
itself; its figures show how the parts work together, not the performance on any particular
generator. Any other data set with identities is measured and searched by the same rule, with one
face per picture; a video frame counts as a picture. `--limit` caps the queries of the benchmark, or
the rows of a data set. Figures are of the whole lists before the closer look; `closer_look` has
those with the leading hits as the application returns them, of which it looks at twenty.

*oracle detector*: ranked by the identity probability among true forgeries (the ceiling of retrieval
alone); *oracle retrieval*: ranked by the forgery probability among files that truly depict the
person (the ceiling of detection alone). Another system's lists (`--peer NAME=FILE`, columns
query,path,score) are evaluated on the same gallery.

Does not show: the effect of near-duplicates in the collection other than those of the query photos
(which are removed from data sets); nor of another prevalence.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from evals.options import EvalOptions
from evals.protocol.data import prepare_dataset
from evals.protocol.duplicates import near_duplicates
from evals.protocol.protocol import build_plan
from evals.runs.samples import SampleWriter
from evals.suites.impersonation.benchmark import LEADING, is_casework_source, run_casework
from evals.suites.impersonation.figures import (
    FUSIONS,
    MEASURES,
    ORDERS,
    average_precisions,
    failures,
    flags,
    fusions,
    mean_metrics,
    outcomes,
)
from evals.suites.impersonation.peers import compare_with_peer
from evals.suites.impersonation.pictures import Reader, draw
from evals.suites.impersonation.search_results import SearchResult, run_queries
from tools.errors import SetupError
from tools.media.pictures.decoding import read_photo
from tools.metrics import mean

REFERENCES = 1
"""Query photos per person on a data set; 3 and 5 are also usual."""


@dataclass(frozen=True, slots=True, eq=False)
class _Searched:
    """All results, the gallery's files by name, data-specific figures, and a picture reader."""

    answers: Sequence[SearchResult]
    gallery: Sequence[str]
    figures: dict[str, object]
    read: Reader


def run(options: EvalOptions) -> dict[str, object]:
    """Figures of the lists, of the outcomes by kind of file, and of other systems' lists."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.output or Path(temporary)
        searched = (
            _on_casework(options, folder) if is_casework_source(options.data) else _on_data(options)
        )
        made, seed = searched.answers, options.seed
        peers = {
            name: compare_with_peer(made, searched.gallery, file, seed=seed)
            for name, file in options.peers
        }
        draw(made, searched.read, options.output, seed=seed)
    _keep(made, options.output)
    return {
        "queries": len(made),
        "queries_without_a_measurable_face": sum(not one.measurable for one in made),
        "gallery_images": len(searched.gallery),
        **_prevalence(made, len(searched.gallery)),
        **mean_metrics(made, seed=seed),
        **outcomes(made),
        "fusions": fusions(made, seed=seed),
        "failures": failures(made),
        **searched.figures,
        **({"peers": peers} if peers else {}),
    }


def _on_casework(options: EvalOptions, folder: Path) -> _Searched:
    place = folder / "casework"
    place.mkdir(exist_ok=True)
    made = run_casework(options, place)
    files = [exhibit.file for exhibit in made.exhibits if exhibit.kind != "query"]
    closer = {
        "hits": LEADING, **mean_metrics(made.closer, seed=options.seed), **outcomes(made.closer)
    }  # fmt: skip
    return _Searched(
        made.answers, files, {"data": "casework", "closer_look": closer},
        lambda name: read_photo(place / name).pixels,
    )  # fmt: skip


def _on_data(options: EvalOptions) -> _Searched:
    data = prepare_dataset(options)
    measured = data.measured
    how = build_plan(
        measured.rows, measured.found, seed=options.seed, references=REFERENCES,
        alike=near_duplicates(measured),
    )  # fmt: skip
    if not how.questions:
        raise SetupError(
            f"no person in {str(options.data)!r} has both a photo and a forgery; "
            "to measure faces alone run `python -m evals run retrieval`"
        )
    places = {row.path: index for index, row in enumerate(measured.rows)}
    places |= {name: index for index, name in enumerate(measured.ids)}
    return _Searched(
        run_queries(measured, how, options),
        list(dict.fromkeys(measured.rows[index].path for index in how.gallery)),
        {**data.figures(), "references": REFERENCES, "left_out": dict(how.left_out)},
        lambda name: measured.face_crop(places[name], size=160, margin=1.6),
    )


def _prevalence(made: Sequence[SearchResult], gallery: int) -> dict[str, object]:
    relevant = mean([one.relevant for one in made])
    return {
        "relevant_per_query": relevant,
        "prevalence": relevant / gallery if gallery else float("nan"),
    }


def _keep(made: Sequence[SearchResult], output: Path | None) -> None:
    """Write one sample per query: every measure, for our order and the others."""
    samples = SampleWriter(output)
    for one in made:
        ours = flags(one, ORDERS["mAP"])
        values = {name: measure_of(ours, one.relevant) for name, measure_of in MEASURES.items()}
        for name, order in {**ORDERS, **FUSIONS}.items():
            short = name.replace("mAP", "ap") if "mAP" in name else f"ap_{name}"
            (values[short],) = average_precisions([one], order)
        samples.query(
            id=one.person, group=one.person, values=values,
            photos=list(one.photos), relevant=one.relevant,
            first=[
                {"id": it.id, "verdict": it.verdict, "kind": it.kind} for it in one.judged[:10]
            ],
        )  # fmt: skip
