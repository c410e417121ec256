"""Checks and comparisons of photos, without a gallery; nothing is stored."""

import dataclasses
import json
import threading
from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Request, UploadFile

from assistant.report.pictures.maps import forgery_view
from assistant.server.api.errors import documented
from assistant.server.api.services import Checker, Parts
from assistant.server.api.shapes import CheckShape, ComparisonShape, HandoffShape
from assistant.server.api.uploads import Uploads, kept
from assistant.server.problems import Problem
from assistant.server.work.handoffs import MARK, WAITING_S, Handoff
from assistant.server.work.lane import check as go_on

router = APIRouter(tags=["checks"])

Suspects = Annotated[list[UploadFile], File(description="Photos to check.")]
References = Annotated[list[UploadFile] | None, File(description="Authentic photos of the person.")]
Faces = Annotated[
    str | None,
    Form(
        max_length=2000,
        description='Which face of which photo, from the left: {"group.jpg": 2}.',
        examples=['{"group.jpg": 2}'],
    ),
]


@router.post("/checks", response_model=CheckShape, responses=documented(503))
async def check(
    request: Request,
    who: Checker,
    parts: Parts,
    photos: Suspects,
    references: References = None,
    faces: Faces = None,
    maps: Annotated[bool, Form(description="With each face's map of signs of forgery.")] = False,
) -> Any:
    """Check photos: is a face forged, where, and, with references, is it this person's?

    "No forgery found" is never a proof of authenticity.
    """
    given = list(references or ())
    async with kept([*photos, *given], parts.uploads) as files:
        suspects, of = files.paths[: len(photos)], files.paths[len(photos) :]
        chosen = face_numbers(faces, files)

        def work(stop: threading.Event) -> dict[str, Any]:
            report = parts.unmask().check(
                suspects, of=of, face=chosen or None, on_progress=lambda *_: go_on(stop)
            )
            told = report.to_json()
            if maps:
                for each, face in zip(told["faces"], report.faces, strict=True):
                    each["map"] = face.located and dataclasses.asdict(forgery_view(face.located))
            return told

        return files.named(await parts.in_turn(request, work))


@router.post("/comparisons", response_model=ComparisonShape, responses=documented(503))
async def compare(
    request: Request,
    who: Checker,
    parts: Parts,
    first: Annotated[UploadFile, File(description="A photo.")],
    second: Annotated[UploadFile, File(description="Another photo.")],
    faces: Faces = None,
) -> Any:
    """Compare two photos: the same person, the same photograph, and which places differ."""
    async with kept([first, second], parts.uploads) as files:
        chosen = face_numbers(faces, files)
        found = await parts.in_turn(
            request, lambda _: parts.unmask().compare(*files.paths, face=chosen or None)
        )
        return files.named(found.to_json())


@router.post("/handoffs", status_code=201, response_model=HandoffShape, responses=documented(409))
async def hand_over(
    who: Checker,
    parts: Parts,
    photos: Suspects,
    references: References = None,
    faces: Faces = None,
) -> Any:
    """Hand photos to the page: opened at the returned address, it checks them, once.

    They are kept in memory for ten minutes at most.
    """
    given = list(references or ())
    async with kept([*photos, *given], parts.uploads) as files:
        read = [(path.name, path.read_bytes()) for path in files.paths]
        chosen = [f"{path.name}={number}" for path, number in face_numbers(faces, files).items()]
    handed = Handoff(tuple(read[: len(photos)]), tuple(read[len(photos) :]), "; ".join(chosen))
    return {"path": f"/{MARK}{parts.handoffs.put(handed)}", "expires_in_s": WAITING_S}


def face_numbers(given: str | None, files: Uploads) -> dict[Any, int]:
    """The chosen faces by file. Raises Problem for anything else than names and numbers."""
    if not given:
        return {}
    try:
        chosen = json.loads(given)
    except (ValueError, RecursionError) as error:
        raise Problem(422, "faces: write an object of file names and numbers") from error
    if not isinstance(chosen, dict) or any(
        type(number) is not int or not 1 <= number <= 1000 for number in chosen.values()
    ):
        raise Problem(422, 'faces: write file names with numbers from 1, as {"group.jpg": 2}')
    by_name = {path.name: path for path in files.paths}
    if unknown := [name for name in chosen if name not in by_name]:
        known = ", ".join(by_name)
        raise Problem(422, f"faces: no file is called {unknown[0][:100]!r}; there are: {known}")
    return {by_name[name]: number for name, number in chosen.items()}
