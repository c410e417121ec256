"""A model behind an OpenAI-compatible server (vLLM, llama.cpp, Ollama, transformers serve)."""

import json
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from langchain_core.language_models import LanguageModelInput
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from assistant.chat_model.control_tokens import broken_up_for_servers
from assistant.chat_model.pictures import pictures_after_tools
from tools.errors import SetupError

TIMEOUT_S = 20


class ServedVLM(ChatOpenAI):
    """A served chat model; turns that may call tools are not streamed.

    Servers' streaming parsers lose calls and arguments, and most drop pictures from tool
    messages; `allowed_citations` is ours and not sent (what is cited is checked afterwards).
    """

    def _get_request_payload(
        self, input_: LanguageModelInput, *, stop: list[str] | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        kwargs.pop("allowed_citations", None)
        messages = broken_up_for_servers(self._convert_input(input_).to_messages())
        messages = pictures_after_tools(messages)
        payload: dict[str, Any] = super()._get_request_payload(messages, stop=stop, **kwargs)
        return payload


def served(url: str) -> ServedVLM:
    """The model that a server serves (the first, when it has several).

    `url` as in "http://localhost:8000" or with its path, "http://:KEY@host:8000/v1"; "#NAME" at
    its end chooses among several models. Raises SetupError when the server does not answer.
    """
    parts = urlsplit(url)
    key = parts.password or "none"
    host = parts.netloc.rpartition("@")[2]
    base = urlunsplit((parts.scheme, host, parts.path.rstrip("/") or "/v1", parts.query, ""))
    return ServedVLM(
        model=parts.fragment or _first_model(base, key),
        base_url=base,
        api_key=SecretStr(key),
        temperature=0.0,
        max_retries=1,
        disable_streaming="tool_calling",
        use_responses_api=False,
    )


def _first_model(base: str, key: str) -> str:
    request = urllib.request.Request(  # noqa: S310 - http or https, as `chat_model` has seen
        f"{base}/models", headers={"Authorization": f"Bearer {key}", "User-Agent": "unmask"}
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as reply:  # noqa: S310
            listed = json.load(reply)["data"]
            return str(listed[0]["id"])
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise SetupError(
            f"no OpenAI-compatible server at {base}: {error}; start it, or correct `--vlm`"
        ) from error
