"""Chat servers receive photos as configured; each failure is one line."""

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import HumanMessage

from assistant.agent import model_stream, planned_answers
from assistant.agent.agent import Agent
from assistant.case.record import Case
from assistant.chat.button_actions import plan_search
from assistant.chat.session_state import ChatSession
from assistant.chat_model.choice import load_chat_model
from assistant.chat_model.served import model
from assistant.chat_model.served.errors import ChatServerError
from assistant.chat_model.served.routes import is_loopback, parse_endpoint
from assistant.cli.casework import transcript
from assistant.conversation.steps import Failed, ModelText, UserTurn
from assistant.settings import Settings
from tests.support.cases import GALLERY
from tests.support.chat_servers import (
    Answer,
    Request,
    Silent,
    completion,
    run_chat_server,
    run_proxy_server,
    send,
    stream,
)
from tools.agent_tools.workspace import Workspace
from tools.errors import SetupError

pytestmark = pytest.mark.allow_hosts(["127.0.0.1", "::1"])

PICTURE = {"type": "image", "base64": "aGk=", "mime_type": "image/png"}
HELLO = {"role": "assistant", "content": "Hello."}


def called(arguments: object) -> dict[str, Any]:
    """A message that calls a tool."""
    call = {"id": "c", "type": "function", "function": {"name": "x", "arguments": arguments}}
    return {"role": "assistant", "content": None, "tool_calls": [call]}


def always(status: int, body: object, kind: str = "application/json") -> Answer:
    """A server with one answer to everything."""
    return lambda request, _: send(request, status, body, kind)


def answered(address: str, *, streamed: bool, wait_s: float = 20) -> str:
    """What the model behind an address says, asked with or without streaming."""
    model = load_chat_model(Settings(vlm=address, vlm_wait_s=wait_s))
    asked = [HumanMessage([{"type": "text", "text": "Who?"}, PICTURE])]
    if streamed:
        return "".join(str(it.content) for it in model.stream(asked))
    return str(model.invoke(asked).content)


# -- the way ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST.", "me.localhost", "127.0.0.1", "127.8.9.1", "127.1", "2130706433",
     "0x7f.1", "0.0.0.0", "::1",  # noqa: S104 - asked, not listened at
     "::ffff:127.0.0.1", "0:0:0:0:0:0:0:1"],
)  # fmt: skip
def test_this_machine_has_many_names(host: str) -> None:
    """All spellings of a loopback address mean this machine."""
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["example.org", "localhost.example.org", "128.0.0.1", "10.0.0.1", "::2", "127.example",
             "notlocalhost", "1270.0.0.1"],
)  # fmt: skip
def test_other_machines_are_not_this_one(host: str) -> None:
    """A name that only looks like loopback is another machine's."""
    assert not is_loopback(host)


@pytest.mark.parametrize("streamed", [False, True])
def test_a_server_here_is_asked_directly(streamed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever proxies, addresses, keys and headers the environment names."""
    asked: list[dict[str, str]] = []

    def answer(request: Request, body: dict[str, Any]) -> None:
        asked.append({name.lower(): value for name, value in request.headers.items()})
        if body.get("stream"):
            stream(request, "Hel", "lo.")
        else:
            send(request, 200, completion(HELLO))

    with run_chat_server(answer) as address, run_proxy_server() as (proxy, seen):
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "OPENAI_PROXY"):
            monkeypatch.setenv(name, proxy)
            if not name.startswith("OPENAI"):
                monkeypatch.setenv(name.lower(), proxy)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.setenv(name, "example.org")
        for name in ("OPENAI_BASE_URL", "OPENAI_API_BASE"):
            monkeypatch.setenv(name, f"{proxy}/v1")
        for name in ("ORG_ID", "ORGANIZATION", "PROJECT_ID", "API_KEY"):
            monkeypatch.setenv(f"OPENAI_{name}", "acme")
        monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Acme: acme\nHost: acme")
        assert answered(address, streamed=streamed) == "Hello."
    assert seen == []
    assert "acme" not in str(asked)
    assert {it["authorization"] for it in asked} == {"Bearer none"}


def test_another_server_is_asked_through_the_proxy_that_was_set(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The system's proxy is heeded, and one line says that photos travel through it."""
    with run_proxy_server() as (proxy, seen):
        monkeypatch.setenv("http_proxy", proxy)
        monkeypatch.setenv("OPENAI_BASE_URL", "http://other.invalid/v1")
        assert answered("http://models.invalid:8000", streamed=False) == "From the proxy."
    assert {it.partition("/v1")[0] for it in seen} == {"http://models.invalid:8000"}
    (line,) = capsys.readouterr().err.splitlines()
    assert "photos travel to http://models.invalid:8000/v1 through the proxy 127.0.0.1" in line
    monkeypatch.setenv("no_proxy", "models.invalid")
    assert parse_endpoint("http://models.invalid:8000").notice is None


def test_an_unusable_proxy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy of another kind is not passed over: photos would travel without it."""
    monkeypatch.setenv("http_proxy", "gopher://127.0.0.1:70")
    with pytest.raises(SetupError, match=r"gopher.*HTTP_PROXY"):
        load_chat_model(Settings(vlm="http://models.invalid#m"))


def test_a_server_cannot_send_photos_on() -> None:
    """A redirect is told and not followed."""
    with run_proxy_server() as (elsewhere, seen):

        def answer(request: Request, _: dict[str, Any]) -> None:
            request.send_response(307)
            request.send_header("Location", f"{elsewhere}/v1/chat/completions")
            request.send_header("Content-Length", "0")
            request.end_headers()

        with (
            run_chat_server(answer) as address,
            pytest.raises(ChatServerError, match=r"307.*not followed"),
        ):
            answered(address, streamed=False)
    assert seen == []


@pytest.mark.parametrize(
    "url", ["http://", "http://[::1", "http://host:port", "http://127.0.0.1:99999"]
)
def test_what_is_no_address_is_told(url: str) -> None:
    """A URL without a server, or with a port that is none, is one line."""
    with pytest.raises(SetupError, match=r"correct `--vlm`|write `--vlm"):
        load_chat_model(Settings(vlm=url))


# -- failures ---------------------------------------------------------------------------------

FAILURES = [
    (400, {"error": {"message": "m does not support tools"}}, r"tools.*can call tools"),
    (400, {"error": {"message": "maximum context length is 4096"}}, r"context length.*new case"),
    (400, {"error": "bad picture"}, r"400.*bad picture"),
    (401, {"error": {"message": "bad key"}}, r"401.*bad key.*:KEY@"),
    (403, {"detail": "forbidden"}, r"403.*forbidden.*:KEY@"),
    (404, {"error": {"message": "model not found"}}, r"404.*not found.*#MODEL"),
    (404, "<html>nothing here</html>", r"404.*#MODEL"),
    (413, "", r"413.*larger requests"),
    (422, [{"loc": ["body"]}], r"422.*--vlm"),
    (429, {"error": {"message": "slow down"}}, r"429.*slow down.*wait"),
    (500, {"error": {"message": "out of memory"}}, r"500.*out of memory.*its log"),
    (502, "<html>bad gateway</html>", r"502.*its log"),
    (200, "<html>sign in</html>", r"sign in.*correct the URL"),
    (200, "", r"correct the URL"),
    (200, "{", r"no OpenAI-compatible server"),
    (200, [], r"correct the URL"),
    (200, {"error": {"message": "rate limited"}}, r"rate limited"),
    (200, {"error": "rate limited"}, r"rate limited"),
    (200, {"detail": "rate limited"}, r"rate limited"),
    (200, {}, r"choices"),
    (200, completion(HELLO, choices=None), r"choices"),
    (200, completion(HELLO, choices=[]), r"choices"),
    (200, completion(HELLO, choices="no"), r"choices"),
    (200, completion(HELLO, choices=[{}]), r"message"),
    (200, completion(None), r"message"),
    (200, completion({"role": "assistant", "content": 7}), r"content"),
    (200, completion(called({"photos": ["Q1"]})), r"arguments"),
    (200, completion(called(None)), r"arguments"),
    (200, completion({"role": "assistant", "tool_calls": [{"function": None}]}), r"function"),
]


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(("status", "body", "told"), FAILURES)
def test_a_failure_is_one_line(status: int, body: object, told: str, streamed: bool) -> None:
    """It names the server, what it said, and what to do."""
    kind = "text/html" if isinstance(body, str) and body[:1] == "<" else "application/json"
    with (
        run_chat_server(always(status, body, kind)) as address,
        pytest.raises(ChatServerError, match=told) as caught,
    ):
        answered(address, streamed=streamed)
    message = str(caught.value)
    assert address in message
    assert "\n" not in message
    assert caught.value.status == (None if status == 200 else status)


def reset(request: Request) -> None:
    """End a connection as a crashed server does."""
    linger = struct.pack("ii", 1, 0)
    request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    request.connection.close()


def half(request: Request) -> None:
    """Promise more bytes than come."""
    request.send_response(200)
    request.send_header("Content-Type", "application/json")
    request.send_header("Content-Length", "1000")
    request.end_headers()
    request.wfile.write(b'{"choices": [')


@pytest.mark.parametrize("end", [reset, half])
def test_a_connection_that_breaks_is_one_line(end: Any) -> None:
    """A server that dies before or in its answer."""
    with (
        run_chat_server(lambda request, _: end(request)) as address,
        pytest.raises(ChatServerError, match=r"closed the connection.*look at its log"),
    ):
        answered(address, streamed=False)


def test_no_server_at_all_is_to_be_started() -> None:
    """Where nobody listens, the line says to start the server."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(ChatServerError, match=r"connection failed.*start it"):
        answered(f"http://127.0.0.1:{port}#m", streamed=False)


def test_a_stream_that_breaks_off_is_no_answer() -> None:
    """Half a sentence is not taken for an answer; an error within a stream is said."""
    with (
        run_chat_server(lambda request, _: stream(request, "The face is", end=None)) as address,
        pytest.raises(ChatServerError, match="broke off"),
    ):
        answered(address, streamed=True)

    def failing(request: Request, _: dict[str, Any]) -> None:
        stream(request, "The face is", end=None)
        request.wfile.write(b'data: {"error": {"message": "out of memory"}}\n\n')

    with (
        run_chat_server(failing) as address,
        pytest.raises(ChatServerError, match="out of memory"),
    ):
        answered(address, streamed=True)


def test_a_server_that_does_not_stream_answers_whole() -> None:
    """A server that ignores the wish for a stream is understood."""
    with run_chat_server(always(200, completion(HELLO))) as address:
        assert answered(address, streamed=True) == "Hello."


@pytest.mark.parametrize("streamed", [False, True])
def test_a_silent_server_is_asked_once(streamed: bool) -> None:
    """A server that never answers ends in a line, after the time that it has, and not twice."""
    silent = Silent()
    with (
        run_chat_server(silent) as address,
        pytest.raises(ChatServerError, match=r"did not answer in time.*UNMASK_VLM_WAIT_S"),
    ):
        answered(address, streamed=streamed, wait_s=0.3)
    assert silent.hung_up.wait(5)
    assert silent.asked == 1


def test_what_breaks_is_not_asked_twice() -> None:
    """The person asks again, having read what went wrong."""
    asked = list[str]()

    def broken(request: Request, _: dict[str, Any]) -> None:
        asked.append(request.path)
        reset(request)

    with run_chat_server(broken) as address, pytest.raises(ChatServerError):
        answered(address, streamed=False)
    with run_chat_server(always(200, {"data": [{"id": "m"}]})) as address:
        assert load_chat_model(Settings(vlm=address)).max_retries == 0  # type: ignore[attr-defined]
    assert len(asked) == 1


def test_a_machine_that_does_not_answer_is_not_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody takes the connection: soon a line says so, and does not speak of a slow answer."""
    monkeypatch.setattr(model, "CONNECT_TIMEOUT_S", 0.3)
    with contextlib.ExitStack() as held:
        full = held.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(3):  # what the system takes on its own; the rest is left waiting
            caller = held.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex(full.getsockname())
        address = f"http://127.0.0.1:{full.getsockname()[1]}#m"
        with pytest.raises(ChatServerError, match=r"no chat server can be reached.*start it"):
            answered(address, streamed=False)


def test_how_long_a_server_may_be_silent_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read from the environment, and never nothing."""
    monkeypatch.setenv("UNMASK_VLM_WAIT_S", "90")
    assert Settings.load().vlm_wait_s == 90
    monkeypatch.setenv("UNMASK_VLM_WAIT_S", "0")
    with pytest.raises(SetupError, match="UNMASK_VLM_WAIT_S"):
        Settings.load()


@contextlib.contextmanager
def investigating(case: Any, folder: Path, address: str) -> Iterator[ChatSession]:
    """An investigation whose model is behind an address."""
    record = Case.create(folder, gallery=GALLERY)
    workspace = Workspace(case.models, home=case.settings.home, gallery=GALLERY, measurements=())
    agent = Agent(load_chat_model(Settings(vlm=address)), workspace, record)
    yield ChatSession(agent)


def test_a_wait_is_shown_and_can_be_stopped(
    case: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page counts the seconds; Stop ends the turn at once and hangs up on the server."""
    monkeypatch.setattr(model_stream, "WAITING_AFTER_S", 1)
    silent = Silent()
    with run_chat_server(silent) as address, investigating(case, tmp_path, address) as found:
        turn = found.ask("Hello?")
        seen = next(it for _ in turn if "waiting" in (it := found.messages[-1]["content"]))
        assert f"waiting for the chat server at {address}/v1… (1 s)" in unescape(seen)
        found.stop()
        began = time.monotonic()
        list(turn)
        assert time.monotonic() - began < 10  # on a busy machine; the server never answers
        assert "Stopped." in found.messages[-1]["content"]
        assert silent.hung_up.wait(5)
        assert not found.busy
    assert silent.asked == 1


def test_an_explanation_that_does_not_come_can_be_stopped(case: Any, tmp_path: Path) -> None:
    """Stop ends it, whatever the server does; nothing was explained."""
    silent = Silent()
    with run_chat_server(silent) as address, investigating(case, tmp_path, address) as found:
        workspace = found.workspace
        workspace.find_person([workspace.add_photo(case.settings.home / "SECRET_NAME.png")])
        threading.Timer(0.5, found.stop).start()
        began = time.monotonic()
        list(found.explain("all"))
        assert time.monotonic() - began < 20
        assert silent.hung_up.wait(5)
    assert found.case.steps() == []


def test_a_press_does_not_wait_for_words(
    case: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A button's tool has answered: without words of the model the template's stand soon."""
    monkeypatch.setattr(planned_answers, "NARRATION_TIMEOUT_S", 1.0)
    monkeypatch.setattr(model_stream, "WAITING_AFTER_S", 1)
    silent = Silent()
    photo = tmp_path / "ada.png"
    photo.write_bytes((case.settings.home / "SECRET_NAME.png").read_bytes())
    with run_chat_server(silent) as address, investigating(case, tmp_path, address) as found:
        list(found.ask("Find fakes of this person.", [photo], plan=plan_search))
        assert silent.hung_up.wait(5)
    (said,) = [step for step in found.case.steps() if isinstance(step, ModelText)]
    assert {sentence.source for sentence in said.sentences} == {"plain"}


def test_a_terminal_says_what_it_waits_for(
    case: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line on stderr names the server and how to stop."""
    for module in (model_stream, transcript):
        monkeypatch.setattr(module, "WAITING_AFTER_S", 1)
    record = Case.create(tmp_path, gallery=GALLERY)
    with run_chat_server(Silent()) as address:
        model = load_chat_model(Settings(vlm=address, vlm_wait_s=1.6))
        told = transcript.TurnReporter(
            Agent(model, Workspace(case.models, home=tmp_path), record), show=True
        )
        with pytest.raises(ChatServerError, match="did not answer in time"):
            told.turn("Hello?", [])
    assert "waiting for the chat server at" in capsys.readouterr().err


@pytest.mark.parametrize("models", [{}, {"data": []}, {"data": None}, [], "text"])
def test_a_server_without_models_is_told(models: object) -> None:
    """What does not list a model is no chat server."""
    with (
        run_chat_server(always(200, {}), models=models) as address,
        pytest.raises(ChatServerError, match="no OpenAI-compatible server"),
    ):
        load_chat_model(Settings(vlm=address))


def test_the_case_goes_on_after_a_failure(case: Any, tmp_path: Path) -> None:
    """A failed turn is recorded as failed; the same question gets its answer later."""
    broken = [True]

    def answer(request: Request, _: dict[str, Any]) -> None:
        if broken[0]:
            send(request, 401, {"error": {"message": "bad key"}})
        else:
            send(request, 200, completion(HELLO))

    record = Case.create(tmp_path, gallery="default")
    with run_chat_server(answer) as address:
        workspace = Workspace(case.models, home=tmp_path)
        agent = Agent(load_chat_model(Settings(vlm=address)), workspace, record)
        with pytest.raises(ChatServerError) as caught:
            list(agent.ask("Hello?"))
        broken[0] = False
        list(agent.ask("Hello?"))
    first, failed, again, *rest = record.steps()
    assert first == again == UserTurn("Hello?")
    assert failed == Failed(str(caught.value))
    assert isinstance(rest[-1], ModelText)
    assert record.verify() == ()
