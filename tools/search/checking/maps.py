"""All maps of a face and its picture, and what they show together, in words.

A face has a map of the signs of forgery and, beside photos of the person, one of the distance from
them; its picture has one of its own. An answer that knew only one of them could deny what another
shows.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tools.errors import ToolError
from tools.faces.analyser import Face
from tools.localisers import Localisation, localise_forgery
from tools.localisers.regions import regions_in_words
from tools.search.model_bundle import ModelBundle, map_detector
from tools.search.reranking.inner_outer_face import FaceInImage
from tools.search.reranking.patch_grid import PatchMap, whole_picture_map
from tools.search.reranking.reference_comparison import ReferenceMap, reference_map


@dataclass(frozen=True, slots=True, eq=False)
class FaceMaps:
    """The maps of a face; one that cannot be made is None, but for that of the signs of forgery."""

    located: Localisation
    distance: ReferenceMap | None
    picture: PatchMap | None

    @property
    def beside(self) -> tuple[str, ...]:
        """What the other maps show, in clauses without a subject; empty if nothing stands out."""
        said = list[str]()
        if self.distance is not None and self.distance.far:
            where = regions_in_words(self.distance.far)
            said.append(f"the distance from the query photos is unusual at {where}")
        if self.picture is not None and self.picture.has_finding:
            said.append(
                f"the map of the whole picture stands out, most at the {self.picture.where}"
            )
        return tuple(said)


def face_maps(
    pixels: np.ndarray,
    face: Face,
    photos: Sequence[FaceInImage],
    *,
    instruments: ModelBundle,
    located: Localisation | None = None,
) -> FaceMaps:
    """The maps of a face in a picture (h, w, 3) uint8 RGB; `photos` are the query's with their
    faces.

    `located` is its map of the signs of forgery, if it is known already. Raises ToolError if that
    cannot be made.
    """
    encoder, head = instruments.encoder, map_detector(instruments)
    if located is None:
        if head is None:
            raise ToolError("this profile has no detector that can locate anything")
        located = localise_forgery(pixels, face, encoder=encoder, head=head)
    return FaceMaps(
        located,
        reference_map((pixels, face), photos, encoder=encoder),
        whole_picture_map(pixels, instruments),
    )
