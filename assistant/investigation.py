"""The Python API: index a gallery and search it, or check photos without a gallery.

`Unmask().index(folders)` fills a gallery; `Unmask().find(photos).hits` are ranked and explained.
`Unmask().check(photos).faces` and `Unmask().compare(a, b)` need no gallery and store nothing.
"""

import contextlib
import functools
import os
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from assistant.profile import AnalysersOnDemand, LoadedModels, load_analysers
from assistant.settings import Settings
from tools.errors import SetupError
from tools.gallery.access_log import record_access
from tools.gallery.database_file import gallery_folder
from tools.gallery.engines.choice import choose_index
from tools.gallery.indexing.job import index_folders
from tools.gallery.indexing.progress import IndexProgress, IndexSummary
from tools.gallery.record_store import Gallery
from tools.gallery.upgrade.job import UpgradeSummary, upgrade_gallery
from tools.gallery.vector_index import FaceIndex
from tools.media.file_names import printable
from tools.media.paths import walk
from tools.search.checking.check import OnProgress, check_photos
from tools.search.checking.comparison import Comparison, compare_photos
from tools.search.checking.results import CheckReport
from tools.search.query import Query
from tools.search.query_files import FaceNumbers, query_from_files
from tools.search.reranking.rerank_input import RerankMeasure
from tools.search.reranking.reranker import RERANK_MEASURES, Reranker
from tools.search.results import Findings
from tools.search.search import search

if TYPE_CHECKING:
    from tools.gallery.indexing.ray_pool import RayAnalysisPool

PathOrPaths = Path | str | Sequence[Path | str]


class Unmask:
    """Index folders into a gallery and search it for impersonations of a person.

    `settings` default to the environment's; `gallery` names the collection. Weights load on first
    use and are kept; pass `models` of another object to share them. Folders and photos are one path
    or several. Raises SetupError for errors that the user can fix (a missing gallery, missing
    checkpoints, an empty list), ToolError for photos that cannot serve as a query.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        gallery: str = "default",
        *,
        models: LoadedModels | None = None,
    ) -> None:
        self.settings = settings or Settings.load()
        self.gallery_name = gallery
        if models is not None:
            self.models = models

    @cached_property
    def models(self) -> LoadedModels:
        """The profile's checkpoints, loaded when first needed."""
        return LoadedModels(self.settings)

    def index(
        self,
        folders: PathOrPaths,
        *,
        on_progress: Callable[[IndexProgress], None] | None = None,
        follow_links: bool = False,
        search_index: str | None = None,
        engine: str | None = None,
    ) -> IndexSummary:
        """Add every image below `folders` to the gallery; known files cost nothing.

        Broken files are skipped and counted in the summary, and so are links out of the folders
        unless `follow_links`. Folders without any file make no new gallery: SetupError.
        `search_index` chooses the gallery's search index from now on, as `unmask index --index`
        does. `engine` "ray" analyses in processes of Ray on this machine, "ray:ADDRESS" on a
        cluster that it belongs to.
        """
        paths = _listed(folders, "index", "folders or files")
        home = self.settings.home
        if self.gallery_name not in Gallery.names(home) and next(walk(paths), None) is None:
            raise SetupError(
                f"there is no file in {', '.join(map(repr, map(printable, paths)))}: nothing was "
                "indexed and no gallery was made; name the folder that holds the pictures"
            )
        parts = self.models
        on_demand = AnalysersOnDemand(parts)
        pool = None if engine is None else self._ray_pool(engine)
        with contextlib.ExitStack() as stack:
            gallery = stack.enter_context(
                Gallery.open(home, self.gallery_name, fingerprint=parts.fingerprint)
            )
            told = [] if search_index is None else choose_index(gallery, search_index)
            index = stack.enter_context(FaceIndex.open(gallery))
            index.notices += told
            return index_folders(
                paths,
                gallery=gallery,
                index=index,
                faces=on_demand,
                encoder=on_demand,
                threads=self.settings.threads,
                pool=pool,
                on_progress=on_progress,
                follow_links=follow_links,
            )

    def upgrade(self, *, on_progress: Callable[[int, int], None] | None = None) -> UpgradeSummary:
        """Embed the gallery's faces again, if it was made with another face embedder.

        Its files are read again; faces are not detected again and keep their ids. The gallery does
        not change before all are read, and an interrupted upgrade continues. Faces whose files are
        gone are set aside, as the summary says, until an upgrade finds the files. `on_progress`
        gets the number of faces embedded and the total.
        """
        return upgrade_gallery(
            self.settings.home,
            self.gallery_name,
            faces=self.models.faces,
            fingerprint=self.models.fingerprint,
            on_progress=on_progress,
        )

    def find(
        self,
        photos: PathOrPaths,
        *,
        top: int = 20,
        face: FaceNumbers | None = None,
        rerank: bool = True,
        opinion: bool = False,
    ) -> Findings:
        """Rank the gallery by the probability that a face impersonates the person in `photos`.

        `photos` are authentic and show one person: photos, folders of photos, or videos. If a photo
        shows several faces, `face` (1-based, left to right) selects one: a number for the only
        photo, or `{"ada.jpg": 2}`. At most `top` hits are returned. With `rerank`, pictures of the
        leading hits are read again and measured further, and a verdict that mild JPEG, resizing or
        blur would change becomes inconclusive. With `opinion`, the chat model judges each of them
        as well: weak evidence that has no part in the verdict.
        """
        return self.investigate(photos, top=top, face=face, rerank=rerank, opinion=opinion)[0]

    def investigate(
        self,
        photos: PathOrPaths,
        *,
        top: int = 20,
        face: FaceNumbers | None = None,
        rerank: bool = True,
        opinion: bool = False,
        on_progress: Callable[[int, int], None] | None = None,
        on_ranked: Callable[[Findings], None] | None = None,
    ) -> tuple[Findings, Query]:
        """Like `find`, and also return the measured query, for a report.

        `on_progress` is called with the number of reranked hits and their total. `on_ranked` is
        called before, with the findings as `rerank=False` would give them.
        """
        paths = _listed(photos, "find", "one or more photos of the person")
        parts = self.models
        asked = (self._opinion(),) if rerank and opinion else ()
        leading = Reranker((*RERANK_MEASURES, *asked), on_progress=on_progress) if rerank else None
        with Gallery.open_existing(
            self.settings.home, self.gallery_name, fingerprint=parts.fingerprint
        ) as gallery:
            query = query_from_files(
                paths, faces=parts.faces, encoder=parts.encoder, face=face, rule=parts.rule
            )
            found = search(
                gallery, query, instruments=parts, top=top, reranker=leading, on_ranked=on_ranked
            )
            return found.findings, query

    def report(
        self,
        photos: PathOrPaths,
        path: Path | str,
        *,
        top: int = 20,
        face: FaceNumbers | None = None,
    ) -> Findings:
        """Like `find`, and also write a report with pictures, methods and limits.

        The ending of `path` decides: `.html`, `.pdf` or `.json`. Raises SetupError for another, and
        if it cannot be written.
        """
        # Draws and writes documents, which nothing else here needs.
        from assistant.report.findings_page import require_report_name, write_report

        require_report_name(Path(path))
        findings, query = self.investigate(photos, top=top, face=face)
        models = self.models
        write_report(findings, query, Path(path), rule=models.rule, instruments=models)
        record_access(gallery_folder(self.settings.home, self.gallery_name), "export")
        return findings

    def check(
        self,
        photos: PathOrPaths,
        *,
        of: PathOrPaths = (),
        face: FaceNumbers | None = None,
        on_progress: OnProgress | None = None,
    ) -> CheckReport:
        """Check photos without a gallery: was a face forged, where, and is it the person's in `of`?

        `photos` are photos, folders of them or, with references, videos; `of` are authentic photos
        of one person. With them the answer is that of a search among these photos; without them
        every face is judged by itself. `face` (1-based, left to right) selects a face: a number for
        a single photo, or `{"group.jpg": 2}`. A file that cannot be checked is one of the report's
        `problems`; so are references that cannot serve, and the photos are then checked without
        them. `on_progress` is called with the stage, the number done and the total.
        """
        paths = _listed(photos, "check", "one or more photos")
        references = [Path(each) for each in ([of] if isinstance(of, Path | str) else of)]
        return check_photos(
            paths, of=references, face=face, instruments=self.models, on_progress=on_progress
        )

    def compare(
        self,
        first: Path | str,
        second: Path | str,
        *,
        face: Mapping[Path | str, int] | None = None,
    ) -> Comparison:
        """Compare two photos: the same person, the same photograph, and which places differ.

        `face`, as in `{"group.jpg": 2}`, selects a face of a photo that shows several. Raises
        ToolError for a file that is no picture; a photo without a single face is one of the
        comparison's `problems`.
        """
        return compare_photos(Path(first), Path(second), face=face, instruments=self.models)

    def _ray_pool(self, engine: str) -> "RayAnalysisPool":
        from tools.gallery.indexing.ray_pool import RayAnalysisPool

        name, _, address = engine.partition(":")
        if name != "ray":
            raise SetupError(f"{engine!r} is no engine: use ray, or ray:HOST:6379 for a cluster")
        workers = self.settings.threads or os.cpu_count() or 1
        load = functools.partial(load_analysers, self.settings)
        return RayAnalysisPool(workers, load=load, address=address)

    def _opinion(self) -> RerankMeasure:
        # Loads the chat model, which nothing else here needs.
        from assistant.chat_model.choice import load_chat_model
        from assistant.chat_model.opinion import opinion_measurement

        return opinion_measurement(load_chat_model(self.settings))


def _listed(paths: PathOrPaths, method: str, wanted: str) -> list[Path]:
    """One or several paths as a list; SetupError if it is empty."""
    listed = [Path(each) for each in ([paths] if isinstance(paths, Path | str) else paths)]
    if not listed:
        raise SetupError(f"{method}() was given no path: give it {wanted}")
    return listed
