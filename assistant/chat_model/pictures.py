"""Pictures in messages: decode them, and move them from tool results to user messages."""

import base64
import binascii
import io
from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.messages import BaseMessage, HumanMessage, ToolMessage
from PIL import Image, UnidentifiedImageError


def move_tool_images_to_user(messages: Sequence[BaseMessage]) -> list[BaseMessage]:
    """Move pictures of tool results to user messages of their own.

    Many templates and servers silently drop pictures from tool messages. Each picture follows the
    last tool message of its group, labelled by its tool.
    """
    moved: list[BaseMessage] = []
    waiting: list[dict[str, Any]] = []
    for message in messages:
        if waiting and not isinstance(message, ToolMessage):
            moved.append(HumanMessage(content=list(waiting)))
            waiting = []
        if isinstance(message, ToolMessage):
            message, pictures = _without_pictures(message)
            waiting += pictures
        moved.append(message)
    return [*moved, HumanMessage(content=list(waiting))] if waiting else moved


def _without_pictures(message: ToolMessage) -> tuple[ToolMessage, list[dict[str, Any]]]:
    blocks: list[Any] = list(message.content_blocks)
    pictures = [block for block in blocks if block["type"] == "image"]
    if not pictures:
        return message, []
    words = [block for block in blocks if block["type"] != "image"]
    label = {"type": "text", "text": f"Picture from {message.name or 'the tool'}:"}
    return message.model_copy(update={"content": words}), [
        part for picture in pictures for part in (label, picture)
    ]


def decode_image_block(block: Mapping[str, Any]) -> Image.Image:
    """Decode a standard image block to an RGB picture. Raises ValueError for an external one."""
    encoded = block.get("base64")
    url = str(block.get("url", ""))
    if encoded is None and url.startswith("data:"):
        encoded = url.partition(",")[2]
    if encoded is None:
        raise ValueError(f"pictures are part of the message, never fetched: {url[:60]!r}")
    try:
        with Image.open(io.BytesIO(base64.b64decode(encoded, validate=True))) as opened:
            return opened.convert("RGB")
    except (binascii.Error, UnidentifiedImageError) as error:
        raise ValueError("an image block holds no picture") from error
