"""Filters, decisions and undo over a list of hits."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.made.listed_hits import dated_picture, findings, hit
from tools.agent_tools.hit_filter import HitFilter
from tools.agent_tools.review.entries import Decision, HitNote, ReviewEntry
from tools.agent_tools.review.listing import ReviewedBefore, ReviewedHit, ReviewState
from tools.agent_tools.review.review import Review
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
        ({"name": ".JPEG"}, ("H1", "H2", "H3", "H4", "H5")),
        ({"name": ".png"}, ()),
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
        ({"sort": "date reversed"}, ("H1", "H2", "H4", "H3", "H5")),
        ({"sort": "rank_reversed"}, ("H5", "H4", "H3", "H2", "H1")),
        ({"sort": "name"}, ("H2", "H1", "H3", "H4", "H5")),
        ({"sort": "Name reversed"}, ("H5", "H4", "H3", "H1", "H2")),
        ({"sort": "forgery"}, ("H3", "H1", "H4", "H2", "H5")),
        ({"sort": "forgery reversed"}, ("H4", "H1", "H3", "H2", "H5")),
        ({"sort": "identity"}, ("H2", "H1", "H3", "H4", "H5")),
        ({"folder": "holiday", "sort": "forgery"}, ("H3", "H1")),
        ({"forged": "80"}, ("H1", "H3")),
        ({"forged": "-20 %"}, ("H4",)),
        ({"person": "85-92"}, ("H1",)),
        ({"person": "80", "forged": "85"}, ("H3",)),
        ({"decision": "none"}, ("H1", "H2", "H3", "H4", "H5")),
        ({"decision": "confirmed"}, ()),
        ({"name": "B.JP"}, ("H1",)),
        ({"name": "jpg"}, ("H1", "H2", "H3", "H4", "H5")),
        ({"name": "holiday"}, ()),
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


def test_what_is_only_asked_about_changes_no_list(review: Review) -> None:
    """The hits are told; the filter in force stays, and there is nothing to undo."""
    listed(review, "other")
    found = review.list_hits(HitFilter.parse("impersonation"), stays=True)
    assert (found.hits, found.stays, found.kept) == (("H1", "H3"), True, ())
    assert review.list_hits(HitFilter.parse("copy"), stays=True).kept == ()
    assert review.listed().hits == ("H4",)
    review.undo()
    with pytest.raises(ToolError, match="nothing to undo"):
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
        ({"name": " ._"}, "name is a part of a file's name"),
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
    (hidden,) = (it.was for it in review.undo())
    assert isinstance(hidden, Decision)
    assert (hidden.decision, hidden.hit) == ("hidden", "H2")
    assert review.decision_word(second) == "none"
    assert [it.now for it in review.undo()] == [HitFilter(verdict="impersonation")]
    assert review.listed().hits == ("H1", "H3")
    assert [it.now for it in review.undo()] == [HitFilter()]
    (undone,) = review.undo()
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
    assert [it.was for it in again.undo()] == [record[1]]
    assert [it.was for it in again.undo()] == [record[0]]
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


def test_a_filter_for_an_ending_names_all_that_it_lists() -> None:
    """Files ".jpg" were listed as those whose name ends in ".jpeg"."""
    described = HitFilter.parse(name=".jpeg").describe()
    assert described == 'whose file name ends in ".jpg" or ".jpeg"'
    assert HitFilter.parse(name=".png").describe() == 'whose file name ends in ".png"'


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
        (undone,) = each.undo()
        assert isinstance(undone.now, HitNote)
        assert (undone.now.text, undone.now.undoes) == ("seen in May [2J", True)
        assert isinstance(each.undo()[0].was, Decision)
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
    assert (ada.authors.whose(decided), ada.authors.by(decided)) == ("your decision", "you")
    assert (bob.authors.whose(decided), bob.authors.by(decided)) == ("decision by ada", "ada")
    assert (ada.authors.whose(noted), bob.authors.whose(noted)) == ("your note", "note by ada")
    assert (ada.hidden_by(ada.authors.by), bob.hidden_by(bob.authors.by)) == (
        {"you": ["H1"]},
        {"ada": ["H1"]},
    )
    # What is written into a shared record is read by both.
    assert ada.authors.signed(decided) == bob.authors.signed(decided) == "ada"
    # The same decision once more stays with who made it; another one is the second account's.
    assert bob.mark(found.hits[0], "hidden").user == "ada"
    assert bob.authors.whose(bob.mark(found.hits[0], "rejected")) == "your decision"
    assert bob.undo() and bob.authors.whose(bob.decisions_for(found)["H1"]) == "decision by ada"


def test_undo_takes_back_nothing_of_another_account(found: Findings) -> None:
    """Nor what another one has changed since; the record gives the same state again."""
    record: list[ReviewEntry] = []
    ada, bob = of_account(found, "ada"), of_account(found, "bob")
    ada.on_decision = bob.on_decision = record.append
    ada.mark(found.hits[0], "confirmed")
    ada.mark(found.hits[1], "hidden")
    bob.restore(record)
    with pytest.raises(ToolError, match="nothing of yours to undo"):
        bob.undo()
    bob.mark(found.hits[1], "rejected")
    ada = of_account(found, "ada")
    ada.restore(record)
    ada.on_decision = record.append
    (undone,) = ada.undo()  # not H2, which bob has changed since
    assert isinstance(undone.now, Decision) and undone.now.hit == "H1"
    again = of_account(found, "ada")
    again.restore(record)
    assert [again.decision_word(hit) for hit in found.hits[:2]] == ["none", "rejected"]


def test_what_was_reviewed_can_be_asked_for(found: Findings, review: Review) -> None:
    """Of all hits by rank, or of one; what is undecided is named."""
    assert review.state() == ReviewState((), ("H1", "H2", "H3", "H4", "H5"))
    made, noted = review.mark(found.hits[2], "confirmed"), review.write_note(found.hits[0], "ask")
    first, third = review.state().entries
    assert (first.hit.handle, first.decision, first.note) == ("H1", None, noted)
    assert (third.hit.handle, third.decision, third.note) == ("H3", made, None)
    assert review.state().open == ("H1", "H2", "H4", "H5")
    assert review.state("H3") == ReviewState((third,), ())
    with pytest.raises(ToolError, match='"H9" is no hit'):
        review.state("H9")


def test_decisions_of_one_kind_can_be_asked_for(found: Findings, review: Review) -> None:
    """A note alone is none; "none" gives what is open."""
    first, second, third = found.hits[:3]
    review.mark(first, "confirmed")
    review.mark(second, "rejected")
    review.write_note(third, "ask Ada")
    confirmed = review.state(decision="confirmed")
    assert [it.hit.handle for it in confirmed.entries] == ["H1"]
    assert confirmed.open == ()
    assert review.state(decision="hidden").entries == ()
    left = review.state(decision="none")
    assert (left.entries, left.open) == ((), ("H3", "H4", "H5"))
    with pytest.raises(ToolError, match="there is no decision"):
        review.state(decision="perhaps")


def test_a_table_names_makers_once_one_of_them_is_another(found: Findings) -> None:
    """A table of the reader's own entries has the heading and the words as without accounts."""
    ada = of_account(found, "ada")
    mine, theirs = ada.mark(found.hits[0], "rejected"), ada.mark(found.hits[1], "confirmed")
    assert ada.authors.column("decision", [mine, None]) == ("your decision", ["rejected", ""])
    assert ada.authors.column("note", [None]) == ("your note", [""])
    told = of_account(found, "bob").authors.column("decision", [mine, replace(theirs, user="bob")])
    assert told == ("decision", ["rejected (by ada)", "confirmed (by you)"])


def test_on_ones_own_machine_one_person_has_one_name(found: Findings, review: Review) -> None:
    """Without a login, as the server's owner, and on the command line; on cards and in answers."""
    at_page, made = of_account(found, OWNER), review.mark(found.hits[0], "rejected")
    for reader in (review.authors, at_page.authors):
        assert reader.alone and reader.whose(made) == "reviewer's decision"
        assert reader.signed(made) == reader.by(made) == "the reviewer"
        assert reader.column("note", [None])[0] == "reviewer's note"
    assert review.authors.whose(replace(made, user=OWNER)) == "reviewer's decision"
    account = of_account(found, "ada")
    assert (
        not account.authors.alone
        and account.authors.whose(replace(made, user=OWNER)) == "decision by owner"
    )


def test_a_name_from_another_machine_is_plain_text(found: Findings, review: Review) -> None:
    """An imported record may hold anything; it stays on one line, without quotation marks."""
    made = replace(review.mark(found.hits[0], "rejected"), user='eve"\n\x1b[2J')
    assert review.authors.whose(made) == "decision by eve' [2J"


def test_a_decision_of_an_earlier_search_stays_readable(found: Findings) -> None:
    """It is about the picture: by its old handle, by none, and by that of another picture now."""
    present = [found]
    review = Review(lambda: present[0])
    made, noted = review.mark(found.hits[0], "confirmed"), review.write_note(found.hits[1], "ask")
    third = review.mark(found.hits[2], "rejected")
    present[0] = findings([hit(1, found.hits[2].path), hit(2, found.hits[3].path)])
    first = ReviewedBefore("b.jpg", "H1", "", made, None)
    assert review.state() == ReviewState(
        (ReviewedHit(present[0].hits[0], third, None),),
        ("H2",),
        (first, ReviewedBefore("A.jpg", "H2", "", None, noted)),
    )
    assert review.state("H1").before == (first,)
    assert review.state("H3") == ReviewState(
        (), (), (ReviewedBefore("c.jpg", "H3", "H1", third, None),)
    )
    with pytest.raises(ToolError, match='"H4" is no hit of the latest search'):
        review.state("H4")


# -- messages -------------------------------------------------------------------------------------


def test_what_one_message_changed_is_undone_together(found: Findings) -> None:
    """Marks, a note and a filter, the latest first; what came alone is undone by itself."""
    record: list[ReviewEntry] = []
    review = Review(lambda: found)
    review.on_decision = record.append
    review.mark(found.hits[0], "hidden")
    review.mark(found.hits[1], "hidden")
    for handles in ((0, 1), (2, 3)):
        review.begin_message()
        for at in handles:
            review.mark(found.hits[at], "confirmed")
    review.write_note(found.hits[2], "seen")
    listed(review, "impersonation")
    again = Review(lambda: found)
    again.restore([type(it).from_json(it.to_json()) for it in record])
    review.begin_message()
    assert [type(it.was) for it in review.undo()] == [HitFilter, HitNote, Decision, Decision]
    assert [type(it.was) for it in again.undo()] == [HitNote, Decision, Decision]
    for each in (review, again):
        assert [each.decision_word(it) for it in found.hits[:4]] == [
            "confirmed", "confirmed", "none", "none",
        ]  # fmt: skip
        assert [it.now.hit for it in each.undo() if isinstance(it.now, Decision)] == ["H2", "H1"]
        assert [each.decision_word(it) for it in found.hits[:2]] == ["hidden", "hidden"]
        assert [it.now.hit for it in each.undo() if isinstance(it.now, Decision)] == ["H2"]
        assert [each.decision_word(it) for it in found.hits[:2]] == ["hidden", "none"]


def test_a_restored_review_goes_on_counting_messages(found: Findings) -> None:
    """Else the next message would be undone with one of the record."""
    record: list[ReviewEntry] = []
    review = Review(lambda: found)
    review.on_decision = record.append
    review.begin_message()
    review.mark(found.hits[0], "hidden")
    again = Review(lambda: found)
    again.restore(record)
    again.begin_message()
    again.mark(found.hits[1], "hidden")
    assert len(again.undo()) == 1
    assert again.decision_word(found.hits[0]) == "hidden"


def test_an_order_alone_keeps_the_filter_and_a_filter_the_order() -> None:
    """Neither ends the other without a word; a filter with neither lists all by rank."""
    present = HitFilter(forged=(60.0, 100.0), sort="name")
    by_date, copies = HitFilter.parse(sort="date"), HitFilter.parse("copy")
    assert by_date.following(present, sorts=True) == HitFilter(forged=(60.0, 100.0), sort="date")
    assert copies.following(present, sorts=False) == HitFilter("copy", sort="name")
    assert HitFilter().following(present, sorts=False) == HitFilter()
    ranked = HitFilter.parse(sort="rank").following(present, sorts=True)
    assert ranked == HitFilter(forged=(60.0, 100.0))
