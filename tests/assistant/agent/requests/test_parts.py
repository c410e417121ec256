"""Questions of several parts: where they are cut, and which parts are answered."""

from collections.abc import Mapping

import pytest

from assistant.agent.requests.parts import read_parts, split_request
from assistant.agent.requests.plain_requests import dictated_note, note_and_more
from assistant.agent.requests.reader import Reading

pytestmark = pytest.mark.fast


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("find fakes of her, then show me where H1 looks forged",
         ("find fakes of her", "show me where H1 looks forged")),
        ("Why is H5 a fake? And where was it altered?",
         ("Why is H5 a fake?", "where was it altered?")),
        ("export the report as pdf and also list the copies",
         ("export the report as pdf", "list the copies")),
        ("Mark H3 as rejected, then undo", ("Mark H3 as rejected", "undo")),
        ("Zeig mir die Fälschungen und erkläre H3", ("Zeig mir die Fälschungen", "erkläre H3")),
        ("Number 3 please, what makes it a fake and which part gives it away",
         ("Number 3 please what makes it a fake", "which part gives it away")),
        ("compare hits 3 and 7", ("compare hits 3 and 7",)),
        ("Here is Mr. Smith. Are there fakes of him?",
         ("Here is Mr. Smith. Are there fakes of him?",)),
        ("find her, please", ("find her, please",)),
        ("why, and where", ("why", "where")),
        ("Sag mir, was E34 ist, dann markiere H2 als bestätigt",
         ("Sag mir, was E34 ist", "markiere H2 als bestätigt")),
        ("define E34 and confirm H2", ("define E34", "confirm H2")),
    ],
)  # fmt: skip
def test_a_text_is_cut_where_another_request_begins(text: str, parts: tuple[str, ...]) -> None:
    """At sentences and at words that join two requests; what only tells is no part by itself."""
    assert split_request(text) == parts


class Scripted:
    """Reads each text as the test says, and every other one as the weather, unsurely."""

    def __init__(self, readings: Mapping[str, tuple[str, float]]) -> None:
        self._readings = readings

    def read(self, text: str, *, with_photo: bool) -> Reading:
        """The class and the probability that stand beside the words."""
        return Reading(*self._readings.get(text, ("outside", 0.1)), "why")


BOTH = "find fakes of her and write it all up"


@pytest.mark.parametrize(
    ("readings", "names", "unclear"),
    [
        ({"find fakes of her": ("find", 0.9), "write it all up": ("export", 0.7)},
         ["find", "export"], ()),
        ({BOTH: ("find", 0.9), "find fakes of her": ("find", 0.9),
          "write it all up": ("hide", 0.7)}, ["find"], ("write it all up",)),
        ({BOTH: ("two_find_why", 0.9), "find fakes of her": ("find", 0.9)}, ["two_find_why"], ()),
        ({BOTH: ("find", 0.9)}, ["find"], ()),
        ({BOTH: ("injection", 0.5), "find fakes of her": ("find", 0.9),
          "write it all up": ("export", 0.9)}, ["injection"], ()),
        ({BOTH: ("find", 0.9), "find fakes of her": ("find", 0.9),
          "write it all up": ("injection", 0.9)}, ["find"], ()),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_named_and_nothing_is_done_by_a_guess(
    readings: Mapping[str, tuple[str, float]], names: list[str], unclear: tuple[str, ...]
) -> None:
    """Sure parts are requests; orders about the application keep the text whole."""
    parts, left = read_parts(Scripted(readings), BOTH, with_photo=True)
    assert [part.name for part in parts] == names
    assert left == unclear


@pytest.mark.parametrize(
    ("urging", "left"),
    [
        ("Please look through everything.", ()),
        ("Take your time.", ()),
        ("Look very closely please.", ()),
        ("Look through everything that he sent.", ("Look through everything that he sent.",)),
    ],
)
def test_what_only_urges_is_not_called_unclear(urging: str, left: tuple[str, ...]) -> None:
    """It asks for nothing, so there is nothing that was not understood."""
    whole = f"Find fakes of her? {urging}"
    readings = {whole: ("find", 0.9), "Find fakes of her?": ("find", 0.9)}
    _, unclear = read_parts(Scripted(readings), whole, with_photo=True)
    assert unclear == left


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Undo!", "undo"), ("where was H5 altered", "where"), ("Where is it forged?", "where"),
        ("Wo wurde H5 verändert?", "where"), ("Zeig mir die echten Bilder", "which_genuine"),
        ("What now?", "about_abilities"), ("where was she born", "outside"),
    ],
)  # fmt: skip
def test_plain_requests_need_no_reader(text: str, name: str) -> None:
    """A model that never saw them would guess: "undo" as thanks."""
    ((part,), _) = read_parts(Scripted({}), text, with_photo=False)
    assert part.name == name
    assert part.sure == (name != "outside")


@pytest.mark.parametrize(
    ("text", "note", "more"),
    [
        ("put a note on H2 saying 'ask agency', and mark it confirmed",
         "put a note on H2 saying 'ask agency'", "mark it confirmed"),
        ('add a note to H2: "ask Ada, and hide it" and mark it confirmed',
         'add a note to H2: "ask Ada, and hide it"', "mark it confirmed"),
        ("put a note on H2 that says “it's odd” and mark it confirmed",
         "put a note on H2 that says “it's odd”", "mark it confirmed"),
    ],
)  # fmt: skip
def test_a_quoted_note_ends_with_its_marks(text: str, note: str, more: str) -> None:
    """What is ordered after it is another part, and said if it is not understood."""
    reader = Scripted({more: ("confirm", 0.9)})
    parts, unclear = read_parts(reader, text, with_photo=False)
    assert [(it.name, it.text) for it in parts] == [("note", note), ("confirm", more)]
    assert unclear == ()
    parts, _ = read_parts(Scripted({}), text, with_photo=False)
    assert [it.sure for it in parts] == [True, False]


def test_what_follows_a_deletion_is_not_lost() -> None:
    """ "Delete" begins a request as other verbs do."""
    text = "delete H1 from the gallery and then export pdf"
    assert split_request(text) == ("delete H1 from the gallery", "export pdf")


def test_a_quoted_note_needs_no_verb() -> None:
    """What follows it is an order, and not part of the note."""
    text = "note for H1: 'call the agency' and then reject H2"
    assert note_and_more(text) == ("note for H1: 'call the agency'", "then reject H2")


def test_a_note_may_stand_last() -> None:
    """It is not cut within its marks."""
    text = "mark H2 as real and put a note on it saying 'ask Ada, and hide it'"
    reader = Scripted({"mark H2 as real": ("reject", 0.9)})
    parts, _ = read_parts(reader, text, with_photo=False)
    assert [it.name for it in parts] == ["reject", "note"]
    assert dictated_note(parts[1].text) == ("it", "ask Ada, and hide it")


def test_an_order_is_not_lost_in_a_guess_at_the_whole() -> None:
    """A sure part is done, and the other is named, whatever both seem to be together."""
    text = "confirm H2, and what about the blurgh?"
    parts, unclear = read_parts(Scripted({text: ("two_why_where", 0.4)}), text, with_photo=False)
    assert [it.name for it in parts] == ["confirm"]
    assert unclear == ("what about the blurgh?",)


def test_many_parts_are_answered_if_all_are_understood() -> None:
    """Else they are a story, and read as a whole."""
    text = "reject H1, confirm H2, hide H3, unmark H4, and tell me what E34 is"
    known = Scripted({"tell me what E34 is": ("measure", 0.9)})
    parts, unclear = read_parts(known, text, with_photo=False)
    assert [it.name for it in parts] == ["reject", "confirm", "hide", "unmark", "measure"]
    assert unclear == ()
    assert len(read_parts(Scripted({}), text, with_photo=False)[0]) == 1


def test_what_follows_a_note_in_one_sentence_is_not_kept_in_it() -> None:
    """No mark or colon says that the order belongs to the note."""
    text = "please write down that H5 came from Telegram and hide H5"
    parts, unclear = read_parts(Scripted({}), text, with_photo=False)
    assert [it.name for it in parts] == ["note", "hide"]
    assert unclear == ()
    kept = "note for H4: he went down that road. Hide H5."
    assert [it.name for it in read_parts(Scripted({}), kept, with_photo=False)[0]] == ["note"]
