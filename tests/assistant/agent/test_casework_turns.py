"""Turns that filter, mark, undo, export and explain: the application words their results."""

import csv
import json
import re
import stat
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from assistant import Unmask
from assistant.agent.agent import Agent
from assistant.agent.directed_turns import PlannedTurn
from assistant.agent.model_stream import TextDelta
from assistant.case.record import Case
from assistant.case.restoring import restore_case
from assistant.chat.citations import sentences_html
from assistant.conversation.steps import ModelText, Step, ToolCall, ToolResult, join_sentences
from assistant.grounding.checker import FactContext
from assistant.grounding.citations import render_citations
from assistant.grounding.fallback_answers import describe_result, written
from assistant.report.case_export import attach_exporter
from prompts.phrases import NO_ALL_CLEAR, PHRASES
from tests.support.cases import GALLERY
from tests.support.scripted_model import ScriptedModel, tool_call_reply
from tools.agent_tools.review.review import Review
from tools.agent_tools.workspace import Workspace
from tools.gallery.access_log import accesses
from tools.gallery.database_file import gallery_folder
from tools.verdict.clauses import format_hit_ranges

KNOWN = ("find_person", "score_fake")


class SmallModel(ScriptedModel):
    """A scripted model whose checkpoint knows two tools only."""

    known_tools: tuple[str, ...] | None = KNOWN


@pytest.fixture
def model() -> ScriptedModel:
    """A model that says what the test writes down; by default, it must not be asked."""
    return ScriptedModel()


@pytest.fixture(scope="module")
def workspace(case: Unmask) -> Workspace:
    """Searches measure each face once for all tests; the closer look measures nothing further."""
    return Workspace(case.models, home=case.settings.home, gallery=GALLERY, measurements=())


@pytest.fixture
def agent(workspace: Workspace, model: ScriptedModel, tmp_path: Path) -> Agent:
    """An agent on a new case that has searched for the portrait."""
    return agent_of(workspace, model, tmp_path)


def agent_of(workspace: Workspace, model: ScriptedModel, folder: Path, *, top: int = 10) -> Agent:
    """An agent on a new case, after a search by a button, without any decision."""
    workspace.review = Review(lambda: workspace.last_search and workspace.last_search[0])
    workspace.exporter = None
    agent = Agent(model, workspace, Case.create(folder, gallery=GALLERY))
    model.replies = ["[S1]."]
    photo = workspace.home / "SECRET_NAME.png"
    press(agent, "find_person", [photo], photos=["Q1"], top=top)
    return agent


def press(
    agent: Agent, tool: str, files: list[Path] | None = None, /, **arguments: Any
) -> tuple[list[Step], str]:
    """A button's turn: its steps, and what was said."""
    plan = PlannedTurn((ToolCall(tool, arguments),))
    steps = [
        it
        for it in agent.ask("A press", files or [], plan=lambda _: plan)
        if not isinstance(it, TextDelta)
    ]
    return steps, said(steps)


def said(steps: list[Step]) -> str:
    """The words of the last answer."""
    last = steps[-1]
    assert isinstance(last, ModelText)
    return join_sentences(last.sentences)


def test_lists_are_worded_without_a_model(agent: Agent) -> None:
    """What is listed, by which filter; hidden hits are named; an empty list is no failure."""
    assert press(agent, "list_hits")[1] == "Listed: all hits, H1 to H3."
    verdict = agent.workspace.hit("H1").verdict
    assert f"({verdict})." in press(agent, "list_hits", verdict=verdict)[1]
    listed = agent.workspace.review.listed().hits
    shown = format_hit_ranges([int(it[1:]) for it in listed])
    text = press(agent, "list_hits", verdict="not assessed", folder='ho"me', before="2001-05")[1]
    assert text.startswith(
        'No listed hit fits (not assessed; in a folder whose name contains "ho\'me"; dated before '
        f"2001-05); the list still shows {shown}. "
        "Dates: H1 to H3 by the file's modification time"
    )
    press(agent, "mark_hit", hit="H2", decision="hidden")
    press(agent, "list_hits")
    text = press(agent, "list_hits", sort="name")[1]
    assert text in (
        "Listed: 2 hits, H1 and H3 (by name). Hidden by the reviewer and left out: H2.",
        "Listed: 2 hits, H3 and H1 (by name). Hidden by the reviewer and left out: H2.",
    )


def test_a_question_is_answered_and_the_list_stays(agent: Agent) -> None:
    """Whether hits fit or not; a filter in force is named."""
    verdict = agent.workspace.hit("H1").verdict
    text = press(agent, "list_hits", verdict=verdict, stays=True)[1]
    assert text.startswith("Found: ") and f"({verdict})." in text
    assert "The list stays" not in text
    assert press(agent, "list_hits")[1] == "Listed: all hits, H1 to H3."
    name = agent.workspace.hit("H2").path.name
    press(agent, "list_hits", name=name)
    text = press(agent, "list_hits", name="zebra", stays=True)[1]
    assert text.startswith('No listed hit fits (whose file name contains "zebra").')
    assert f'The list stays as it was (whose file name contains "{name}").' in text
    assert press(agent, "list_hits", name=".png", stays=True)[1].startswith("Found: 1 hit, H3 (")
    assert agent.workspace.review.filter.name == name


def test_decisions_of_one_kind_are_counted_and_named(agent: Agent) -> None:
    """None yet is said as such."""
    text = press(agent, "reviewed", decision="confirmed")[1]
    assert text == "No hit is marked as confirmed so far."
    for hit in ("H1", "H3"):
        press(agent, "mark_hit", hit=hit, decision="confirmed")
    press(agent, "mark_hit", hit="H2", decision="rejected")
    text = press(agent, "reviewed", decision="confirmed")[1]
    assert text == "2 hits are marked as confirmed by the reviewer: H1 and H3."
    text = press(agent, "reviewed", decision="rejected")[1]
    assert text == "1 hit is marked as rejected by the reviewer: H2."
    assert press(agent, "reviewed", decision="none")[1] == "Every hit has a decision."
    press(agent, "mark_hit", hit="H2", decision="none")
    assert press(agent, "reviewed", decision="none")[1] == "1 hit has no decision: H2."


def test_sorting_keeps_the_filter_and_says_so(agent: Agent) -> None:
    """Until all hits are asked for."""
    press(agent, "list_hits", forged="0")
    text = press(agent, "list_hits", sort="name")[1]
    assert "(forged with a probability of at least 0 %; by name)." in text
    assert agent.workspace.review.filter.criteria == ("forged",)
    assert press(agent, "list_hits")[1] == "Listed: all hits, H1 to H3."


def test_hits_are_found_by_their_file_names(agent: Agent) -> None:
    """A part of the name is enough; that none fits is said, and the list stays."""
    name = agent.workspace.hit("H2").path.name
    assert "H2" in press(agent, "list_hits", name=name.upper())[1]
    text = press(agent, "list_hits", name="zebra")[1]
    assert text.startswith('No listed hit fits (whose file name contains "zebra"); the list still')


def test_what_one_message_marks_is_undone_and_told_together(agent: Agent) -> None:
    """How many, and which; what was marked before the message is marked so again."""
    press(agent, "mark_hit", hit="H1", decision="rejected")
    hits = ("H1", "H2", "H3")
    marks = [ToolCall("mark_hit", {"hit": it, "decision": "confirmed"}) for it in hits]
    plan = PlannedTurn(tuple(marks))
    assert said(list(agent.ask("mark all", plan=lambda _: plan))) == (  # type: ignore[arg-type]
        "3 hits are marked as confirmed: H1 to H3. No verdict changes. One undo takes all that was "
        "changed back."
    )
    again = said(list(agent.ask("mark all", plan=lambda _: plan)))  # type: ignore[arg-type]
    assert again.endswith("None of these marks is new.")
    assert press(agent, "undo")[1] == (
        "Undone, all of one message (3 marks): H2 and H3 are no longer marked as confirmed; "
        "H1 is marked as rejected again, not as confirmed. No verdict changes."
    )
    assert press(agent, "undo")[1].startswith("Undone: H1 is no longer marked as rejected.")


def test_a_decision_of_an_earlier_search_is_told_with_its_file(
    agent: Agent, model: ScriptedModel
) -> None:
    """By its handle of then, though no hit has it now."""
    name = agent.workspace.hit("H3").path.name
    press(agent, "mark_hit", hit="H3", decision="rejected")
    model.replies = ["[S1]."]
    press(agent, "find_person", photos=["Q1"], top=2)
    then = f'H3 of an earlier search ("{name}")'
    told = f"{then} was marked as rejected by the reviewer; it is not listed now."
    assert told in press(agent, "reviewed")[1]
    assert press(agent, "reviewed", hit="H3")[1] == f"No hit is listed as H3 now. {told}"
    assert told in said(list(agent.ask("what did I decide on H3?")))  # type: ignore[arg-type]
    assert "H3 of an earlier search is no longer marked as rejected" in press(agent, "undo")[1]
    gone = said(list(agent.ask("mark H3 as confirmed")))  # type: ignore[arg-type]
    assert f"{then} is not listed now: ask for more hits." in gone


def test_a_filter_that_no_hit_fits_is_no_all_clear(agent: Agent) -> None:
    """The list stays as it was, the answer says so, and undo takes back what was before."""
    found = agent.workspace.review
    absent = next(it for it in ("impersonation", "copy", "not assessed", "other")
                  if not any(hit.verdict == it for hit in agent.workspace.hits))  # fmt: skip
    press(agent, "list_hits", sort="name")
    before = found.listed()
    text = press(agent, "list_hits", verdict=absent)[1]
    assert text.startswith(
        f'No listed hit has the verdict "{absent}"; the list still shows H1 to H3.'
    )
    assert found.listed() == before
    text = press(agent, "list_hits", forged="-0")[1]
    assert text.endswith(NO_ALL_CLEAR)
    assert press(agent, "undo")[1].startswith("Undone: the last filter. Listed: all hits, H1")


@pytest.mark.parametrize(
    ("count", "others"), [(1, "1 other has it, but is"), (1200, "1,200 others have it, but are")]
)
def test_a_short_list_does_not_hide_what_it_leaves_out(
    agent: Agent, monkeypatch: pytest.MonkeyPatch, count: int, others: str
) -> None:
    """Copies come last: "no hit is a copy" would be false if only the list has none."""
    findings = agent.workspace.last_search[0]  # type: ignore[index]
    absent = next(it for it, n in findings.counts.items() if not n)
    monkeypatch.setitem(findings.counts, absent, count)
    text = press(agent, "list_hits", verdict=absent)[1]
    assert f"the list still shows H1 to H3. {others} not listed: ask for more hits." in text
    present = agent.workspace.hit("H1").verdict
    monkeypatch.setitem(findings.counts, present, findings.counts[present] + count)
    text = press(agent, "list_hits", verdict=present)[1]
    assert f"({present}). {others} not listed: ask for more hits." in text
    text = press(agent, "list_hits")[1]
    assert (
        text == f"Listed: 3 hits, H1 to H3. {2 * count:,} more are not listed: ask for more hits."
    )


def test_a_decision_is_recorded_signed_and_changes_no_verdict(agent: Agent) -> None:
    """The answer states the rule's verdict beside the decision, and cites it."""
    verdict = agent.workspace.fact("H3.verdict").reads
    steps, text = press(agent, "mark_hit", hit="H3", decision="rejected")
    assert text == f"H3 is marked as rejected; the verdict stays: {verdict}."
    assert isinstance(steps[-1], ModelText)
    assert steps[-1].sentences[0].cites == ("H3.verdict",)
    (made,) = agent.case.decisions()
    assert (made.decision, made.hit) == ("rejected", "H3")
    assert made.image_id == agent.workspace.hit("H3").image_id
    assert agent.workspace.fact("H3.verdict").reads == verdict
    assert agent.case.verification().signature == "valid"
    assert "H3 has no decision;" in press(agent, "mark_hit", hit="H3", decision="none")[1]
    assert press(agent, "undo")[1] == "Undone: H3 is marked as rejected again. No verdict changes."
    assert press(agent, "undo")[1].startswith("Undone: H3 is no longer marked as rejected.")
    assert press(agent, "undo")[1] == "There is nothing to undo."
    assert [each.undoes for each in agent.case.decisions()] == [False, False, True, True]


def test_what_was_decided_and_noted_is_told(agent: Agent) -> None:
    """In the application's words, notes as quotations; brackets in a note cite nothing."""
    assert press(agent, "reviewed")[1] == "No hit has a decision or a note."
    assert press(agent, "reviewed", hit="H2")[1] == "H2 has no decision and no note."
    press(agent, "mark_hit", hit="H1", decision="confirmed")
    press(agent, "mark_hit", hit="H3", decision="confirmed")
    none = press(agent, "note_hit", hit="H2", text="")[1]
    assert none == "There is no note on H2, so none was removed."
    press(agent, "note_hit", hit="H2", text='ask "Ada"\nabout [H3.E2]')
    text = press(agent, "reviewed")[1]
    assert text.startswith(
        "H1 and H3 are marked as confirmed by the reviewer. "
        "Note by the reviewer on H2: \"ask 'Ada' about (H3.E2)\". "
        "Without a decision: H2"
    )
    assert press(agent, "reviewed", hit="H3")[1] == "H3 is marked as confirmed by the reviewer."
    assert press(agent, "reviewed", hit="H99")[1].startswith('"H99" is no hit')


def test_what_a_file_says_is_told_as_its_own_words(agent: Agent, tmp_path: Path) -> None:
    """Name, folder, size and date of a hit; of a query photo no name, as we gave it."""
    hit = agent.workspace.hit("H1")
    text = press(agent, "file_facts", image="H1")[1]
    width, height = agent.workspace.pictures.pixels("H1").shape[1::-1]
    assert text.startswith(f'H1 is the file "{hit.path.name}" in "')
    assert f"{width:,} × {height:,} pixels" in text
    assert "It does not say when the picture was taken; the file was last changed on 20" in text
    assert "It names, as anyone can write: " in text
    assert 'description "Forgery made by Unmask' in text
    own = press(agent, "file_facts", image="Q1")[1]
    assert own.startswith("Q1 is PNG, ")
    assert "It does not say when the picture was taken. It names, as anyone can write: " in own
    exif, file = Image.Exif(), tmp_path / "told.jpg"
    exif[0x0110], exif.get_ifd(0x8769)[0x9003] = "Camera [H1.E2]", "2021:07:14 10:30:00"
    exif.get_ifd(0x8825).update({2: (52.0, 30.0, 0.0), 4: (13.0, 24.0, 0.0)})
    plain = tmp_path / "plain.png"
    Image.new("RGB", (9, 9)).save(plain)
    Image.new("RGB", (80, 60)).save(file, exif=exif)
    text = press(agent, "file_facts", [file], image="Q2")[1]
    assert text.startswith("Q2 is JPEG, 80 × 60 pixels, ")
    assert "Its EXIF says that it was taken on 2021-07-14 10:30, which anyone can edit." in text
    assert 'It names, as anyone can write: camera "Camera (H1.E2)".' in text
    assert text.endswith("It holds a position, which `unmask provenance --location FILE` prints.")
    assert "52" not in text
    own = press(agent, "file_facts", [plain], image="Q3")[1]
    assert own.endswith("It names no camera, software or author.")


def test_decisions_survive_a_resumed_case(
    workspace: Workspace, case: Unmask, tmp_path: Path
) -> None:
    """They are found by the picture, with time and user, and can still be undone.

    The hits that `more_hits` added are listed again.
    """
    agent = agent_of(workspace, ScriptedModel(), tmp_path, top=1)
    press(agent, "more_hits", count=2)
    press(agent, "mark_hit", hit="H1", decision="hidden")
    press(agent, "mark_hit", hit="H2", decision="confirmed")
    press(agent, "undo")
    press(agent, "mark_hit", hit="H3", decision="confirmed")
    opened = Case.open(tmp_path, agent.case.id)
    restored = restore_case(opened, case.models, home=case.settings.home).workspace
    assert restored.last_search is not None
    assert len(restored.last_search[0].hits) == 3
    before = agent.workspace.review.decisions_for(agent.workspace.last_search[0])  # type: ignore[index]
    after = restored.review.decisions_for(restored.last_search[0])
    assert {each.image_id: each for each in after.values()} == {
        each.image_id: each for each in before.values()
    }
    resumed = Agent(ScriptedModel(), restored, opened)
    assert "no longer marked as confirmed" in press(resumed, "undo")[1]
    assert opened.verify() == ()


def test_more_hits_are_recorded_as_a_search(workspace: Workspace, tmp_path: Path) -> None:
    """The application says what is listed now; the record holds a search that can be repeated."""
    agent = agent_of(workspace, ScriptedModel(), tmp_path, top=1)
    text = press(agent, "more_hits", count=1)[1]
    assert text.startswith("The hits are H1 and H2.")
    latest = agent.case.latest_search()
    assert latest is not None
    assert latest["arguments"] == {"photos": ["Q1"], "top": 2}
    press(agent, "more_hits")
    assert press(agent, "more_hits")[1] == "Every face that was compared is listed already."


def test_terms_topics_and_refusals_are_worded(agent: Agent) -> None:
    """The texts of the glossary and of the project; a refusal says what would have been right."""
    assert press(agent, "explain_term", term="AUC")[1].startswith("AUC: How well a score separates")
    assert press(agent, "about_unmask", topic="law")[1].startswith("This is no legal advice.")
    for name, arguments, text in (
        ("explain_term", {"term": "blurb"}, '"blurb" is not explained here; '),
        ("about_unmask", {"topic": "weather"}, 'There is no topic "weather"; topics are abilities'),
        ("mark_hit", {"hit": "H99", "decision": "confirmed"}, 'There is no hit "H99"; hits are H1'),
        ("list_hits", {"verdict": "fake"}, 'There is no verdict "fake"; verdicts are'),
        ("export_report", {}, "Reports cannot be written here"),
    ):
        assert press(agent, name, **arguments)[1].startswith(text)


def test_a_report_is_written_into_the_case(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    """JSON and CSV hold every hit with its decision, for their owner only; the access is logged."""
    attach_exporter(agent.workspace, agent.case)
    monkeypatch.setattr(agent.workspace, "user", "ada")
    press(agent, "mark_hit", hit="H1", decision="confirmed")
    press(agent, "mark_hit", hit="H2", decision="hidden")
    steps, text = press(agent, "export_report", format="JSON")
    assert text == (
        "The report of this case is written as JSON: report.json, in the folder of the case."
    )
    logged = [[*accesses(at)][-1] for at in (
        agent.case.folder, gallery_folder(agent.workspace.home, GALLERY),
    )]  # fmt: skip
    assert [(it.what, it.who) for it in logged] == [("export", "ada")] * 2
    assert [it.what for it in accesses(agent.case.folder)].count("export") == 1
    assert "/" not in "".join(str(it.content) for it in steps if isinstance(it, ToolResult))
    path = agent.case.folder / "report.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    hits = json.loads(path.read_text())["hits"]
    assert [hit["decision"] and hit["decision"]["decision"] for hit in hits] == [
        "confirmed", "hidden", None,
    ]  # fmt: skip
    press(agent, "export_report", format="csv")
    with (agent.case.folder / "report.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["decision"] for row in rows] == ["confirmed", "hidden", ""]
    assert [row["verdict"] for row in rows] == [hit["verdict"] for hit in hits]


def test_a_model_that_calls_these_tools_needs_no_words(agent: Agent, model: ScriptedModel) -> None:
    """Its empty answer is filled by the application's; what it adds is checked as ever."""
    model.replies = [
        tool_call_reply(("mark_hit", {"hit": "h1", "decision": "confirmed"}), ("list_hits", {})),
        "",
    ]
    steps = list(agent.ask("H1 is right. Show all hits."))
    text = said(steps)  # type: ignore[arg-type]
    assert text.startswith("H1 is marked as confirmed; the verdict stays:")
    assert text.endswith("Listed: all hits, H1 to H3.")
    model.replies = [tool_call_reply(("undo", {})), "H1 is genuine."]
    model.replies += ["H1 is genuine."]
    text = said(list(agent.ask("Take that back.")))  # type: ignore[arg-type]
    assert text.startswith("Undone: H1 is no longer marked as confirmed.")
    assert "genuine" not in text


def test_a_model_is_offered_only_what_it_knows(workspace: Workspace, tmp_path: Path) -> None:
    """A call of another tool is refused with the known ones; a button may call any."""
    model = SmallModel()
    agent = agent_of(workspace, model, tmp_path)
    model.replies = [tool_call_reply(("undo", {})), "Sorry."]
    results = [it for it in agent.ask("take it back") if isinstance(it, ToolResult)]
    assert [name for names in model.offered_tools for name in names] == [*KNOWN, *KNOWN]
    assert results[0].data == {
        "error": "no tool is called 'undo'; there are: find_person, score_fake"
    }
    assert press(agent, "list_hits")[1] == "Listed: all hits, H1 to H3."


def test_no_answer_shows_a_raw_handle_in_brackets(agent: Agent) -> None:
    """Neither on a terminal nor on the page, whatever the application words."""
    fact = FactContext.of(agent.workspace).fact
    texts = [one for text in PHRASES for one in written(text, fact)]
    for name, arguments in (
        ("find_person", {"photos": ["Q1"]}), ("score_fake", {"image": "H1"}),
        ("score_fake", {"image": "Q1"}), ("list_hits", {"verdict": "copy"}),
        ("mark_hit", {"hit": "H1", "decision": "confirmed"}), ("undo", {}),
        ("note_hit", {"hit": "H1", "text": "seen"}), ("reviewed", {}),
        ("file_facts", {"image": "H1"}), ("gallery_summary", {}),
        ("compare_faces", {"first": "Q1", "second": "H1"}), ("describe_image", {"image": "H2"}),
        ("explain_term", {"term": "AUC"}), ("about_unmask", {"topic": "accuracy"}),
    ):  # fmt: skip
        call = ToolCall(name, arguments, name)
        asked = {"type": "tool_call", "id": name, "name": name, "args": arguments}
        content = agent.tools[name].invoke(asked).text
        texts += describe_result(agent.workspace, call, ToolResult(name, name, content, True, 0.0))
    assert len(texts) > 60
    for one in texts:
        page = unescape(re.sub(r"<details.*?</details>|<[^>]*>", "", sentences_html([one], fact)))
        for shown in (page, render_citations([one], fact)):
            assert not re.search(r"\[[A-Za-z]+[\d.]", shown), shown
