"""What the assistant can do; each part is usable alone from Python.

    from tools import toolkit

gives a language model's tools over a `tools.agent_tools.workspace.Workspace`; it loads on first
use.

ONNX Runtime 1.31 reports every session to its maker, on Linux too. It reads once, when it is first
imported, whether it may, so that importing any tool forbids it.
"""

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tools.agent_tools.langchain_tools import toolkit

__all__ = ["toolkit"]

os.environ["ORT_DISABLE_TELEMETRY"] = "1"


def __getattr__(name: str) -> Any:
    """Import `toolkit`, and LangChain with it, the first time that it is used."""
    if name != "toolkit":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from tools.agent_tools.langchain_tools import toolkit

    return toolkit
