"""`unmask watch` in process, on real pictures."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from assistant import Unmask
from assistant.cli.main import app
from assistant.cli.watch.state import WatchState
from assistant.profile import LoadedModels
from tests.support.cases import GALLERY
from tools.gallery.access_log import accesses
from tools.gallery.record_store import Gallery
from tools.search.new_pictures import assess_pictures
from tools.search.query_files import query_from_files
from tools.search.reranking.reranker import RERANK_MEASURES, Reranker
from tools.search.results import Hit


@pytest.fixture
def models(case: Unmask, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Unmask]:
    """The session's weights for an empty data folder."""
    for part in ("faces", "encoder", "detectors", "rule", "fingerprint"):
        monkeypatch.setattr(LoadedModels, part, getattr(case.models, part))
    yield case


def unmask(*words: str | Path) -> Result:
    """One run of the command line."""
    return CliRunner().invoke(app, [str(word) for word in words])


def pictures(case: Unmask) -> list[Path]:
    """The indexed files of the small case, by name."""
    with Gallery.open_existing(case.settings.home, GALLERY) as gallery:
        ids = list(gallery.image_ids())
        return sorted({path for it in ids for path in gallery.paths_of(it)})


def test_a_new_file_is_reported_once_whatever_is_killed(
    models: Unmask, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line each, in the feed too; the next look says nothing new; then a file arrives."""
    photo = models.settings.home / "SECRET_NAME.png"
    forged = next(it for it in pictures(models) if it.name == "forged.jpg")
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    look = ("watch", inbox, "--person", f"ada={photo}", "--once", "--quick")
    empty = unmask(*look)
    assert (empty.exit_code, empty.stdout) == (0, "Nothing new.\n")
    shutil.copy(forged, inbox / "first.jpg")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:  # written to the feed, and killed before it is noted
        patch.setattr(WatchState, "note_delivered", killed)
        assert unmask(*look).exit_code == 130
    found = json.loads(unmask(*look, "--json").stdout)
    (event,) = found["new"]
    assert (event["person"], event["path"]) == ("ada", str(inbox / "first.jpg"))
    assert event["verdict"] in ("impersonation", "inconclusive")
    feed = home / "watch" / "watch" / "feed.jsonl"
    assert [json.loads(line)["id"] for line in feed.read_text().splitlines()] == [event["id"]]
    assert unmask(*look).stdout == "Nothing new.\n"
    shutil.copy(photo, inbox / "copy.png")
    told = unmask(*look, "--mail-folder", tmp_path / "mails").stdout
    assert "  copy: ada > 99 %" in told
    assert "first.jpg" not in told
    assert len(feed.read_text().splitlines()) == 2
    assert len([*(tmp_path / "mails").iterdir()]) == 1
    assert [it.what for it in accesses(home / "galleries" / "watch")] == ["search", "search"]


def test_what_is_there_can_be_the_baseline(models: Unmask, tmp_path: Path, home: Path) -> None:
    """Nothing of it is reported, then or later; forgetting the gallery forgets the memory."""
    photo = models.settings.home / "SECRET_NAME.png"
    shutil.copy(photo, tmp_path / "copy.png")
    look = ("watch", tmp_path, "--person", f"ada={photo}", "--once", "--quick")
    for words in ((*look, "--baseline"), look):
        assert unmask(*words).stdout == "Nothing new.\n"
    assert unmask("forget", "--gallery", "watch", "--yes").exit_code == 0
    assert not (home / "watch" / "watch").exists()


def test_a_new_picture_is_judged_as_a_search_judges_it(case: Unmask) -> None:
    """The same verdicts, probabilities and evidence for every picture of the small case."""
    models, home = case.models, case.settings.home
    query = query_from_files(
        [home / "SECRET_NAME.png"], faces=models.faces, encoder=models.encoder, rule=models.rule
    )
    whole = Unmask(case.settings, GALLERY, models=models).find([home / "SECRET_NAME.png"])
    with Gallery.open_existing(home, GALLERY, fingerprint=models.fingerprint) as gallery:
        ids = [*gallery.image_ids()]
        alone = assess_pictures(
            gallery, query, ids, instruments=models, reranker=Reranker(RERANK_MEASURES)
        )
    for new, found in zip(alone, whole.hits, strict=True):
        assert said(new) == said(found)
        # A network's last digits depend on the pictures beside it in a batch.
        assert numbers(new) == pytest.approx(numbers(found), abs=1e-4, nan_ok=True)


def said(hit: Hit) -> tuple[object, ...]:
    """What a hit says without numbers."""
    judged = hit.assessment
    reads = [(it.id, it.reads, it.value is None) for it in hit.evidence]
    return hit.face_id, judged.verdict, judged.question, judged.reason, judged.fake_scores, reads


def numbers(hit: Hit) -> list[float]:
    """Its probabilities and measurements; NaN where nothing was measured."""
    judged = hit.assessment
    values = [
        judged.identity_probability,
        judged.fake_probability,
        *(it.value for it in hit.evidence),
    ]
    return [float("nan") if it is None else it for it in values]


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("--person", "ada"), 2, "is not NAME=PHOTO"),
        (("--person", "ada=a.jpg", "--mail-to", "x@example.org"), 2, "needs --mail-folder"),
        (("--person", "ada=a.jpg", "--webhook", "http://example.org"), 1, "UNMASK_WEBHOOK_HOSTS"),
    ],
)
def test_mistakes_are_one_line(
    words: tuple[str, ...], code: int, says: str, tmp_path: Path, home: Path
) -> None:
    """Before any weights are loaded."""
    done = unmask("watch", tmp_path, "--once", *words)
    assert done.exit_code == code
    assert says in " ".join(done.stderr.replace("│", " ").split())


def test_a_folder_that_is_missing_is_said(tmp_path: Path, home: Path) -> None:
    """With its name."""
    done = unmask("watch", tmp_path / "nowhere", "--person", "ada=a.jpg", "--once")
    assert done.exit_code == 1
    assert "nowhere' is no folder" in done.stderr
