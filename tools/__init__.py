"""What the assistant can do; each part is usable alone from Python.

    from tools import toolkit

gives a language model's tools over a `tools.agent_tools.workspace.Workspace`; it loads on first
use.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tools.agent_tools.langchain_tools import toolkit

__all__ = ["toolkit"]


def __getattr__(name: str) -> Any:
    """Import `toolkit`, and LangChain with it, the first time that it is used."""
    if name != "toolkit":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from tools.agent_tools.langchain_tools import toolkit

    return toolkit
