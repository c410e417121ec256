"""The face that a photo is clearly about, so that nobody is asked to choose between it and a knee.

Does not show: that it is the person meant; whoever chose it for the user says so.
"""

from collections.abc import Sequence

from tools.faces.analyser import Face

TIMES_AS_WIDE = 3.0
"""How much wider than another face that could be measured the dominant one must be. The second
person of a portrait is often half as wide, and then either may be meant."""


def dominant_face(faces: Sequence[Face]) -> int | None:
    """The index of the face that no other one rivals; None if one must be chosen.

    It can be measured, and the detector is surer of it than of all others. These are at most as
    wide if they cannot be measured, and otherwise at most a third of its width.
    """
    usable = [place for place, face in enumerate(faces) if face.quality.usable]
    if not usable:
        return None
    best = max(usable, key=lambda place: faces[place].quality.width_px)
    others = [face for place, face in enumerate(faces) if place != best]
    return best if all(_is_minor(face, faces[best]) for face in others) else None


def _is_minor(face: Face, beside: Face) -> bool:
    most = beside.quality.width_px / (TIMES_AS_WIDE if face.quality.usable else 1.0)
    surer = beside.quality.detector_score > face.quality.detector_score
    return surer and face.quality.width_px <= most


def measurable_faces(faces: Sequence[Face]) -> tuple[int, ...]:
    """The numbers (1-based) of the faces that can be measured; of all, if none can."""
    usable = tuple(number for number, face in enumerate(faces, 1) if face.quality.usable)
    return usable or tuple(range(1, len(faces) + 1))
