"""The case record keeps everything, stays private, and detects changes."""

import json
import shutil
import sqlite3
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple
from pathlib import Path

import pytest
from PIL import Image

from assistant.case.catalogue import list_cases
from assistant.case.record import Case
from assistant.case.signed.chain import GENESIS_HASH, chained
from assistant.case.signed.entry import CaseEntry
from assistant.case.signed.record_file import CASE_DB_FILE
from assistant.case.signed.signing import KEY_FILE, SigningKeys
from assistant.conversation.steps import Failed, Step, Stopped, ToolCall, UserTurn
from tests.support.stand_ins import picture
from tools.errors import SetupError, ToolError
from tools.verdict.handles import Fact

pytestmark = pytest.mark.fast

FACT = Fact("H1.E1", "identity similarity", 0.6, "cosine", "same person", "ArcFace", "none", 0.5)


@pytest.fixture
def case(tmp_path: Path) -> Case:
    """A case just begun."""
    return Case.create(tmp_path, gallery="family")


def test_steps_come_back_in_order(case: Case, tmp_path: Path) -> None:
    """What was appended is there after opening the case again."""
    steps: list[Step] = [
        UserTurn("find fakes", ("Q1",)),
        ToolCall("find_person", {"photos": ["Q1"]}, "1"),
        Stopped(),
    ]
    for step in steps:
        case.append(step)
    again = Case.open(tmp_path, case.id)
    assert again.steps() == steps
    assert again.gallery == "family"
    assert again.verify() == ()


def test_threads_append_one_after_the_other(case: Case) -> None:
    """Two writers at once leave one unbroken chain."""
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: case.append(UserTurn(str(n))), range(20)))
    assert len(case.steps()) == 20
    assert case.verify() == ()


@pytest.mark.parametrize(
    ("tampering", "entry"),
    [
        ("UPDATE entries SET body = replace(body, 'fakes', 'ghosts') WHERE seq = 2", 2),
        ("UPDATE entries SET at = '2020-01-01' WHERE seq = 2", 2),
        ("DELETE FROM entries WHERE seq = 2", 2),
        ("UPDATE entries SET seq = seq + 1 WHERE seq = 3", 3),
    ],
)
def test_a_changed_record_is_noticed(case: Case, tampering: str, entry: int) -> None:
    """Editing, removing and moving an entry break the chain."""
    case.append(UserTurn("find fakes"))
    case.append(Failed("no disk"))
    with sqlite3.connect(case.folder / CASE_DB_FILE) as connection:
        connection.execute(tampering)
    connection.close()
    assert case.verify() == (f"entry {entry} was changed, removed or inserted",)


def edited(record: Case, *statements: str) -> None:
    """Change the record as someone with an SQLite tool does."""
    with sqlite3.connect(record.folder / CASE_DB_FILE) as connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


def hashed_anew(record: Case) -> None:
    """Number all entries and compute every hash again, as an editor who knows this code does."""
    with sqlite3.connect(record.folder / CASE_DB_FILE) as connection:
        rows = connection.execute("SELECT * FROM entries ORDER BY seq").fetchall()
        connection.execute("DELETE FROM entries")
        previous = GENESIS_HASH
        for seq, (_, at, kind, body, _) in enumerate(rows, start=1):
            previous = chained(previous, CaseEntry(seq, at, kind, json.loads(body), ""))
            row = (seq, at, kind, body, previous)
            connection.execute("INSERT INTO entries VALUES (?, ?, ?, ?, ?)", row)
    connection.close()


EDITS = {
    "altered": ["UPDATE entries SET body = replace(body, 'fakes', 'ghosts')"],
    "another time": ["UPDATE entries SET at = '2020-01-01' WHERE seq = 2"],
    "missing": ["DELETE FROM entries WHERE seq = 2"],
    "moved": [
        "UPDATE entries SET seq = 99 WHERE seq = 2",
        "UPDATE entries SET seq = 2 WHERE seq = 3",
        "UPDATE entries SET seq = 3 WHERE seq = 99",
    ],
    "cut off": ["DELETE FROM entries WHERE seq > 2"],
    "inserted": ["INSERT INTO entries SELECT 9, at, kind, body, hash FROM entries WHERE seq = 2"],
}


@pytest.fixture
def asked(case: Case) -> Case:
    """A case of three entries and one more."""
    for text in ("find fakes", "why?", "thanks"):
        case.append(UserTurn(text))
    return case


@pytest.mark.parametrize("edit", EDITS)
def test_who_computes_all_hashes_anew_is_found(asked: Case, edit: str) -> None:
    """The head was signed with a key that the editor does not have."""
    assert asked.verification().signature == "valid"
    edited(asked, *EDITS[edit])
    hashed_anew(asked)
    found = asked.verification()
    assert found.signature == "does not hold"
    assert found.problems


@pytest.mark.parametrize("edit", EDITS)
def test_going_on_does_not_vouch_for_what_was_changed(asked: Case, edit: str) -> None:
    """New steps are kept after tampering, and the tampering stays visible."""
    edited(asked, *EDITS[edit])
    hashed_anew(asked)
    asked.append(UserTurn("and now?"))
    assert asked.steps()[-1] == UserTurn("and now?")
    assert asked.verification().signature == "does not hold"


@pytest.mark.parametrize("statement", ["DELETE FROM heads", "DROP TABLE heads"])
def test_a_signature_that_was_removed_is_missed(asked: Case, statement: str) -> None:
    """A record without its signature does not pass for one of before signing, nor later."""
    edited(asked, *EDITS["altered"], statement)
    hashed_anew(asked)
    for _ in range(2):
        found = asked.verification()
        assert found.signature == "does not hold"
        assert any("signature was removed" in it for it in found.problems)
        asked.append(UserTurn("and now?"))


def test_an_older_state_does_not_pass_for_the_present_one(case: Case, tmp_path: Path) -> None:
    """Putting back a copy of the record, signature and all, is found."""
    case.append(UserTurn("find fakes"))
    older = tmp_path / "older"
    with sqlite3.connect(case.folder / CASE_DB_FILE) as connection:
        connection.execute("VACUUM INTO ?", (str(older),))
    connection.close()
    case.append(UserTurn("why?"))
    for file in case.folder.glob(f"{CASE_DB_FILE}*"):
        file.unlink()
    shutil.copy(older, case.folder / CASE_DB_FILE)
    assert case.verify() == ("the end is cut off: 3 entries were signed, 2 are there",)
    case.append(UserTurn("and now?"))
    assert case.verification().signature == "does not hold"


def test_a_signature_of_another_case_is_none(asked: Case, tmp_path: Path) -> None:
    """A whole record cannot be put in the place of another."""
    other = Case.create(tmp_path, gallery="family")
    for file in other.folder.glob(f"{CASE_DB_FILE}*"):
        file.unlink()
    shutil.copy(asked.folder / CASE_DB_FILE, other.folder / CASE_DB_FILE)
    assert other.verification().signature == "does not hold"


def test_a_forged_signature_is_that_of_another_key(asked: Case, tmp_path: Path) -> None:
    """Who signs with a key of his own is told from the user."""
    edited(asked, *EDITS["altered"])
    hashed_anew(asked)
    entries = asked.entries()
    forged = SigningKeys(tmp_path / "mine").sign(
        case=asked.id, first=1, entries=len(entries), hash=entries[-1].hash
    )
    assert forged is not None
    row = ", ".join(map(repr, astuple(forged)))
    edited(asked, "DELETE FROM heads", f"INSERT INTO heads VALUES ({row})")  # noqa: S608
    found = asked.verification()
    assert found.signature == "does not hold"
    assert any(f"key {forged.key}" in it for it in found.problems)


def test_a_case_of_before_signing_is_said_to_be_unsigned(tmp_path: Path) -> None:
    """It opens, goes on, and is signed from there on; no step is lost."""
    keys = SigningKeys(tmp_path / "keys")
    old = Case.create(tmp_path, gallery="family", keys=keys)
    edited(old, "DROP TABLE heads")
    shutil.rmtree(keys.folder)
    found = Case.open(tmp_path, old.id, keys=keys).verification()
    assert (found.signature, found.problems) == ("not signed", ())
    assert "not signed" in found.note
    old.append(UserTurn("find fakes"))
    found = old.verification()
    assert (found.signature, found.problems) == ("valid", ())
    assert "entries 1 to 1 were written before" in found.note


@pytest.mark.parametrize("change", ["lost", "replaced", "damaged", "made a folder"])
def test_a_key_that_is_gone_is_told(tmp_path: Path, change: str) -> None:
    """Cases open and go on without it; that their signature cannot be checked is said."""
    keys = SigningKeys(tmp_path / "keys")
    record = Case.create(tmp_path, gallery="family", keys=keys)
    file = keys.folder / KEY_FILE
    file.unlink()
    if change == "replaced":
        SigningKeys(tmp_path / "others").sign(case="x", first=1, entries=1, hash="")
        shutil.copy(tmp_path / "others" / KEY_FILE, file)
    elif change == "damaged":
        file.write_text("not a key")
    elif change == "made a folder":
        file.mkdir()
    found = Case.open(tmp_path, record.id, keys=keys).verification()
    assert found.signature == "cannot be checked"
    assert "cannot be checked" in found.problems[0]
    record.append(UserTurn("find fakes"))
    assert record.steps() == [UserTurn("find fakes")]
    assert any("cannot be checked" in it for it in record.verify())
    if change == "damaged":
        assert file.read_text() == "not a key"


def test_where_no_key_can_be_made_cases_are_unsigned(tmp_path: Path) -> None:
    """A configuration folder that is a file, say, stops nobody."""
    (tmp_path / "file").write_text("")
    record = Case.create(tmp_path, gallery="family", keys=SigningKeys(tmp_path / "file" / "keys"))
    record.append(UserTurn("find fakes"))
    assert record.steps() == [UserTurn("find fakes")]
    assert record.verification().signature == "not signed"


def test_the_key_is_private_and_made_once(tmp_path: Path) -> None:
    """Many threads that need it first at once get one key; only its owner reads it."""
    folder = tmp_path / "keys"
    with ThreadPoolExecutor(8) as pool:
        heads = list(
            pool.map(
                lambda n: SigningKeys(folder).sign(case="c", first=1, entries=n, hash="h"),
                range(24),
            )
        )
    assert len({head.key for head in heads if head is not None}) == 1
    assert None not in heads
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [it.name for it in folder.iterdir()] == [KEY_FILE]
    assert stat.S_IMODE((folder / KEY_FILE).stat().st_mode) == 0o600


def test_photos_are_private_copies_without_their_names(case: Case, tmp_path: Path) -> None:
    """Only the owner reads them, no file name survives, and a changed copy is noticed."""
    path = tmp_path / "Ada Lovelace.png"
    Image.fromarray(picture(1)).save(path)
    (copy,) = case.keep_photos([path])
    case.begin_turn("who?", {"Q1": copy}, gallery=case.gallery)
    assert case.keep_photos([path]) == [copy]
    assert case.photos() == {"Q1": copy}
    assert copy.read_bytes() == path.read_bytes()
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert stat.S_IMODE(case.folder.stat().st_mode) == 0o700
    for file in case.folder.iterdir():
        assert file.is_dir() or stat.S_IMODE(file.stat().st_mode) == 0o600
    record = (case.folder / CASE_DB_FILE).read_bytes()
    assert b"Lovelace" not in record
    copy.write_bytes(b"another picture")
    assert case.verify() == ("the photo Q1 is missing or was changed",)


def test_a_broken_photo_is_not_kept(case: Case, tmp_path: Path) -> None:
    """A file that is no picture is refused by name and leaves nothing behind."""
    (tmp_path / "ada.jpg").write_text("not a picture")
    with pytest.raises(ToolError, match=r"ada\.jpg"):
        case.keep_photos([tmp_path / "ada.jpg"])
    assert list(case.photos_folder.iterdir()) == []


def test_values_are_kept_as_they_were(case: Case) -> None:
    """What a text cited can be read long after the gallery is gone."""
    case.append(UserTurn("why?"))
    case.record_facts((FACT,))
    case.append(Stopped())
    assert case.steps_with_facts() == [(UserTurn("why?"), {"H1.E1": FACT}), (Stopped(), {})]


def test_the_latest_search_belongs_to_the_gallery(case: Case) -> None:
    """Switching the gallery forgets the search, as the workspace does; to itself it does not."""
    assert case.latest_search() is None
    case.record_search({"photos": ["Q1"], "top": 5}, {"hits": []})
    case.switch_gallery("family")
    latest = case.latest_search()
    assert latest is not None
    assert latest["arguments"] == {"photos": ["Q1"], "top": 5}
    case.switch_gallery("work")
    assert case.latest_search() is None
    assert case.gallery == "work"


def test_cases_are_listed(case: Case, tmp_path: Path) -> None:
    """The newest first, each with what was asked."""
    case.append(UserTurn("find fakes of Ada"))
    other = Case.create(tmp_path, gallery="default")
    listed = {summary.id: summary for summary in list_cases(tmp_path)}
    assert listed[case.id].asked == "find fakes of Ada"
    assert listed[other.id].steps == 0
    assert list_cases(tmp_path / "nowhere") == []


@pytest.mark.parametrize("name", ["never", "../galleries/default", ""])
def test_a_case_that_is_none_is_refused(case: Case, tmp_path: Path, name: str) -> None:
    """The message names the cases there are; a name cannot lead out of the folder."""
    with pytest.raises(SetupError, match=case.id):
        Case.open(tmp_path, name)


def test_a_damaged_record_is_plain_words(case: Case) -> None:
    """A file that lost its table is not a bug of ours, nor silently a new case."""
    (case.folder / CASE_DB_FILE).write_bytes(b"")
    with pytest.raises(SetupError, match=case.id):
        case.steps()


@pytest.mark.parametrize(
    "damage",
    [b"", b"not a database", b"SQLite format 3\0" + bytes(2000)],
)
def test_one_damaged_case_does_not_hide_the_others(
    case: Case, tmp_path: Path, damage: bytes
) -> None:
    """It is listed with the reason, and opening it is one line."""
    broken = Case.create(tmp_path, gallery="family")
    for file in broken.folder.glob(f"{CASE_DB_FILE}*"):
        file.unlink()
    (broken.folder / CASE_DB_FILE).write_bytes(damage)
    listed = {it.id: it for it in list_cases(tmp_path)}
    assert not listed[case.id].damaged
    assert broken.id in listed[broken.id].damaged
    with pytest.raises(SetupError, match=broken.id):
        Case.open(tmp_path, broken.id).steps()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entries SET body = 'no JSON'",
        "UPDATE entries SET body = '[]'",
        """UPDATE entries SET body = '{"kind": "unknown"}'""",
        "UPDATE entries SET body = 7",
        "DELETE FROM entries",
    ],
)
def test_a_record_that_makes_no_sense_is_listed(case: Case, tmp_path: Path, statement: str) -> None:
    """Rows that are none of ours are damage too."""
    case.append(UserTurn("find fakes"))
    edited(case, statement)
    (listed,) = list_cases(tmp_path)
    assert "damaged" in listed.damaged
    with pytest.raises(SetupError, match="damaged"):
        case.steps_with_facts() and case.head
        case.head  # noqa: B018


def test_a_turn_with_a_broken_photo_records_nothing(case: Case, tmp_path: Path) -> None:
    """The good photo beside it is not kept either."""
    good, bad = tmp_path / "good.png", tmp_path / "bad.jpg"
    Image.fromarray(picture(1)).save(good)
    bad.write_text("not a picture")
    with pytest.raises(ToolError, match="bad"):
        case.keep_photos([good, bad])
    assert list(case.photos_folder.iterdir()) == []
    assert len(case.entries()) == 1


def test_a_turn_is_recorded_at_once(case: Case, tmp_path: Path) -> None:
    """Gallery, photos and words, in that order; photos that are known once."""
    path = tmp_path / "good.png"
    Image.fromarray(picture(1)).save(path)
    (copy,) = case.keep_photos([path])
    assert case.begin_turn("who?", {"Q1": copy}, gallery="work") == UserTurn("who?", ("Q1",))
    case.begin_turn("and?", {"Q1": copy}, gallery="work")
    kinds = [entry.kind for entry in case.entries()]
    assert kinds == ["gallery", "gallery", "photo", "step", "step"]
    assert case.gallery == "work"
    assert case.verification().signature == "valid"
