"""Turns, books, keys, pages and uploads: what the server works with, without models."""

import json
import os
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import anyio
import pytest
from fastapi import Request

from assistant.case.forgetting.places import loose_places
from assistant.case.forgetting.request import ForgetRequest
from assistant.server.access.roles import Identity
from assistant.server.api.galleries import _events
from assistant.server.api.idempotency import claimed
from assistant.server.api.paging import page
from assistant.server.api.shapes import JobShape
from assistant.server.mcp_tools import AgentTools
from assistant.server.problems import Problem
from assistant.server.work.history import Detection, History
from assistant.server.work.index_jobs import GalleryIndexer, IndexingJob
from assistant.server.work.lane import Cancelled, ModelLane, Turns, check
from assistant.server.work.ledger import Ledger
from tests.assistant.server.serving import settings_in
from tools.errors import ToolError
from tools.gallery.indexing.progress import IndexSummary
from tools.media.pictures.decoding import image_id

pytestmark = pytest.mark.fast

ADA, BOB = (Identity(name, frozenset({"check"})) for name in ("ada", "bob"))


# -- turns ----------------------------------------------------------------------------------------


def test_turns_come_in_order_and_a_long_job_gives_way() -> None:
    """Whoever waits goes first when the holder gives way; then the holder goes on."""
    turns, told = Turns(), list[str]()
    waits = threading.Event()

    def short() -> None:
        waits.set()
        with turns.taken():
            told.append("short")

    with turns.taken():
        other = threading.Thread(target=short)
        other.start()
        waits.wait(5)
        while not turns.is_waited_for:
            time.sleep(0.001)
        told.append("before")
        turns.give_way()
        told.append("after")
    other.join(5)
    assert told == ["before", "short", "after"]


def test_who_leaves_while_waiting_leaves_the_queue() -> None:
    """The next one in the queue still gets its turn."""
    turns, stop = Turns(), threading.Event()
    stop.set()
    with turns.taken():
        with pytest.raises(Cancelled), turns.taken(stop):
            pass
        assert not turns.is_waited_for
    with turns.taken():
        pass


def test_a_client_that_goes_away_stops_its_work() -> None:
    """The computation ends at its next step, and the next request has the models."""
    gone, steps = threading.Event(), list[int]()

    async def is_disconnected() -> bool:
        return gone.is_set()

    def work(stop: threading.Event) -> None:
        for step in range(1000):
            check(stop)
            steps.append(step)
            gone.set()
            stop.wait(0.5)

    async def served() -> str:
        lane = ModelLane()
        request = cast(Request, SimpleNamespace(is_disconnected=is_disconnected))
        with pytest.raises(Cancelled):
            await lane.run(work, request=request)
        return await lane.run(lambda _: "next")

    assert anyio.run(served) == "next"
    assert len(steps) < 10


def test_a_cancelled_request_stops_its_work() -> None:
    """As the MCP server cancels a call."""
    ended = threading.Event()

    def work(stop: threading.Event) -> None:
        assert stop.wait(5)
        ended.set()

    async def served() -> None:
        with anyio.move_on_after(0.05):
            await ModelLane().run(work)

    anyio.run(served)
    assert ended.is_set()


def test_the_loop_goes_on_while_the_models_work_and_the_queue_ends() -> None:
    """One at a time; beyond the queue's length a request is told to come back."""
    most, running = 0, 0

    def work(_: threading.Event) -> None:
        nonlocal most, running
        running += 1
        most = max(most, running)
        time.sleep(0.02)
        running -= 1

    async def served() -> int:
        lane, refused, ticks = ModelLane(max_waiting=2), list[Problem](), 0

        async def one() -> None:
            try:
                await lane.run(work)
            except Problem as problem:
                refused.append(problem)

        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(one)
            for _ in range(10):
                await anyio.sleep(0.001)
                ticks += 1
        assert [it.status for it in refused] == [503, 503]
        return ticks

    assert anyio.run(served) == 10
    assert most == 1


# -- books ----------------------------------------------------------------------------------------


def test_a_job_of_a_server_that_died_is_interrupted(tmp_path: Path) -> None:
    """Not those of a server that still runs beside."""
    first, told = Ledger(tmp_path), {"progress": None, "problem": ""}
    first.record_job("a", gallery="g", source="s", state="running", body=told)
    assert Ledger(tmp_path).job("a").state == "running"  # type: ignore[union-attr]
    first.close()  # as when the process ends
    second = Ledger(tmp_path)
    assert second.job("a").state == "interrupted"  # type: ignore[union-attr]
    assert second.latest_job("g").id == "a"  # type: ignore[union-attr]
    assert second.latest_job("other") is None


def test_the_jobs_of_a_deleted_gallery_are_removed(tmp_path: Path) -> None:
    """Unless their files still wait to be added."""
    books, told = Ledger(tmp_path), {"progress": None, "problem": ""}
    for id, gallery, source in (("a", "gone", "/none"), ("b", "kept", "/none"), ("c", "gone", ".")):
        books.record_job(id, gallery=gallery, source=source, state="done", body=told)
    books.drop_jobs(galleries=["kept"])
    assert [books.job(id) is not None for id in "abc"] == [False, True, True]


def test_stopping_an_ended_job_changes_nothing() -> None:
    """Who presses the button too late still reads that all was added."""
    job = IndexingJob("default")
    job.is_queued = False
    job.done.set()
    job.stop()
    assert job.state == "done"


def test_old_jobs_are_held_as_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that runs for months does not keep every summary in memory."""
    monkeypatch.setattr("assistant.server.work.index_jobs._KEPT_JOBS", 1)
    monkeypatch.setattr(GalleryIndexer, "_run", lambda self, job, *_: job.done.set())
    (tmp_path / "photos").mkdir()
    settings = settings_in(tmp_path, folders=(tmp_path / "photos",))
    indexer = GalleryIndexer(settings, cast(Any, None))
    jobs = [indexer.add_folder(name, str(tmp_path / "photos")) for name in "abc"]
    for job in jobs:
        assert job.done.wait(10)
    newest = indexer.add_folder("d", str(tmp_path / "photos"))
    found = [indexer.job_of_id(job.id) for job in (*jobs, newest)]
    assert [it is job for it, job in zip(found, (*jobs, newest), strict=True)] == [
        False, False, True, True,
    ]  # fmt: skip
    assert [it.gallery for it in found if it is not None] == ["a", "b", "c", "d"]


def test_a_job_names_any_skipped_file() -> None:
    """File names need not be UTF-8: they are escaped, and the stream of events goes on."""
    odd = Path(os.fsdecode(b"/photos/\xff.jpg"))
    job = IndexingJob("default")
    job.summary = IndexSummary(0, 0, 0, 0, 0, {"empty": 1}, ((odd, "empty"),), 1.0, ())
    job.done.set()
    (sent,) = anyio.run(_all, _events(job))
    assert rb"/photos/\\xff.jpg" in sent
    skipped = JobShape.model_validate(job.to_json()).summary.skipped_files  # type: ignore[union-attr]
    assert skipped[0].way_on == "copy it again from its source"


async def _all(events: AsyncIterator[bytes]) -> list[bytes]:
    return [it async for it in events]


def test_an_id_is_worth_nothing_to_another_user(tmp_path: Path) -> None:
    """Owners are compared, and lists hold one's own."""
    books = Ledger(tmp_path)
    books.own("case", "1", "ada")
    assert books.owns("case", "1", "ada")
    assert not books.owns("case", "1", "bob")
    assert not books.owns("job", "1", "ada")
    assert (books.owned("case", "ada"), books.owned("case", "bob")) == (["1"], [])


def test_a_repeated_request_makes_nothing_new(tmp_path: Path) -> None:
    """The same key and content: the first result; other content or a running one: refused."""
    books, file = Ledger(tmp_path), tmp_path / "a.jpg"
    file.write_bytes(b"1")
    with claimed(books, ADA, "k", ["x"], [file]) as first:
        with pytest.raises(Problem) as running, claimed(books, ADA, "k", ["x"], [file]):
            pass
        first.made = "42"
    with claimed(books, ADA, "k", ["x"], [file]) as again:
        assert again.earlier == "42"
    with claimed(books, BOB, "k", ["x"], [file]) as of_another:
        assert of_another.earlier is None
    file.write_bytes(b"2")
    with pytest.raises(Problem) as other, claimed(books, ADA, "k", ["x"], [file]):
        pass
    assert (running.value.status, other.value.status) == (409, 422)


def test_a_failed_request_frees_its_key(tmp_path: Path) -> None:
    """It may be sent again with the same key."""
    books = Ledger(tmp_path)
    with pytest.raises(ToolError), claimed(books, ADA, "k", ["x"], []):
        raise ToolError("no face")
    with claimed(books, ADA, "k", ["x"], []) as again:
        assert again.earlier is None


def test_pages_hold_everything_once() -> None:
    """Following the cursors lists all; a made-up cursor is refused."""
    items, seen, cursor = list(range(7)), list[int](), None
    while True:
        told: dict[str, Any] = page(items, 3, cursor)
        seen += told["items"]
        cursor = told["next"]
        if cursor is None:
            break
    assert seen == items
    for wrong in ("x", "YWZ0ZXI6LTE=", "é"):
        with pytest.raises(Problem, match="cursor"):
            page(items, 3, wrong)


# -- files for agents -----------------------------------------------------------------------------


def test_a_long_list_of_files_says_that_it_is_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An agent must not take the first files for all."""
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(b"picture")
    tools = AgentTools(cast(Any, None), tmp_path, (tmp_path,))

    def listed() -> dict[str, Any]:
        return dict(json.loads(str(tools.call("list_files", {}, who=ADA, stop=threading.Event()))))

    assert list(listed()) == ["files"]
    monkeypatch.setattr("assistant.server.mcp_tools.MAX_FILES", 1)
    assert len(listed()["files"]) == 1 and "smaller folder" in listed()["left out"]


# -- the history ----------------------------------------------------------------------------------


def test_a_kept_result_is_ones_own_and_private(tmp_path: Path) -> None:
    """Another user's id, a path, or a result that was never computed here: nothing is there."""
    history = History(tmp_path)
    id = history.remember("ada", Detection("a.jpg", b"picture", {"faces": []}))
    assert history.entries("ada") == []
    history.keep("ada", id)
    assert [it["id"] for it in history.entries("ada")] == [id]
    assert history.picture("ada", id) == b"picture"
    assert history.entries("bob") == []
    for user, wrong in (("bob", id), ("ada", "../../etc/passwd"), ("ada", "0" * 24), ("ada", "")):
        for ask in (history.entry, history.picture, history.delete, history.keep):
            with pytest.raises(ToolError, match="no such result"):
                ask(user, wrong)
    assert all(it.stat().st_mode & 0o077 == 0 for it in tmp_path.rglob("*"))
    assert not [it for it in tmp_path.rglob("*") if "ada" in it.name]
    history.delete("ada", id)
    assert history.entries("ada") == []


def test_memory_holds_the_latest_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A number of results of each user, and so many bytes of all users together."""
    history = History(tmp_path)
    own = [history.remember("ada", Detection("a.jpg", b"1234", {})) for _ in range(21)]
    other = history.remember("bob", Detection("b.jpg", b"1234", {}))
    with pytest.raises(ToolError, match="check the picture again"):
        history.keep("ada", own[0])
    monkeypatch.setattr("assistant.server.work.history.MOST_BYTES", 8)
    newest = history.remember("eve", Detection("c.jpg", b"1234", {}))
    with pytest.raises(ToolError, match="check the picture again"):
        history.keep("ada", own[-1])
    assert [history.keep(*it)["id"] for it in (("bob", other), ("eve", newest))] == [other, newest]


def test_forgetting_a_picture_finds_the_kept_checks_of_it(tmp_path: Path) -> None:
    """By its bytes, in whosever history; other pictures stay."""
    settings, history = settings_in(tmp_path), History(tmp_path / "home")
    ids = [history.remember("ada", Detection("a.jpg", data, {})) for data in (b"one", b"two")]
    for id in ids:
        history.keep("ada", id)
    found = loose_places(settings, ForgetRequest("image", "k", frozenset({image_id(b"one")})))
    assert [it.name for it in found.folders] == ids[:1]
