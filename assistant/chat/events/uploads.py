"""Uploads, which are deleted after use: every user of the page could read them."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from gradio.context import LocalContext


def delete_uploads(files: Iterable[Path]) -> None:
    """Delete uploads, but for those that another message names, which waits or is being answered.

    Gradio names an upload by its content: the same photo sent by two people is one file, and the
    last of them deletes it.
    """
    page, mine = LocalContext.blocks.get(None), LocalContext.event_id.get(None)
    wanted = set[str]() if page is None else set(_named_by_others(page, mine))
    for file in files:
        if str(file) not in wanted:
            file.unlink(missing_ok=True)


def _named_by_others(page: Any, mine: str | None) -> Iterator[str]:
    """The files named by the events in Gradio's queue, but for this one."""
    queue = page._queue
    waiting = [list(it.queue) for it in [*queue.event_queue_per_concurrency_id.values()]]
    running = [list(it) for it in [*queue.active_jobs] if it]
    for events in (*waiting, *running):
        for event in events:
            if event._id != mine and event.data is not None:
                yield from _paths(event.data.data)


def _paths(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("path"), str):
            yield value["path"]
        for inner in value.values():
            yield from _paths(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _paths(inner)
