"""Detector folders: every kind loads what its training saved, and is scored like any other."""

import json
import re
import runpy
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.support.made.pairs import samples
from tests.support.paths import ROOT
from tests.support.tiny_clip import tiny_clip
from tests.tools.detectors.test_gend import Published
from tests.tools.detectors.test_gend import write as write_published
from tools.detectors import UnifdLinear, UnifdNeighbours
from tools.detectors.calibration import CALIBRATION_FILE, fit_calibration
from tools.detectors.clip_heads.gend import Gend
from tools.detectors.clip_heads.prompt_tuning import ClipAdapter, Coop, LinearProbe
from tools.detectors.clip_heads.repdfd import Repdfd
from tools.detectors.clip_heads.unifd_neighbours import l2_normalise_rows
from tools.detectors.folders import (
    DESCRIPTION_FILE,
    DETECTOR_KINDS,
    WEIGHTS_FILE,
    DetectorDescription,
    StoredDetector,
    find_stored_detectors,
    training_command,
)
from tools.detectors.kinds import load_detector
from tools.detectors.protocol import AnyDetector, IdentityDetector, PixelDetector
from tools.detectors.scoring import run_detector
from tools.encoder.clip import Encoder
from tools.errors import SetupError
from tools.training.detectors.norm_tuning import NormTuning
from tools.training.fitting.trainers import TRAINERS

PEOPLE = 16
POINTS = np.array([[30.0, 38], [62, 38], [46, 55], [34, 72], [60, 72]], np.float32)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    """A tiny CLIP."""
    return tiny_clip(tmp_path_factory.mktemp("clip") / "encoder")[0]


def drawn(*shape: int) -> np.ndarray:
    """Random numbers, always the same."""
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


def repdfd(encoder: Encoder) -> Repdfd:
    """With a border, and faces that are loud words."""
    size = encoder.image_size
    return Repdfd(encoder, drawn(3, size, size), drawn(encoder.text_width, PEOPLE))


def gend(encoder: Encoder) -> Any:
    """Tuned a little."""
    learner = NormTuning(encoder)
    with torch.no_grad():
        for parameter in learner.norms:
            parameter += 0.1 * torch.rand_like(parameter)
    return learner.detector(encoder)


MADE: dict[str, Callable[[Encoder], Any]] = {
    "unifd_linear": lambda it: UnifdLinear(drawn(it.dimension), 0.5, "face"),
    "unifd_neighbours": lambda it: UnifdNeighbours(
        l2_normalise_rows(drawn(12, it.dimension)),
        l2_normalise_rows(drawn(10, it.dimension)),
        "face",
        k=3,
    ),
    "coop": lambda it: Coop(drawn(2, it.dimension), drawn(4, it.text_width), 10.0, "face", "end"),
    "clip_adapter": lambda it: ClipAdapter(
        drawn(8, it.dimension), drawn(it.dimension, 8), drawn(2, it.dimension), 10.0, "face"
    ),
    "linear_probe": lambda it: LinearProbe(drawn(2, it.dimension), drawn(2), "face"),
    "gend": gend,
    "repdfd": repdfd,
    "repdfd_query": lambda it: replace(repdfd(it), identity="query"),
}
SETTINGS: dict[str, dict[str, Any]] = {"unifd_neighbours": {"k": 3, "preprocessing": "official"}}


def about(kind: str, *, encoder: Encoder | None) -> DetectorDescription:
    """A description."""
    sha256 = None if encoder is None else encoder.sha256
    return DetectorDescription(
        kind, f"my_{kind}", "face", "features", "of the test", "made-up points",
        encoder_sha256=sha256, settings=SETTINGS.get(kind),
    )  # fmt: skip


def put(folder: Path, kind: str, encoder: Encoder) -> tuple[StoredDetector, Any]:
    """A detector in its folder, and as it was made."""
    made, said = MADE[kind](encoder), about(kind, encoder=encoder)
    said.save(folder)
    if isinstance(made, Repdfd):
        made.save(folder / WEIGHTS_FILE, embedder_sha256="a" * 64)
    else:
        made.save(folder / WEIGHTS_FILE, encoder_sha256=encoder.sha256)
    return StoredDetector(folder, said), made


def scores(detector: AnyDetector, encoder: Encoder) -> np.ndarray:
    """Of a few crops."""
    pictures = [sample.image for sample in samples(encoder)]
    if isinstance(detector, PixelDetector):
        return detector.score_images(pictures)
    if isinstance(detector, IdentityDetector):
        return detector.score(pictures, drawn(len(pictures), PEOPLE))
    return detector.score(encoder.encode_images(pictures))


@pytest.mark.parametrize("kind", MADE)
def test_each_kind_reads_what_was_saved(kind: str, encoder: Encoder, tmp_path: Path) -> None:
    """The same logits, under the name and the sha256 of its folder; another encoder is refused."""
    found, made = put(tmp_path / kind, kind, encoder)
    detector = load_detector(found, encoder)
    expected = scores(made, encoder)
    np.testing.assert_allclose(scores(detector, encoder), expected, atol=2e-3)
    assert np.ptp(expected) > 0.01
    assert (detector.name, detector.inputs) == (f"my_{kind}", "face")
    assert detector.sha256 == found.sha256
    if kind == "unifd_neighbours":
        assert (detector.preprocessing, detector.k) == ("official", 3)  # type: ignore[union-attr]
    stranger = StoredDetector(found.folder, replace(found.about, encoder_sha256="f" * 64))
    with pytest.raises(SetupError, match="trained on the encoder"):
        load_detector(stranger, encoder)


def test_another_face_embedder_is_refused(encoder: Encoder, tmp_path: Path) -> None:
    """By the one detector that is told who a face is; by no other."""
    for kind in ("repdfd", "unifd_linear"):
        found, _ = put(tmp_path / kind, kind, encoder)
        assert load_detector(found, encoder, embedder_sha256="a" * 64) is not None
        if kind == "repdfd":
            with pytest.raises(SetupError, match="face embedder"):
                load_detector(found, encoder, embedder_sha256="b" * 64)
        else:
            load_detector(found, encoder, embedder_sha256="b" * 64)


def test_the_published_gend_can_lie_on_the_shelf(encoder: Encoder, tmp_path: Path) -> None:
    """With its own config beside the weights it brings its own tower, whatever the encoder is."""
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(0)
        write_published(tmp_path / "published", Published().state_dict())
    said = about("gend", encoder=None)
    said.save(tmp_path / "published")
    detector = load_detector(StoredDetector(tmp_path / "published", said), encoder)
    assert isinstance(detector, Gend)
    assert (detector.name, detector.pictures.size) == ("my_gend", 64)
    expected = Gend.load(tmp_path / "published", device="cpu")
    np.testing.assert_array_equal(scores(detector, encoder), scores(expected, encoder))


def test_a_shelf_is_read_folder_by_folder(encoder: Encoder, tmp_path: Path) -> None:
    """By name, the first of two that are called alike; a damaged description is told."""
    put(tmp_path / "a" / "one", "linear_probe", encoder)
    put(tmp_path / "b" / "same", "linear_probe", encoder)
    put(tmp_path / "b" / "other", "coop", encoder)
    found = [
        it.folder.name
        for it in find_stored_detectors([tmp_path / "a", tmp_path / "b", tmp_path / "no"])
    ]
    assert found == ["one", "other"]
    path = tmp_path / "b" / "other" / "detector.json"
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), "kind": "magic"}), "utf-8")
    with pytest.raises(SetupError, match=r"kind 'magic'; known are .*'coop'"):
        list(find_stored_detectors([tmp_path / "b"]))


def test_a_bad_folder_is_told_and_the_others_are_read(encoder: Encoder, tmp_path: Path) -> None:
    """By its own folder and with what to do; so is one that is called as another is."""
    put(tmp_path / "a" / "one", "linear_probe", encoder)
    put(tmp_path / "b" / "same", "linear_probe", encoder)
    put(tmp_path / "b" / "two", "coop", encoder)
    (tmp_path / "a" / "bad").mkdir()
    (tmp_path / "a" / "bad" / DESCRIPTION_FILE).write_text("[]", "utf-8")
    told = list[tuple[str, str]]()
    found = find_stored_detectors(
        [tmp_path / "a", tmp_path / "b"], left_out=lambda it, why: told.append((it.name, str(why)))
    )
    assert [it.folder.name for it in found] == ["one", "two"]
    (bad, why), (same, taken) = told
    assert (bad, same) == ("bad", "same")
    assert why.startswith(str(tmp_path / "a" / "bad" / DESCRIPTION_FILE))
    assert "unmask fit" in why
    assert str(tmp_path / "a" / "one") in taken
    assert "--name" in taken


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"licence": ..., "needs": ...}, "lacks 'needs', 'licence';"),
        ({"colour": "red"}, "has unknown fields: 'colour';"),
        ({"kind": ["coop"]}, "must have text in 'kind'"),
        ({"encoder_sha256": 7}, "must have text in 'encoder_sha256'"),
        ({"inputs": "ear"}, "has inputs 'ear'; known are 'face', 'image'"),
        ({"settings": ["k"]}, "must have a JSON object in 'settings'"),
    ],
)
def test_a_damaged_description_says_what_is_wrong(
    changes: dict[str, Any], reason: str, encoder: Encoder, tmp_path: Path
) -> None:
    """Which fields are missing, strange or of another kind; and what to do about it."""
    about("coop", encoder=encoder).save(tmp_path)
    said = json.loads((tmp_path / DESCRIPTION_FILE).read_text("utf-8")) | changes
    kept = {name: value for name, value in said.items() if value is not ...}
    (tmp_path / DESCRIPTION_FILE).write_text(json.dumps(kept), "utf-8")
    with pytest.raises(SetupError, match=re.escape(reason)) as told:
        DetectorDescription.load(tmp_path)
    assert "fit the detector again" in str(told.value)


def test_settings_that_do_not_fit_the_kind_are_told(encoder: Encoder, tmp_path: Path) -> None:
    """Not the traceback of whatever stumbles over them."""
    found, _ = put(tmp_path / "k", "unifd_neighbours", encoder)
    odd = replace(found.about, settings={"k": "three"})
    with pytest.raises(SetupError, match="does not fit its kind, 'unifd_neighbours'"):
        load_detector(StoredDetector(found.folder, odd), encoder)


class Faces:
    """One picture three times: with a face, without one, and a file that is gone."""

    def __init__(self, encoder: Encoder, query: np.ndarray | None = None) -> None:
        self.pixels = samples(encoder)[0].look.pixels
        self.embeddings, self.query = drawn(3, PEOPLE), query
        self.face_features = drawn(3, encoder.dimension)
        self.face_features[1:] = np.nan
        self.image_features = np.empty((0, 0), np.float32)

    def __len__(self) -> int:
        return 3

    def images_with_keypoints(self) -> Iterator[tuple[np.ndarray | None, np.ndarray | None]]:
        """Pixels and keypoints."""
        yield self.pixels, POINTS
        yield self.pixels, None
        yield None, None


@pytest.mark.parametrize("kind", MADE)
def test_without_a_face_there_is_no_score(kind: str, encoder: Encoder, tmp_path: Path) -> None:
    """NaN where nothing could be seen; probabilities from the calibration of this detector only."""
    found, _ = put(tmp_path / kind, kind, encoder)
    detector, views = load_detector(found, encoder), Faces(encoder, drawn(PEOPLE))
    plain = run_detector(detector, views)
    np.testing.assert_array_equal(np.isnan(plain.logits), [False, True, True])
    assert np.isnan(plain.probabilities).all()
    assert (plain.detector, plain.checkpoint) == (f"face/my_{kind}", found.sha256)
    points = np.linspace(-2, 2, 40)
    fitted = fit_calibration(detector, points, points + 0.5 * np.sin(9 * points) > 0, fitted_on={})
    fitted.save(found.folder / CALIBRATION_FILE)
    known = run_detector(detector, views, calibration=found.calibration).probabilities
    assert 0 <= known[0] <= 1
    assert np.isnan(known[1:]).all()
    for other in (
        replace(fitted, checkpoint="0" * 64), replace(fitted, preprocessing="otherwise"),
        replace(fitted, detector="image/prompts"),
    ):  # fmt: skip
        assert np.isnan(run_detector(detector, views, calibration=other).probabilities).all()


def test_only_the_query_variant_depends_on_the_query(encoder: Encoder, tmp_path: Path) -> None:
    """Another person looked for changes its score; the candidate's own asks nobody."""
    said = {
        kind: [
            run_detector(
                load_detector(put(tmp_path / kind, kind, encoder)[0], encoder),
                Faces(encoder, query),
            ).logits[0]
            for query in (drawn(PEOPLE), -drawn(PEOPLE), None)
        ]
        for kind in ("repdfd", "repdfd_query")
    }  # fmt: skip
    assert len(set(said["repdfd"])) == 1
    one, other, nobody = said["repdfd_query"]
    assert abs(one - other) > 1e-3
    assert np.isnan(nobody)


@pytest.mark.parametrize("kind", sorted(DETECTOR_KINDS))
def test_the_command_that_trains_a_kind_again_is_one(
    kind: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`unmask fit` where it takes the kind, else a training that runs and knows it."""
    words = training_command(kind).strip("`").split()
    if kind in TRAINERS:
        assert words == ["unmask", "fit", kind, "…"]
        return
    assert words[:2] == ["python", "-m"] and words[-1] == "…"
    module, *rest = words[2:-1]
    monkeypatch.setattr(sys, "argv", [module, *rest, "--help"])
    monkeypatch.delitem(sys.modules, module, raising=False)  # as a program it is a new module
    with pytest.raises(SystemExit) as ended:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    assert not ended.value.code
    shown = capsys.readouterr().out
    assert all(word in shown for word in rest)


def test_what_unmask_fit_does_not_take_is_not_said_to_be_fitted(tmp_path: Path) -> None:
    """A detector of patches for another encoder names the training that makes one."""
    encoder = tiny_clip(tmp_path / "encoder")[0]
    shipped = ROOT / "tools/checkpoints/weights/detectors/patches"
    with pytest.raises(
        SetupError, match=r"again \(`python -m tools.training.encoder.patch_head …`\)"
    ):
        load_detector(StoredDetector(shipped, DetectorDescription.load(shipped)), encoder)
