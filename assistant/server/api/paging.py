"""Lists in pages: `limit` items at a time, and an opaque cursor to the next page."""

import base64
import binascii
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Query

from assistant.server.problems import Problem

Limit = Annotated[int, Query(ge=1, le=100, description="Items on a page.")]
Cursor = Annotated[
    str | None, Query(max_length=64, description="`next` of the page before; none for the first.")
]


def page(items: Sequence[Any], limit: int, cursor: str | None) -> dict[str, Any]:
    """One page of a list: `items`, and `next`, null on the last page. Raises Problem."""
    start = _place(cursor)
    end = start + limit
    following = _cursor(end) if end < len(items) else None
    return {"items": list(items[start:end]), "next": following}


def _cursor(place: int) -> str:
    return base64.urlsafe_b64encode(f"after:{place}".encode()).decode()


def _place(cursor: str | None) -> int:
    if cursor is None:
        return 0
    try:
        kind, _, place = base64.urlsafe_b64decode(cursor.encode()).decode("ascii").partition(":")
        if kind == "after" and place.isdigit():
            return int(place)
    except (ValueError, binascii.Error):
        pass
    raise Problem(422, "this cursor is not one of ours: begin with the first page")
