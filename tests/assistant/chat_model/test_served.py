"""Chat models by settings, and models behind an OpenAI-compatible server."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool

from assistant.chat_model.choice import load_chat_model
from assistant.chat_model.pictures import move_tool_images_to_user
from assistant.chat_model.served.model import ServedVLM
from assistant.settings import Settings
from tools.checkpoints import store
from tools.errors import SetupError

pytestmark = pytest.mark.fast

local_only = pytest.mark.allow_hosts(["127.0.0.1"])


@tool
def gallery_summary() -> str:
    """What the gallery holds."""
    return ""


class Served:
    """A server of this machine that answers every question the same way and keeps what it got."""

    def __init__(self) -> None:
        self.address = ""
        self.bodies: list[dict[str, Any]] = []
        self.keys: list[str | None] = []


@pytest.fixture
def served() -> Iterator[Served]:
    """An OpenAI-compatible server: with tools it calls one, otherwise it says hello."""
    state = Served()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.keys.append(self.headers["Authorization"])
            self._send({"data": [{"id": "some-vlm"}]} if self.path == "/v1/models" else {})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            state.bodies.append(body)
            called = {
                "id": "c1",
                "type": "function",
                "function": {"name": "gallery_summary", "arguments": "{}"},
            }
            message = (
                {"role": "assistant", "content": None, "tool_calls": [called]}
                if "tools" in body
                else {"role": "assistant", "content": "Hello."}
            )
            if body.get("stream"):
                self._stream(message)
                return
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            self._send({"id": "1", "object": "chat.completion", "model": "some-vlm",
                        "created": 1, "choices": [choice]})  # fmt: skip

        def _stream(self, message: dict[str, Any]) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            choice = {"index": 0, "delta": message, "finish_reason": "stop"}
            part = {"id": "1", "object": "chat.completion.chunk", "model": "some-vlm",
                    "created": 1, "choices": [choice]}  # fmt: skip
            self.wfile.write(f"data: {json.dumps(part)}\n\ndata: [DONE]\n\n".encode())

        def _send(self, content: dict[str, Any]) -> None:
            encoded = json.dumps(content).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(encoded)))
            self.end_headers()
            self.wfile.write(encoded)

        def log_message(self, format: str, *args: object) -> None:
            """Tests are quiet."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, args=(0.01,))
    thread.start()
    state.address = f"http://127.0.0.1:{http.server_port}"
    yield state
    http.shutdown()
    http.server_close()
    thread.join()


@local_only
def test_a_server_answers_without_streaming_tool_turns(served: Served) -> None:
    """With tools one request, one answer with the call; without them, streamed text."""
    model = load_chat_model(Settings(vlm=served.address))
    (chunk,) = [it for it in model.bind_tools([gallery_summary]).stream("Hi") if it.tool_calls]
    text = "".join(str(it.content) for it in model.stream("Hi"))

    assert chunk.tool_calls[0]["name"] == "gallery_summary"
    assert text == "Hello."
    assert [bool(body.get("stream")) for body in served.bodies] == [False, True]
    assert {body["model"] for body in served.bodies} == {"some-vlm"}


@local_only
def test_pictures_and_options_reach_a_server_in_a_form_it_knows(served: Served) -> None:
    """Pictures leave tool messages, our own options stay here, the key is sent, not shown."""
    model = load_chat_model(Settings(vlm=served.address.replace("http://", "http://:secret@")))
    call = {"name": "gallery_summary", "args": {}, "id": "c1"}
    picture = {"type": "image", "base64": "aGk=", "mime_type": "image/png"}
    messages = [
        HumanMessage("What is there?"),
        AIMessage("", tool_calls=[call]),
        ToolMessage([{"type": "text", "text": "{}"}, picture], tool_call_id="c1", name="look"),
    ]
    model.invoke(messages, allowed_citations=["H1.E1"])
    (body,) = served.bodies

    assert [it["role"] for it in body["messages"]] == ["user", "assistant", "tool", "user"]
    assert "image" not in json.dumps(body["messages"][2])
    assert [it["type"] for it in body["messages"][3]["content"]] == ["text", "image_url"]
    assert "allowed_citations" not in body
    assert served.keys == ["Bearer secret"]
    assert "secret" not in repr(model)


@local_only
def test_a_server_that_is_not_there_is_named(served: Served) -> None:
    """No server, or one that serves something else, is one line for the person."""
    with pytest.raises(SetupError, match="no OpenAI-compatible server"):
        load_chat_model(Settings(vlm="http://127.0.0.1:9"))
    with pytest.raises(SetupError, match="no OpenAI-compatible server"):
        load_chat_model(Settings(vlm=f"{served.address}/other"))
    assert isinstance(load_chat_model(Settings(vlm=f"{served.address}/other#mine")), ServedVLM)


def test_each_profile_names_its_own_remedy(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint that is not here is said with the command that brings it."""
    with pytest.raises(SetupError, match=r"Qwen3-VL-4B-Instruct.*`unmask models download full`"):
        load_chat_model(Settings(profile="full"))
    monkeypatch.setattr(store, "CHAT_WEIGHTS_DIR", home / "nothing")
    with pytest.raises(SetupError, match=r"lacks .*assistant.training"):
        load_chat_model(Settings())


def test_pictures_of_one_turn_follow_together() -> None:
    """Tool messages that belong together stay together; their pictures follow the last."""
    picture = {"type": "image", "base64": "aGk=", "mime_type": "image/png"}
    words = {"type": "text", "text": "{}"}
    first = ToolMessage([words, picture], tool_call_id="1", name="look")
    second = ToolMessage("{}", tool_call_id="2", name="count")
    moved = move_tool_images_to_user([first, second, AIMessage("Done.")])

    assert [it.type for it in moved] == ["tool", "tool", "human", "ai"]
    assert moved[0].content == [words]
    assert moved[1] is second
    assert moved[2].content == [{"type": "text", "text": "Picture from look:"}, picture]


def test_importing_the_package_loads_no_engine() -> None:
    """`import assistant.chat_model` brings neither torch nor transformers nor a client."""
    check = (
        "import sys, assistant.chat_model; "
        "print([it for it in ('torch', 'transformers', 'openai') if it in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
