"""The doors through which files come in, and how one file fares at one of them.

Runs in a child process, which may crash or hang: `report_from_child` writes a line before and
after each file.
"""

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from assistant import Settings, Unmask
from assistant.profile import LoadedModels
from tools.errors import SetupError, ToolError
from tools.media.skip_reasons import remedy

GALLERY = "hostile"
Door = Callable[[Path], str]
"""Takes a file; returns an empty text if it was read, otherwise the reason that a person reads."""


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a file: `reason` is empty if it was read; `error` names a fault of ours.

    `seconds` of wall time; `cpu_s` of processor time, children included; `peak_mb` of resident
    memory of this process, `helpers_mb` of its largest child.
    """

    file: str
    reason: str
    error: str
    seconds: float
    cpu_s: float
    peak_mb: float
    helpers_mb: float


def report_from_child(home: str, passages: str, log: str) -> None:
    """Pass files through doors, as the lines `DOOR PATH` of the file `passages` say."""
    models = LoadedModels(Settings(home=Path(home), config_dir=Path(home) / "config", threads=1))
    opened: dict[str, Door] = {}
    with contextlib.ExitStack() as stack, Path(log).open("a", encoding="utf-8") as lines:
        for line in Path(passages).read_text("utf-8").splitlines():
            door, path = line.split(" ", 1)
            if door not in opened:
                opened[door] = stack.enter_context(DOORS[door](models))
            lines.write(json.dumps({"begun": line}) + "\n")
            lines.flush()
            lines.write(json.dumps(asdict(_fate(opened[door], Path(path)))) + "\n")
            lines.flush()


def _fate(take: Door, path: Path) -> Fate:
    _reset_peak()
    began, cpu = time.monotonic(), _cpu_s()
    reason = error = ""
    try:
        reason = take(path)
    except (ToolError, SetupError) as refused:
        reason = str(refused)
    except Exception as fault:  # noqa: BLE001 - a fault is what the suite looks for
        error = f"{type(fault).__name__}: {fault}"[:300]
    spent, used = time.monotonic() - began, _cpu_s() - cpu
    helpers = max(map(_peak_mb, _children()), default=0.0)
    return Fate(path.name, reason, error, spent, used, _peak_mb(os.getpid()), helpers)


# -- the doors ---------------------------------------------------------------------------------


@contextlib.contextmanager
def _indexing(models: LoadedModels) -> Iterator[Door]:
    from tools.gallery.indexing.job import index_folders
    from tools.gallery.record_store import Gallery
    from tools.gallery.vector_index import FaceIndex

    home = models.settings.home
    with (
        Gallery.open(home, "indexed", fingerprint=models.fingerprint) as gallery,
        FaceIndex.open(gallery) as index,
    ):

        def take(path: Path) -> str:
            summary = index_folders(
                [path], gallery=gallery, index=index, faces=models.faces, encoder=models.encoder,
                threads=1,
            )  # fmt: skip
            return "; ".join(f"{reason}: {remedy(reason)}" for reason in summary.skipped)

        yield take


@contextlib.contextmanager
def _finding(models: LoadedModels) -> Iterator[Door]:
    unmask = _with_gallery(models)

    def take(path: Path) -> str:
        unmask.find(path, top=1, rerank=False)
        return ""

    yield take


@contextlib.contextmanager
def _checking(models: LoadedModels) -> Iterator[Door]:
    unmask = Unmask(models.settings, models=models)

    def take(path: Path) -> str:
        report = unmask.check(path)
        return "; ".join(it.text for it in report.problems)

    yield take


@contextlib.contextmanager
def _provenance(models: LoadedModels) -> Iterator[Door]:
    from tools.provenance.reading import read_provenance

    def take(path: Path) -> str:
        read_provenance(path)
        return ""

    yield take


@contextlib.contextmanager
def _chatting(models: LoadedModels) -> Iterator[Door]:
    from tools import toolkit
    from tools.agent_tools.workspace import Workspace

    _with_gallery(models)

    def take(path: Path) -> str:
        workspace = Workspace(models, home=models.settings.home, gallery=GALLERY)
        photo = workspace.add_photo(path)
        workspace.pictures.metadata(photo)
        workspace.pictures.cover(photo)
        tools = {tool.name: tool for tool in toolkit(workspace)}
        tools["find_person"].invoke({"photos": [photo]})
        return ""

    yield take


@contextlib.contextmanager
def _uploading(models: LoadedModels) -> Iterator[Door]:
    from starlette.testclient import TestClient

    from assistant.server.access.roles import SCOPES
    from assistant.server.access.tokens import TokenStore
    from assistant.server.api.services import Services
    from assistant.server.serving import build_server

    parts = Services.of(models.settings, models)
    server = build_server(models.settings, mcp=False, parts=parts)
    secret = TokenStore(models.settings.config_dir).create("hostile", SCOPES)
    headers = {"Authorization": f"Bearer {secret}"}
    with TestClient(server.asgi, base_url="http://localhost:7860", headers=headers) as client:

        def take(path: Path) -> str:
            with path.open("rb") as file:
                answer = client.post("/api/v1/checks", files={"photos": (path.name, file)})
            if answer.status_code >= 500:
                raise RuntimeError(f"{answer.status_code}: {answer.text[:200]}")
            body = answer.json()
            if answer.status_code != 200:
                return str(body["detail"])
            return "; ".join(str(it["reason"]) for it in body["problems"])

        yield take


DOORS: dict[str, Callable[[LoadedModels], contextlib.AbstractContextManager[Door]]] = {
    "index": _indexing,
    "find": _finding,
    "check": _checking,
    "provenance": _provenance,
    "chat": _chatting,
    "api": _uploading,
}


def _with_gallery(models: LoadedModels) -> Unmask:
    """An application with a small gallery to search."""
    from evals.suites.resilience.hostile.samples import picture

    photos = models.settings.home / "gallery-photos"
    photos.mkdir(parents=True, exist_ok=True)
    picture().save(photos / "one.png")
    unmask = Unmask(models.settings, GALLERY, models=models)
    unmask.index(photos)
    return unmask


# -- memory ------------------------------------------------------------------------------------


def _reset_peak() -> None:
    for each in (os.getpid(), *_children()):
        with contextlib.suppress(OSError):
            Path(f"/proc/{each}/clear_refs").write_text("5")


def _peak_mb(process: int) -> float:
    """Highest resident memory since the last reset; 0 where the system does not tell."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{process}/status").read_text("ascii", "replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return 0.0


def _cpu_s() -> float:
    """Processor time of this process and its children, those that have ended included."""
    times = os.times()
    running = 0.0
    for each in _children():
        with contextlib.suppress(OSError, IndexError, ValueError):
            fields = Path(f"/proc/{each}/stat").read_text("ascii", "replace").rsplit(")", 1)[1]
            running += sum(map(int, fields.split()[11:13])) / os.sysconf("SC_CLK_TCK")
    return sum(times[:4]) + running


def _children() -> list[int]:
    found = []
    for task in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += [int(each) for each in task.read_text("ascii").split()]
    return found
