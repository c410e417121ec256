"""Questions from the application with buttons: which face, or which photo is authentic.

A press sends words that a person could have typed; both are parsed by the same rules.
"""

from collections.abc import Callable, Sequence
from html import escape

import numpy as np

from assistant.agent.directed_turns import PendingQuestion
from assistant.chat.messages import Message
from assistant.report.pictures.data_uris import data_uri, draw_numbered_boxes

PixelsLookup = Callable[[str], np.ndarray | None]
"""The picture of a photo by its handle, (h, w, 3) uint8 RGB; None if it is missing."""

_PICTURE_PX = 640


def clarification_message(pending_question: PendingQuestion, picture: PixelsLookup) -> Message:
    """The question as a message with its options as buttons."""
    if pending_question.boxes:
        return _which_face(pending_question, picture(pending_question.photos[0]))
    options = [f"{photo} is authentic" for photo in pending_question.photos]
    said = "Choose an answer, or type your own:"
    every = "Both are authentic" if len(options) == 2 else "All are authentic"
    return _message(f'<div class="asks-back">{escape(said)}</div>', [*options, every])


def _which_face(pending_question: PendingQuestion, pixels: np.ndarray | None) -> Message:
    (photo, *_), boxes = pending_question.photos, pending_question.boxes
    said = f"{photo} shows {len(boxes)} faces. Which one is meant?"
    shown = "" if pixels is None else _clickable(photo, pixels, boxes)
    options = [f"Face {number}" for number in range(1, len(boxes) + 1)]
    return _message(f'<div class="asks-back">{escape(said)}{shown}</div>', options)


def _clickable(photo: str, pixels: np.ndarray, boxes: Sequence[Sequence[float]]) -> str:
    """The picture with numbered boxes, each of which is a button."""
    height, width = pixels.shape[:2]
    uri = data_uri(draw_numbered_boxes(pixels, boxes, longest_px=_PICTURE_PX))
    buttons = "".join(
        # Gradio's sanitizer keeps `value` and `title`, and removes data and ARIA attributes.
        f'<button type="button" class="face-box" value="Face {number}" '
        f'title="Face {number} of {escape(photo)}" style="left:{100 * left / width:.2f}%;'
        f"top:{100 * top / height:.2f}%;width:{100 * (right - left) / width:.2f}%;"
        f'height:{100 * (bottom - top) / height:.2f}%"></button>'
        for number, (left, top, right, bottom) in enumerate(boxes, start=1)
    )
    alt = f"{photo} with {len(boxes)} numbered faces"
    return f'<div class="faces"><img src="{uri}" alt="{escape(alt)}">{buttons}</div>'


def _message(html: str, options: Sequence[str]) -> Message:
    return {
        "role": "assistant",
        "content": html,
        "options": [{"value": text, "label": text} for text in options],
    }
