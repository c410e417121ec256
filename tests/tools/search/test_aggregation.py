"""A video is one hit: strongest moment, mean scores, frame decoded again; pictures unchanged."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data
from PIL import Image
from typer.testing import CliRunner

from assistant import Settings, Unmask
from assistant.chat.hits import FaceThumbnails, detail_html, hits_html
from assistant.cli.main import app
from assistant.console.output import print_findings
from assistant.report.findings_page import write_report
from tests.support.cases import GALLERY, astronaut_pixels, build_case, group_pixels, workspace_of
from tests.support.clips import write_clip
from tests.tools.verdict.test_rule import HIGH, LOW, MIDDLE, RULE, scores
from tools.agent_tools.langchain_tools import toolkit
from tools.errors import ToolError
from tools.faces.analyser import Face
from tools.faces.quality import FaceQuality
from tools.forge.forgery import forge
from tools.gallery.record_store import Gallery
from tools.gallery.records import FaceRecord, FramePosition
from tools.media.pictures.decoding import read_photo
from tools.search.aggregation import (
    Candidate,
    aggregate_candidates,
    assess_scores,
    mean_scores,
    ranking_key,
)
from tools.search.results import Findings, Hit, format_timestamp
from tools.search.search import ON_ONE_FRAME, OVER_FRAMES
from tools.verdict.calibration import Scores
from tools.verdict.evidence import MEASURES
from tools.verdict.rule import VerdictRule

FORGED_FROM_S, SECONDS = 6, 12
FACE_LINEAR = ("face", "unifd_linear")


@pytest.fixture(scope="module")
def unmask(tmp_path_factory: pytest.TempPathFactory) -> Unmask:
    """The usual small case, with a forged, a foreign and a faceless video beside it."""
    unmask = build_case(tmp_path_factory.mktemp("home"))
    folder = unmask.settings.home / "collection"
    cup = cv2.resize(skimage.data.coffee(), (512, 512))
    forged = _forged(unmask)
    write_clip(
        folder / "forged.mp4",
        [cup] * FORGED_FROM_S + [_shifted(forged, it) for it in range(SECONDS - FORGED_FROM_S)],
        rate=1,
        options={"crf": "12"},
    )
    group = group_pixels()[: group_pixels().shape[0] // 2 * 2, : group_pixels().shape[1] // 2 * 2]
    write_clip(folder / "others.mp4", [group] * 8, rate=1, options={"crf": "12"})
    write_clip(folder / "cup.mkv", [cup] * 8, rate=1)
    unmask.index([folder])
    return unmask


def _forged(unmask: Unmask) -> np.ndarray:
    pixels = astronaut_pixels()
    (face,) = unmask.models.faces.analyse([pixels])[0]
    assert face.landmarks is not None
    made = forge(pixels, face.landmarks, family="resynthesis", rng=np.random.default_rng(1))
    return np.asarray(made.pixels)


def _shifted(pixels: np.ndarray, number: int) -> np.ndarray:
    """The camera moves a little from frame to frame."""
    return np.ascontiguousarray(np.roll(pixels, 4 * number, axis=1))


@pytest.fixture(scope="module")
def findings(unmask: Unmask) -> Findings:
    """What a search for the astronaut finds."""
    return unmask.investigate([unmask.settings.home / "SECRET_NAME.png"], top=20)[0]


def hit_of(findings: Findings, name: str) -> Hit:
    """The one hit in a file."""
    (found,) = [hit for hit in findings.hits if hit.path.name == name]
    return found


def test_a_video_is_one_hit_at_the_moment_of_the_face(findings: Findings) -> None:
    """It points at a frame in which the person is to be seen, and counts those frames."""
    hit = hit_of(findings, "forged.mp4")
    assert hit.time_s is not None
    assert hit.moments[0] == hit.time_s
    assert len(hit.moments) == 5
    assert all(FORGED_FROM_S <= moment < SECONDS for moment in hit.moments)
    assert (hit.frames_seen, hit.frames) == (SECONDS - FORGED_FROM_S, SECONDS)
    assert hit.image_id.endswith(f"@{hit.time_s:g}")
    assert hit.at == f" at {format_timestamp(hit.time_s)}"
    assert hit.seen.startswith("Seen in 6 of 12 frames; strongest at 0:")
    first, further = hit.evidence[: len(MEASURES)], hit.evidence[len(MEASURES) :]
    assert all(item.method.endswith(OVER_FRAMES) for item in first)
    assert further and all(item.method.endswith(ON_ONE_FRAME) for item in further)


def test_a_video_of_somebody_else_is_somebody_else(findings: Findings) -> None:
    """What the photograph is that all of its frames show; the person was seen in none."""
    hit, group = hit_of(findings, "others.mp4"), hit_of(findings, "group.png")
    assert hit.verdict == group.verdict != "impersonation"
    assert (hit.frames_seen, hit.frames) == (0, 8)
    assert hit.seen.startswith("Not seen for certain in any of 8 frames")
    assert not [hit for hit in findings.hits if hit.path.name == "cup.mkv"]
    assert findings.videos == 2
    assert findings.compared == sum(findings.counts.values()) == len(findings.hits)


def test_the_evidence_is_the_mean_over_the_frames(unmask: Unmask, findings: Findings) -> None:
    """Every score is that of the frames, each asked for as a photograph, on average."""
    hit = hit_of(findings, "forged.mp4")
    own = {item.score: item.value for item in hit.evidence}
    linear = next(it for it in unmask.models.detectors if (it.inputs, it.name) == FACE_LINEAR)
    with Gallery.open_existing(unmask.settings.home, GALLERY) as held:
        records = [
            face
            for frame in held.frames_of(hit.image_id.partition("@")[0])
            for face in held.faces_of(frame.image_id)
        ]
    assert len(records) == hit.frames_seen
    features = np.stack([record.features for record in records if record.features is not None])
    assert own["face/unifd_linear"] == pytest.approx(float(linear.score(features).mean()), abs=1e-4)


def test_pictures_are_judged_as_without_videos(
    findings: Findings, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Videos in a gallery change nothing about its photographs.

    To five digits: pictures are computed in batches, and neighbours change the last ones.
    """
    alone = build_case(tmp_path_factory.mktemp("alone"))
    before, _ = alone.investigate([alone.settings.home / "SECRET_NAME.png"], top=20)
    for hit in before.hits:
        now = hit_of(findings, hit.path.name)
        assert (now.verdict, now.assessment.reason) == (hit.verdict, hit.assessment.reason)
        values, again = (
            {it.id: it.value for it in each.evidence if it.value is not None} for each in (hit, now)
        )
        assert again == pytest.approx(values, rel=1e-4, abs=1e-4)
        assert [it.method for it in now.evidence] == [it.method for it in hit.evidence]
        assert (now.time_s, now.moments, now.frames_seen, now.seen, now.at) == (
            None, (), None, "", ""
        )  # fmt: skip


def test_json_names_the_moment(findings: Findings) -> None:
    """Pictures have null there, so that every hit has the same keys."""
    hits = {Path(hit["path"]).name: hit for hit in findings.to_json()["hits"]}
    assert hits["forged.mp4"]["time_s"] == hits["forged.mp4"]["moments"][0] >= FORGED_FROM_S
    assert hits["forged.mp4"]["frames_seen"] == 6
    assert (hits["copy.jpg"]["time_s"], hits["copy.jpg"]["moments"]) == (None, [])
    json.dumps(findings.to_json(), allow_nan=False)


def test_the_table_says_when(findings: Findings, capsys: pytest.CaptureFixture[str]) -> None:
    """The moment stands beside the file's name, and the sums tell videos from images."""
    print_findings(findings, explain=True)
    shown = capsys.readouterr().out
    assert f"forged.mp4{hit_of(findings, 'forged.mp4').at}" in shown
    assert "Seen in 6 of 12 frames" in " ".join(shown.split())
    assert "images and 2 videos compared" in shown


def test_the_page_shows_the_frame(unmask: Unmask, findings: Findings, tmp_path: Path) -> None:
    """The report decodes the frame again and says where it is from."""
    photo = unmask.settings.home / "SECRET_NAME.png"
    found, query = unmask.investigate([photo], top=20)
    page = write_report(found, query, tmp_path / "page.html", rule=unmask.models.rule).read_text()
    hit = hit_of(findings, "forged.mp4")
    assert f"forged.mp4{hit.at}" in page
    assert "no longer where it was indexed" not in page


def test_the_workspace_opens_the_frame_again(unmask: Unmask) -> None:
    """Picture, face, facts, heat map and description of a hit in a video are its frame's."""
    workspace = workspace_of(unmask)
    photo = workspace.add_photo(unmask.settings.home / "SECRET_NAME.png")
    found = workspace.find_person([photo], top=20)
    hit = hit_of(found, "forged.mp4")
    forged = read_photo(unmask.settings.home / "collection" / "forged.jpg").pixels
    pixels = workspace.pictures.pixels(hit.handle)
    number = round((hit.time_s or 0) - FORGED_FROM_S)
    assert pixels.shape == forged.shape
    assert np.abs(pixels.astype(int) - _shifted(forged, number)).mean() < 6
    (measured,) = workspace.pictures.analysis(hit.handle).faces
    np.testing.assert_allclose(
        measured.face.embedding, workspace.pictures.face(hit.handle).face.embedding, atol=1e-4
    )
    assert workspace.examinations.localise_forgery(
        workspace.take_snapshot(hit.handle)
    ).heatmap.shape
    assert workspace.compare(photo, hit.handle).facts
    assert workspace.pictures.metadata(hit.handle)
    hit.path.rename(hit.path.with_suffix(".gone"))
    try:
        with pytest.raises(ToolError, match="cannot be read: missing"):
            workspace.pictures.pixels(hit.handle)
    finally:
        hit.path.with_suffix(".gone").rename(hit.path)


def test_what_was_overwritten_is_no_hit(unmask: Unmask, tmp_path: Path) -> None:
    """A file with other content than before leaves no hit without a place, and none for itself."""
    other = Unmask(Settings(home=tmp_path / "home"), gallery="other", models=unmask.models)
    folder, cup = tmp_path / "files", np.asarray(skimage.data.coffee())
    folder.mkdir()
    photo, clip = folder / "photo.png", folder / "clip.mp4"
    Image.fromarray(astronaut_pixels()).save(photo)
    write_clip(clip, [astronaut_pixels()] * 2)
    other.index([folder])
    query = unmask.settings.home / "SECRET_NAME.png"
    assert len(other.investigate([query])[0].hits) == 2
    Image.fromarray(cup).save(photo)
    write_clip(clip, [cup[:, :512]] * 2)
    other.index([folder])
    assert other.investigate([query])[0].hits == ()


def test_the_command_line_takes_videos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`unmask index clip.mp4` adds a video and says of how many images it consists."""
    monkeypatch.setenv("UNMASK_HOME", str(tmp_path / "home"))
    clip = write_clip(tmp_path / "clip.mp4", [astronaut_pixels()] * 3)
    result = CliRunner().invoke(app, ["index", str(clip)])
    assert result.exit_code == 0, result.output
    assert "3 of them are frames of 1 video" in result.output
    result = CliRunner().invoke(app, ["galleries", "list", "--json"])
    (gallery,) = json.loads(result.stdout)["galleries"]
    assert (gallery["images"], gallery["videos"], gallery["files"]) == (0, 1, 1)
    assert Settings.load().home == tmp_path / "home"


def test_frames_do_not_crowd_out_other_files(
    unmask: Unmask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When a video holds the nearest faces, more are scored, up to a limit."""
    photo = unmask.settings.home / "SECRET_NAME.png"
    monkeypatch.setattr("tools.search.search.CANDIDATES", 5)
    names = {hit.path.name for hit in unmask.investigate([photo], top=20)[0].hits}
    assert names == {"copy.jpg", "forged.jpg", "forged.mp4", "group.png", "others.mp4"}
    monkeypatch.setattr("tools.search.search.MAX_CANDIDATES", 4)
    assert "group.png" not in {hit.path.name for hit in unmask.investigate([photo])[0].hits}


def test_a_model_is_shown_the_frame(unmask: Unmask) -> None:
    """The assistant's tools describe, score and locate a hit in a video as any other."""
    workspace = workspace_of(unmask)
    photo = workspace.add_photo(unmask.settings.home / "SECRET_NAME.png")
    tools = {tool.name: tool for tool in toolkit(workspace)}
    tools["find_person"].invoke({"photos": [photo], "top": 20})
    searched = workspace.last_search
    assert searched is not None
    hit = hit_of(searched[0], "forged.mp4")
    text, picture = tools["describe_image"].invoke({"image": hit.handle})
    assert json.loads(text["text"])["format"] == "MPEG video"
    assert picture["type"] == "image"
    assert hit.handle in tools["score_fake"].invoke({"image": hit.handle})
    assert hit.handle in tools["locate_artifacts"].invoke({"image": hit.handle})


def test_the_chat_says_when(unmask: Unmask) -> None:
    """List and detail name the moment and the number of frames."""
    workspace = workspace_of(unmask)
    photo = workspace.add_photo(unmask.settings.home / "SECRET_NAME.png")
    found = workspace.find_person([photo], top=20)
    hit, rule = hit_of(found, "forged.mp4"), unmask.models.rule
    faces = FaceThumbnails(workspace.pictures)
    assert f"forged.mp4{hit.at}" in hits_html(found, faces, rule=rule, chosen=hit.handle)
    detail = detail_html(
        hit, faces, query=photo, image=workspace.pictures.pixels(hit.handle), rule=rule,
        facts=workspace.facts(hit.handle), sentences=(),
    )  # fmt: skip
    assert "Seen in 6 of 12 frames" in detail
    assert f"the whole frame{hit.at}" in detail
    assert "Where this video is stored" in detail


# -- by hand ------------------------------------------------------------------------------------


def candidate(
    image: str, measured: Scores, *, usable: bool = True, rule: VerdictRule | None = RULE
) -> Candidate:
    """A face in a picture, judged by the test rule."""
    problems = () if usable else ("blurred",)
    face = Face(
        box=np.zeros(4, np.float32),
        keypoints=np.zeros((5, 2), np.float32),
        landmarks=None,
        quality=FaceQuality(80, 40, 100, 0, 0.9, problems),
        embedding=np.ones(1, np.float32),
    )
    record = FaceRecord(f"{image}:0", image, 0, face, None, None)
    return Candidate(record, measured, assess_scores(measured, usable=usable, rule=rule))


def as_video(*frames: Candidate, name: str = "v") -> Candidate:
    """The frames, a second apart, as one candidate."""
    moments = {it.record.image_id: FramePosition(name, float(at)) for at, it in enumerate(frames)}
    (one,) = aggregate_candidates(frames, moments, rule=RULE)
    return one


@pytest.mark.fast
def test_the_rule_is_asked_once_about_the_mean() -> None:
    """Forgery logits 5, 1 and 0 of the person's frames have the mean 2: σ(2) = 0.881, forged.

    The frame of a stranger (identity −5) takes no part, however forged it is.
    """
    video = as_video(
        candidate("a", scores(HIGH, 0.0)),
        candidate("b", scores(HIGH, 5.0)),
        candidate("c", scores(LOW, 9.0)),
        candidate("d", scores(HIGH, 1.0)),
    )
    assert video.scores["face/unifd_linear"] == 2.0
    assert video.assessment.fake_probability == pytest.approx(0.881, abs=1e-3)
    assert video.assessment.verdict == "impersonation"
    # Strongest first: 5 at 1 s, 1 at 3 s, 0 at 0 s; the face shown is that of 1 s.
    assert (video.moments, video.frames_seen, video.record.id) == ((1.0, 3.0, 0.0), 3, "b:0")


@pytest.mark.fast
def test_unusable_and_unmeasured_frames_take_no_part() -> None:
    """A blurred face and a face without a forgery score leave the mean to the others."""
    video = as_video(
        candidate("a", scores(HIGH, -4.0)),
        candidate("b", scores(HIGH, None)),
        candidate("c", scores(HIGH, 9.0), usable=False),
    )
    assert video.scores["face/unifd_linear"] == -4.0
    assert (video.assessment.verdict, video.frames_seen) == ("no forgery found", 2)
    blurred = as_video(candidate("a", scores(HIGH, 1.0), usable=False))
    assert (blurred.assessment.verdict, blurred.frames_seen) == ("not assessed", 0)


@pytest.mark.fast
def test_uncertain_frames_speak_only_when_none_is_certain() -> None:
    """Identity in its band: no verdict; one certain frame decides alone."""
    uncertain = [candidate("a", scores(MIDDLE, 5.0)), candidate("b", scores(MIDDLE, 5.0))]
    assert as_video(*uncertain).assessment.verdict == "inconclusive"
    assert (as_video(*uncertain).frames_seen, as_video(*uncertain).moments) == (0, (0.0, 1.0))
    certain = as_video(*uncertain, candidate("c", scores(HIGH, -5.0)))
    assert (certain.assessment.verdict, certain.frames_seen) == ("no forgery found", 1)


@pytest.mark.fast
def test_strangers_are_not_averaged() -> None:
    """Of a video without the person the most similar face is shown, with its own scores."""
    video = as_video(candidate("a", scores(LOW, 5.0)), candidate("b", scores(LOW + 1, -3.0)))
    assert (video.assessment.verdict, video.frames_seen, video.moments) == ("other", 0, (1.0,))
    assert video.scores["face/unifd_linear"] == -3.0


@pytest.mark.fast
def test_a_still_that_is_the_query_does_not_make_a_video_a_copy() -> None:
    """One frame that is the query photo and one that is not are together no photograph."""
    video = as_video(
        candidate("a", scores(HIGH, 5.0, bits=0, same_photo=1.0)),
        candidate("b", scores(HIGH, 5.0, same_photo=0.0)),
    )
    assert (video.scores["query/face_hash_distance"], video.moments[0]) == (20.0, 1.0)
    assert video.assessment.verdict == "impersonation"


@pytest.mark.fast
def test_videos_and_pictures_are_ranked_together() -> None:
    """One candidate each, the more likely impersonation first."""
    frames = [candidate(f"v{it}", scores(HIGH, 1.0)) for it in range(3)]
    pictures = [candidate("p", scores(HIGH, 5.0)), candidate("q", scores(HIGH, -5.0))]
    moments = {it.record.image_id: FramePosition("v", 0.5 * at) for at, it in enumerate(frames)}
    ranked = sorted(aggregate_candidates([*frames, *pictures], moments, rule=RULE), key=ranking_key)
    assert [it.record.image_id for it in ranked] == ["p", "v0", "q"]
    assert ranked[0] is pictures[0]
    assert ranked[2] is pictures[1]


@pytest.mark.fast
def test_without_a_rule_a_video_is_its_most_similar_frame() -> None:
    """Nothing says in which frames the person was seen, so nothing is averaged."""
    frames = [
        candidate("a", scores(1.0, 5.0), rule=None), candidate("b", scores(3.0, 1.0), rule=None),
    ]  # fmt: skip
    moments = {"a": FramePosition("v", 0.0), "b": FramePosition("v", 1.0)}
    (video,) = aggregate_candidates(frames, moments, rule=None)
    assert (video.record.image_id, video.moments, video.frames_seen) == ("b", (1.0,), 0)


@pytest.mark.fast
def test_means_leave_out_what_was_not_measured() -> None:
    """(1 + 3) / 2 = 2; (None, 5) → 5; (None, None) → None."""
    rows: list[Scores] = [{"a": 1.0, "b": None, "c": None}, {"a": 3.0, "b": 5.0, "c": None}]
    assert mean_scores(rows) == {"a": 2.0, "b": 5.0, "c": None}


@pytest.mark.fast
def test_times_read_as_players_show_them() -> None:
    """Minutes and seconds; hours where there are any; parts of the first second."""
    assert [format_timestamp(it) for it in (0, 12.0, 59.999, 75.5, 3723)] == [
        "0:00", "0:12", "0:59", "1:15", "1:02:03",
    ]  # fmt: skip
    assert [format_timestamp(it) for it in (0.004, 0.04, 0.4, 0.999, 1.0, 1.4)] == [
        "0:00", "0:00.04", "0:00.4", "0:00.99", "0:01", "0:01",
    ]  # fmt: skip
