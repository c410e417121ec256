"""The soak suite runs on the real page, and finds what is mixed, lost or slow."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from assistant import Unmask
from assistant.case.record import Case
from evals.suites.resilience.soak import suite
from evals.suites.resilience.soak.page_process import PageProcess, log_faults, memory_figures
from evals.suites.resilience.soak.records import CASE_FAULTS, case_figures, question_faults
from evals.suites.resilience.soak.scene import SoakScene, VisitorPhoto
from evals.suites.resilience.soak.visitor import OwnCase, TurnSample, Visitor, page_faults
from tests.support.cases import astronaut_pixels, other_pixels


@pytest.fixture(scope="module")
def scene(case: Unmask, tmp_path_factory: pytest.TempPathFactory) -> SoakScene:
    """Two persons, and a gallery with a picture of each."""
    folder = tmp_path_factory.mktemp("soak")
    photos = []
    for name, pixels in (("ada", astronaut_pixels()), ("tom", other_pixels())):
        (folder / "gallery").mkdir(exist_ok=True)
        Image.fromarray(pixels).save(folder / f"{name}.png")
        Image.fromarray(pixels).save(folder / "gallery" / f"{name}.jpg")
        photos.append(VisitorPhoto.of(folder / f"{name}.png"))
    settings = case.settings.model_copy(
        update={"home": folder / "home", "config_dir": folder / "config"}
    )
    Unmask(settings, models=case.models).index([folder / "gallery"])
    return SoakScene(settings, case.models, tuple(photos), 2)


@pytest.mark.allow_hosts(["127.0.0.1"])
def test_two_visitors_get_their_own_answers(scene: SoakScene, tmp_path: Path) -> None:
    """Through the real page; then a browser that comes back to another's case is found."""
    with PageProcess(scene.settings, tmp_path / "page.log", sample_s=0.5) as page:
        visitors = [Visitor(at, it, page.address, seed=0) for at, it in enumerate(scene.photos)]
        # Without words no model is asked what to do.
        suite.at_once(visitors, lambda it: it.ask("search", "", photo=True))
        suite.at_once(visitors, lambda it: (it.press_why(), it.stop_a_search()))
        suite.at_once(visitors, lambda it: (it.leave_a_search(), it.another_case(), it.come_back()))
        suite.at_once(visitors, Visitor.close)
        found = suite.turn_figures(visitors, page.log())
        assert page.cpu_s() > 0
    assert found["what failed"] == [] and found["faults in the log"] == found["HTTP 5xx"] == 0
    kinds = [[turn.kind for turn in visitor.turns] for visitor in visitors]
    assert kinds == [["search", "press", "stop", "leave"]] * 2
    assert [[turn.ending for turn in it.turns][:2] for it in visitors] == [["answered"] * 2] * 2
    assert all('class="answer"' in turn.said for it in visitors for turn in it.turns[:2])
    assert [it.hits_shown() for it in visitors] == [{"ada.jpg", "tom.jpg"}] * 2
    assert memory_figures(page.memory)["most (MB)"] > 100

    cases = case_figures(scene, visitors, others=0)
    assert {name: cases[name] for name in CASE_FAULTS} == dict.fromkeys(CASE_FAULTS, 0)
    assert cases["cases"] == 2 and cases["searches"] >= 2
    assert cases["without owner"] == 0

    # A session that opens the other's case: its photo, questions and hits are not its own.
    notes = sorted((scene.settings.home / "sessions").iterdir())
    shutil.copy(notes[0], notes[1])
    mixed = case_figures(scene, visitors, others=0)
    assert mixed["shared"] == 1 and mixed["without owner"] == 1
    assert min(mixed["foreign photos"], mixed["foreign questions"], mixed["lost questions"]) > 0


def test_what_a_visitor_must_not_see() -> None:
    """Another's mark or photo, and an error of ours."""
    own = {"asked": ["visit-1-0"], "photo": "data:a"}
    seen = '<img src="data:a" alt="Photo Q1" class="photo">Find "visit-1-0"'
    assert page_faults(seen, **own) == []
    assert page_faults(seen.replace("visit-1", "visit-2"), **own)[0].startswith("mixed")
    assert page_faults(seen.replace("data:a", "data:b"), **own)[0].startswith("mixed")
    assert page_faults("An internal error ended this turn", **own)[0].startswith("error")


def test_questions_of_others_and_lost_ones_are_counted(tmp_path: Path) -> None:
    """On record but never asked, and asked but not on record; one that was left may be missing."""
    case = Case.create(tmp_path, gallery="default")
    for mark in ("visit-1-0", "visit-2-0"):
        case.begin_turn(f'Find fakes of this person. "{mark}"', {}, gallery="default")
    own = OwnCase("", asked=["visit-1-0", "visit-1-1", "visit-1-2"], sure=["visit-1-0"])
    assert question_faults(case, own) == {"foreign questions": 1, "lost questions": 0}
    own.sure.append("visit-1-2")
    own.asked.append("visit-2-0")
    assert question_faults(case, own) == {"foreign questions": 0, "lost questions": 1}


def test_the_slope_of_memory() -> None:
    """Two MB a minute after a steep first quarter; none from too few samples."""
    times = np.arange(0, 600, 10.0)
    sizes = 1000 + 2 * times / 60 + np.where(times < 150, 300 * times / 150, 300)
    found = memory_figures(list(zip(times.tolist(), sizes.tolist(), strict=True)))
    assert found["slope after the first quarter (MB/min)"] == pytest.approx(2)
    assert found["most (MB)"] == pytest.approx(1000 + 2 * 590 / 60 + 300)
    few = memory_figures([(0.0, 1.0), (10.0, 2.0)])
    assert np.isnan(few["slope after the first quarter (MB/min)"])


def test_faults_of_a_log() -> None:
    """Tracebacks and faults that the page logs; not a line that mentions an error."""
    log = (
        "no error\nTraceback (most recent call last)\nValueError\nWARNING a turn ended with a fault"
    )
    assert log_faults(log) == 2
    assert log_faults("the chat server answered with an error") == 0


def test_answers_and_messages_are_counted() -> None:
    """A turn may have an answer, a message that names the server, both, or neither."""
    said = ['<div class="answer">A</div>', "no chat server", "", 'class="answer" no chat server']
    turns = [TurnSample(0, "search", "answered", 0, 0, each) for each in said]
    found = suite.answer_counts(turns, "chat server")
    assert (found["with an answer"], found["with a clear message"], found["neither"]) == (2, 2, 1)
