"""Check photos: measure every face, judge it as a search would, and say where it looks forged.

With references of a person, the photos are ranked like a gallery that holds only them: the same
scores, closer look, retakes and rule. Without references, each face is judged alone. Nothing is
stored.
"""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from tools.errors import SetupError, ToolError
from tools.faces.analyser import Face
from tools.faces.detection import MOST_FACES
from tools.gallery.records import FaceRecord
from tools.localisers import localise_forgery
from tools.media.file_names import printable
from tools.media.paths import walk
from tools.media.pictures.decoding import read_photo
from tools.media.skip_reasons import UnreadableImage
from tools.media.videos.sampling import frame_at
from tools.provenance.findings import Provenance
from tools.provenance.reading import read_provenance
from tools.search.aggregation import Candidate, aggregate_candidates, ranking_key
from tools.search.bystanders import Box, other_people
from tools.search.checking.alone import judge_alone
from tools.search.checking.results import CheckedFace, CheckProblem, CheckReport
from tools.search.checking.unsaved import UnsavedPictures
from tools.search.model_bundle import ModelBundle, map_detector
from tools.search.query import NoFace, OtherPerson, Query
from tools.search.query_files import FaceNumbers, query_from_files
from tools.search.reranking.reranker import Reranker
from tools.search.search import score_records, to_hit
from tools.verdict.rule import Verdict, VerdictRule
from tools.verdict.template_writer import explain_alone, render

OnProgress = Callable[[str, int, int], None]
"""Called with the stage ("reading" or "looking closer"), the number done and the total."""

MOST_CHECKED_FACES = 30
"""Faces of one picture that are judged alone, the largest ones: each takes seconds."""

_MAPPED: tuple[Verdict, ...] = ("impersonation", "forged", "inconclusive")
"""Verdicts with which the signs of forgery are located, besides faces that read as forged."""


def check_photos(
    paths: Sequence[Path],
    *,
    of: Sequence[Path] = (),
    face: FaceNumbers | None = None,
    instruments: ModelBundle,
    on_progress: OnProgress | None = None,
) -> CheckReport:
    """Check photos, videos and folders of them, against the references `of` if there are any.

    `face` is the chosen face (1-based, from the left) of a checked photo or of a reference; a bare
    number is for a single checked photo. Without it, every face is judged alone, or, with
    references, the one most like the person. What cannot be read is a problem of the report; if the
    references cannot serve, so are they, and the photos are checked without them. Raises SetupError
    if `face` names no photo.
    """
    tell = on_progress or (lambda _stage, _done, _total: None)
    files, problems = _files(paths)
    ours, theirs = _split(face, files, of)
    query, doubts = measure_references(of, face=theirs, instruments=instruments)
    pictures, chosen = UnsavedPictures(instruments), dict[str, int]()
    origins = dict[str, tuple[Path, Provenance]]()
    for done, (path, named) in enumerate(files):
        tell("reading", done, len(files))
        try:
            added = pictures.add(path)
            if added not in origins:
                origins[added] = path, read_provenance(path)
            number = _number(path, ours.get(path), pictures, added, alone=query is None)
        except ToolError as error:
            problems.append(CheckProblem(path, error, named))
        else:
            chosen.setdefault(added, number)
    tell("reading", len(files), len(files))
    made = _Check(pictures, chosen, instruments, tell)
    faces = made.alone() if query is None else made.against(query)
    return CheckReport(
        faces=tuple(faces),
        references=() if query is None else tuple(dict.fromkeys(query.paths)),
        problems=(*doubts, *problems),
        warnings=(
            *made.notes,
            *(_alone_note(faces) if query is None else query.warnings),
            *instruments.notices,
        ),
        files=len(files),
        profile=instruments.profile,
        provenance=tuple(origins.values()),
    )


def measure_references(
    paths: Sequence[Path], *, face: FaceNumbers | None = None, instruments: ModelBundle
) -> tuple[Query | None, list[CheckProblem]]:
    """The query of the references that can serve, and the problems of the others.

    None if no reference can serve, or if they show different persons.
    """

    def measured(some: Sequence[Path], chosen: FaceNumbers | None) -> Query:
        models = instruments
        return query_from_files(
            some, faces=models.faces, encoder=models.encoder, face=chosen, rule=models.rule
        )

    if not paths:
        return None, []
    numbers = dict(face) if isinstance(face, Mapping) else {}
    problems, usable = list[CheckProblem](), list(paths)
    try:
        return measured(paths, numbers or None), []
    except OtherPerson as error:
        return None, [CheckProblem(paths[0], error)]
    except ToolError as error:
        if len(paths) == 1:
            return None, [CheckProblem(paths[0], error)]
    for path in paths:
        try:
            measured([path], {it: n for it, n in numbers.items() if _is(path, it)} or None)
        except ToolError as error:
            problems.append(CheckProblem(path, error))
            usable.remove(path)
    if not usable:
        return None, problems
    numbers = {it: n for it, n in numbers.items() if any(_is(path, it) for path in usable)}
    try:
        return measured(usable, numbers or None), problems
    except ToolError as error:
        return None, [*problems, CheckProblem(usable[0], error)]


class _Check:
    """One run over measured pictures; `chosen` maps files to a face number, 0 for any face."""

    def __init__(
        self,
        pictures: UnsavedPictures,
        chosen: Mapping[str, int],
        instruments: ModelBundle,
        tell: OnProgress,
    ) -> None:
        self._pictures, self._chosen, self._tell = pictures, chosen, tell
        self._models = instruments
        self.notes: list[str] = []

    def against(self, query: Query) -> list[CheckedFace]:
        """The faces as a search among them would rank them: one per picture or video."""
        pictures, models = self._pictures, self._models
        records = [face for it in self._chosen for face in self._faces(it)]
        # Identity is judged among all faces that are compared, as in a gallery.
        rule = None if models.rule is None else models.rule.for_gallery_size(len(records))
        scored = score_records(pictures, records, query, instruments=models, rule=rule)
        candidates = aggregate_candidates(scored, pictures.moments, rule=rule)
        reranker = Reranker(
            others=True,  # asked of these pictures, whomever they show
            on_progress=lambda done, total: self._tell("looking closer", done, total),
        )
        seen = reranker.rerank(candidates, query, gallery=pictures, instruments=models, rule=rule)
        ranked = sorted(seen, key=ranking_key)
        return [self._of_candidate(found, query, rule=rule) for found in ranked]

    def alone(self) -> list[CheckedFace]:
        """Every chosen face by itself, those most likely forged first."""
        records = [face for it in self._chosen for face in self._largest(self._faces(it))]
        checked = list[CheckedFace]()
        for done, record in enumerate(records):
            self._tell("looking closer", done, len(records))
            with contextlib.suppress(UnreadableImage):  # it disappeared since it was measured
                checked.append(self._by_itself(record))
        self._tell("looking closer", len(records), len(records))
        return sorted(checked, key=lambda it: -(it.assessment.fake_probability or 0.0))

    def _largest(self, faces: Sequence[FaceRecord]) -> Sequence[FaceRecord]:
        """The faces without the smallest of a crowd, which a note names."""
        image = faces[0].image_id if faces else ""
        if len(faces) <= MOST_CHECKED_FACES or any(it.image_id != image for it in faces):
            return faces
        name = printable(Path(self._pictures.paths_of(image)[0].name))
        more = " or more" if len(faces) >= MOST_FACES else ""
        self.notes.append(
            f"{name!r} shows {len(faces)} faces{more}: the {MOST_CHECKED_FACES} largest were "
            "checked; choose another with --face, or cut the picture into parts"
        )
        largest = sorted(faces, key=lambda it: -it.face.quality.width_px)[:MOST_CHECKED_FACES]
        return sorted(largest, key=lambda it: it.ordinal)

    def _faces(self, file_id: str) -> list[FaceRecord]:
        """The faces of a file that are to be judged."""
        faces, number = self._pictures.faces_in(file_id), self._chosen[file_id]
        return [faces[number - 1]] if number and len(faces) > 1 else faces

    def _by_itself(self, record: FaceRecord) -> CheckedFace:
        pictures, face = self._pictures, record.face
        image = pictures.image(record.image_id)
        paths = tuple(pictures.paths_of(record.image_id))
        pixels = read_photo(paths[0]).pixels
        chosen = self._chosen.get(record.image_id)  # by number; 0: every face is in question
        judged = judge_alone(pixels, image, record, instruments=self._models)
        left, top, right, bottom = (float(edge) for edge in face.box)
        made = CheckedFace(
            paths=paths,
            image_id=record.image_id,
            number=record.ordinal + 1,
            faces=len(pictures.faces[record.image_id]),
            box=(left, top, right, bottom),
            assessment=judged.assessment,
            evidence=judged.evidence,
            explanation=render(explain_alone(judged.assessment, judged.evidence)),
            others=self._others(record, face.embedding) if chosen else (),
        )
        return self._seen(self._located(made, pixels, face), pixels, face)

    def _others(self, record: FaceRecord, template: np.ndarray) -> tuple[Box, ...]:
        """The other people in a face's picture; `template` is the person's in question."""
        faces = [it.face for it in self._pictures.faces[record.image_id]]
        return tuple(other_people(faces, record.face.box, template, rule=self._models.rule))

    def _of_candidate(
        self, found: Candidate, query: Query, *, rule: VerdictRule | None
    ) -> CheckedFace:
        pictures, record, still = self._pictures, found.record, found.moment is None
        hit = to_hit(pictures, 1, found, rule=rule)
        made = CheckedFace(
            paths=hit.paths,
            image_id=hit.image_id,
            number=record.ordinal + 1 if still else None,
            faces=len(pictures.faces[record.image_id]) if still else None,
            box=hit.box,
            assessment=hit.assessment,
            evidence=hit.evidence,
            explanation=hit.explanation,
            at=hit.at,
            seen=hit.seen,
            others=self._others(record, query.template),
        )
        with contextlib.suppress(UnreadableImage):  # it disappeared since it was measured
            pixels = (
                frame_at(hit.path, found.moment.time_s)
                if found.moment is not None
                else read_photo(hit.path).pixels
            )
            return self._seen(self._located(made, pixels, record.face), pixels, record.face)
        return made

    def _seen(self, made: CheckedFace, pixels: np.ndarray, face: Face) -> CheckedFace:
        """The same with the model's impression, which nothing else reads."""
        look = self._models.look
        return made if look is None else replace(made, impression=look(pixels, face.keypoints))

    def _located(self, made: CheckedFace, pixels: np.ndarray, face: Face) -> CheckedFace:
        """The same with the map of the face, if something speaks for a forgery."""
        head = map_detector(self._models)
        if head is None or not (made.forged or made.verdict in _MAPPED):
            return made
        with contextlib.suppress(ToolError):  # a face without landmarks has no map
            encoder = self._models.encoder
            return replace(made, located=localise_forgery(pixels, face, encoder=encoder, head=head))
        return made


def _files(paths: Sequence[Path]) -> tuple[list[tuple[Path, bool]], list[CheckProblem]]:
    """The files to check, each with whether it was named itself, and what is in the way."""
    files, problems = dict[Path, bool](), list[CheckProblem]()
    for path in paths:
        if not path.is_dir():
            files.setdefault(path, True)
            continue
        inside = list(walk([path], follow_links=False))
        if not inside:
            problems.append(CheckProblem(path, ToolError(f"the folder {str(path)!r} is empty")))
        for found in inside:
            if found.problem is None:
                files.setdefault(found.path, False)
            else:
                error = UnreadableImage(found.problem, path=found.path)
                problems.append(CheckProblem(found.path, error, named=False))
    return list(files.items()), problems


def _number(
    path: Path, number: int | None, pictures: UnsavedPictures, added: str, *, alone: bool
) -> int:
    """The number of the chosen face, 0 for any; ToolError if the file has no such face."""
    name, still = path.name, added in pictures.faces
    count = len(pictures.faces_in(added))
    if alone and not still:
        raise ToolError(
            f"{name!r} has several frames: check it against photos of the person, or index it"
        )
    if not count:
        raise NoFace(f"no face was found in {name!r}; use a sharper or larger picture")
    if still and number is not None and number > count:
        shown = f"faces 1 to {count}" if count > 1 else "one face"
        raise ToolError(f"{name!r} has {shown}: there is no face {number}")
    return (number or 0) if still else 0


def _alone_note(faces: Sequence[CheckedFace]) -> tuple[str, ...]:
    """How many authentic faces among several read as forged, if that is guaranteed."""
    bands = {it.assessment.fake_band for it in faces if it.assessment.fake_band is not None}
    shares = [band.alpha_high for band in bands if band.guarantees_high]
    if len(faces) < 2 or not shares:
        return ()
    return (
        f"{len(faces)} faces were judged, each by itself: up to {max(shares):.0%} of authentic "
        "faces may read as forged".replace("%", " %"),
    )


def _split(
    face: FaceNumbers | None, files: Sequence[tuple[Path, bool]], references: Sequence[Path]
) -> tuple[dict[Path, int], FaceNumbers | None]:
    """The chosen faces of the checked photos, and those of the references."""
    paths = [path for path, _ in files]
    if face is None or isinstance(face, int):
        if face is not None and len(paths) != 1:
            raise SetupError(
                f"--face {face} does not say of which photo: name it, as in --face ada.jpg={face}"
            )
        return ({} if face is None else dict.fromkeys(paths, face)), None
    ours, theirs = dict[Path, int](), dict[Path | str, int]()
    for name, number in face.items():
        mine = [path for path in paths if _is(path, name)]
        ours |= dict.fromkeys(mine, number)
        reference = any(_is(path, name) for path in references)
        if not mine and not reference:
            raise SetupError(f"--face: no photo is called {str(name)!r}")
        if reference:
            theirs[name] = number
    return ours, theirs or None


def _is(path: Path, name: Path | str) -> bool:
    """Whether a file, or a file in a folder, has this path or file name."""
    if path.is_dir():
        return any(_is(each.path, name) for each in walk([path]) if each.problem is None)
    return path == Path(name) or path.name == str(name)
