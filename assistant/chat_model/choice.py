"""Which chat model answers: the profile's checkpoint, another one, or a server's."""

from pathlib import Path
from typing import TYPE_CHECKING

from langchain_core.language_models import BaseChatModel

from assistant.console.output import tell
from assistant.settings import Settings
from tools.checkpoints.store import PROFILES, locate

if TYPE_CHECKING:
    from assistant.chat_model.local.model import LocalVLM


def chat_model(settings: Settings) -> BaseChatModel:
    """The chat model that the settings name: `vlm`, or else that of the profile.

    Raises SetupError when it is not on this machine, or the server does not say what it serves. A
    line on stderr says when photos will travel to a server through a proxy.
    """
    chosen = settings.vlm
    if chosen is not None and chosen.lower().startswith(("http://", "https://")):
        from assistant.chat_model.served.model import served
        from assistant.chat_model.served.routes import route

        if notice := route(chosen).notice:
            tell([notice])
        return served(chosen)
    return local(chosen or profile_folder(settings), settings)


def local(source: str | Path, settings: Settings) -> "LocalVLM":
    """A checkpoint on this machine, by folder or id."""
    # Loads torch and transformers: seconds that nobody with a server should wait for.
    from assistant.chat_model.local.model import LocalVLM

    return LocalVLM.load(source, threads=settings.threads)


def profile_folder(settings: Settings) -> Path:
    """The folder of the profile's own checkpoint. Raises SetupError when it is not there."""
    return locate(PROFILES[settings.profile]["vlm"], settings.models_dir)
