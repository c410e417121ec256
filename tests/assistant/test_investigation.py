"""End-to-end investigation of the demo's gallery, with real photographs and weights."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from assistant import Settings, SetupError, ToolError, Unmask
from assistant.chat_model.opinion import VLM_OPINION_SCORE
from assistant.demo import DEMO_GALLERY, DemoResult, run_demo
from tests.support import tiny_models
from tools.search.query import NoFace, SeveralFaces
from tools.verdict.rule import VERDICTS


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A data folder that lives as long as this file's tests."""
    return Settings(home=tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def stages() -> dict[str, tuple[int, int]]:
    """By stage of the demo, what was told last: the number done and the total."""
    return {}


@pytest.fixture(scope="module")
def demo(settings: Settings, stages: dict[str, tuple[int, int]]) -> DemoResult:
    """The demo, run once."""
    return run_demo(settings, lambda stage, done, total: stages.__setitem__(stage, (done, total)))


@pytest.fixture
def unmask(settings: Settings, demo: DemoResult) -> Unmask:
    """The API on the demo's gallery."""
    return Unmask(settings, gallery=demo.findings.gallery)


def test_every_picture_with_a_face_becomes_a_hit(demo: DemoResult) -> None:
    """Ranks count from 1 without gaps, and no file of the gallery is lost on the way."""
    hits = demo.findings.hits
    assert [hit.rank for hit in hits] == list(range(1, len(hits) + 1))
    assert len(demo.answers) - 2 <= len(hits) <= len(demo.answers)
    assert demo.findings.images_without_face >= 4  # coffee, cat, rocket, page


def test_every_stage_is_told_to_its_end(
    demo: DemoResult, stages: dict[str, tuple[int, int]]
) -> None:
    """The page takes as long as the search: nobody should think that the program hangs."""
    assert [*stages] == [
        "making the pictures", "indexing", "looking closer", "drawing pictures and maps",
    ]  # fmt: skip
    assert all(done == total > 0 for done, total in stages.values())


def test_forgeries_of_the_person_lead_the_ranking(demo: DemoResult) -> None:
    """The first hit is a forgery of the query person, and no authentic photo is above it."""
    answers = [demo.answers[hit.path.name] for hit in demo.findings.hits]
    assert answers[0].startswith("a forgery of the query person")


def test_hits_are_ordered_by_the_probability_of_impersonation(demo: DemoResult) -> None:
    """Copies and what was not assessed come after everything that was judged."""
    judged = [
        hit.assessment.impersonation_probability
        for hit in demo.findings.hits
        if hit.verdict not in ("copy", "not assessed")
    ]
    assert None not in judged
    assert judged == sorted(judged, key=lambda p: -(p or 0))


def test_a_reencoded_query_is_no_impersonation(demo: DemoResult) -> None:
    """The query photo saved again as a JPEG is recognised as a copy of it."""
    verdicts = {hit.path.name: hit.verdict for hit in demo.findings.hits}
    assert verdicts["query_reencoded.jpg"] == "copy"


def test_explanations_cite_evidence_that_exists(demo: DemoResult) -> None:
    """Every citation of every explanation names evidence of that hit that has a value."""
    for hit in demo.findings.hits:
        cited = set(re.findall(r"\[(E\d+)\]", hit.explanation))
        assert cited
        assert cited <= {item.id for item in hit.evidence if item.value is not None}


def test_json_holds_what_scripts_need(demo: DemoResult) -> None:
    """The documented keys are there, and the whole is valid JSON without NaN."""
    data = json.loads(json.dumps(demo.findings.to_json(), allow_nan=False))
    for hit in data["hits"]:
        assert hit["verdict"] in VERDICTS
        assert {"rank", "path", "identity_probability", "fake_probability", "evidence",
                "explanation"} <= hit.keys()  # fmt: skip


def test_the_page_is_self_contained(demo: DemoResult) -> None:
    """Pictures are embedded and nothing is loaded from anywhere else."""
    page = demo.page.read_text()
    assert page.count("data:image/jpeg;base64,") >= 2 * len(demo.findings.hits)
    assert not re.search(r"""(src|href)=["'](?!data:|#)""", page)


def test_indexing_again_does_no_work(unmask: Unmask, demo: DemoResult) -> None:
    """A second run over the same folder adds nothing and analyses nothing."""
    summary = unmask.index([demo.folder])
    assert summary.images_added == 0
    assert summary.already_known == demo.summary.images_added


def test_another_photo_gives_another_answer(
    unmask: Unmask, demo: DemoResult, tmp_path: Path
) -> None:
    """Asking for another person of the gallery changes who is found."""
    found = unmask.find([demo.folder / "person_3.jpg"], top=50, rerank=False)
    verdicts = {hit.path.name: hit.verdict for hit in found.hits}
    assert verdicts["person_3.jpg"] == "copy"
    assert verdicts["query_reencoded.jpg"] in ("other", "inconclusive")


def test_one_path_is_as_good_as_a_list_of_one(unmask: Unmask, demo: DemoResult) -> None:
    """A path, or its text, is one photo or folder, not a sequence of letters."""
    query = demo.folder.parent / "query.png"
    for given in (query, str(query)):
        assert unmask.find(given, top=1, rerank=False).query_paths == (query,)
    assert unmask.index(str(demo.folder)).images_added == 0


def test_a_face_number_that_chose_nothing_is_said(unmask: Unmask, demo: DemoResult) -> None:
    """The third face of a portrait is its only one, and the person hears of it."""
    query = demo.folder.parent / "query.png"
    assert any("--face 3" in note for note in unmask.find(query, face=3, rerank=False).warnings)
    said = unmask.find(query, face=1, rerank=False).warnings
    assert not [note for note in said if "--face" in note]


def test_an_empty_list_says_what_is_wanted(unmask: Unmask) -> None:
    """No photo and no folder are told apart from an empty gallery, before weights are loaded."""
    with pytest.raises(SetupError, match=r"find\(\) was given no path: give it one or more photos"):
        unmask.find([])
    with pytest.raises(SetupError, match=r"index\(\) was given no path: give it folders"):
        unmask.index([])


def test_an_empty_folder_makes_no_gallery(settings: Settings, tmp_path: Path) -> None:
    """It is said at once, before weights are loaded, and nothing is left behind."""
    (tmp_path / "empty" / "below").mkdir(parents=True)
    with pytest.raises(SetupError, match=r"no file in .*empty.*no gallery was made"):
        Unmask(settings, gallery="nothing").index(tmp_path / "empty")
    assert not (settings.galleries_dir / "nothing").exists()


def test_several_photos_of_the_person_are_one_query(unmask: Unmask, demo: DemoResult) -> None:
    """Two photos give one template, both named in the findings."""
    query = demo.folder.parent / "query.png"
    found = unmask.find([query, demo.folder / "query_mirrored.jpg"], top=3)
    assert len(found.query_ids) == 2


def test_the_chat_models_opinion_is_shown_and_decides_nothing(
    settings: Settings, demo: DemoResult, tmp_path: Path
) -> None:
    """Asked for, it is among the evidence of every hit, measured or not; the answer is the same."""
    seeing = settings.model_copy(update={"vlm": str(tiny_models.make(tmp_path / "vlm", "smolvlm"))})
    unmask, query = Unmask(seeing, demo.findings.gallery), demo.folder.parent / "query.png"
    plain, asked = unmask.find([query], top=3), unmask.find([query], top=3, opinion=True)
    for before, after in zip(plain.hits, asked.hits, strict=True):
        assert (before.image_id, before.assessment) == (after.image_id, after.assessment)
        assert {it.score for it in after.evidence} - {it.score for it in before.evidence} == {
            VLM_OPINION_SCORE
        }


def test_a_query_without_a_face_says_so(unmask: Unmask, demo: DemoResult) -> None:
    """A cup of coffee cannot be searched for."""
    with pytest.raises(NoFace, match=r"coffee\.png"):
        unmask.find([demo.folder / "coffee.png"])


def test_a_group_photo_asks_which_face_is_meant(unmask: Unmask, tmp_path: Path) -> None:
    """Six faces: without --face the answer lists them, with it the search runs."""
    from insightface.data import get_image

    group = tmp_path / "group.png"
    Image.fromarray(np.ascontiguousarray(get_image("t1")[..., ::-1])).save(group)
    with pytest.raises(SeveralFaces, match="--face"):
        unmask.find([group])
    with pytest.raises(SeveralFaces, match="faces 1 to"):
        unmask.find([group], face=99)
    found = unmask.find([group], face=2, top=50, rerank=False)
    verdicts = {hit.path.name: hit.verdict for hit in found.hits}
    assert verdicts["query_reencoded.jpg"] in ("other", "inconclusive")


def test_a_broken_query_photo_is_a_clear_error(unmask: Unmask, tmp_path: Path) -> None:
    """A text file that is called a photo is refused by name."""
    (tmp_path / "ada.jpg").write_text("not a picture")
    with pytest.raises(ToolError, match=r"ada\.jpg"):
        unmask.find([tmp_path / "ada.jpg"])


def test_a_missing_gallery_names_the_command(settings: Settings, demo: DemoResult) -> None:
    """Searching a gallery that was never made says how to make it."""
    query = demo.folder.parent / "query.png"
    with pytest.raises(SetupError, match="unmask index"):
        Unmask(settings, gallery="nowhere").find([query])


def test_the_demo_can_be_run_again(settings: Settings, demo: DemoResult) -> None:
    """Its gallery has a name of its own, so that the user's galleries stay untouched."""
    assert demo.findings.gallery == DEMO_GALLERY
    assert (settings.galleries_dir / DEMO_GALLERY).is_dir()
