"""Local fake chat servers with scripted good and bad responses, and a proxy."""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Request = BaseHTTPRequestHandler
Answer = Callable[[Request, dict[str, Any]], None]


def send(request: Request, status: int, body: object, kind: str = "application/json") -> None:
    """Send a status and a body: text unchanged, anything else as JSON."""
    data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    request.send_response(status)
    request.send_header("Content-Type", kind)
    request.send_header("Content-Length", str(len(data)))
    request.end_headers()
    request.wfile.write(data)


def completion(message: object, **changes: object) -> dict[str, Any]:
    """A complete response of OpenAI's API around a message."""
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    whole = {"id": "x", "object": "chat.completion", "created": 1, "model": "m"}
    return {**whole, "choices": [choice], **changes}


def stream(request: Request, *pieces: str, end: str | None = "stop") -> None:
    """Stream text; without an `end` the connection closes in the middle."""
    request.send_response(200)
    request.send_header("Content-Type", "text/event-stream")
    request.end_headers()
    for piece in pieces:
        _part(request, {"delta": {"content": piece}, "finish_reason": None})
    if end is not None:
        _part(request, {"delta": {}, "finish_reason": end})
        request.wfile.write(b"data: [DONE]\n\n")


def _part(request: Request, choice: dict[str, Any]) -> None:
    whole = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    part = {**whole, "choices": [{"index": 0, **choice}]}
    request.wfile.write(f"data: {json.dumps(part)}\n\n".encode())
    request.wfile.flush()


@contextlib.contextmanager
def run_chat_server(answer: Answer, *, models: object = None) -> Iterator[str]:
    """A server that passes requests to `answer`; yields its address. It lists the model "m"."""
    listed = {"object": "list", "data": [{"id": "m"}]} if models is None else models

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            send(self, 200, listed)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            answer(self, json.loads(body))

        def log_message(self, format: str, *args: object) -> None:
            """No log output in tests."""

    with _running(Handler) as address:
        yield address


class Silent:
    """A server that accepts requests and never responds; counts them, and records a hang-up."""

    def __init__(self) -> None:
        self.asked = 0
        self.hung_up = threading.Event()

    def __call__(self, request: Request, _: dict[str, Any]) -> None:
        """Wait until the other side closes the connection."""
        self.asked += 1
        with contextlib.suppress(ConnectionError):
            request.connection.recv(1)
        self.hung_up.set()


@contextlib.contextmanager
def run_proxy_server() -> Iterator[tuple[str, list[str]]]:
    """A proxy that answers every request itself; yields its address and the requests received."""
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.path)
            send(self, 200, {"object": "list", "data": [{"id": "behind-the-proxy"}]})

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            seen.append(self.path)
            send(self, 200, completion({"role": "assistant", "content": "From the proxy."}))

        def do_CONNECT(self) -> None:
            seen.append(self.path)
            self.send_error(502)

        def log_message(self, format: str, *args: object) -> None:
            """No log output in tests."""

    with _running(Handler) as address:
        yield address, seen


@contextlib.contextmanager
def _running(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=http.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{http.server_port}"
    finally:
        http.shutdown()
        http.server_close()
        thread.join()
