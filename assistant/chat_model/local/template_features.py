"""Probe a checkpoint's chat template for its support of tools, tool calls and pictures.

Templates silently drop what they do not know: tools, pictures in tool results, content given as a
list. So each feature is tested by rendering before the first question.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jinja2 import TemplateError
from PIL import Image

from assistant.conversation.tool_calls import ToolCallFormat, detect_format
from tools.errors import SetupError

_TOOL = {
    "type": "function",
    "function": {
        "name": "probe_of_the_template",
        "description": "",
        "parameters": {"type": "object", "properties": {"photo": {"type": "string"}}},
    },
}
_MARK = "markedword"


@dataclass(frozen=True, slots=True)
class TemplateCapabilities:
    """Capabilities of a template.

    `form` is the format of its tool calls; the flags tell whether pictures in tool messages, and
    text given as a list of parts outside user messages, arrive, and whether it has a switch for
    thinking.
    """

    form: ToolCallFormat
    tool_pictures: bool
    text_parts: bool
    supports_thinking: bool

    @property
    def options(self) -> dict[str, bool]:
        """Template variables that switch thinking off: the answer should only state evidence."""
        return {"enable_thinking": False} if self.supports_thinking else {}


def probe_template(name: str, processor: Any) -> TemplateCapabilities:
    """Render small conversations; raises SetupError if tools do not reach the prompt."""
    template = _template(name, processor)
    form = detect_format(template)
    if "probe_of_the_template" not in _rendered(processor, [_user("Hello")], [_TOOL]):
        raise SetupError(
            f"the chat template of {name!r} does not show tools to the model; choose one that "
            "does, such as Qwen/Qwen3-VL-4B-Instruct, with `--vlm`"
        )
    if form is None:
        raise SetupError(
            f"{name!r} writes tool calls in a form that Unmask does not read (it reads Hermes "
            "JSON and Qwen's XML); choose another model with `--vlm`"
        )
    return TemplateCapabilities(
        form, _keeps_pictures(processor), _keeps_parts(processor), "enable_thinking" in template
    )


def _template(name: str, processor: Any) -> str:
    template = getattr(processor, "chat_template", None) or processor.tokenizer.chat_template
    if not template:
        raise SetupError(f"{name!r} has no chat template; choose another model with `--vlm`")
    return template if isinstance(template, str) else "\n".join(template.values())


def require_tools(processor: Any, tools: Sequence[dict[str, Any]], name: str) -> None:
    """Raises SetupError unless the name of every tool occurs in the rendered prompt."""
    prompt = _rendered(processor, [_user("Hello")], tools)
    missing = [it["function"]["name"] for it in tools if it["function"]["name"] not in prompt]
    if missing:
        raise SetupError(
            f"the chat template of {name!r} does not show the tools {', '.join(missing)}; "
            "choose another model with `--vlm`"
        )


def _rendered(
    processor: Any, conversation: list[dict[str, Any]], tools: Sequence[dict[str, Any]] = ()
) -> str:
    return str(
        processor.apply_chat_template(
            conversation,
            tools=list(tools) or None,
            add_generation_prompt=True,
            tokenize=False,
        )
    )


def _user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": [{"type": "text", "text": text}]}


def _call_and_answer(content: Any) -> list[dict[str, Any]]:
    function = {"name": "probe_of_the_template", "arguments": {"photo": "Q1"}}
    return [
        _user("Hello"),
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"id": "1", "type": "function", "function": function}],
        },
        {
            "role": "tool",
            "name": "probe_of_the_template",
            "tool_call_id": "1",
            "content": content,
        },
    ]


def _keeps_pictures(processor: Any) -> bool:
    """Whether a picture in a tool message adds exactly what one in a user message adds."""
    text = {"type": "text", "text": _MARK}
    picture = {"type": "image"}
    try:
        without = _rendered(processor, _call_and_answer([text]))
        with_one = _rendered(processor, _call_and_answer([text, picture]))
    except TemplateError:
        return False
    shown = _rendered(processor, [{"role": "user", "content": [text, picture]}])
    placeholder = shown.partition(_MARK)[2].removesuffix(_tail(processor))
    return bool(placeholder) and with_one.count(placeholder) == without.count(placeholder) + 1


def _tail(processor: Any) -> str:
    """The rendered text after the last words of a user message."""
    return _rendered(processor, [_user(_MARK)]).partition(_MARK)[2]


def _keeps_parts(processor: Any) -> bool:
    """Whether text given as a list of parts is rendered as that text, in every role."""
    parts = [{"type": "text", "text": _MARK}]
    conversation = [
        {"role": "system", "content": parts},
        *_call_and_answer(parts),
        {"role": "assistant", "content": parts},
        _user("Hello"),
    ]
    try:
        prompt = _rendered(processor, conversation)
    except TemplateError:
        return False
    return prompt.count(_MARK) == 3 and "'text'" not in prompt and '"text"' not in prompt


def require_vision(name: str, model: Any, processor: Any, habits: TemplateCapabilities) -> None:
    """Raises SetupError unless another picture changes the model's next-token prediction."""
    options = habits.options
    first, second = (_next_logits(model, processor, _noise(seed), options) for seed in (0, 1))
    if torch.equal(first, second):
        raise SetupError(
            f"pictures do not reach the model {name!r}: two different ones make no difference; "
            "its files do not belong together, get them again or choose another with `--vlm`"
        )


def _noise(seed: int) -> Image.Image:
    blocks = np.random.default_rng(seed).integers(0, 256, (7, 7, 3), dtype=np.uint8)
    return Image.fromarray(blocks).resize((112, 112), Image.Resampling.NEAREST)


def _next_logits(
    model: Any, processor: Any, picture: Image.Image, options: dict[str, bool]
) -> torch.Tensor:
    content = [{"type": "image", "image": picture}, {"type": "text", "text": "Describe."}]
    inputs = processor.apply_chat_template(
        [{"role": "user", "content": content}],
        add_generation_prompt=True,
        tokenize=True,
        return_dict=True,
        return_tensors="pt",
        **options,
    )
    with torch.inference_mode():
        logits: torch.Tensor = model(**inputs.to(model.device)).logits
    return logits[0, -1].float().cpu()
