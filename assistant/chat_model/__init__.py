"""The chat model: a local vision-language model, or a server's, as a langchain chat model.

    from assistant.chat_model import LocalVLM, load_chat_model

Loads on first use: importing this package imports neither torch nor transformers.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from assistant.chat_model.choice import load_chat_model
    from assistant.chat_model.local.model import LocalVLM

__all__ = ["LocalVLM", "load_chat_model"]

_HOMES = {
    "LocalVLM": "assistant.chat_model.local.model",
    "load_chat_model": "assistant.chat_model.choice",
}


def __getattr__(name: str) -> Any:
    """Import a public name where it lives, the first time that it is used."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
