"""Examples for the request reader: every wording has an answer that the application accepts."""

import random
import re
from collections import Counter
from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage

from assistant.grounding.sentences import split_sentences
from assistant.grounding.statements import form_error
from assistant.training.reader import references as refer
from assistant.training.reader.examples import RequestExamples
from evals.suites.agent.requests import free_requests, words
from tools import toolkit
from tools.agent_tools.langchain_tools import check_arguments

pytestmark = pytest.mark.fast


@pytest.fixture(scope="module")
def examples() -> RequestExamples:
    """The examples of the shipped wordings."""
    return RequestExamples()


@pytest.fixture(scope="module")
def epoch(examples: RequestExamples) -> list[list[BaseMessage]]:
    """Every wording once."""
    return [*examples.epoch(random.Random(3))]  # noqa: S311 - not for secrets


def test_every_call_fits_its_tool(epoch: list[list[BaseMessage]]) -> None:
    """Names and arguments are those of the toolkit; handles lie in the list of the state."""
    workspace: Any = None  # the schemas are the same for every workspace
    tools = {tool.name: tool for tool in toolkit(workspace)}
    for *_, asked, answer in epoch:
        assert isinstance(answer, AIMessage)
        last = re.search(r"Hits: H1-H(\d+)", asked.text)
        for call in answer.tool_calls:
            check_arguments(tools, call["name"], call["args"])
            for hit in re.findall(r"'H(\d+)'", str(call["args"])):
                assert last is None or int(hit) <= int(last[1]), (asked.text, call)


def test_every_text_is_an_allowed_form(epoch: list[list[BaseMessage]]) -> None:
    """Citations, and sentences of the project's own."""
    texts = {answer.text for *_, answer in epoch if answer.text}
    assert len(texts) > 20
    for text in texts:
        assert not [one for one in split_sentences(text) if form_error(one)], text


def test_no_slot_is_left(epoch: list[list[BaseMessage]]) -> None:
    """Everything between angle brackets was filled in."""
    for *_, asked, _ in epoch:
        assert re.search(r"<[a-z0-9]+>", asked.text) is None, asked.text


def test_every_intent_has_many_wordings(examples: RequestExamples) -> None:
    """None of them rests on a few sentences."""
    counts = Counter({intent: len(rows) for intent, rows in examples.rows.items()})
    assert min(counts.values()) >= 50
    assert counts.total() > 4000


def test_no_evaluation_wording_is_trained_on(examples: RequestExamples) -> None:
    """The words of the evaluation's requests occur in no training file."""
    trained = {words(row["text"]) for rows in examples.rows.values() for row in rows}
    asked = free_requests()
    assert len(asked) >= 240
    assert not [row["text"] for _, row in asked if words(row["text"]) in trained]


def test_typing_errors_spare_what_the_answer_copies() -> None:
    """A folder's name that was mistyped could not be copied."""
    rng = random.Random(0)  # noqa: S311 - not for secrets
    for _ in range(300):
        said = refer.spoilt("Only hits from Telegram leaks, please.", rng, keep=["Telegram leaks"])
        assert "Telegram leaks" in said


@pytest.mark.parametrize(
    ("number", "ending"), [(1, "st"), (2, "nd"), (3, "rd"), (11, "th"), (22, "nd")]
)
def test_ordinals_are_english(number: int, ending: str) -> None:
    """The 22nd, not the 22th."""
    names = {refer.hit_name(random.Random(seed), number, 200) for seed in range(900)}  # noqa: S311
    assert f"the {number}{ending} hit" in names
