"""A forgery whose original is in the collection is proven by it, and shown beside it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from assistant import Settings, Unmask
from assistant.console.output import print_findings
from assistant.report.findings_page import write_report
from assistant.report.pictures.versions import version_view
from tests.support.cases import astronaut_pixels, forged_group, group_pixels
from tools.search.query import Query
from tools.search.results import Findings, Hit
from tools.verdict.rule import LEAD, OTHER_VERSION


@pytest.fixture(scope="module")
def unmask(case: Unmask, tmp_path_factory: pytest.TempPathFactory) -> Unmask:
    """A collection with a group, her face in it, a re-upload of that, and her own photo."""
    home = tmp_path_factory.mktemp("home")
    folder = home / "collection"
    folder.mkdir()
    forged = Image.fromarray(forged_group(case.models.faces))
    forged.save(folder / "swap.png")
    forged.convert("L").convert("RGB").save(folder / "grey.png")
    Image.fromarray(group_pixels()).save(folder / "group.png")
    Image.fromarray(astronaut_pixels()).save(home / "ada.png")
    made = Unmask(Settings(home=home), gallery="versions", models=case.models)
    made.index(folder)
    return made


@pytest.fixture(scope="module")
def found(unmask: Unmask) -> tuple[Findings, Query]:
    """The collection searched for her."""
    return unmask.investigate(unmask.settings.home / "ada.png")


@pytest.fixture(scope="module")
def hits(found: tuple[Findings, Query]) -> dict[str, Hit]:
    """The hits by file name."""
    return {hit.path.name: hit for hit in found[0].hits}


def values(hit: Hit) -> dict[str, float | None]:
    """Its evidence by score."""
    return {item.score: item.value for item in hit.evidence}


def test_a_swap_is_proven_by_its_original(hits: dict[str, Hit]) -> None:
    """The verdict rests on the pair, though the other faces of the group are the same in both."""
    hit = hits["swap.png"]
    assert (hit.verdict, hit.assessment.question) == ("impersonation", "one_of_two")
    assert hit.version is not None
    assert hit.version.path.name == "group.png"
    assert values(hit)[OTHER_VERSION] == 1
    assert (values(hit)[LEAD] or 0) > 1
    assert 'was also found as "group.png" with another face' in hit.explanation
    told = json.loads(json.dumps(hit.to_json()))["other_version"]
    assert told["path"].endswith("group.png")
    assert len(told["matrix"]) == 2


def test_only_another_face_makes_another_version(hits: dict[str, Hit]) -> None:
    """The grey re-upload of the swap is none; the original shows nobody who was searched for."""
    version = hits["grey.png"].version
    assert version is not None
    assert version.path.name == "group.png"
    assert hits["group.png"].version is None
    assert hits["group.png"].verdict != "impersonation"


def test_the_pair_is_shown(
    unmask: Unmask, found: tuple[Findings, Query], hits: dict[str, Hit], tmp_path: Path
) -> None:
    """Side by side in the report, with a word if a file is gone."""
    page = write_report(*found, tmp_path / "page.html", rule=unmask.models.rule)
    text = page.read_text(encoding="utf-8")
    assert "at least one of the two was altered; by their forgery scores, this hit" in text
    hit = hits["swap.png"]
    view = version_view(hit, group_pixels())
    assert view is not None
    assert view.name == "group.png"
    assert view.ours is not None
    assert view.theirs is not None
    assert hit.version is not None
    gone = replace(hit, version=replace(hit.version, paths=(tmp_path / "gone.png",)))
    lost = version_view(gone, group_pixels())
    assert lost is not None
    assert lost.theirs is None


def test_the_terminal_names_the_pair(
    found: tuple[Findings, Query], capsys: pytest.CaptureFixture[str]
) -> None:
    """In one line below the table."""
    print_findings(found[0], explain=False)
    out = " ".join(capsys.readouterr().out.split())
    line = "swap.png: the same photograph as group.png, with another face; altered: this one"
    assert line in out


def test_a_missing_original_is_named_and_not_compared(unmask: Unmask) -> None:
    """Its hash is known, but its pixels are not: nothing is proven."""
    original = unmask.settings.home / "collection" / "group.png"
    for kept in unmask.settings.galleries_dir.rglob("closer-looks.sqlite3"):
        kept.unlink()  # a pair that was compared before stays proven
    away = original.rename(original.with_name("away"))
    try:
        hits = unmask.find(unmask.settings.home / "ada.png").hits
    finally:
        away.rename(original)
    hit = next(it for it in hits if it.path.name == "swap.png")
    assert hit.version is None
    assert hit.missing_version == original
    assert values(hit)[OTHER_VERSION] is None
    assert '"group.png", was not compared, as its file is gone' in hit.explanation
