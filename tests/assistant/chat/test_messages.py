"""Rendering of chat messages: escaping, citations, and who wrote each text."""

import html
import re

import pytest

from assistant.chat.citations import (
    citations_html,
    escape_html,
    references_html,
    sentences_html,
)
from assistant.chat.messages import ChatTranscript
from assistant.conversation.steps import (
    CheckedSentence,
    Explanation,
    Failed,
    ModelText,
    Stopped,
    ToolCall,
    ToolResult,
    UserTurn,
)
from tools.verdict.handles import Fact

pytestmark = pytest.mark.fast

HOSTILE = (
    "<img src=x onerror=alert(1)> ![x](http://evil.example/a.png) [y](javascript:alert(1)) "
    "**bold** `code` $$x$$ http://evil.example"
)
FACTS = {
    "H3.E2": Fact("H3.E2", "forgery score of the face", 3.14, "logit", "high", "UniFD", "Retouch."),
    "H3.E5": Fact("H3.E5", "nearest known images", None, "cosine", "not measured", "UniFD", "Few."),
    "S2": Fact("S2", "images with verdict 'impersonation'", 1204.0, "images", "several", "", ""),
}


def words(markup: str) -> str:
    """What a reader sees of some HTML."""
    return html.unescape(re.sub(r"<[^>]*>", "", markup))


def test_a_citation_becomes_a_clause_with_what_it_rests_on() -> None:
    """The sentence says what was measured, with its value; the card has method and limits."""
    markup = citations_html("[H3.E2].", FACTS.get)
    assert words(markup).startswith("H3's forgery score of the face is high H3.E2 3.14 points")
    assert all(it in words(markup) for it in ("forgery score of the face", "high", "UniFD"))
    assert "[H3.E2]" not in words(markup)


def test_counts_read_as_numbers() -> None:
    """A count stands in the sentence as a clause of its own, its number once."""
    markup = words(citations_html("I searched the gallery: [S2].", FACTS.get))
    assert "1,204 images have the verdict impersonation" in markup
    assert markup.partition("images with")[0].count("1,204") == 1


def test_what_was_not_measured_is_said() -> None:
    """A citation without a value says so; one of nothing is marked as unknown."""
    assert "not measured" in words(citations_html("[H3.E5]", FACTS.get))
    assert "unknown" in words(citations_html("[H9.E1]", FACTS.get))


def test_bare_citations_are_about_the_subject() -> None:
    """The plain writer's `[E2]` is looked up for the hit that it writes about."""
    assert "UniFD" in references_html("It is high [E2].", FACTS.get, subject="H3")


def test_text_from_outside_adds_no_markup() -> None:
    """Tags, Markdown, links and formulas of a model are shown, never acted upon."""
    for markup in (
        citations_html(HOSTILE, FACTS.get),
        references_html(HOSTILE, FACTS.get),
        sentences_html((CheckedSentence(HOSTILE, finding=HOSTILE),), FACTS.get),
    ):
        assert "<img" not in markup
        assert not re.search(r"[`*_$]|\]\(|://", re.sub(r'title="[^"]*"|class="[^"]*"', "", markup))
        assert "\n" not in markup
    assert words(citations_html(HOSTILE, FACTS.get)) == HOSTILE


def test_each_sentence_says_who_wrote_it() -> None:
    """Runs of sentences carry their writer, and a replaced sentence says why."""
    markup = sentences_html(
        (
            CheckedSentence("[H3.E2]."),
            CheckedSentence("Rome is old.", source="unchecked", finding="unread"),
            CheckedSentence("Its score is high.", source="plain", finding="no such region"),
        ),
        FACTS.get,
    )
    model, own, plain = markup.split('<div class="said by-')[1:]
    assert model.startswith("model") and ">model<" in model
    assert own.startswith("unchecked")
    assert ">unchecked, the model's own words<" in html.unescape(own)
    assert "replaced" not in own
    assert plain.startswith("plain") and ">fixed wording<" in plain and "no such region" in plain


def test_fixed_wording_by_itself_has_no_mark() -> None:
    """Beside no words of a model, the mark would say nothing."""
    markup = sentences_html((CheckedSentence("Its score is high.", source="plain"),), FACTS.get)
    assert "Its score is high." in html.unescape(markup)
    assert 'class="who"' not in markup


def test_a_tool_step_opens_spins_and_closes() -> None:
    """A call is pending until its result says how long it took and how much it found."""
    transcript = ChatTranscript(lambda _: None)
    transcript.add(ToolCall("find_person", {"photos": ["Q1"]}, "1"), FACTS.get)
    (pending,) = transcript.messages
    assert pending["metadata"] == {"title": "Search the gallery · Q1", "status": "pending"}
    result = ToolResult("1", "find_person", '{"hits":[{"id":"H1"}]}', True, 1.234, count=1)
    transcript.add(result, FACTS.get)
    (done,) = transcript.messages
    assert done["metadata"]["status"] == "done"
    assert done["metadata"]["duration"] == 1.2
    assert done["metadata"]["log"] == "1 hit"
    assert "H1" in words(done["content"])


def test_a_step_that_is_done_at_once_names_no_time() -> None:
    """Gradio would show it as "(10.0ms)"."""
    transcript = ChatTranscript(lambda _: None)
    transcript.add(ToolCall("explain_term", {"term": "logit"}, "1"), FACTS.get)
    transcript.add(ToolResult("1", "explain_term", "{}", True, 0.01), FACTS.get)
    assert "duration" not in transcript.messages[0]["metadata"]


def test_an_export_is_told_in_words_with_its_progress() -> None:
    """No tool's name or argument while it runs, but what is written and how far it is."""
    transcript = ChatTranscript(lambda _: None)
    transcript.add(ToolCall("export_report", {"format": "pdf"}, "1"), FACTS.get)
    transcript.progress("writing the PDF: picture 4 of 12")
    call, busy = transcript.messages
    assert call["metadata"]["title"] == "Export the report as PDF"
    assert "export_report" not in words(call["content"])
    assert words(busy["content"]) == "writing the PDF: picture 4 of 12"
    transcript.add(ToolResult("1", "export_report", '{"written":"pdf"}', True, 60.0), FACTS.get)
    (done,) = transcript.messages
    assert "export_report" in words(done["content"])


def test_titles_hold_nothing_of_the_models_text() -> None:
    """A call's title names handles only: arguments are the model's to choose."""
    transcript = ChatTranscript(lambda _: None)
    call = ToolCall("<b>rm</b>", {"photos": ["Q1", HOSTILE], "top": 5}, "1")
    transcript.add(call, FACTS.get)
    assert transcript.messages[0]["metadata"]["title"] == "Call a tool · Q1"
    assert "<b>" not in transcript.messages[0]["content"]


def test_a_draft_is_not_readable_until_it_was_checked() -> None:
    """While text streams, how much was written is shown and nothing of what it says."""
    transcript = ChatTranscript(lambda _: None)
    transcript.token("It is ")
    transcript.token("forged")
    assert "forged" not in transcript.messages[-1]["content"]
    assert "writing… (3 words, being checked)" in words(transcript.messages[-1]["content"])
    answer = ModelText((CheckedSentence("[H3.E2]."),), 5, 1.0)
    transcript.add(answer, FACTS.get)
    assert len(transcript.messages) == 1
    assert "being checked" not in transcript.messages[0]["content"]


def test_a_notice_beside_a_draft_leaves_it() -> None:
    """A second attempt that is turned away does not wipe what the first is writing."""
    transcript = ChatTranscript(lambda _: None)
    transcript.token("One two")
    transcript.notice("Wait.")
    transcript.token(" three")
    assert "3 words, being checked" in words(transcript.messages[-1]["content"])


def test_a_sentence_that_was_left_out_is_mentioned() -> None:
    """The check leaves a trace where it took a sentence away."""
    transcript = ChatTranscript(lambda _: None)
    gone = CheckedSentence("", finding="it types a number")
    transcript.add(ModelText((CheckedSentence("Hello."), gone), 5, 1.0), FACTS.get)
    assert "it types a number" in words(transcript.messages[0]["content"])


def test_an_ended_turn_leaves_nothing_spinning() -> None:
    """Stopping and errors close the open tool step and say what happened."""
    for end, said in (
        (Stopped("half a"), "2 words left out, not checked"),
        (Failed("OSError: no disk"), "no disk"),
    ):
        transcript = ChatTranscript(lambda _: None)
        transcript.add(ToolCall("find_person", {}, "1"), FACTS.get)
        transcript.add(end, FACTS.get)
        call, ended = transcript.messages
        assert call["metadata"]["status"] == "done"
        assert said in words(ended["content"])
        assert "half" not in ended["content"]


def test_photos_come_with_the_question() -> None:
    """The person's photos are small pictures inside of the message, and have names."""
    transcript = ChatTranscript(lambda handle: f"data:image/jpeg;base64,{handle}")
    transcript.add(UserTurn("find <fakes>", ("Q1",)), FACTS.get)
    content = transcript.messages[0]["content"]
    assert 'alt="Photo Q1"' in content and "&lt;fakes&gt;" in content


def test_an_explanation_names_its_hit() -> None:
    """What is said about one hit begins with its handle."""
    transcript = ChatTranscript(lambda _: None)
    transcript.add(Explanation("H3", (CheckedSentence("Look [H3.E2]."),)), FACTS.get)
    assert words(transcript.messages[0]["content"]).startswith("H3")


def test_a_command_is_marked_by_its_type() -> None:
    """The page showed raw backticks; what only looks like a command stays text."""
    assert escape_html("open it with `unmask unlock a_b`") == (
        "open it with <code>unmask unlock a&#95;b</code>"
    )
    two = "run `unmask forget --person PHOTO`, or with `--image`"
    assert escape_html(two) == (
        "run <code>unmask forget --person PHOTO</code>, or with <code>--image</code>"
    )
    for text in ("`rm -rf`", "`unmask <b>`", "unmask `find"):
        assert "<" not in escape_html(text)
        assert html.unescape(escape_html(text)) == text
