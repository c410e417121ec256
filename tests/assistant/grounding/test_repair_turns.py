"""Explanations: one prompt per hit; rejected text is rewritten, then replaced by the template's."""

from pathlib import Path

import pytest

from assistant import Unmask
from assistant.agent.agent import Agent
from assistant.case.record import Case
from assistant.conversation.steps import Explanation, join_sentences
from tests.support.cases import GALLERY, workspace_of
from tests.support.scripted_model import ScriptedModel
from tools.errors import ToolError

RIGHT = "[H1.verdict]: [H1.P1], and [H1.P2]."


@pytest.fixture
def model() -> ScriptedModel:
    """A model that says what the test writes down."""
    return ScriptedModel()


@pytest.fixture
def agent(case: Unmask, model: ScriptedModel, tmp_path: Path) -> Agent:
    """An agent after a search."""
    workspace = workspace_of(case)
    workspace.find_person([workspace.add_photo(case.settings.home / "SECRET_NAME.png")])
    return Agent(model, workspace, Case.create(tmp_path, gallery=GALLERY))


def test_a_hit_is_explained_from_its_own_facts(agent: Agent, model: ScriptedModel) -> None:
    """The prompt holds both faces and this hit's evidence, and nothing of the conversation."""
    model.replies = [RIGHT]
    (explained,) = agent.explain(["H1"])
    assert explained.hit == "H1"
    assert join_sentences(explained.sentences) == RIGHT
    assert explained.sentences[0].finding is None
    (asked,) = model.received_prompts
    assert [message.type for message in asked] == ["system", "human"]
    kinds = [block["type"] for block in asked[1].content]  # type: ignore[index]
    assert kinds == ["text", "image", "text", "image", "text"]
    assert "H1.E2" in asked[1].text
    assert "H2.E2" not in asked[1].text
    assert agent.case.steps() == [explained]
    assert "H1.P2" in agent.case.steps_with_facts()[0][1]


def test_another_hits_facts_are_refused(agent: Agent, model: ScriptedModel) -> None:
    """A citation of H2 in the explanation of H1 is written again, and stands corrected."""
    model.replies = ["[H2.P2].", "[H1.P2]."]
    (explained,) = agent.explain(["H1"])
    (sentence,) = explained.sentences
    assert sentence.text == "[H1.P2]."
    assert sentence.refused == "[H2.P2]."


def test_the_plain_writer_stands_in(agent: Agent, model: ScriptedModel) -> None:
    """Sentences that stay wrong give way to the plain writer's about the hit, once."""
    model.replies = [f"{RIGHT} It is genuine [H1.P2]. It is unlike [H1.E1].", "No.", "No."]
    (explained,) = agent.explain(["H1"])
    assert explained.sentences[0].source == "model"
    plain = [sentence for sentence in explained.sentences if sentence.source == "plain"]
    texts = [sentence.text for sentence in plain]
    assert plain
    assert len(texts) == len(set(texts))
    assert all(cite.startswith("H1.") for sentence in plain for cite in sentence.cites)


def test_several_hits_are_several_prompts(agent: Agent, model: ScriptedModel) -> None:
    """Each hit has its own prompt and its own check; repairs come after all drafts."""
    model.replies = [RIGHT, "No fact at all.", "H2 was not assessed [H2.E1].", "Still none."]
    model.replies[3:] = ["Still none."] * 4
    explained = list(agent.explain(["H1", "H2", "H3"]))
    assert [each.hit for each in explained] == ["H1", "H2", "H3"]
    assert explained[0].sentences[0].source == "model"
    assert {sentence.source for sentence in explained[1].sentences} == {"plain"}
    assert all(isinstance(step, Explanation) for step in agent.case.steps())


def test_a_hit_that_is_none_is_refused(agent: Agent, model: ScriptedModel) -> None:
    """The valid ones are named, and the model is not asked."""
    with pytest.raises(ToolError, match="H1"):
        list(agent.explain(["H77"]))
    assert model.received_prompts == []


def test_stopping_ends_the_explanations(agent: Agent, model: ScriptedModel) -> None:
    """What was explained until then is kept."""
    model.replies = [RIGHT, "No fact.", "No fact."] + ["None."] * 4
    explained = []
    for each in agent.explain(["H1", "H2"]):
        explained.append(each)
        agent.stop()
    assert len(explained) == 1
    assert len(agent.case.steps()) == 1
