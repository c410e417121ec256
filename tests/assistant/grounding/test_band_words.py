"""Why a probability leaves a forgery open: the limits that it had to cross."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from assistant.conversation.steps import ToolCall, ToolResult
from assistant.grounding.fallback_answers import describe_result
from tests.support.made.listed_hits import hit
from tools.search.results import Hit
from tools.verdict.calibration import InconclusiveBand
from tools.verdict.rule import QuestionKind, Verdict

pytestmark = pytest.mark.fast


def judged(rank: int, verdict: Verdict, question: QuestionKind, high: float) -> Hit:
    """A hit of the person whose forgery was asked about in this way."""
    found = hit(rank, Path(f"{rank}.png"), verdict, same=0.99, fake=0.91)
    assessment = replace(
        found.assessment, identity_place="high", question=question,
        fake_place="high" if verdict == "impersonation" else "within",
        fake_band=InconclusiveBand(0.0284, high, 0.1, 0.03),
    )  # fmt: skip
    return replace(found, assessment=assessment)


def answer(*hits: Hit) -> list[str]:
    """The sentences that answer why the last hit has its verdict."""
    workspace: Any = SimpleNamespace(hits=hits, hit=lambda handle: hits[int(handle[1:]) - 1])
    image = hits[-1].handle
    call, told = (
        ToolCall("score_fake", {"image": image}),
        ToolResult("1", "score_fake", "{}", True, 0),
    )
    return [it.text for it in describe_result(workspace, call, told)]


def test_an_inconclusive_hit_says_which_limits_it_had_to_cross() -> None:
    """Those of its own question, and that another hit was asked another one."""
    accused = judged(1, "impersonation", "one_of_two", 0.7836)
    said = " ".join(answer(accused, judged(2, "inconclusive", "with_query", 0.96837)))
    assert "beside the query photos, only above 96.8 % counts as forged" in said
    assert "only below 2.8 % as no sign of forgery" in said
    assert "H1 was judged as one of two versions, which has other limits" in said


def test_nothing_of_it_is_said_where_it_decides_nothing() -> None:
    """Of an accused hit, and of one whose person is in doubt."""
    doubtful = judged(1, "inconclusive", "with_query", 0.9)
    doubtful = replace(doubtful, assessment=replace(doubtful.assessment, identity_place="within"))
    for found in (judged(1, "impersonation", "with_query", 0.9), doubtful):
        assert "counts as forged" not in " ".join(answer(found))


def test_a_band_without_a_guarantee_accuses_nobody() -> None:
    """Its upper limit is one."""
    said = " ".join(answer(judged(1, "inconclusive", "alone", 1.0)))
    assert "by itself, no probability counts as forged" in said
