"""A real OpenAI-compatible server: `transformers serve` with a tiny checkpoint, in its own process.

The other tests of servers answer by script, to try what a server may do wrong; this one shows that
requests and answers have the form that a server of others knows.
"""

import base64
import contextlib
import io
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from langchain_core.messages import HumanMessage
from PIL import Image

from assistant.chat_model.choice import load_chat_model
from assistant.settings import Settings
from tests.support import tiny_models
from tests.support.cases import astronaut_pixels

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """The address of a server with a Qwen3-VL of random weights."""
    folder = tiny_models.make(tmp_path / "tiny", "qwen3_vl")
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(Path(sys.executable).with_name("transformers")), "serve", str(folder)]
    command += ["--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
    said = (tmp_path / "said.txt").open("w")
    with said, subprocess.Popen(command, stdout=said, stderr=said) as child:
        try:
            for _ in range(1800):
                with contextlib.suppress(httpx.TransportError):
                    if httpx.get(f"http://127.0.0.1:{port}/health").is_success:
                        break
                assert child.poll() is None, (tmp_path / "said.txt").read_text()[-500:]
                time.sleep(0.1)
            yield f"http://127.0.0.1:{port}/v1#{folder}"
        finally:
            child.kill()


def asked(pixels: np.ndarray) -> list[HumanMessage]:
    """A question about a picture."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    data = base64.b64encode(file.getvalue()).decode()
    picture = {"type": "image", "base64": data, "mime_type": "image/png"}
    return [HumanMessage([{"type": "text", "text": "Who?"}, picture])]


def test_a_real_server_answers_about_a_picture(server: str) -> None:
    """Streamed and whole, with the same words; another picture changes them."""
    model = load_chat_model(Settings(vlm=server)).bind(max_tokens=12)
    portrait = np.ascontiguousarray(astronaut_pixels()[:128, 160:288])
    whole = str(model.invoke(asked(portrait)).content)
    streamed = "".join(str(it.content) for it in model.stream(asked(portrait)))
    other = str(model.invoke(asked(255 - portrait)).content)
    print(repr(whole), repr(streamed), repr(other))
    assert whole == streamed != ""
    assert other != whole
