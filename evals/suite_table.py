"""The table of what can be measured.

A suite is a module with `run(options) -> figures`. The group `suite` are the field's protocols and
ours on top of them, for any data set and any system; `pocket` are the measurements of the weights
that are shipped, on the folders of data that they are documented with.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Group = Literal["suite", "pocket"]
GROUPS: Mapping[Group, str] = {
    "suite": "protocols, on any data set (--data DIR, --layout NAME)",
    "pocket": "the shipped weights, on the folders lfw/, dfdc/ and deepfakes/ (--data DIR)",
}


@dataclass(frozen=True, slots=True)
class Suite:
    """A module, the question it answers, its group, and whether it needs data."""

    module: str
    question: str
    group: Group
    needs_data: bool = True


SUITES: Mapping[str, Suite] = {
    "retrieval": Suite(
        "evals.suites.retrieval.suite",
        "Are the pictures of a person found by the face alone, authentic ones and forged ones?",
        "suite",
    ),
    "impersonation": Suite(
        "evals.suites.impersonation.suite",
        "Does the whole job rank a person's impersonations first?",
        "suite",
    ),
    "detectors": Suite(
        "evals.suites.detection.suite",
        "How well does every detector tell forged from authentic, method by method?",
        "suite",
    ),
    "robustness": Suite(
        "evals.suites.robustness.suite",
        "What is left of detection and identity when pictures are attacked, by kind and level?",
        "suite",
    ),
    "leakage": Suite(
        "evals.suites.leakage.suite",
        "How much of who somebody is can be read off what the detectors look at?",
        "suite",
    ),
    "attribution": Suite("evals.suites.attribution.suite", "Which generator made it?", "suite"),
    "calibration": Suite(
        "evals.suites.calibration.suite",
        "Do the rule's probabilities mean what they say, and how often does it abstain?",
        "suite",
    ),
    "reproduction": Suite(
        "evals.suites.reproduction.suite",
        "What did each system of the first experiment call right, and what does the rule now?",
        "suite",
    ),
    "agent": Suite(
        "evals.suites.agent.suite",
        "Does the assistant call the right tools and say what they found?",
        "suite",
    ),
    "explanations": Suite(
        "evals.suites.agent.explanations",
        "Are explanations true to the measurements, before and after the checker?",
        "suite",
    ),
    "injection": Suite(
        "evals.suites.injection.suite",
        "Do words in pictures, metadata, names and results change what Unmask does?",
        "suite",
        needs_data=False,
    ),
    "embedder": Suite(
        "evals.suites.weights.embedder", "Does the embedder tell persons apart?", "pocket"
    ),
    "faces": Suite(
        "evals.suites.weights.faces", "Are faces found, and landmarks put right?", "pocket"
    ),
    "forgeries": Suite(
        "evals.suites.weights.forgeries",
        "Are forgeries told from photos, of families seen and unseen?",
        "pocket",
    ),
    "scenes": Suite(
        "evals.suites.weights.scenes",
        "Is what was forged beside the face seen by face crops, whole images, patches?",
        "pocket",
    ),
    "localisers": Suite(
        "evals.suites.weights.localisers",
        "Do heat maps point at the region that was forged?",
        "pocket",
    ),
    "references": Suite(
        "evals.suites.weights.references",
        "Do query photos and a second embedder tell forged from genuine photos of a person?",
        "pocket",
    ),
    "same_photograph": Suite(
        "evals.suites.same_photograph.suite",
        "Is the same photograph proven where it is the same, and nowhere else?",
        "pocket",
    ),
    "durability": Suite(
        "evals.suites.performance.durability",
        "Does indexing lose nothing when it is killed?",
        "pocket",
        needs_data=False,
    ),
    "speed": Suite(
        "evals.suites.performance.speed",
        "How much faster than the obvious loop is indexing, and is memory flat?",
        "pocket",
    ),
    "vlm_speed": Suite(
        "evals.suites.performance.vlm_speed",
        "Does streaming a chat model cost anything over bare `generate`?",
        "pocket",
        needs_data=False,
    ),
    "size": Suite(
        "evals.suites.performance.size",
        "How large are the pocket weights, how fast the import?",
        "pocket",
        needs_data=False,
    ),
}


def listing() -> str:
    """Every suite with its question, by group."""
    width = max(map(len, SUITES))
    blocks = []
    for group, what in GROUPS.items():
        rows = [
            f"  {name:<{width}}  {it.question}" for name, it in SUITES.items() if it.group == group
        ]
        blocks.append("\n".join([f"{group}: {what}", *rows]))
    return "\n\n".join(blocks)
