"""Further maps: CADDM's boxes and fitted networks, as pictures and opinions on page and report."""

import base64
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from assistant import Unmask
from assistant.chat.hits import FaceThumbnails, detail_html
from assistant.profile import LoadedModels
from assistant.report.findings_page import write_report
from assistant.report.pictures.further_maps import (
    LIMITS,
    ExplainableClassifier,
    describe_prediction,
    extra_map_views,
)
from assistant.report.pictures.maps import MapView
from assistant.settings import Settings
from tests.support.cases import GALLERY, astronaut_pixels
from tools.agent_tools.workspace import Workspace
from tools.detectors.calibration import CALIBRATION_FILE, Calibration
from tools.detectors.folders import DETECTORS_FOLDER, WEIGHTS_FILE, StoredDetector
from tools.detectors.networks.architectures import build_network
from tools.detectors.networks.artefact_module import ArtefactNetwork
from tools.detectors.networks.caddm import describe_network
from tools.detectors.networks.classifier import ClassifierNetwork, save_classifier
from tools.faces.analyser import Face
from tools.localisers.artefact_boxes import LIMITS as BOXES_LIMITS
from tools.verdict.calibration import InconclusiveBand
from tools.verdict.interpretation import UNCALIBRATED

POCKET = ["Grad-CAM", "Artefact boxes of sbi_caddm"]
GENERATORS = {"photo": "real", "<b>gan</b>": "fake", "diffusion": "fake"}


@pytest.fixture
def parts(case: Unmask, tmp_path: Path) -> LoadedModels:
    """The pocket profile with a shelf of one's own, which is empty yet."""
    return LoadedModels(Settings(home=case.settings.home, models_dir=tmp_path / "models"))


@pytest.fixture(scope="module")
def face(case: Unmask) -> Face:
    """The astronaut's."""
    return case.models.faces.analyse([astronaut_pixels()])[0][0]


def views(face: Face, parts: LoadedModels) -> list[MapView]:
    """Further maps of the astronaut."""
    return extra_map_views(astronaut_pixels(), face, instruments=parts)


def coloured(view: MapView) -> bool:
    """Whether something is drawn; the picture beneath is grey."""
    data = base64.b64decode(view.image.partition(",")[2])
    blue, _, red = cv2.split(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR))
    return bool((red.astype(int) - blue > 40).mean() > 0.01)


def put_boxes(parts: LoadedModels, name: str, *, boxed: bool = True) -> None:
    """A network of CADDM's with random weights, as a fit would leave it."""
    folder = parts.settings.models_dir / DETECTORS_FOLDER / name
    settings = {"backbone": "pocket_tower", "boxed": boxed, "size": 128, "margin": 1.0}
    kind = "sbi_caddm" if boxed else "sbi"
    describe_network(kind, settings, trained_on="nothing", name=name).save(folder)
    state = ArtefactNetwork("pocket_tower", module=boxed).state_dict()
    save_file({key: it.contiguous().clone() for key, it in state.items()}, folder / WEIGHTS_FILE)


def put_classifier(
    parts: LoadedModels, name: str, classes: dict[str, str], *, network: str = "small_cnn"
) -> StoredDetector:
    """A small network with random weights that names these classes."""
    torch.manual_seed(2)
    state = build_network(network, outputs=len(classes), height=64, width=48).state_dict()
    # Large last weights: untrained, its answers would hardly depend on the picture.
    state |= {key: torch.randn_like(it) for key, it in state.items() if key.startswith("head.")}
    settings = {
        "network": network, "classes": classes, "binary": False, "height": 64, "width": 48,
    }  # fmt: skip
    folder = parts.settings.models_dir / DETECTORS_FOLDER / name
    return save_classifier(folder, state, settings, licence="none", trained_on="nothing")


def calibrate(shelved: StoredDetector) -> Calibration:
    """Platt's, put beside its weights: steep, and at the astronaut 1 / (1 + exp(-1)) = 0.73."""
    network = ClassifierNetwork.load(shelved)
    (logit,) = network.score_images([astronaut_pixels()])
    fitted = Calibration(
        shelved.title, network.sha256, network.preprocessing, "platt",
        1e3, 1 - 1e3 * float(logit), (),
        InconclusiveBand(0.3, 0.7, 0.1, 0.02), {},
    )  # fmt: skip
    fitted.save(shelved.folder / CALIBRATION_FILE)
    return fitted


def test_the_pocket_profile_shows_its_boxes(parts: LoadedModels, face: Face) -> None:
    """The shipped CADDM's boxes are a picture with limits, and read "not calibrated"."""
    found = views(face, parts)
    assert [it.title for it in found] == POCKET
    assert all(it.image.startswith("data:image/jpeg;base64,") for it in found)
    assert len({it.image for it in found}) == len(found)
    assert all(UNCALIBRATED in it.text for it in found)
    assert found[1].limits == BOXES_LIMITS


def test_fitted_boxes_are_drawn_too(parts: LoadedModels, face: Face) -> None:
    """One that a person fitted stands beside the shipped; a network without boxes has no map."""
    put_boxes(parts, "office")
    put_boxes(parts, "seams", boxed=False)
    assert [it.title for it in views(face, parts)] == [*POCKET, "Artefact boxes of office"]


def test_a_network_is_loaded_once(parts: LoadedModels) -> None:
    """The one that gives evidence draws the boxes."""
    (boxes,) = [it for it, _ in parts.localising_detectors]
    assert any(it is boxes for it in parts.pixel_detectors)


def test_a_fitted_classifier_shows_where_and_names_whom(parts: LoadedModels, face: Face) -> None:
    """Its heat lies over the whole picture; uncalibrated, it says so, and names its likeliest."""
    kept = put_classifier(parts, "thesis", GENERATORS)
    *others, heat = views(face, parts)
    assert [it.title for it in others] == POCKET
    assert (heat.title, heat.over, heat.limits) == (
        "Grad-CAM of thesis", "the whole picture", LIMITS,
    )  # fmt: skip
    assert coloured(heat)
    (shares,) = ClassifierNetwork.load(kept).attribute([astronaut_pixels()])
    named, share = list(GENERATORS)[shares.argmax()], round(100 * shares.max())
    assert heat.text == (
        f"probability of a forgery: {UNCALIBRATED}; names {named} ({share} %, {UNCALIBRATED})"
    )


def test_a_vit_shows_where_too(parts: LoadedModels, face: Face) -> None:
    """By the same way as a convolutional network."""
    put_classifier(parts, "vit", GENERATORS, network="vit_tiny_patch16_224")
    heat = views(face, parts)[-1]
    assert heat.title == "Grad-CAM of vit"
    assert coloured(heat)


def test_a_calibration_gives_the_probability(parts: LoadedModels, face: Face) -> None:
    """Where one fits the network, its probability is told; that of another picture differs."""
    kept = put_classifier(parts, "thesis", GENERATORS)
    fitted, network = calibrate(kept), ClassifierNetwork.load(kept)
    assert isinstance(network, ExplainableClassifier)
    told = "probability of a forgery: 73 %; names "
    assert views(face, parts)[-1].text.startswith(told)
    white = np.full((60, 50, 3), 255, np.uint8)
    assert not describe_prediction(white, network, fitted).startswith(told)


def test_a_calibration_of_another_network_says_nothing(parts: LoadedModels, face: Face) -> None:
    """Left from weights that were there before, it is not used."""
    kept = put_classifier(parts, "thesis", GENERATORS)
    calibrate(kept)
    put_classifier(parts, "thesis", {**GENERATORS, "camera": "real"})
    assert f"probability of a forgery: {UNCALIBRATED}" in views(face, parts)[-1].text


def test_of_two_classes_none_is_named(parts: LoadedModels, face: Face) -> None:
    """Fake or real is its probability, no generator."""
    put_classifier(parts, "two", {"real": "real", "fake": "fake"})
    assert views(face, parts)[-1].text == f"probability of a forgery: {UNCALIBRATED}"


def test_a_damaged_network_costs_its_own_map_only(parts: LoadedModels, face: Face) -> None:
    """A hit is shown, and its page written, whatever lies in one folder."""
    put_classifier(parts, "whole", GENERATORS)
    kept = put_classifier(parts, "thesis", GENERATORS)
    (kept.folder / WEIGHTS_FILE).write_bytes(b"no weights")
    made = [it.title for it in views(face, parts)]
    assert "Grad-CAM of whole" in made
    assert "Grad-CAM of thesis" not in made


def test_a_face_without_landmarks_keeps_the_picture(parts: LoadedModels, face: Face) -> None:
    """Maps of the face need its parts; that of the whole picture does not."""
    put_classifier(parts, "thesis", GENERATORS)
    bare = Face(face.box, face.keypoints, None, face.quality, face.embedding)
    assert [it.title for it in views(bare, parts)] == ["Grad-CAM of thesis"]


def judged(unmask: Unmask) -> list[Any]:
    """What a search says of every hit."""
    found = unmask.find([unmask.settings.home / "SECRET_NAME.png"], top=3)
    return [(it.face_id, it.assessment, it.evidence, it.explanation) for it in found.hits]


def test_opinions_change_no_verdict(case: Unmask, parts: LoadedModels) -> None:
    """Verdicts, evidence and explanations are the same with such networks on the shelf."""
    before = judged(case)
    calibrate(put_classifier(parts, "thesis", GENERATORS))
    put_boxes(parts, "office")
    beside = Unmask(parts.settings, gallery=GALLERY, models=parts)
    assert len(parts.localising_detectors) == 3
    assert judged(beside) == before


def test_report_and_chat_show_them(case: Unmask, parts: LoadedModels, tmp_path: Path) -> None:
    """Folded, each picture once a hit, with words and limits; a label is text, no markup."""
    put_classifier(parts, "thesis", {name: GENERATORS[name] for name in sorted(GENERATORS)})
    unmask = Unmask(parts.settings, gallery=GALLERY, models=parts)
    photo = case.settings.home / "SECRET_NAME.png"
    findings, query = unmask.investigate([photo], top=2, rerank=False)
    page = write_report(
        findings, query, tmp_path / "page.html", rule=parts.rule, instruments=parts
    ).read_text()
    workspace = Workspace(parts, home=case.settings.home, gallery=GALLERY, measurements=())
    workspace.find_person([workspace.add_photo(photo)])
    pixels, seen = workspace.pictures.pixels("H1"), workspace.pictures.face("H1").face
    further = extra_map_views(pixels, seen, instruments=parts)
    chat = detail_html(
        workspace.hit("H1"), FaceThumbnails(workspace.pictures), query="Q1", image=pixels,
        rule=parts.rule,
        facts=(), sentences=(), further=further,
    )  # fmt: skip
    for markup, whose, hits in ((page, "hit 1", len(findings.hits)), (chat, "H1", 1)):
        assert markup.count("<summary>Further maps</summary>") == hits
        for view in further:
            assert markup.count(f'alt="{view.title} over {view.over} of {whose}: ') == 1
            assert view.limits in markup.replace("&#39;", "'")
        assert "<b>gan" not in markup


def test_without_further_maps_nothing_is_folded(case: Unmask) -> None:
    """Before they were asked for, the detail has no place for them."""
    workspace = Workspace(case.models, home=case.settings.home, gallery=GALLERY, measurements=())
    workspace.find_person([workspace.add_photo(case.settings.home / "SECRET_NAME.png")])
    chat = detail_html(
        workspace.hit("H1"),
        FaceThumbnails(workspace.pictures),
        query="Q1",
        image=workspace.pictures.pixels("H1"),
        rule=None,
        facts=(),
        sentences=(),
    )
    assert "Further maps" not in chat
