"""A small typed client for the REST API of `unmask serve`.

    from assistant.server.client import UnmaskClient

    with UnmaskClient() as unmask:
        report = unmask.check("suspect.jpg", references=["ada.jpg"])

On the same machine and user it finds the running server's token by itself.
"""

import json
import mimetypes
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self, TypeVar

import httpx

from assistant.server.access.run_token import run_token_file
from assistant.server.api.shapes import (
    CheckShape,
    ComparisonShape,
    DecisionShape,
    GalleryShape,
    HitShape,
    InvestigationShape,
    JobShape,
    MapShape,
    Shape,
)
from assistant.settings import Settings
from tools.errors import SetupError

File = Path | str
Answer = TypeVar("Answer", bound=Shape)
_WAIT_S = 600.0


class RequestRefused(Exception):
    """The server's problem document: HTTP `status`, and `detail`, which says what to do next."""

    def __init__(self, status: int, detail: str, document: Mapping[str, Any]) -> None:
        super().__init__(detail)
        self.status, self.detail, self.document = status, detail, document


class UnmaskClient:
    """Calls a server at `url`; `token` defaults to that of the server that this user runs.

    Every method raises RequestRefused for an error of the server, and httpx.HTTPError if it cannot
    be reached. Closing the client stops the work that it waits for.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:7860",
        token: str | None = None,
        *,
        wait_s: float = _WAIT_S,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._http = httpx.Client(
            base_url=url, headers={"Authorization": f"Bearer {token or _run_token()}"},
            timeout=wait_s, transport=transport,
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    # -- photos without a gallery -----------------------------------------------------------------

    def check(
        self,
        *photos: File,
        references: Sequence[File] = (),
        faces: Mapping[str, int] | None = None,
        maps: bool = False,
    ) -> CheckShape:
        """Check photos, with authentic photos of the person as `references` if there are any.

        `faces` chooses a face by the file's name, as in `{"group.jpg": 2}`. With `maps` each face
        has its map of signs of forgery.
        """
        files = [("photos", it) for it in photos] + [("references", it) for it in references]
        data = {"faces": json.dumps(dict(faces))} if faces else {}
        data |= {"maps": "true"} if maps else {}
        return self._sent(CheckShape, "/api/v1/checks", files, data)

    def compare(self, first: File, second: File) -> ComparisonShape:
        """Compare two photos."""
        files = [("first", first), ("second", second)]
        return self._sent(ComparisonShape, "/api/v1/comparisons", files, {})

    # -- galleries --------------------------------------------------------------------------------

    def galleries(self) -> Iterator[GalleryShape]:
        """All galleries."""
        yield from (GalleryShape.model_validate(it) for it in self._pages("/api/v1/galleries"))

    def index(
        self, gallery: str, *files: File, folder: str | None = None, key: str | None = None
    ) -> JobShape:
        """Start to add files, or a folder of the server, to a gallery."""
        data = {} if folder is None else {"folder": folder}
        named = [("files", it) for it in files]
        path = f"/api/v1/galleries/{gallery}/index-jobs"
        return self._sent(JobShape, path, named, data, key=key)

    def follow(self, job: JobShape) -> Iterator[JobShape]:
        """The job each time it changes, until it has ended."""
        path = f"/api/v1/index-jobs/{job.id}/events"
        with self._http.stream("GET", path) as response:
            if response.is_error:
                response.read()
            _require(response)
            for line in response.iter_lines():
                if line.startswith("data: "):
                    yield JobShape.model_validate_json(line.removeprefix("data: "))

    # -- investigations ---------------------------------------------------------------------------

    def investigate(
        self,
        *photos: File,
        gallery: str = "default",
        top: int = 20,
        face: int | None = None,
        key: str | None = None,
    ) -> InvestigationShape:
        """Search a gallery for forgeries of the person in the photos; waits for the answer."""
        data = {"gallery": gallery, "top": str(top)} | ({"face": str(face)} if face else {})
        files = [("photos", it) for it in photos]
        return self._sent(InvestigationShape, "/api/v1/investigations", files, data, key=key)

    def investigation(self, id: str) -> InvestigationShape:
        """An earlier investigation."""
        return InvestigationShape.model_validate(self._got(f"/api/v1/investigations/{id}"))

    def hits(self, id: str, *, verdict: str | None = None) -> Iterator[HitShape]:
        """The hits of an investigation, all or those of one verdict."""
        wanted = {"verdict": verdict} if verdict else {}
        rows = self._pages(f"/api/v1/investigations/{id}/hits", **wanted)
        yield from (HitShape.model_validate(it) for it in rows)

    def maps(self, id: str, hit: str) -> list[MapShape]:
        """The maps of a hit."""
        rows = self._got(f"/api/v1/investigations/{id}/hits/{hit}/maps")
        return [MapShape.model_validate(it) for it in rows]

    def decide(self, id: str, hit: str, decision: str) -> DecisionShape:
        """Note a decision about a hit: confirmed, rejected, hidden or none."""
        path = f"/api/v1/investigations/{id}/hits/{hit}/decision"
        response = _require(self._http.put(path, json={"decision": decision}))
        return DecisionShape.model_validate(response.json())

    def report(self, id: str, format: str = "html") -> bytes:
        """The report of an investigation as a file's bytes."""
        path = f"/api/v1/investigations/{id}/reports"
        return _require(self._http.post(path, json={"format": format})).content

    # -- requests ---------------------------------------------------------------------------------

    def _got(self, path: str, **query: str) -> Any:
        return _require(self._http.get(path, params=query)).json()

    def _pages(self, path: str, **query: str) -> Iterator[Any]:
        following: dict[str, str] | None = {}
        while following is not None:
            told = self._got(path, **query, **following)
            yield from told["items"]
            following = {"cursor": told["next"]} if told["next"] else None

    def _sent(
        self,
        shape: type[Answer],
        path: str,
        files: Sequence[tuple[str, File]],
        data: Mapping[str, str],
        *,
        key: str | None = None,
    ) -> Answer:
        headers = {"Idempotency-Key": key} if key else {}
        with ExitStack() as stack:
            parts = [(name, _part(Path(file), stack)) for name, file in files]
            response = self._http.post(path, files=parts or None, data=data, headers=headers)
        return shape.model_validate(_require(response).json())


def _part(path: Path, stack: ExitStack) -> tuple[str, Any, str]:
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return path.name, stack.enter_context(path.open("rb")), kind


def _require(response: httpx.Response) -> httpx.Response:
    """The response, unless it is an error: RequestRefused."""
    if not response.is_error:
        return response
    try:
        document = dict(response.json())
    except ValueError:
        document = {}
    detail = str(document.get("detail") or f"the server answered {response.status_code}")
    raise RequestRefused(response.status_code, detail, document)


def _run_token() -> str:
    """The token of the server that this user runs; SetupError if none runs."""
    path = run_token_file(Settings.load().config_dir)
    try:
        return path.read_text("utf-8").strip()
    except OSError as error:
        raise SetupError(
            "no server of yours is running: start one with `unmask serve`, or give a token of "
            "`unmask tokens create NAME`"
        ) from error
