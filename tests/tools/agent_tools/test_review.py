"""Filters, decisions and undo over a list of hits."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.made.listed_hits import dated_picture, findings, hit
from tools.agent_tools.hit_filter import HitFilter
from tools.agent_tools.review import Decision, HitNote, Review, ReviewEntry
from tools.errors import ToolError
from tools.gallery.access_log import OWNER
from tools.search.results import Findings

pytestmark = pytest.mark.fast


@pytest.fixture
def found(tmp_path: Path) -> Findings:
    """Five hits: by EXIF of 2021 and of 2023, two by their files of 2022, and one that is gone."""
    first = dated_picture(tmp_path / "Holiday 2021" / "b.jpg", taken="2021:07:14 10:00:00")
    second = dated_picture(tmp_path / "work" / "A.jpg", changed="2022-05-02")
    third = dated_picture(tmp_path / "holidays" / "c.jpg", taken="2023:01:01 00:00:00")
    fourth = dated_picture(tmp_path / "work" / "d.jpg", taken="not a date", changed="2022-12-31")
    return findings(
        [
            hit(1, first, "impersonation", same=0.9, fake=0.8),
            hit(2, second, "inconclusive", same=0.95, fake=None),
            hit(3, third, "impersonation", same=0.8, fake=0.9),
            hit(4, fourth, "other", same=0.1, fake=0.2),
            hit(5, tmp_path / "gone" / "e.jpg", "not assessed", same=None, fake=None),
        ]
    )


@pytest.fixture
def review(found: Findings) -> Review:
    """The work on those hits."""
    return Review(lambda: found)


def listed(review: Review, *arguments: str | None, **named: str) -> tuple[str, ...]:
    """The handles that a filter lists."""
    return review.list_hits(HitFilter.parse(*arguments, **named)).hits


@pytest.mark.parametrize(
    ("wanted", "handles"),
    [
        ({}, ("H1", "H2", "H3", "H4", "H5")),
        ({"verdict": "impersonation"}, ("H1", "H3")),
        ({"verdict": "Not_Assessed"}, ("H5",)),
        ({"verdict": "copy"}, ()),
        ({"folder": "HOLIDAY"}, ("H1", "H3")),
        ({"folder": "b.jpg"}, ()),
        ({"after": "2022"}, ("H2", "H3", "H4")),
        ({"before": "2022"}, ("H1",)),
        ({"after": "2022-05-02", "before": "2022-12"}, ("H2",)),
        ({"after": "2022-05-03", "before": "2023"}, ("H4",)),
        ({"after": "2023-01-01"}, ("H3",)),
        ({"sort": "date"}, ("H3", "H4", "H2", "H1", "H5")),
        ({"sort": "name"}, ("H2", "H1", "H3", "H4", "H5")),
        ({"sort": "forgery"}, ("H3", "H1", "H4", "H2", "H5")),
        ({"sort": "identity"}, ("H2", "H1", "H3", "H4", "H5")),
        ({"folder": "holiday", "sort": "forgery"}, ("H3", "H1")),
        ({"forged": "80"}, ("H1", "H3")),
        ({"forged": "-20 %"}, ("H4",)),
        ({"person": "85-92"}, ("H1",)),
        ({"person": "80", "forged": "85"}, ("H3",)),
        ({"decision": "none"}, ("H1", "H2", "H3", "H4", "H5")),
        ({"decision": "confirmed"}, ()),
    ],
)
def test_hits_are_filtered_and_sorted(
    review: Review, wanted: dict[str, str], handles: tuple[str, ...]
) -> None:
    """Handles stay; an absent value comes last, and a hit without a date fits no limit on it."""
    assert listed(review, **wanted) == handles
    assert listed(review) == ("H1", "H2", "H3", "H4", "H5")


def test_an_empty_filter_leaves_the_list(review: Review) -> None:
    """Nothing fits, nothing is hidden by it, and there is nothing to undo."""
    listed(review, "impersonation")
    found = review.list_hits(HitFilter.parse("copy"))
    assert (found.hits, found.kept) == ((), ("H1", "H3"))
    assert review.listed().hits == ("H1", "H3")
    review.undo()
    with pytest.raises(ToolError):
        review.undo()


def test_a_list_by_date_says_where_dates_come_from(review: Review) -> None:
    """EXIF's date, else that of the file; other lists need none and say nothing."""
    limits = review.list_hits(HitFilter.parse(after="2000")).limits
    assert limits == (
        "H1 and H3 by the EXIF date taken, which anyone can edit; H2 and H4 by the file's "
        "modification time, which copying can change; H5 without any date"
    )
    assert review.list_hits(HitFilter.parse(sort="name")).limits == ""


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ({"verdict": "genuine"}, '"genuine"; verdicts are impersonation, inconclusive'),
        ({"after": "May 2024"}, 'after: "May 2024" is no date; dates look like 2024, 2024-05'),
        ({"before": "2024-13"}, 'before: "2024-13" is no date'),
        ({"before": "2023-02-29"}, "is no date"),
        ({"after": "2024-05-02T10:00"}, "is no date"),
        ({"after": "0000"}, "is no date"),
        ({"after": "2024", "before": "2023-12"}, "after must be earlier than before"),
        ({"sort": "size"}, '"size"; sort is rank, date, name, forgery, identity'),
        ({"forged": "often"}, 'forged: "often" is no range of percent; write 80 for at least'),
        ({"person": "80-20"}, "is no range of percent"),
        ({"forged": "-"}, "is no range of percent"),
        ({"decision": "perhaps"}, '"perhaps"; decisions are confirmed, rejected, hidden, none'),
        ({"folder": "a/b"}, "one folder's name, without slashes"),
    ],
)
def test_what_cannot_be_filtered_by_is_refused(wanted: dict[str, str], says: str) -> None:
    """The message lists what can; nothing is guessed."""
    with pytest.raises(ToolError) as caught:
        HitFilter.parse(**wanted)
    assert says in str(caught.value)


def test_without_a_search_there_is_nothing_to_list() -> None:
    """The message, which a person may read, says what to do first."""
    with pytest.raises(ToolError, match="search for the person in a photo first"):
        listed(Review(lambda: None))


def test_the_next_search_ends_a_filter(found: Findings) -> None:
    """Other findings are listed whole, and the filter of the earlier ones cannot be undone."""
    present = [found]
    review = Review(lambda: present[0])
    listed(review, "impersonation")
    present[0] = findings(found.hits[:3])
    assert review.listed().hits == ("H1", "H2", "H3")
    assert review.filter == HitFilter()
    with pytest.raises(ToolError, match="nothing to undo"):
        review.undo()


def test_a_decision_belongs_to_the_picture(found: Findings) -> None:
    """After another search the same picture has another handle and keeps its decision."""
    present = [found]
    review = Review(lambda: present[0])
    made = review.mark(found.hits[2], "Rejected")
    assert (made.decision, made.hit, made.image_id) == ("rejected", "H3", "c.jpg")
    assert made.at.endswith("+00:00")
    assert made.user
    present[0] = findings([hit(1, found.hits[2].path), hit(2, found.hits[0].path)])
    assert review.decision_word(present[0].hits[0]) == "rejected"
    assert review.decision_word(present[0].hits[1]) == "none"
    assert review.decisions_for(present[0]) == {"H1": made}
    assert [each.verdict for each in found.hits][2] == "impersonation"


def test_hidden_hits_leave_every_list(review: Review, found: Findings) -> None:
    """They are named as left out, and come back when the decision is taken back."""
    review.mark(found.hits[0], "hidden")
    result = review.list_hits(HitFilter.parse("impersonation"))
    assert (result.hits, result.hidden, result.total) == (("H3",), ("H1",), 5)
    review.mark(found.hits[0], "none")
    assert review.listed().hits == ("H1", "H3")


def test_an_unknown_decision_is_refused(review: Review, found: Findings) -> None:
    """The message lists the decisions; nothing is recorded."""
    with pytest.raises(ToolError, match='"genuine"; decisions are confirmed, rejected, hidden'):
        review.mark(found.hits[0], "genuine")
    with pytest.raises(ToolError, match="nothing to undo"):
        review.undo()


def test_undo_takes_back_the_latest_first(review: Review, found: Findings) -> None:
    """Decisions and filters share one order; what was before is in force again."""
    first, second = found.hits[:2]
    review.mark(first, "confirmed")
    review.mark(first, "rejected")
    listed(review, "impersonation")
    listed(review, "inconclusive")
    review.mark(second, "hidden")
    hidden = review.undo().was
    assert isinstance(hidden, Decision)
    assert (hidden.decision, hidden.hit) == ("hidden", "H2")
    assert review.decision_word(second) == "none"
    assert review.undo().now == HitFilter(verdict="impersonation")
    assert review.listed().hits == ("H1", "H3")
    assert review.undo().now == HitFilter()
    undone = review.undo()
    assert isinstance(undone.was, Decision)
    assert isinstance(undone.now, Decision)
    assert (undone.was.decision, undone.now.decision, undone.now.hit) == (
        "rejected", "confirmed", "H1",
    )  # fmt: skip
    review.undo()
    assert review.decision_word(first) == "none"
    with pytest.raises(ToolError, match="nothing to undo"):
        review.undo()


def test_what_changes_nothing_cannot_be_undone(review: Review, found: Findings) -> None:
    """The same decision or the same list once more is no step of its own."""
    review.mark(found.hits[0], "confirmed")
    review.mark(found.hits[0], "confirmed")
    review.mark(found.hits[1], "none")
    listed(review)
    review.undo()
    with pytest.raises(ToolError, match="nothing to undo"):
        review.undo()


def test_a_decision_that_cannot_be_recorded_is_not_made(review: Review, found: Findings) -> None:
    """The record comes first."""

    def full(_: ReviewEntry) -> None:
        raise OSError("the disk is full")

    review.on_decision = full
    with pytest.raises(OSError, match="full"):
        review.mark(found.hits[0], "confirmed")
    assert review.decision_word(found.hits[0]) == "none"


def test_recorded_decisions_are_restored_with_their_history(found: Findings) -> None:
    """The record of decisions and undos gives the same state, from which undo goes on."""
    record: list[ReviewEntry] = []
    review = Review(lambda: found)
    review.on_decision = record.append
    first, second = found.hits[:2]
    review.mark(first, "confirmed")
    review.mark(second, "hidden")
    review.mark(first, "rejected")
    review.undo()
    assert [each.undoes for each in record] == [False, False, False, True]
    rows = [type(each).from_json(each.to_json()) for each in record]
    assert rows == record
    again = Review(lambda: found)
    again.restore(rows)
    assert again.decision(first) == review.decision(first) == record[0]
    assert again.listed().hidden == ("H2",)
    assert again.undo().was == record[1]
    assert again.undo().was == record[0]
    with pytest.raises(ToolError, match="nothing to undo"):
        again.undo()


def test_a_system_without_login_names_gives_unknown(
    review: Review, found: Findings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a container without a user's entry a decision is recorded all the same."""

    def missing() -> str:
        raise OSError("no login name")

    monkeypatch.setattr("getpass.getuser", missing)
    assert review.mark(found.hits[0], "confirmed").user == "unknown"


def test_hits_are_filtered_by_the_decision_about_them(review: Review, found: Findings) -> None:
    """Undecided ones, marked ones, and even hidden ones, which are in no other list."""
    review.mark(found.hits[0], "confirmed")
    review.mark(found.hits[2], "hidden")
    assert listed(review, decision="confirmed") == ("H1",)
    assert listed(review, decision="none") == ("H2", "H4", "H5")
    assert listed(review, decision="hidden") == ("H3",)
    described = HitFilter.parse(decision="none", forged="80", person="20-60").describe()
    assert described == (
        "without a decision; forged with a probability of at least 80 %; the same person with a "
        "probability of 20 to 60 %"
    )


def test_a_note_belongs_to_the_picture_and_can_be_undone(found: Findings) -> None:
    """Recorded before it counts, replaced, removed by an empty text, taken back in order."""
    record: list[ReviewEntry] = []
    review = Review(lambda: found)
    review.on_decision = record.append
    first = found.hits[0]
    made = review.write_note(first, "  seen in May\x1b[2J\n")
    assert (made.text, made.hit, made.image_id) == ("seen in May [2J", "H1", "b.jpg")
    assert review.write_note(first, "seen in May [2J") is made
    review.mark(first, "confirmed")
    review.write_note(first, "seen in June")
    assert review.notes_for(found) == {"H1": record[-1]}
    again = Review(lambda: found)
    again.restore([type(it).from_json(it.to_json()) for it in record])
    for each in (review, again):
        undone = each.undo()
        assert isinstance(undone.now, HitNote)
        assert (undone.now.text, undone.now.undoes) == ("seen in May [2J", True)
        assert isinstance(each.undo().was, Decision)
        each.write_note(first, "")
        assert each.note(first) is None
        with pytest.raises(ToolError, match="at most 2,000 characters"):
            each.write_note(first, "x" * 2001)


# -- whose entries they are -----------------------------------------------------------------------


def of_account(found: Findings, name: str) -> Review:
    """The work of a reader who is logged in by a name; empty: at this machine, without a login."""
    return Review(lambda: found, lambda: name)


def test_an_entry_is_yours_only_if_you_made_it(found: Findings) -> None:
    """Its maker reads "your decision", another account the name, in every wording."""
    recorded: list[ReviewEntry] = []
    ada, bob = of_account(found, "ada"), of_account(found, "bob")
    ada.on_decision = recorded.append
    decided, noted = ada.mark(found.hits[0], "hidden"), ada.write_note(found.hits[0], "seen\nhere")
    bob.restore(recorded)
    assert (ada.whose(decided), ada.by(decided)) == ("your decision", "you")
    assert (bob.whose(decided), bob.by(decided)) == ("decision by ada", "ada")
    assert (ada.whose(noted), bob.whose(noted)) == ("your note", "note by ada")
    assert (ada.hidden_by(ada.by), bob.hidden_by(bob.by)) == ({"you": ["H1"]}, {"ada": ["H1"]})
    # What is written into a shared record is read by both.
    assert ada.signed(decided) == bob.signed(decided) == "ada"
    # The same decision once more stays with who made it; another one is the second account's.
    assert bob.mark(found.hits[0], "hidden").user == "ada"
    assert bob.whose(bob.mark(found.hits[0], "rejected")) == "your decision"
    assert bob.undo() and bob.whose(bob.decisions_for(found)["H1"]) == "decision by ada"


def test_a_table_names_makers_once_one_of_them_is_another(found: Findings) -> None:
    """A table of the reader's own entries has the heading and the words as without accounts."""
    ada = of_account(found, "ada")
    mine, theirs = ada.mark(found.hits[0], "rejected"), ada.mark(found.hits[1], "confirmed")
    assert ada.column("decision", [mine, None]) == ("your decision", ["rejected", ""])
    assert ada.column("note", [None]) == ("your note", [""])
    told = of_account(found, "bob").column("decision", [mine, replace(theirs, user="bob")])
    assert told == ("decision", ["rejected (by ada)", "confirmed (by you)"])


def test_on_ones_own_machine_all_is_yours(found: Findings, review: Review) -> None:
    """Without a login, as the server's owner, and back on the command line: the same person."""
    at_page, made = of_account(found, OWNER), review.mark(found.hits[0], "rejected")
    for reader in (review, at_page):
        assert reader.alone and reader.whose(made) == "your decision"
        assert reader.signed(made) == "you"
    assert review.whose(replace(made, user=OWNER)) == "your decision"
    account = of_account(found, "ada")
    assert not account.alone and account.whose(replace(made, user=OWNER)) == "decision by owner"


def test_a_name_from_another_machine_is_plain_text(found: Findings, review: Review) -> None:
    """An imported record may hold anything; it stays on one line, without quotation marks."""
    made = replace(review.mark(found.hits[0], "rejected"), user='eve"\n\x1b[2J')
    assert review.whose(made) == "decision by eve' [2J"
