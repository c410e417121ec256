"""Findings as HTML: every measured value, and words for missing ones."""

import re
import shutil
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest

from assistant import Unmask
from assistant.chat.button_actions import DECISION_ACTIONS, HIT_ACTIONS, plan_hit_action
from assistant.chat.hits import FaceThumbnails, detail_html, hits_html
from assistant.conversation.steps import CheckedSentence
from tests.support.cases import workspace_of
from tools.agent_tools.workspace import Workspace
from tools.detectors.catalogue import GROUPS_PREFIX
from tools.search.results import Findings, Hit, HitVersion
from tools.verdict.measured_rates import ShareReaching, UnseenToolMissRate


@pytest.fixture(scope="module")
def workspace(case: Unmask) -> Workspace:
    """A workspace on which the portrait was searched for."""
    workspace = workspace_of(case)
    workspace.find_person([workspace.add_photo(case.settings.home / "SECRET_NAME.png")])
    return workspace


def findings_of(workspace: Workspace) -> Findings:
    """The latest findings."""
    assert workspace.last_search is not None
    return workspace.last_search[0]


def detail(workspace: Workspace, hit: Hit, **changes: object) -> str:
    """The detail of a hit with the plain writer's explanation."""
    arguments: dict[str, object] = {
        "query": "Q1",
        "image": workspace.pictures.pixels(hit.handle),
        "rule": workspace.instruments.rule,
        "facts": workspace.facts(hit.handle),
        "sentences": (CheckedSentence(hit.explanation, source="plain"),),
        **changes,
    }
    return detail_html(hit, FaceThumbnails(workspace.pictures), **arguments)  # type: ignore[arg-type]


def test_the_list_shows_verdicts_in_words_and_bands(workspace: Workspace) -> None:
    """Every hit is a button with its verdict as text, both scores and the inconclusive parts."""
    findings = findings_of(workspace)
    rule = workspace.instruments.rule
    markup = hits_html(findings, FaceThumbnails(workspace.pictures), rule=rule, chosen="H1")
    assert markup.count('<button type="button" class="hit"') == len(findings.hits)
    assert markup.count('class="band"') == 2 * len(findings.hits)
    assert markup.count('aria-pressed="true"') == 1
    assert all(f">{hit.verdict}</span>" in markup for hit in findings.hits)
    assert "inconclusive from" in markup


def test_a_report_is_offered_above_the_list(workspace: Workspace, tmp_path: Path) -> None:
    """Its buttons, and the file that is ready, are seen before any hit."""
    written = tmp_path / "report.csv"
    written.write_text("rank\n")
    markup = hits_html(
        findings_of(workspace), FaceThumbnails(workspace.pictures), rule=None, chosen=None,
        export=written,
    )  # fmt: skip
    assert markup.index('data-download="report.csv"') < markup.index('class="hits"')
    assert markup.index('data-press="export:pdf"') < markup.index('class="hits"')


def test_a_report_too_large_for_the_page_is_found(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not sent: its place and size are said instead of nothing."""
    monkeypatch.setattr("assistant.chat.hits._DOWNLOAD_MAX_BYTES", 2_000_000)
    written = tmp_path / "report.zip"
    written.write_bytes(bytes(3_000_000))
    markup = hits_html(
        findings_of(workspace), FaceThumbnails(workspace.pictures), rule=None, chosen=None,
        export=written,
    )  # fmt: skip
    assert "With 3 MB it is too large to be sent with this page" in markup
    assert str(written) in markup and "data-download" not in markup


def test_a_replaced_file_is_said_beside_its_hit(workspace: Workspace) -> None:
    """The picture that lies there now is not what was measured."""
    findings = findings_of(workspace)
    first = replace(findings.hits[0], file_replaced=True)
    findings = replace(findings, hits=(first, *findings.hits[1:]))
    markup = hits_html(findings, FaceThumbnails(workspace.pictures), rule=None, chosen=None)
    assert markup.count("file replaced: another one lies where it was indexed") == 1


def test_limits_of_the_models_stand_below_the_list(workspace: Workspace) -> None:
    """What holds for every search comes last, once; a remark on this one comes first."""
    limit = f"{GROUPS_PREFIX}under 18: 41 %; `unmask detectors` lists all differences"
    findings = replace(findings_of(workspace), warnings=(limit, "the face in Q1 is small"))
    markup = hits_html(findings, FaceThumbnails(workspace.pictures), rule=None, chosen=None)
    assert markup.index("The face in Q1 is small.") < markup.index('class="hits"')
    assert markup.index("Error rates by group: under 18: 41 %") > markup.index("</ol>")
    assert "<code>unmask detectors</code>" in markup and "`" not in markup


def test_pictures_are_embedded(workspace: Workspace) -> None:
    """No picture has an address: nothing can be fetched, from here or from anywhere."""
    findings = findings_of(workspace)
    markup = hits_html(findings, FaceThumbnails(workspace.pictures), rule=None, chosen=None)
    markup += detail(workspace, findings.hits[0])
    sources = re.findall(r'(?:src|href)="([^"]*)"', markup)
    assert sources and all(source.startswith("data:image/jpeg;base64,") for source in sources)


def test_every_picture_and_field_has_a_name(workspace: Workspace) -> None:
    """Screen readers get words for pictures, sliders and axes."""
    markup = detail(
        workspace,
        findings_of(workspace).hits[0],
        located=workspace.examinations.localise_forgery(workspace.take_snapshot("H1")),
    )
    assert all('alt="' in tag and 'alt=""' not in tag for tag in re.findall(r"<img[^>]*>", markup))
    assert all("aria-label=" in tag for tag in re.findall(r"<input[^>]*>", markup))
    assert "Heat map over the face of H1" in markup


def test_the_evidence_table_is_complete(workspace: Workspace) -> None:
    """Value with unit, reading, method and limits of every measurement."""
    hit = findings_of(workspace).hits[0]
    tooltips = re.compile(r'<span class="term" title="[^"]*">([^<]*)</span>')
    markup = unescape(tooltips.sub(r"\1", detail(workspace, hit)))
    for item in hit.evidence:
        assert f"{item.method}." in markup
        assert item.limits in markup
    shown = [fact.shown for fact in workspace.facts(hit.handle) if ".E" in fact.id]
    assert all(value in markup for value in shown)


def test_words_of_the_field_are_explained_where_they_stand(workspace: Workspace) -> None:
    """Verdicts, bands, numbers and technical terms carry their meaning as a tooltip."""
    hit = findings_of(workspace).hits[0]
    faces = FaceThumbnails(workspace.pictures)
    listed = hits_html(findings_of(workspace), faces, rule=None, chosen=None)
    for markup in (listed, detail(workspace, hit)):
        titles = dict(re.findall(r'title="([^"]*)"[^>]*>([^<]*)<', markup))
        explained = {word: title for title, word in titles.items()}
        assert "reason to look, not proof" in explained["impersonation"]
        assert "shows the query person" in explained["same person"]
        assert re.search(r'class="band" title="The hatched part', markup)
    shown = re.findall(r'title="[^"]+">([^<]+)</span>', detail(workspace, hit))
    assert {"E1", "E2", "points", "forgery score", "prior odds"} <= {*shown}


def test_a_hits_provenance_stands_beside_its_limits(workspace: Workspace) -> None:
    """The case's forgeries carry our mark: shown as the file's statement, with no part in it."""
    marked = [it for it in findings_of(workspace).hits if it.verdict == "impersonation"]
    markup = detail(workspace, marked[0])
    told = unescape(markup[markup.index('<details class="provenance">') :])
    assert "Forgery made by Unmask" in told
    assert "has no part in any verdict" in told


def test_what_is_missing_is_said_in_words(workspace: Workspace) -> None:
    """A measurement that is absent reads `not measured`, and is no zero."""
    hit = findings_of(workspace).hits[0]
    facts = tuple(replace(fact, value=None) for fact in workspace.facts(hit.handle))
    markup = detail(workspace, hit, facts=facts)
    table = markup[markup.index("<tbody>") : markup.index("</tbody>")]
    assert table.count("not measured") == table.count("<tr") >= len(hit.evidence)


def test_a_hit_whose_file_is_gone_says_so(workspace: Workspace) -> None:
    """What was measured stays on screen when the picture can no longer be shown."""
    markup = detail(workspace, findings_of(workspace).hits[0], image=None)
    assert "no longer where it was indexed" in markup
    assert "<tbody>" in markup


def test_the_list_says_whose_file_is_missing(workspace: Workspace) -> None:
    """A hit whose file is gone is marked in the list too, and no other hit is."""
    findings = findings_of(workspace)
    first, second, *_ = findings.hits
    listed = replace(findings, hits=(first, replace(second, file_missing=True)))
    faces = FaceThumbnails(workspace.pictures)
    _, *rows = hits_html(listed, faces, rule=None, chosen=None).split("<li>")
    assert ["file missing" in row for row in rows] == [False, True]


def test_names_of_files_add_no_markup(workspace: Workspace, tmp_path: Path) -> None:
    """A file may be called anything."""
    hit = findings_of(workspace).hits[0]
    evil = tmp_path / "<img src=x onerror=alert(1)> ${alert(1)} {{value}}.jpg"
    shutil.copy(hit.path, evil)
    markup = detail(workspace, replace(hit, paths=(evil, tmp_path / "twin.jpg")))
    assert "<img src=x" not in markup
    assert "twin.jpg" in markup


def test_no_reason_leaves_out_the_other_version(workspace: Workspace) -> None:
    """Of a hit with one, what is proven follows whatever a model says."""
    hit = findings_of(workspace).hits[0]
    other = HitVersion(
        "b", (Path("b.jpg"),), False, (0.0, 0.0, 1.0, 1.0), (0.0, 0.0, 1.0, 1.0),
        ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
    )  # fmt: skip
    for version, cites in ((None, ""), (other, "[H1.E34]. [H1.E37].")):
        for action in ("why", "sure"):
            press = plan_hit_action(action, replace(hit, version=version), query="Q1")
            assert press is not None
            assert press.directed.cites == cites


def test_follow_ups_fit_the_verdict(workspace: Workspace) -> None:
    """Each button is a call about this hit, and no question presumes another verdict."""
    for hit in findings_of(workspace).hits:
        for button in HIT_ACTIONS:
            press = plan_hit_action(button.action, hit, query="Q1")
            assert press is not None
            assert hit.handle in press.question
            (call,) = press.directed.calls
            assert hit.handle in call.arguments.values()
        why = plan_hit_action("why", hit, query="Q1")
        assert why is not None
        assert ("impersonation" in why.question) == (hit.verdict == "impersonation")
        assert plan_hit_action("delete", hit, query="Q1") is None
        markup = detail(workspace, hit)
        # Without a decision there is none to take back.
        decide = [it for it in DECISION_ACTIONS if it.action != "mark:none"]
        note = 1  # the button that keeps the note
        assert markup.count(f'data-face="{hit.face_id}"') == len(HIT_ACTIONS) + len(decide) + note


def test_an_open_face_is_placed_among_test_pictures(workspace: Workspace) -> None:
    """Below the bars, so that nobody has to ask what 60 % means; a decided hit needs none."""
    hit = findings_of(workspace).hits[0]
    counted = (ShareReaching("untouched photos", 50, 2), ShareReaching("forgeries", 40, 20))
    told = replace(hit, assessment=replace(hit.assessment, reached=counted))
    said = "In tests, 4 % of untouched photos and 50 % of forgeries read at least as forged."
    assert said in detail(workspace, told)
    decided = replace(hit, assessment=replace(hit.assessment, reached=()))
    assert "read at least as forged" not in detail(workspace, decided)


def test_what_passes_unseen_stands_beside_the_verdict(workspace: Workspace) -> None:
    """`no forgery found` is no all-clear: its share of missed forgeries is beside it."""
    hit = findings_of(workspace).hits[0]

    unseen = UnseenToolMissRate("swaps by unseen tools", 90, 30, 0.42)
    told = replace(hit, assessment=replace(hit.assessment, unseen=(unseen,)))
    assert "30 of 90 swaps by unseen tools also passed (33 %; at most 42 %" in detail(
        workspace, told
    )
    findings = replace(findings_of(workspace), hits=(told,))
    markup = hits_html(findings, FaceThumbnails(workspace.pictures), rule=None, chosen=None)
    assert "30 of 90 swaps by unseen tools also passed" in markup
