"""A model behind an OpenAI-compatible server (vLLM, llama.cpp, Ollama, transformers serve)."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any, TypeVar

import openai
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_openai import ChatOpenAI
from pydantic import BaseModel, Field, SecretStr

from assistant.chat_model.local.control_tokens import escape_known_control_tokens
from assistant.chat_model.pictures import move_tool_images_to_user
from assistant.chat_model.served.errors import (
    embedded_error,
    translate_server_errors,
    unexpected_response,
)
from assistant.chat_model.served.routes import parse_endpoint
from assistant.conversation.server_wait import Silence, heard
from assistant.settings import VLM_WAIT_S

CONNECT_TIMEOUT_S, LIST_MODELS_TIMEOUT_S = 5.0, 10.0
"""Timeouts in seconds for a connection (a lost packet is sent again after 1 and 3 s) and for the
list of models, for which a server needs no loaded model. The next piece of an answer may take
`Settings.vlm_wait_s`. Requests are not repeated: a server that was silent once would be again."""

T = TypeVar("T")


class ServedVLM(ChatOpenAI):
    """A served chat model; turns that may call tools are not streamed.

    Servers' streaming parsers lose calls and arguments, and most drop pictures from tool messages;
    `allowed_citations` is ours and not sent (citations are checked afterwards). Every failure of
    the server is a ChatServerError.
    """

    server: str
    """Its address, as shown in messages to the user."""

    def heard(self, begin: Callable[[], Iterator[T]]) -> Iterator[T | Silence]:
        """Yield a call's output, with `Silence` while nothing arrives; closing it hangs up."""
        return heard(begin, server=self.server)

    def _get_request_payload(
        self, input_: LanguageModelInput, *, stop: list[str] | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        kwargs.pop("allowed_citations", None)
        messages = escape_known_control_tokens(self._convert_input(input_).to_messages())
        messages = move_tool_images_to_user(messages)
        payload: dict[str, Any] = super()._get_request_payload(messages, stop=stop, **kwargs)
        return payload

    def _generate(self, *args: Any, **kwargs: Any) -> ChatResult:
        with translate_server_errors(self.server):
            return super()._generate(*args, **kwargs)

    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        begun = ended = False
        with translate_server_errors(self.server):
            for chunk in super()._stream(*args, **kwargs):
                begun = True
                ended = ended or bool((chunk.generation_info or {}).get("finish_reason"))
                yield chunk
        if not begun:  # it does not stream, or reports in another form why not
            yield _as_chunk(self._generate(*args, **kwargs))
        elif not ended:  # a connection that closes between two pieces looks like an end
            raise unexpected_response(self.server, "its answer broke off in the middle")

    async def _agenerate(self, *args: Any, **kwargs: Any) -> ChatResult:
        # The asynchronous client would bypass this route: only the one above is ever used.
        return await BaseChatModel._agenerate(self, *args, **kwargs)

    async def _astream(self, *args: Any, **kwargs: Any) -> AsyncIterator[ChatGenerationChunk]:
        async for chunk in BaseChatModel._astream(self, *args, **kwargs):
            yield chunk

    def _create_chat_result(
        self, response: Any, generation_info: dict[str, Any] | None = None
    ) -> ChatResult:
        answer = self._read(response)
        _Answer.model_validate(answer)
        for choice in answer["choices"]:
            choice["message"]["role"] = "assistant"
        return super()._create_chat_result(answer, generation_info)

    def _convert_chunk_to_generation_chunk(
        self, chunk: Any, *args: Any, **kwargs: Any
    ) -> ChatGenerationChunk | None:
        piece = self._read(chunk)
        _Piece.model_validate(piece)
        for choice in piece.get("choices") or ():
            choice["delta"] = {**(choice.get("delta") or {}), "role": "assistant"}
        piece["choices"] = piece.get("choices") or []
        return super()._convert_chunk_to_generation_chunk(piece, *args, **kwargs)

    def _read(self, response: Any) -> dict[str, Any]:
        """The JSON object of an answer; raises for text, a list or an error of the server."""
        if isinstance(response, openai.BaseModel):
            response = response.model_dump(warnings=False)
        if not isinstance(response, Mapping):
            raise unexpected_response(
                self.server, f"it answered with something else: {_begin(response)}"
            )
        wrong = response.get("error") or (not response.get("choices") and response.get("detail"))
        if wrong:
            raise embedded_error(self.server, wrong)
        return dict(response)


# The only fields read of an answer: servers leave out and add many.
class _Function(BaseModel):
    name: str
    arguments: str


class _Call(BaseModel):
    function: _Function


class _Message(BaseModel):
    content: str | list[Any] | None = None
    tool_calls: list[_Call] | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None


class _Answer(BaseModel):
    choices: list[_Choice] = Field(min_length=1)
    usage: dict[str, Any] | None = None


class _Delta(BaseModel):
    content: str | list[Any] | None = None


class _Part(BaseModel):
    delta: _Delta | None = None
    finish_reason: str | None = None


class _Piece(BaseModel):
    choices: list[_Part] | None = None
    usage: dict[str, Any] | None = None


class _Listed(BaseModel):
    id: str


class _Models(BaseModel):
    data: list[_Listed] = Field(min_length=1)


def load_served_vlm(url: str, *, wait_s: float = VLM_WAIT_S) -> ServedVLM:
    """Connect to the model of a server (the first one if it has several).

    `wait_s` is the longest allowed silence in seconds. `url` is like "http://localhost:8000" or
    with its path, "http://:KEY@host:8000/v1"; "#NAME" at its end chooses among several models.
    Raises ChatServerError if the server does not answer.
    """
    way = parse_endpoint(url)
    served = ServedVLM(
        server=way.base,
        model=way.model,
        base_url=way.base,
        api_key=SecretStr(way.key),
        openai_proxy=None,
        http_client=way.client(),
        timeout=openai.Timeout(wait_s, connect=CONNECT_TIMEOUT_S),
        temperature=0.0,
        max_retries=0,
        disable_streaming="tool_calling",
        use_responses_api=False,
        output_version=None,
        stream_usage=False,
    )
    served.model_name = way.model or _first_model(served)
    return served


def _first_model(served: ServedVLM) -> str:
    timeout = openai.Timeout(LIST_MODELS_TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
    client = served.root_client.with_options(timeout=timeout, max_retries=0)
    with translate_server_errors(served.server):
        answer = client.models.with_raw_response.list().http_response
        return _Models.model_validate_json(answer.content).data[0].id


def _as_chunk(result: ChatResult) -> ChatGenerationChunk:
    message = result.generations[0].message
    told = message.usage_metadata if isinstance(message, AIMessage) else None
    return ChatGenerationChunk(
        message=AIMessageChunk(
            content=message.content,
            usage_metadata=told,
            response_metadata=message.response_metadata,
        )
    )


def _begin(response: object) -> str:
    return repr(" ".join(str(response).split())[:80])
