"""What counts as an order: not a doubt, a question, a condition, or what others say."""

import pytest

from assistant.agent.requests.instructions import ACTS, accepted, doubts, orders
from assistant.training.reader.classes import class_of, wordings

pytestmark = pytest.mark.fast


@pytest.mark.parametrize(
    ("act", "text"),
    [
        ("confirm", "her agent told us to confirm H4"),
        ("confirm", "do you think I ought to confirm the second?"),
        ("confirm", "can you confirm that the third is a montage?"),
        ("confirm", "the university verified this picture, it is confirmed there"),
        ("confirm", "please don't confirm H2 yet"),
        ("confirm", "if the lab is right, H2 counts as confirmed?"),
        ("confirm", "Meine Chefin sagt, H2 sei bestätigt"),
        ("confirm", "dois-je confirmer la deuxième ?"),
        ("confirm", "¿debo confirmar la primera?"),
        ("reject", "I guess H5 is a false alarm"),
        ("reject", "his brother says that H5 is a false positive"),
        ("reject", "could H5 be a mistake?"),
        ("hide", "which ones did I hide?"),
        ("hide", "do not hide H1"),
        ("unmark", "was H1 reset?"),
        ("undo", "does undo change a verdict?"),
        ("export", "what does the report say about H2?"),
    ],
)
def test_these_order_nothing(act: str, text: str) -> None:
    """Nobody asked for an action with them."""
    assert not orders(text, act)


@pytest.mark.parametrize(
    ("act", "text"),
    [
        ("confirm", "My lawyer says it is genuine. I disagree: confirm H2."),
        ("confirm", "two colleagues looked at H4, so tick it off"),
        ("confirm", "could you please confirm number 2"),
        ("confirm", "setze H3 auf bestätigt"),
        ("confirm", "segna la terza come confermata"),
        ("reject", "label H7 a false alarm"),
        ("reject", "nope, wrong match, cross it off"),
        ("reject", "odrzuć H3"),
        ("hide", "H2 can go"),
        ("hide", "would you take number 5 out of the list?"),
        ("hide", "enlève la dernière"),
        ("unmark", "I marked H3 too early, set it back"),
        ("undo", "oops"),
        ("undo", "could you reverse that?"),
        ("export", "can I have this as a pdf?"),
    ],
)
def test_these_order_it(act: str, text: str) -> None:
    """In many words, politely, and beside what others say."""
    assert orders(text, act)


@pytest.mark.parametrize("act", ACTS)
def test_orders_are_rarely_asked_back(act: str) -> None:
    """Of the wordings that authors wrote for each action, few do not order it in words."""
    written = [str(it["text"]).replace("<hit>", "H3") for it in wordings() if class_of(it) == act]
    assert sum(orders(text, act) for text in written) >= 0.94 * len(written)


def test_doubts_are_known() -> None:
    """In several languages."""
    for text in ("I can't believe that", "what's your proof", "Wieso?", "prouvez-le"):
        assert doubts(text), text
    assert not doubts("confirm H3")


def test_one_offer_is_accepted_or_declined() -> None:
    """A "yes" means the only offer of the answer before; without one it is any other text."""
    assert accepted("Yes, please!", ["Hide H2"]) == "Hide H2"
    assert accepted("ja bitte", ["Hide H2"]) == "Hide H2"
    assert accepted("no thanks", ["Hide H2"]) is None
    assert accepted("yes", []) == "yes"
    for said in ("no", "nope, leave it", "never mind"):
        assert accepted(said, ["Hide H2", "Hide H3"]) is accepted(said, []) is None
    assert accepted("yes but why", ["Hide H2"]) == "yes but why"


@pytest.mark.parametrize(
    ("text", "changes_nothing"),
    [
        ("Ne cache rien", True),
        ("please don’t hide anything", True),
        ("nichts ausblenden", True),
        ("reject nothing yet", True),
        ("don't hide H3", False),
        ("hide anything that is a copy", False),
        ("don't hide anything from press", False),
    ],
)
def test_who_wants_nothing_changed_is_told_that_nothing_was(
    text: str, changes_nothing: bool
) -> None:
    """Whatever a reading would make of the words."""
    assert (accepted(text, []) is None) == changes_nothing
