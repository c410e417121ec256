"""Chat server errors in one line: the server, its message, and the remedy."""

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence

import httpx
import openai
from pydantic import ValidationError

from tools.errors import SetupError
from tools.verdict.handles import sanitise_text

_LONGEST_QUOTE = 200
_CHANGE = "or choose another server or model with `--vlm`"
_TOO_LONG = ("context", "too long", "too many tokens", "maximum length", "input tokens")
_NO_TOOLS = ("tool", "function")
# By name: newer releases of openai use another httpx (httpx2) than older ones.
_BROKEN_OFF = ("ReadError", "RemoteProtocolError")  # the server is running
_NOT_REACHED = ("ConnectTimeout",)
_TO_DO = {
    401: "put its key into the URL, as in `--vlm http://:KEY@HOST:PORT`",
    403: "put a key that may use it into the URL, as in `--vlm http://:KEY@HOST:PORT`",
    404: "correct the URL, or name a model that it serves, as in `--vlm http://HOST:PORT#MODEL`",
    408: f"ask again, {_CHANGE}",
    413: f"let it take larger requests, {_CHANGE}",
    429: f"wait a moment and ask again, {_CHANGE}",
}


class ChatServerError(SetupError):
    """A chat server failed or gave an invalid answer; the message is one line for the user.

    `status` is the HTTP status, None if there was no answer or an unreadable one.
    """

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


@contextlib.contextmanager
def translate_server_errors(server: str) -> Iterator[None]:
    """Turn every failure of the server at this address into a ChatServerError."""
    try:
        yield
    except openai.APIStatusError as error:
        raise _refused(server, error) from error
    except openai.APITimeoutError as error:
        if _is(error, _NOT_REACHED):
            raise ChatServerError(
                f"no chat server can be reached at {server}; start it, or correct `--vlm`, then "
                "ask again"
            ) from error
        raise ChatServerError(
            f"the chat server at {server} did not answer in time; look whether it still works, "
            f"set UNMASK_VLM_WAIT_S to more seconds if it is slow, then ask again, {_CHANGE}"
        ) from error
    except (openai.APIConnectionError, httpx.HTTPError) as error:
        if _is(error, _BROKEN_OFF):
            raise ChatServerError(
                f"the chat server at {server} closed the connection before its answer was whole "
                f"({_innermost(error)}); look at its log, then ask again, {_CHANGE}"
            ) from error
        raise ChatServerError(
            f"no OpenAI-compatible server at {server}: the connection failed "
            f"({_innermost(error)}); start it, or correct `--vlm`, then ask again"
        ) from error
    except (ValidationError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise unexpected_response(server, _in_words(error)) from error
    except openai.OpenAIError as error:  # an error in the middle of a stream, and similar
        raise ChatServerError(
            f"the chat server at {server} answered with an error: {_quoted(error)}; look at its "
            f"log, then ask again, {_CHANGE}"
        ) from error


def unexpected_response(server: str, why: str) -> ChatServerError:
    """The error for a server whose answer does not follow OpenAI's API."""
    return ChatServerError(
        f"no OpenAI-compatible server at {server}: {why}; correct the URL, update the server, "
        f"{_CHANGE}"
    )


def embedded_error(server: str, error: object) -> ChatServerError:
    """The error for an answer that looks like success and contains an error."""
    text = error.get("message") or error if isinstance(error, Mapping) else error
    return ChatServerError(
        f"the chat server at {server} answered with an error: {_short(text)}; look at its log, "
        f"then ask again, {_CHANGE}"
    )


def _refused(server: str, error: openai.APIStatusError) -> ChatServerError:
    status, text = error.status_code, _quoted(error)
    return ChatServerError(
        f"the chat server at {server} answered {status}: {text}; {_to_do(error, text.lower())}",
        status=status,
    )


def _to_do(error: openai.APIStatusError, text: str) -> str:
    status = error.status_code
    if 300 <= status < 400:
        place = _short(error.response.headers.get("location", "another address"))
        return f"it sends us on to {place}, which is not followed: name that with `--vlm`"
    if 400 <= status < 500 and any(sign in text for sign in _TOO_LONG):
        return (
            "ask in a new case (without `--case`), name fewer photos, or start the server with a "
            "longer context"
        )
    if status in (400, 422, 501) and any(sign in text for sign in _NO_TOOLS):
        return (
            "serve a model that can call tools (vLLM: --enable-auto-tool-choice, llama.cpp: "
            "--jinja), or choose another with `--vlm`"
        )
    if status >= 500:
        return f"look at its log, then ask again, {_CHANGE}"
    return _TO_DO.get(status, f"look at its log, {_CHANGE}")


def _quoted(error: openai.OpenAIError) -> str:
    """The server's own message, without the client's wording."""
    body = getattr(error, "body", None)
    if isinstance(body, Mapping):
        body = next((body[key] for key in ("message", "error", "detail") if body.get(key)), body)
    return _short(body if body else error)


def _short(text: object) -> str:
    """Text as escaped data on one line; only the beginning of a web page."""
    return f'"{sanitise_text(text, longest=_LONGEST_QUOTE)}"'


def _is(error: BaseException | None, names: Sequence[str]) -> bool:
    """Whether an error, or one of its causes, has one of these names."""
    while error is not None:
        if type(error).__name__ in names:
            return True
        error = error.__cause__ or error.__context__
    return False


def _innermost(error: BaseException) -> str:
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return sanitise_text(error, longest=_LONGEST_QUOTE) or type(error).__name__


def _in_words(error: ValueError) -> str:
    if not isinstance(error, ValidationError):
        return "its answer is not JSON"
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(map(str, first["loc"])) or "the whole"
    return f"its answer is not of OpenAI's form ({where}: {first['msg'].lower()})"
