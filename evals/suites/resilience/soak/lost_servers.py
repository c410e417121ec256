"""Servers behind the page that are dead, too slow, or killed in the middle of a session."""

import contextlib
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx

from evals.suites.resilience.soak.scene import GALLERY, SoakScene
from tools.errors import SetupError
from tools.gallery.engines.choice import choose_index
from tools.gallery.record_store import Gallery

DEAD = "http://127.0.0.1:1/v1#none"
"""Nothing listens on port 1; with a model's name the page does not ask for a list first."""
DEAD_AT_START = "http://127.0.0.1:1"

WAIT_S, DELAY_S = 4.0, 9.0
"""How long the page may wait for a silent chat server, and how long the slow one takes."""


@contextlib.contextmanager
def slow_chat_server() -> Iterator[str]:
    """A chat server that names its model at once and answers after the page's patience."""
    ended = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._send({"object": "list", "data": [{"id": "slow"}]})

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            ended.wait(DELAY_S)
            message = {"role": "assistant", "content": "Too late."}
            choice = {"index": 0, "finish_reason": "stop", "message": message}
            with contextlib.suppress(ConnectionError):  # the page has hung up
                self._send({"id": "1", "object": "chat.completion", "created": 1, "model": "slow",
                            "choices": [choice]})  # fmt: skip

        def _send(self, body: object) -> None:
            data = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        ended.set()
        server.shutdown()
        server.server_close()


class IndexServer:
    """Chroma's server with the gallery's embeddings, until it is killed."""

    def __init__(self, scene: SoakScene, folder: Path) -> None:
        port = _free_port()
        program = Path(sys.executable).with_name("chroma")
        command = [str(program), "run", "--path", str(folder), "--host", "127.0.0.1"]
        self._process = subprocess.Popen(
            [*command, "--port", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self.url = f"http://127.0.0.1:{port}"
        self._wait()
        with Gallery.open_existing(scene.settings.home, GALLERY) as gallery:
            choose_index(gallery, self.url)

    def kill(self) -> None:
        """End it as a crash would."""
        self._process.kill()
        self._process.wait()

    def _wait(self) -> None:
        for _ in range(600):
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"{self.url}/api/v2/heartbeat", trust_env=False).is_success:
                    return
            time.sleep(0.1)
        self.kill()
        raise SetupError("Chroma's server did not start")


def _free_port() -> int:
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
