"""Hits and findings for tests of lists, without a search."""

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from PIL import Image

from tools.search.results import Findings, Hit, count_verdicts
from tools.verdict.rule import Assessment, Verdict


def hit(
    rank: int,
    path: Path,
    verdict: Verdict = "inconclusive",
    *,
    same: float | None = 0.5,
    fake: float | None = 0.5,
    image_id: str = "",
) -> Hit:
    """A hit of this rank in a file; its picture is named by the file unless told otherwise."""
    name = image_id or path.name
    return Hit(
        rank, f"{name}:0", name, (path,), (0.0, 0.0, 8.0, 8.0), (), Assessment(
            verdict, same, fake, None, "a reason"
        ), (), "",
    )  # fmt: skip


def findings(hits: Sequence[Hit]) -> Findings:
    """What a search that found these hits and nothing more would return."""
    return Findings(
        (), (), "family", "pocket", tuple(hits), len(hits),
        count_verdicts([each.verdict for each in hits]), 0, (),
    )  # fmt: skip


def dated_picture(path: Path, *, taken: str = "", changed: str = "2020-01-01") -> Path:
    """A small JPEG file whose EXIF says `taken`, if given, and whose file was `changed` then."""
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    if taken:
        exif.get_ifd(0x8769)[0x9003] = taken
    Image.new("RGB", (8, 8)).save(path, exif=exif)
    time_s = datetime.fromisoformat(changed).timestamp()
    os.utime(path, (time_s, time_s))
    return path
