"""Further maps of a hit (optional localisers, Grad-CAM) and the opinions of their networks.

They complement `assistant.report.pictures.maps` with the localisers that are never chosen
automatically (`tools.localisers.optional_localisers`, CADDM's boxes among them) and the user's
networks for whole pictures (`tools.detectors.networks.classifier`): the regions that raised their
score, and the generator that they name. These are opinions; no verdict rests on them.
"""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from assistant.report.pictures.data_uris import data_uri, thumbnail
from assistant.report.pictures.maps import MapView, forgery_view
from tools.detectors.calibration import Calibration
from tools.detectors.networks.class_labels import ClassMapping
from tools.detectors.protocol import PixelDetector
from tools.errors import ToolError
from tools.faces.analyser import Face
from tools.localisers import localise_with, optional_localisers, overlay_heatmap
from tools.search.model_bundle import ModelBundle, map_detector
from tools.verdict.interpretation import UNCALIBRATED
from tools.verdict.units import format_percent

TITLES = {
    "grad_cam": "Grad-CAM",
    "rollout": "Attention rollout",
    "artefact_boxes": "Artefact boxes",
}
LIMITS = (
    "An opinion beside the verdict, which does not rest on it. It shows what raised this network's "
    "score, in coarse cells, which need not be where a picture was changed. A network names one of "
    "the classes that it learnt, whatever made the picture, and may go by its size or compression."
)
_PICTURE_PX = 960


@runtime_checkable
class ExplainableClassifier(PixelDetector, Protocol):
    """A network on whole pictures; `tools.detectors.networks.classifier` has one."""

    @property
    def classes(self) -> ClassMapping:
        """The names and meanings of its outputs."""

    def attribute(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """Pictures (h, w, 3) uint8 RGB to (n, classes) in 0..1, each row summing to one."""

    def heatmap(self, picture: np.ndarray) -> np.ndarray:
        """Heat map (h, w) float32 of what raised the score of a picture (h, w, 3) uint8 RGB."""


def extra_map_views(
    pixels: np.ndarray, face: Face, *, instruments: ModelBundle, shown: np.ndarray | None = None
) -> list[MapView]:
    """Every further map of a face in a picture (h, w, 3) uint8 RGB that this profile can make.

    `shown` is the picture as it is drawn, with faces blurred.
    """
    return [
        *_of_the_face(pixels, face, instruments),
        *(
            grad_cam_view(pixels, detector, calibration, shown=shown)
            for detector, calibration in instruments.localising_detectors
            if isinstance(detector, ExplainableClassifier)
        ),
    ]


def _of_the_face(pixels: np.ndarray, face: Face, models: ModelBundle) -> Iterator[MapView]:
    head = map_detector(models)
    if head is None:
        return
    for localiser in optional_localisers(detector for detector, _ in models.localising_detectors):
        # A face without landmarks has no map: maps are read by the parts of the face.
        with contextlib.suppress(ToolError):
            located = localise_with(localiser, pixels, face, encoder=models.encoder, head=head)
            if located is not None:
                kind, _, whose = localiser.name.partition("/")
                called = f"{TITLES[kind]} of {whose}" if whose else TITLES[kind]
                yield forgery_view(located, title=called, full_heat=localiser.full_heat)


def grad_cam_view(
    pixels: np.ndarray, network: ExplainableClassifier, calibration: Calibration | None, *,
    shown: np.ndarray | None = None,
) -> MapView:  # fmt: skip
    """Grad-CAM of a network over the whole picture, with its opinion in words."""
    # At the displayed size: a map over all pixels of a photograph would have no more cells.
    small = thumbnail(pixels, longest_px=_PICTURE_PX)
    drawn = small if shown is None else thumbnail(shown, longest_px=_PICTURE_PX)
    image = data_uri(overlay_heatmap(drawn, network.heatmap(small)))
    says = describe_prediction(pixels, network, calibration)
    return MapView(f"Grad-CAM of {network.name}", image, says, LIMITS, over="the whole picture")


def describe_prediction(
    pixels: np.ndarray, network: ExplainableClassifier, calibration: Calibration | None
) -> str:
    """The network's probability of a forgery and, with several classes, the likeliest one.

    The probability is "not calibrated" unless a calibration fits this network; shares of classes,
    which sum to one, never were.
    """
    forged = UNCALIBRATED
    if calibration is not None and calibration.matches_detector(network):
        forged = format_percent(float(calibration.probabilities(network.score_images([pixels]))[0]))
    said = f"probability of a forgery: {forged}"
    labels = network.classes.labels
    if len(labels) <= 2:
        return said
    (shares,) = network.attribute([pixels])
    named = int(shares.argmax())
    return f"{said}; names {labels[named]} ({format_percent(float(shares[named]))}, {UNCALIBRATED})"
