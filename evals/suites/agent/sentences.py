"""Count properties of checked sentences: passed, names of regions and flaws, contradictions."""

import re
from collections.abc import Mapping, Sequence

from assistant.conversation.steps import CheckedSentence
from assistant.grounding.citations import FactLookup
from assistant.grounding.vocabulary import find_verdict_word
from prompts.phrases import PHRASES
from tools.verdict.handles import CITATION_PATTERN, parse_handle

_PLACE = re.compile(
    r"\b(?:eyes?|eyebrows?|nose|mouth|lips?|skin|cheeks?|chin|forehead|face boundary|jaw)\b"
    r"|\.E1[1-7]\]",
    re.IGNORECASE,
)
_FLAW = re.compile(
    r"\b(?:seams?|blend\w*|lighting|shadows?|reflections?|texture|teeth|hair(?:line)?|warp\w*|"
    r"artefacts?|artifacts?)\b",
    re.IGNORECASE,
)
_OURS = " ".join(PHRASES)


def grounded_share(answers: Sequence[Sequence[CheckedSentence]]) -> float:
    """Share of the model's sentences that passed without repair; NaN if there are none.

    A refused sentence counts once, even if the template writer replaced it with several.
    """
    passed, refused = 0, 0
    for sentences in answers:
        before: str | None = None
        for sentence in sentences:
            again = sentence.source == "plain" and sentence.finding == before
            passed += sentence.finding is None and sentence.source == "model"
            refused += sentence.finding is not None and not again
            before = sentence.finding
    return passed / (passed + refused) if passed + refused else float("nan")


def is_verdict_word_error(finding: str | None) -> bool:
    """Whether a sentence was refused because it typed a verdict word."""
    return re.match('it types "', finding or "") is not None


def contradicts(sentence: CheckedSentence, verdicts: Mapping[str, str], fact: FactLookup) -> bool:
    """Whether a sentence displayed as checked contradicts the rule.

    It does if a verdict word occurs outside a citation, unless the sentence is the project's own,
    or if an inserted verdict differs from the rule's on that hit.
    """
    if sentence.source != "model" or not sentence.text:
        return False
    free = CITATION_PATTERN.sub(" ", sentence.text)
    if sentence.text.removeprefix("- ") not in _OURS and find_verdict_word(free) is not None:
        return True
    named = {id_: fact(id_) for id_ in sentence.cites if parse_handle(id_).kind == "verdict"}
    return any(
        it is not None and it.reads.partition(",")[0] != verdicts.get(parse_handle(id_).subject)
        for id_, it in named.items()
    )


def names_region(text: str) -> bool:
    """Whether the text names a part of the face."""
    return _PLACE.search(text) is not None


def names_flaw(text: str) -> bool:
    """Whether the text names a part of the face, or a flaw that no tool measures."""
    return names_region(text) or _FLAW.search(text) is not None
