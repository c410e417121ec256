"""Requests that rules know, in several languages, and that no reading may turn around."""

import pytest

from assistant.agent.requests.parts import read_parts
from assistant.agent.requests.plain_requests import plain_request
from assistant.agent.requests.reader import Reading
from assistant.training.reader.classes import ATTACHED, class_of, wordings

pytestmark = pytest.mark.fast


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Who forged this picture?", "unanswerable"),
        ("when were these created", "unanswerable"),
        ("which tool would you use", None),
        ("what software was it made with, who made it", None),
        ("with which app was H2 edited?", "unanswerable"),
        ("Wer hat das hier gefälscht?", "unanswerable"),
        ("qui a truqué cette photo ?", "unanswerable"),
        ("¿Quién creó esta imagen?", "unanswerable"),
        ("chi ha falsificato queste foto?", "unanswerable"),
        ("quem criou estas imagens?", "unanswerable"),
        ("wie heeft dit vervalst?", "unanswerable"),
        ("kto sfałszował to zdjęcie?", "unanswerable"),
        ("how do I get rid of all data on her", "about_privacy"),
        ("vergiss alles über diese Frau", "about_privacy"),
        ("borra todo lo que sabes de él", "about_privacy"),
        ("remove everything from the list", None),
        ("how come, why isn't H4 marked as fake with such a score", "why"),
        ("pourquoi tu ne dis pas que c'est un faux ?", "why"),
        ("ist das auf H2 tatsächlich sie?", "same_person"),
        ("était-ce vraiment lui sur H3 ?", "same_person"),
        ("¿era realmente ella?", "same_person"),
        ("czy to naprawdę on?", "same_person"),
        ("ist er gefälscht?", None),
        ("hide H2, H3 and H5", "hide"),
        ("hide the rest", None),
        ("find this person", "find"),
        ("how many of them are below 50 percent?", "clear_filter"),
        ("note for H4: ask the press office. Why is it fake?", "note"),
        ("Delete my note on H4.", "note"),
        ("what did I note on H4?", None),
        ("the third one from the bottom", "why"),
        ("show me only the ones above 60 percent", "clear_filter"),
        ("and below 80?", "clear_filter"),
        ("hits without a decision", "clear_filter"),
        ("which ones did I reject?", "clear_filter"),
        ("confirm the hits above 80 %", None),
        ("is H3 over 60 %?", None),
        ("at most 30", None),
    ],
)
def test_plain_texts_need_no_reading(text: str, name: str | None) -> None:
    """Others are left to it."""
    assert plain_request(text) == name


def test_rules_agree_with_what_authors_meant() -> None:
    """Of all wordings of the training, very few are taken for something else."""
    rows = [(str(it["text"]), class_of(it)) for it in wordings() if it["intent"] not in ATTACHED]
    known = [(plain_request(text), wanted, text) for text, wanted in rows]
    wrong = [it for it in known if it[0] not in (None, it[1])]
    assert len(wrong) <= 3, wrong


def test_a_dictated_note_is_not_cut_into_requests() -> None:
    """What stands in a note is kept, and neither obeyed nor answered."""
    text = "note for H4: ask the press office. Why is H2 a fake? Hide all others."
    (part,), unclear = read_parts(Sure(), text, with_photo=False)
    assert (part.name, part.text, unclear) == ("note", text, ())


class Sure:
    """Reads everything as a filter of authentic hits."""

    def read(self, text: str, *, with_photo: bool) -> Reading:
        """Surely."""
        return Reading("which_genuine", 0.99, "why")


def test_who_made_it_is_never_read_as_a_filter() -> None:
    """An empty list of authentic hits would read as an all-clear."""
    (part,), _ = read_parts(Sure(), "qui a créé ces photos ?", with_photo=False)
    assert part.name == "unanswerable"
