"""What a chat model is asked about a picture, and the words by which its answer is known.

A chat model gives an opinion in one word, and the opinion is read from how likely each word was,
never from text that it wrote (arXiv 2507.22469). Zero-shot prompts (`zero_shot.py`) put the same
questions to CLIP, which can only say how well a whole sentence fits.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from prompts.zero_shot import COMPUTER_GENERATED, NATURAL


@dataclass(frozen=True, slots=True)
class Question:
    """A question, the words that answer it either way, and where it comes from.

    Words are single and lower case; every spelling of them counts.
    """

    name: str
    text: str
    forged: tuple[str, ...]
    authentic: tuple[str, ...]
    origin: str

    @property
    def turned(self) -> "Question":
        """The same question with the answers' meanings exchanged."""
        return replace(self, forged=self.authentic, authentic=self.forged)


_DOCUMENT = "a question put to vision language models, held to an answer of one word"

QUESTIONS: Mapping[str, Question] = MappingProxyType(
    {
        it.name: it
        for it in (
            Question(
                "forged",
                "Was the face in this picture swapped, altered or computer generated (a deepfake)? "
                "Answer yes or no.",
                ("yes",),
                ("no",),
                "ours: what forgeries of a person are, in one sentence",
            ),
            Question(
                "computer_generated",
                f"{COMPUTER_GENERATED} Answer in one word: deepfake or natural.",
                ("deepfake", "computer"),
                ("natural", "photo", "video"),
                _DOCUMENT,
            ),
            Question(
                "natural",
                f"{NATURAL} Answer in one word: deepfake or natural.",
                ("deepfake", "computer"),
                ("natural",),
                _DOCUMENT,
            ),
        )
    }
)
