"""Near-identical hits as groups with the earliest of them."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.made.listed_hits import dated_picture, findings, hit
from tools.agent_tools.copies import (
    alike_hits,
    findings_with_copies,
    group_copies,
    nearest_hits,
)
from tools.search.results import Hit, HitVersion
from tools.verdict.rule import Verdict

pytestmark = pytest.mark.fast


def hashed(rank: int, path: Path, face_hash: int | None, verdict: Verdict = "other") -> Hit:
    """A hit whose aligned face has this hash."""
    return replace(hit(rank, path, verdict), face_hash=face_hash)


def test_near_faces_with_one_verdict_are_a_group_with_the_earliest(tmp_path: Path) -> None:
    """Six of 64 bits are near, seven are not; another verdict or no hash is never folded away."""
    new = dated_picture(tmp_path / "new.jpg", changed="2024-01-01")
    old = dated_picture(tmp_path / "old.jpg", taken="2021:07:14 10:00:00", changed="2025-01-01")
    gone = tmp_path / "gone.jpg"
    hits = [
        hashed(1, new, 0),
        hashed(2, old, 0b111111),
        hashed(3, new, 0b1111111),
        hashed(4, new, 0, "copy"),
        hashed(5, gone, 1),
        hashed(6, new, None),
    ]
    (group,) = group_copies(hits)
    assert [it.handle for it in group.hits] == ["H1", "H2", "H5"]
    assert group.earliest_in_words == "H2, 2021-07-14 by its EXIF date"
    assert findings_with_copies(findings(hits))["copies"] == [
        {"hits": ["H1", "H2", "H5"], "earliest": "H2", "date": "2021-07-14T10:00:00",
         "date_source": "EXIF"},
    ]  # fmt: skip


def test_without_any_date_no_hit_is_the_earliest(tmp_path: Path) -> None:
    """Files that are gone have none, and nothing is guessed."""
    (group,) = group_copies([hashed(1, tmp_path / "a.jpg", 5), hashed(2, tmp_path / "b.jpg", 5)])
    assert (group.earliest, group.date, group.earliest_in_words) == (None, None, "")


def test_a_forgery_is_no_copy_of_its_proven_original(tmp_path: Path) -> None:
    """The faces differ, whatever their hashes say and whichever of the two is listed first."""
    first, second = hashed(1, tmp_path / "a.jpg", 5), hashed(2, tmp_path / "b.jpg", 5)
    box = (0.0, 0.0, 1.0, 1.0)
    identity = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
    proven = HitVersion(second.image_id, second.paths, False, box, box, identity)
    assert group_copies([replace(first, version=proven), second]) == []
    other = HitVersion(first.image_id, first.paths, False, box, box, identity)
    assert group_copies([first, replace(second, version=other)]) == []


def test_alike_hits_may_have_different_verdicts(tmp_path: Path) -> None:
    """A group of the list folds hits away, so it needs one verdict; a question does not."""
    path = tmp_path / "a.jpg"
    hits = [
        hashed(1, path, 0),
        hashed(2, path, 0b111, "copy"),
        hashed(3, path, None),
        hashed(4, path, (1 << 40) - 1),
        hashed(5, path, (1 << 41) - 1),
    ]
    found = [[it.handle for it in group] for group in alike_hits(hits)]
    assert found == [["H1", "H2"], ["H4", "H5"]]
    nearest = nearest_hits(hits)
    assert nearest is not None
    assert (nearest[0].handle, nearest[1].handle, nearest[2]) == ("H4", "H5", 1)
    assert nearest_hits([hits[0], hits[2]]) is None


def test_small_steps_make_no_chain(tmp_path: Path) -> None:
    """Each is compared with the leading hit."""
    hits = [hashed(n, tmp_path / "a.jpg", (1 << 5 * n) - 1) for n in range(1, 4)]
    (group,) = group_copies(hits)
    assert [it.handle for it in group.hits] == ["H1", "H2"]
