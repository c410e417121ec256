"""Languages that are known by their common words."""

import pytest

from assistant.conversation.languages import language_of, remark_on_language
from assistant.conversation.steps import CheckedSentence, ModelText
from prompts.languages import IN_ENGLISH

pytestmark = pytest.mark.fast


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Sind das hier wirklich Bilder von mir?", "German"),
        ("montre-moi les images de ma fille", "French"),
        ("¿por qué esta foto está en la lista?", "Spanish"),
        ("mostrami tutte le foto che non sono di lei", "Italian"),
        ("quais imagens não são da minha filha?", "Portuguese"),
        ("laat mij alle foto's zien die niet echt zijn", "Dutch"),
        ("pokaż mi wszystkie zdjęcia, które nie są moje", "Polish"),
        ("show me the pictures of my daughter", ""),
        ("is it in the list or no", ""),
        ("why was H3 made", ""),
        ("H3?", ""),
        ("Vis mig alle billeder", ""),
    ],
)
def test_a_language_is_known_by_several_words(text: str, language: str) -> None:
    """Otherwise none is; English needs no remark."""
    assert language_of(text) == language


def test_the_remark_is_made_once() -> None:
    """In the language of the request."""
    text = "wer hat das auf dem Bild gesehen?"
    assert remark_on_language(text, []) == IN_ENGLISH["German"]
    before = ModelText((CheckedSentence(f"No. {IN_ENGLISH['German']}", (), "plain"),), None, 0.0)
    assert remark_on_language(text, [before]) == ""
    assert remark_on_language("qui est dans cette photo avec moi ?", [before])
