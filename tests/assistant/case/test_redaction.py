"""A picture leaves a case, and the rest of the record still verifies as a chain."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from assistant.case.record import Case
from assistant.case.redaction import Subject, held_in_case, redact, scrub_case
from assistant.case.signed.signing import SigningKeys
from assistant.conversation.steps import (
    CheckedSentence,
    ModelText,
    ToolCall,
    ToolResult,
    UserTurn,
)
from tests.support.stand_ins import picture

pytestmark = pytest.mark.fast

HIT, OTHER = "a" * 64, "b" * 64


def hit(image_id: str, name: str) -> dict[str, object]:
    """A hit as a search records it."""
    return {"image_id": image_id, "face_id": f"{image_id}:0", "path": f"/photos/{name}",
            "other_paths": []}  # fmt: skip


@pytest.fixture
def case(tmp_path: Path) -> Case:
    """A case of two photos and a search, with an answer that names a hit's file."""
    begun = Case.create(tmp_path, gallery="family", keys=SigningKeys(tmp_path / "keys"))
    copies = []
    for seed in (1, 2):
        Image.fromarray(picture(seed)).save(tmp_path / f"{seed}.png")
        copies += begun.keep_photos([tmp_path / f"{seed}.png"])
    begun.begin_turn("find fakes of Ada", {"Q1": copies[0]}, gallery="family")
    begun.append(ToolCall("find_person", {"photos": ["Q1"]}, "1"))
    found = {"hits": [hit(HIT, "party.jpg"), hit(OTHER, "beach.jpg")]}
    begun.record_search({"photos": ["Q1"]}, found)
    content = json.dumps({"hits": ["party.jpg", "beach.jpg"]})
    begun.append(ToolResult("1", "find_person", content, True, 0.1, 2))
    begun.append(ModelText((CheckedSentence("Two hits."),), 3, 0.1))
    begun.begin_turn("and this one?", {"Q2": copies[1]}, gallery="family")
    assert begun.verify() == ()
    return begun


def written(record: Case) -> str:
    """Everything that the record says."""
    return json.dumps([[entry.kind, dict(entry.body)] for entry in record.entries()])


def test_only_the_hit_leaves_the_search(case: Case) -> None:
    """Its record and the answer that names its file go; all other words and hits stay."""
    subject = Subject(frozenset({HIT}))
    before = case.entries()
    assert len(held_in_case(case, subject).entries) == 2
    redact(case, subject)
    after = case.entries()
    assert [(it.seq, it.at) for it in after[:-1]] == [(it.seq, it.at) for it in before]
    assert (after[-1].kind, after[-1].body["entries"]) == ("deletion", 2)
    assert "party" not in written(case) and HIT not in written(case)
    assert "Two hits." in written(case) and "find fakes of Ada" in written(case)
    latest = case.latest_search()
    assert latest is not None
    assert [it["image_id"] for it in latest["findings"]["hits"]] == [OTHER]
    result = case.steps()[2]
    assert isinstance(result, ToolResult) and not result.ok
    assert result.data["error"].startswith("Deleted on 20")


def test_a_photo_takes_everything_after_it_along(case: Case) -> None:
    """From its arrival on, words and measurements are about its person; other photos stay."""
    first, second = case.photos().values()
    redact(case, Subject(frozenset({first.name})))
    assert not first.exists() and second.exists()
    assert first.name not in written(case) and "Ada" not in written(case)
    assert list(case.photos()) == ["Q1", "Q2"]
    assert case.photos()["Q2"] == second
    assert all(isinstance(step, UserTurn) for step in (case.steps()[0], case.steps()[-1]))
    found = case.verification()
    assert (found.problems, found.signature) == ((), "valid")
    assert "were emptied when a picture was deleted on 20" in found.note
    case.append(UserTurn("thanks"))
    assert case.verify() == ()


def test_it_is_done_once(case: Case) -> None:
    """A second call finds nothing and writes nothing."""
    subject = Subject(frozenset({HIT}))
    redact(case, subject)
    head = case.head
    assert not held_in_case(case, subject)
    redact(case, subject)
    assert case.head == head


def test_the_old_hashes_are_gone(case: Case) -> None:
    """A hash over the old content would prove to who has the picture that it was here."""
    old = [entry.hash for entry in case.entries()]
    redact(case, Subject(frozenset({HIT})))
    data = b"".join(it.read_bytes() for it in case.folder.rglob("*") if it.is_file())
    searched = next(it.seq for it in case.entries() if it.kind == "search")
    assert not any(it.encode() in data for it in old[searched - 1 :])
    assert all(it.encode() in data for it in old[: searched - 1])


def test_a_stop_before_the_key_knows_the_new_head_is_no_forgery(case: Case) -> None:
    """The head beside the key may be older after an interruption; the next run brings it up."""
    old = case.keys.latest_head(case.id)
    assert old is not None
    redact(case, Subject(frozenset({HIT})))
    case.keys.keep(old)
    assert case.verify() != ()
    scrub_case(case)
    assert case.verify() == ()


def test_an_old_state_is_not_taken_for_an_interruption(case: Case) -> None:
    """Only a record that ends with a signed deletion brings the key's head up to date."""
    newer = case.keys.latest_head(case.id)
    assert newer is not None
    forged = replace(newer, hash="0" * 64)
    case.keys.keep(forged)
    scrub_case(case)
    assert case.keys.latest_head(case.id) == forged
    assert case.verify() != ()


def test_what_was_never_signed_is_not_signed_by_a_deletion(case: Case, tmp_path: Path) -> None:
    """A record from before signing: only the deletion itself is under the new signature."""
    unsigned = Case(case.folder, keys=SigningKeys(tmp_path / "other keys"))
    redact(unsigned, Subject(frozenset({HIT})))
    (head,) = [it for it in [unsigned.keys.latest_head(case.id)] if it is not None]
    assert head.first == head.entries == len(unsigned.entries())
