"""Convert langchain messages to a checkpoint's processor inputs: ids, masks and pictures."""

from collections.abc import Iterator, Sequence
from typing import Any

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)

from assistant.chat_model.local.control_tokens import TemplateMessages, escape_control_tokens
from assistant.chat_model.local.template_features import TemplateCapabilities
from assistant.chat_model.pictures import decode_image_block, move_tool_images_to_user


def to_template_messages(
    messages: Sequence[BaseMessage], habits: TemplateCapabilities
) -> TemplateMessages:
    """Messages in the form that the checkpoint's template accepts; pictures are decoded."""
    if not habits.tool_pictures:
        messages = move_tool_images_to_user(messages)
    turns = [_turn(message) for message in messages]
    return turns if habits.text_parts else [_joined(turn) for turn in turns]


def _turn(message: BaseMessage) -> dict[str, Any]:
    parts = [*_parts(message)]
    match message:
        case SystemMessage():
            return {"role": "system", "content": parts}
        case HumanMessage():
            return {"role": "user", "content": parts}
        case ToolMessage():
            turn = {"role": "tool", "tool_call_id": message.tool_call_id, "content": parts}
            return turn | ({"name": message.name} if message.name else {})
        case AIMessage():
            turn = {"role": "assistant", "content": parts or ""}
            calls = [_spoken_call(call) for call in message.tool_calls]
            return turn | ({"tool_calls": calls} if calls else {})
    raise ValueError(f"no place in a prompt for a {message.type!r} message")


def _spoken_call(call: Any) -> dict[str, Any]:
    function = {"name": call["name"], "arguments": call["args"]}
    return {"id": call["id"], "type": "function", "function": function}


def _parts(message: BaseMessage) -> Iterator[dict[str, Any]]:
    for block in message.content_blocks:
        if block["type"] == "text":
            if block["text"]:
                yield {"type": "text", "text": block["text"]}
        elif block["type"] == "image":
            yield {"type": "image", "image": decode_image_block(block)}
        elif block["type"] not in ("tool_call", "invalid_tool_call", "reasoning"):
            raise ValueError(f"the model cannot read a {block['type']!r} block")


def _joined(turn: dict[str, Any]) -> dict[str, Any]:
    """The message with its text as one string, for templates that do not read parts."""
    content = turn["content"]
    if isinstance(content, str) or any(part["type"] != "text" for part in content):
        return turn
    return turn | {"content": "".join(part["text"] for part in content)}


def prompt_inputs(
    processor: Any,
    conversations: Sequence[TemplateMessages],
    habits: TemplateCapabilities,
    tools: Sequence[dict[str, Any]] = (),
) -> Any:
    """Token ids, mask and pictures of one or several prompts, padded on the left.

    Control tokens in text from users, tools and files ("<|im_start|>", "</tool_call>") are encoded
    as plain text: only the template opens or closes a turn.
    """
    return processor.apply_chat_template(
        [escape_control_tokens(each, processor.tokenizer) for each in conversations],
        tools=list(tools) or None,
        add_generation_prompt=True,
        tokenize=True,
        return_dict=True,
        return_tensors="pt",
        sanitize_control_tokens=True,
        processor_kwargs={"padding": True},
        **habits.options,
    )
