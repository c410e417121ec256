"""What the libraries would report of a session leaves this machine in no way of use."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.support.cases import astronaut_pixels
from tests.support.chat_servers import run_proxy_server
from tests.support.paths import ROOT

CHECK = """
import sys, time
from assistant import Unmask
print(Unmask().check(sys.argv[1]).faces[0].verdict)
time.sleep(15)  # ONNX Runtime, left to itself, reports within ten
"""

MODEL_BY_ID = """
from assistant.chat_model.local.model import LocalVLM
from tools.errors import SetupError
try:
    LocalVLM.load("nobody/has-this-model")
except SetupError:
    print("asked for nobody's model")
"""


def reported(tmp_path: Path, *command: str) -> list[str]:
    """The addresses that a process asks a proxy for, by the environment's settings."""
    with run_proxy_server() as (proxy, seen):
        unset = ("ORT_DISABLE_TELEMETRY", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
        environment = {name: value for name, value in os.environ.items() if name not in unset}
        environment |= {"UNMASK_HOME": str(tmp_path / "home"), "HF_HOME": str(tmp_path / "hub")}
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            environment |= {name: proxy, name.upper(): proxy}
        subprocess.run([sys.executable, "-c", *command], cwd=ROOT, env=environment, check=True)
    return seen


@pytest.mark.enable_socket
def test_a_check_from_python_is_reported_to_nobody(tmp_path: Path) -> None:
    """Without a command, which would prepare the environment."""
    Image.fromarray(astronaut_pixels()).save(tmp_path / "ada.png")
    assert reported(tmp_path, CHECK, str(tmp_path / "ada.png")) == []


@pytest.mark.enable_socket
def test_a_chat_model_named_by_its_id_asks_the_hub_nothing(tmp_path: Path) -> None:
    """Nor which programs are agents, which its library asks before it looks at its own files."""
    assert reported(tmp_path, MODEL_BY_ID) == []


@pytest.mark.parametrize("module", ["tools", "assistant", "assistant.cli.main", "evals.__main__"])
def test_every_door_forbids_it_before_the_library_is_there(module: str) -> None:
    """ONNX Runtime asks once, when it is imported."""
    code = f"import os, sys, {module}; from tools import errors; "
    code += "print(os.environ['ORT_DISABLE_TELEMETRY'], 'onnxruntime' in sys.modules)"
    command = [sys.executable, "-c", code]
    environment = {k: v for k, v in os.environ.items() if k != "ORT_DISABLE_TELEMETRY"}
    told = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert told.stdout.split() == ["1", "False"], told.stderr
