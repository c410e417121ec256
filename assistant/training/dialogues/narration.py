"""What the pocket model learns to say: citations of what a tool returned, joined by a few words.

Every function reads a tool's JSON, the very text that the model sees. What a citation says
(verdict, reading, list, count, "nothing found") the application fills in, so the model learns
which facts answer which question, in which order: the strongest reasons first, then what speaks
against them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from prompts import phrases
from tools.verdict.clauses import join_with_and
from tools.verdict.glossary import MEANINGS as MEANINGS

Json = Mapping[str, Any]

SCORES = ("E2", "E3", "E4", "E5")
"""Forgery scores, of face and image."""

UNMEASURED, MOST_SENTENCES = "not measured", 4
_STANDING_OUT = ("high", "raised")


def readings(scored: Json) -> dict[str, str]:
    """Readings by short name (`P1`, `E2`) of a score_fake or compare_faces result."""
    found = {key.split(".")[1]: reads for key, reads in scored.get("probabilities", {}).items()}
    return found | {item["id"].split(".")[1]: item["reads"] for item in scored["evidence"]}


def explained(scored: Json) -> str:
    """Two to four sentences about a hit or a query photo, from `score_fake`'s result."""
    subject, reads = scored["image"], readings(scored)
    verdict = scored.get("verdict")
    said = [_judged(subject, verdict)]
    if verdict == "not assessed":
        return said[0]
    if verdict == "other" or (verdict == "inconclusive" and reads.get("P1") == "uncertain"):
        said.append(_sentence(subject, ["E1"], reads))
    if verdict == "copy":
        said.append(_sentence(subject, ["E8"], reads))
    if verdict != "other":
        said += [_scores(subject, verdict, reads), _sentence(subject, ["E6"], reads)]
    if reads.get("E10") == "marked":
        said.append(f"[{subject}.E10].")
    return " ".join([sentence for sentence in said if sentence][:MOST_SENTENCES])


def _judged(subject: str, verdict: str | None) -> str:
    if verdict is None:
        return f"[{subject}.P2]."
    if verdict == "not assessed":
        return f"[{subject}.verdict]: [{subject}.E9]."
    if verdict == "other":
        return f"[{subject}.verdict]: [{subject}.P1]."
    return f"[{subject}.verdict]: [{subject}.P1], and [{subject}.P2]."


def _scores(subject: str, verdict: str | None, reads: Mapping[str, str]) -> str:
    """The forgery scores: what bears the verdict out first, then what speaks against it."""
    out = [name for name in SCORES if reads.get(name) in _STANDING_OUT]
    ordinary = [name for name in SCORES if reads.get(name) == "ordinary"]
    first, then = (ordinary, out) if verdict in ("no forgery found", "copy") else (out, ordinary)
    cited = [
        join_with_and([f"[{subject}.{name}]" for name in names]) for names in (first, then) if names
    ]
    return f"{', but '.join(cited)}." if cited else ""


def _sentence(subject: str, names: Sequence[str], reads: Mapping[str, str]) -> str:
    measured = [name for name in names if reads.get(name, UNMEASURED) != UNMEASURED]
    cited = join_with_and([f"[{subject}.{name}]" for name in measured])
    return f"{cited}." if cited else ""


def found(result: Json) -> str:
    """The answer to a search: what was compared, which hits, what stayed open."""
    verdicts = {hit["verdict"] for hit in result["hits"]}
    said = ["I searched the gallery: [S1], and [S2]."]
    listed_ = [name for name in ("impersonation", "inconclusive") if name in verdicts]
    if not listed_ and "no forgery found" in verdicts:
        listed_ = ["no forgery found"]
    if listed_:
        said.append(f"{join_with_and([f'[{lists(name)}]' for name in listed_])}.")
    if result.get("warnings"):
        said.append(phrases.WARNING)
    return " ".join(said)


def lists(verdict: str) -> str:
    """The handle of the list of hits with a verdict."""
    return f"hits.{verdict.replace(' ', '_')}"


def which(verdict: str) -> str:
    """Which hits of the latest search have a verdict, and how many faces in all."""
    return f"[{lists(verdict)}], and [{COUNT_OF[verdict]}]."


COUNT_OF = {
    "impersonation": "S2", "inconclusive": "S3", "no forgery found": "S4", "copy": "S5",
    "other": "S6", "not assessed": "S7",
}  # fmt: skip


def counted() -> str:
    """All counts of the latest search."""
    return "[S8]."


def sure(hit: str) -> str:
    """The calibrated probabilities of a hit."""
    return f"[{hit}.P1], and [{hit}.P2]. {phrases.NO_PROOF}"


def same_person(hit: str) -> str:
    """Whether a hit shows the query person."""
    return f"[{hit}.P1]."


def worst() -> str:
    """The first hit, with its verdict; without any, that there is none."""
    return "[H1.verdict]: [H1.P1], and [H1.P2]."


def compared(result: Json) -> str:
    """What a comparison of two faces came to."""
    name, reads = result["comparison"], readings(result)
    rest = _sentence(name, ["E7", "E8"], reads)
    return f"[{name}.P1]. {rest}".strip()


def located(handle: str) -> str:
    """Where the map of a face shows something."""
    return f"[{handle}.regions]."


def described(handle: str) -> str:
    """The file facts of a picture; its metadata is data and is not repeated."""
    return f"[{handle}.file]."


def gallery() -> str:
    """What the gallery holds."""
    return "[G1], and [G2]. [G3], and [G4]."


def meaning(fact: str) -> str:
    """What a measure means, in general."""
    return f"[about.{fact}]."


ASK_PHOTO = phrases.ASK_PHOTO
NO_SEARCH = f"[hits.all]. {phrases.PHOTO_FIRST}"
SEARCH_FIRST = f"[hits.all]. {phrases.SEARCH_FIRST}"
NO_SUCH_HIT = "[hits.all]."
GREETING = phrases.GREETING
THANKS = phrases.THANKS
ABILITIES = phrases.ABILITIES
RELIABILITY = phrases.RELIABILITY
OUTSIDE = phrases.OUTSIDE
UNANSWERABLE = phrases.UNANSWERABLE
OBEDIENCE = phrases.OBEDIENCE
HOW_TO_INDEX = f"{phrases.ADD_IMAGES} {phrases.ASK_AGAIN}"
EMPTY = f"[G5]. {phrases.ADD_IMAGES}"


def which_face(photo: str) -> str:
    """A photo with several faces."""
    return f"[{photo}.faces]. {phrases.WHICH_FACE}"


def no_face(photo: str) -> str:
    """A photo without a face."""
    return f"[{photo}.faces]. {phrases.ANOTHER_PHOTO}"
