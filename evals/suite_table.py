"""The table of evaluation suites.

A suite is a module with `run(options) -> figures`. The group `suite` contains standard protocols
and our extensions, for any data set and any system; `pocket` contains the measurements of the
shipped weights on their documented data.
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
        "Does face search alone find a person's pictures, authentic and forged?",
        "suite",
    ),
    "impersonation": Suite(
        "evals.suites.impersonation.suite",
        "Does the full search rank a person's impersonations first?",
        "suite",
    ),
    "detectors": Suite(
        "evals.suites.detection.suite",
        "How well does each detector separate forged from authentic pictures, by method?",
        "suite",
    ),
    "robustness": Suite(
        "evals.suites.robustness.suite",
        "How much do attacks degrade detection and identification, by kind and level?",
        "suite",
    ),
    "leakage": Suite(
        "evals.suites.leakage.suite",
        "How much identity information do the detectors' features contain?",
        "suite",
    ),
    "attribution": Suite(
        "evals.suites.attribution.suite", "Which generator made a picture?", "suite"
    ),
    "calibration": Suite(
        "evals.suites.calibration.suite",
        "Are the rule's probabilities calibrated, and how often does it abstain?",
        "suite",
    ),
    "reproduction": Suite(
        "evals.suites.reproduction.suite",
        "How accurate are the systems of the first experiment, compared with the rule?",
        "suite",
    ),
    "agent": Suite(
        "evals.suites.agent.suite",
        "Does the assistant call the right tools and report their results?",
        "suite",
    ),
    "explanations": Suite(
        "evals.suites.agent.explanations",
        "Are explanations faithful to the measurements, before and after the checker?",
        "suite",
    ),
    "injection": Suite(
        "evals.suites.resilience.injection.suite",
        "Can text in pictures, metadata, names and results change what Unmask does?",
        "suite",
        needs_data=False,
    ),
    "embedder": Suite(
        "evals.suites.weights.embedder", "How well does the embedder separate persons?", "pocket"
    ),
    "groups": Suite(
        "evals.suites.weights.groups",
        "Do error rates differ by age, sex and ethnicity?",
        "pocket",
    ),
    "faces": Suite(
        "evals.suites.weights.faces", "How well are faces detected and landmarks placed?", "pocket"
    ),
    "forgeries": Suite(
        "evals.suites.weights.forgeries",
        "How well are forgeries of seen and unseen families detected?",
        "pocket",
    ),
    "scenes": Suite(
        "evals.suites.weights.scenes",
        "Do face crops, whole images or patches reveal forgeries beside the face?",
        "pocket",
    ),
    "localisers": Suite(
        "evals.suites.weights.localisers",
        "Do heat maps point at the forged region?",
        "pocket",
    ),
    "references": Suite(
        "evals.suites.weights.references",
        "Do query photos and a second embedder separate forged from genuine photos?",
        "pocket",
    ),
    "same_photograph": Suite(
        "evals.suites.same_photograph.suite",
        "Is the same photograph recognised without false matches?",
        "pocket",
    ),
    "versions": Suite(
        "evals.suites.same_photograph.versions",
        "Are face swaps proven by the photograph that they were made from?",
        "pocket",
    ),
    "requests": Suite(
        "evals.suites.agent.requests",
        "Are requests understood that the training's authors did not word?",
        "pocket",
        needs_data=False,
    ),
    "looking": Suite(
        "evals.suites.agent.looking",
        "Is what the model names about a picture right, on pictures that it never saw?",
        "pocket",
    ),
    "harmless_edits": Suite(
        "evals.suites.same_photograph.harmless",
        "Is a harmlessly edited query photo ever called an impersonation?",
        "pocket",
    ),
    "hostile": Suite(
        "evals.suites.resilience.hostile.suite",
        "Does any file make Unmask crash, hang or fill the memory?",
        "pocket",
        needs_data=False,
    ),
    "chaos": Suite(
        "evals.suites.resilience.chaos.suite",
        "Do kills, damaged files, full disks and lost writes lose or double anything?",
        "pocket",
        needs_data=False,
    ),
    "soak": Suite(
        "evals.suites.resilience.soak.suite",
        "Do many people at one page get their own answers for a long time, also without servers?",
        "pocket",
    ),
    "speed": Suite(
        "evals.suites.performance.speed",
        "How much faster is indexing than a simple loop, and is memory use flat?",
        "pocket",
    ),
    "scale": Suite(
        "evals.suites.performance.scale",
        "What do opening, searching and changing a large gallery cost, and which index is faster?",
        "pocket",
        needs_data=False,
    ),
    "search": Suite(
        "evals.suites.performance.search_speed",
        "How much processor time does a search take, against the bare networks?",
        "pocket",
        needs_data=False,
    ),
    "load": Suite(
        "evals.suites.performance.load",
        "How much more processor time does a search take beside other work than alone?",
        "pocket",
        needs_data=False,
    ),
    "vlm_speed": Suite(
        "evals.suites.performance.vlm_speed",
        "How much slower is our streaming than bare `generate`?",
        "pocket",
        needs_data=False,
    ),
    "size": Suite(
        "evals.suites.performance.size",
        "How large are the pocket weights, and how fast is the import?",
        "pocket",
        needs_data=False,
    ),
}


def listing() -> str:
    """List every suite with its question, by group."""
    width = max(map(len, SUITES))
    blocks = []
    for group, what in GROUPS.items():
        rows = [
            f"  {name:<{width}}  {it.question}" for name, it in SUITES.items() if it.group == group
        ]
        blocks.append("\n".join([f"{group}: {what}", *rows]))
    return "\n\n".join(blocks)
