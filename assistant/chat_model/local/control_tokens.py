"""Escape control tokens in text from users, files and tools, so that they are plain text.

`<|im_end|>` in a caption becomes `< |im_end|>`. transformers can encode such words as text itself
(`sanitize_control_tokens`), which stays on, but it leaves out tokens that the template does not
mention (`<think>`), and one token inside another (`<|<|image_pad|>image_pad|>`) raises an error, so
that one file's metadata could make every later turn fail. The tokenizer of a server is unknown to
us.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, SystemMessage

TemplateMessages = list[dict[str, Any]]

_MARKERS = re.compile("[\U000f0000\U000f0001]")
"""transformers marks such words with these; it drops them from texts, and so may join the rest."""

_SERVERS = re.compile(
    r"<(?=[|｜])|<(?=/?(?:tools?|tool_calls?|tool_response|think|image|video|start_of_turn|"
    r"end_of_turn|end_of_utterance|fake_token_around_image|bos|eos|pad|unk|s)>)|"
    r"<(?=(?:function|parameter)=)|\[(?=/?(?:INST|TOOL_CALLS|TOOL_RESULTS|AVAILABLE_TOOLS|IMG)\])",
    re.IGNORECASE,
)


def escape_control_tokens(conversation: TemplateMessages, tokenizer: Any) -> TemplateMessages:
    """A conversation whose texts contain no control token; the template writes its own."""
    tokens = tuple(
        token.content
        for token in tokenizer.added_tokens_decoder.values()
        if len(token.content.strip()) > 1 and (token.special or token.content[0] in "<[")
    )
    pattern = _any_of(tokens)
    return [_plain(turn, pattern) for turn in conversation]


@lru_cache(maxsize=8)
def _any_of(tokens: tuple[str, ...]) -> re.Pattern[str]:
    """A pattern for any of the tokens; their first characters rule out most places of a text."""
    if not tokens:
        return re.compile(r"(?!)")
    first = "".join(re.escape(character) for character in sorted({it[0] for it in tokens}))
    longest = sorted(tokens, key=len, reverse=True)
    return re.compile(f"(?=[{first}])(?:{'|'.join(map(re.escape, longest))})")


def _plain(value: Any, pattern: re.Pattern[str]) -> Any:
    """The value with control tokens in all of its texts escaped."""
    if isinstance(value, dict):
        return {key: _plain(each, pattern) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each, pattern) for each in value]
    if isinstance(value, str):
        value = _MARKERS.sub("", value)
        # Repeat until there is none: the remains of one token may complete another.
        while pattern.search(value):
            value = pattern.sub(lambda match: f"{match[0][0]} {match[0][1:]}", value)
    return value


def escape_known_control_tokens(messages: Sequence[BaseMessage]) -> list[BaseMessage]:
    """Escape the control tokens of known families in messages of users, files and tools."""
    return [
        message if isinstance(message, (AIMessage, SystemMessage)) else _message(message)
        for message in messages
    ]


def _message(message: BaseMessage) -> BaseMessage:
    content = message.content
    if isinstance(content, str):
        return message.model_copy(update={"content": _SERVERS.sub(r"\g<0> ", content)})
    blocks = [_block(block) for block in content]
    return message.model_copy(update={"content": blocks})


def _block(block: str | dict[Any, Any]) -> str | dict[Any, Any]:
    if isinstance(block, str):
        return _SERVERS.sub(r"\g<0> ", block)
    if block.get("type") == "text":
        return block | {"text": _SERVERS.sub(r"\g<0> ", block["text"])}
    return block
