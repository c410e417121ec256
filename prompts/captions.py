"""Captions that are true by construction: the forge knows what it did, where and how.

The pocket encoder learns from them, so text prompts mean something to it; the zero-shot prompts
are the questions that a detector may ask.
"""

from collections.abc import Sequence

REAL_PROMPTS = (
    "an authentic photo of a face",
    "a real photo of a person",
    "an unaltered photograph of a person",
    "a camera original, nothing was changed",
)
FAKE_PROMPTS = (
    "a forged photo of a face",
    "a fake photo of a person",
    "a deepfake of a person",
    "a manipulated photograph, the face was changed",
)

_WHAT = {
    "self_blend": ("a photo blended with itself", "a self blended face"),
    "face_swap": ("a face swap", "the face of another person on this body"),
    "partial_swap": ("a partial face swap", "a window of another face"),
    "region_swap": ("features of another face", "parts of the face from another photo"),
    "reenactment": ("a reenacted face", "an expression moved by warping"),
    "inpainting": ("a retouched face", "a face painted over"),
    "resynthesis": ("a synthesised face", "a face made again by a generator"),
    "video_deepfake": ("a frame of a deepfake video", "a face made by a video deepfake"),
}
_MAIN_PARTS = ("mouth", "nose", "left eye", "right eye", "eyebrows", "skin")


def caption_class(family: str | None, regions: Sequence[str]) -> tuple[str, str]:
    """What a caption tells apart: family ("authentic" for None) and where.

    Pictures of the same class may share a caption; training treats them as equally right.
    """
    if family is None:
        return "authentic", ""
    return family, _place(regions)


def captions(kind: tuple[str, str]) -> tuple[str, ...]:
    """Every wording for a class of `caption_class`, each of them true of each of its pictures."""
    family, place = kind
    if family == "authentic":
        return REAL_PROMPTS
    where = f", {place} changed" if place else ""
    return FAKE_PROMPTS + tuple(
        f"{start}{what}{where}" for what in _WHAT[family] for start in ("", "a forgery: ")
    )


def _place(regions: Sequence[str]) -> str:
    """One to two parts in words; the whole face where most parts are changed."""
    parts = [name for name in _MAIN_PARTS if name in regions]
    if "left eye" in parts and "right eye" in parts:
        parts = [name for name in parts if name not in ("left eye", "right eye")] + ["eyes"]
    if len(parts) > 3 or "whole face" in regions:
        return "the whole face"
    return " and ".join(f"the {name}" for name in parts if name != "skin" or len(parts) == 1)
