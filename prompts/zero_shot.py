"""Prompt sets for zero-shot detection: the words in which CLIP is asked real or fake.

A set has texts that say authentic and texts that say forged. Questions that were put to vision
language models become sets by their answers: CLIP cannot be asked, it can only say how well a
whole sentence fits a picture. A set is chosen before looking at the pictures that it is judged
on; the best of many sets on one test is a figure of luck.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from prompts.captions import FAKE_PROMPTS, REAL_PROMPTS


@dataclass(frozen=True, slots=True)
class PromptSet:
    """Texts of both classes, and where their words come from."""

    real: tuple[str, ...]
    fake: tuple[str, ...]
    origin: str


COMPUTER_GENERATED = (
    "Analyze the image, is it computer generated (deepfake) or natural photo (or video screenshot)?"
)
NATURAL = "Analyze the image if it's computer generated (deepfake) or natural."


def _answered(question: str, *answers: str) -> tuple[str, ...]:
    return tuple(f"{question} {answer}" for answer in answers)


PROMPT_SETS: Mapping[str, PromptSet] = MappingProxyType(
    {
        "captions": PromptSet(
            REAL_PROMPTS, FAKE_PROMPTS, "what the pocket encoder learnt beside its pictures"
        ),
        "class_names": PromptSet(
            ("a real photo.",),
            ("a fake photo.",),
            "the fixed texts of Khan & Dang-Nguyen, CLIPping the Deception, ICMR 2024",
        ),
        "person": PromptSet(
            ("A real photo of a person",),
            ("A fake photo of a person",),
            "the fixed texts of RepDFD, AAAI 2025, without its pseudo-word",
        ),
        "computer_generated": PromptSet(
            _answered(COMPUTER_GENERATED, "It is a natural photo.", "It is a video screenshot."),
            _answered(COMPUTER_GENERATED, "It is computer generated.", "It is a deepfake."),
            "a question put to vision language models, with its answers",
        ),
        "natural": PromptSet(
            _answered(NATURAL, "It is natural."),
            _answered(NATURAL, "It is computer generated.", "It is a deepfake."),
            "a shorter question put to vision language models, with its answers",
        ),
        "answers": PromptSet(
            ("a natural photo", "a video screenshot"),
            ("a computer generated image", "a deepfake"),
            "the answers to the first question alone, as captions",
        ),
        "labels": PromptSet(
            ("Real",),
            ("Fake",),
            "the class names of a published image classifier, as they are",
        ),
        "anomaly": PromptSet(
            ("a photo of a normal face", "a photo of a face without a flaw"),
            ("a photo of an anomalous face", "a photo of a face with a flaw"),
            "normal against anomalous, as in language-guided anomaly detection (CLAD)",
        ),
    }
)
