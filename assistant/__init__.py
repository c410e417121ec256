"""The deepfake assistant: conversation, tool calls and explanations.

    from assistant import Unmask

`Unmask`, `Settings` and the errors load on first use, so that importing this package is instant.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from assistant.investigation import Unmask
    from assistant.settings import Settings
    from tools.errors import SetupError, ToolError

__all__ = ["Settings", "SetupError", "ToolError", "Unmask"]

_HOMES = {
    "SetupError": "tools.errors",
    "Settings": "assistant.settings",
    "ToolError": "tools.errors",
    "Unmask": "assistant.investigation",
}


def __getattr__(name: str) -> Any:
    """Import a public name from its module on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
