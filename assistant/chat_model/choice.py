"""Which chat model answers: the profile's checkpoint, another one, or a server's."""

from pathlib import Path
from typing import TYPE_CHECKING

from langchain_core.language_models import BaseChatModel

from assistant.console.output import print_remarks
from assistant.settings import Settings
from tools.checkpoints.store import PROFILES, locate

if TYPE_CHECKING:
    from assistant.chat_model.local.model import LocalVLM


def load_chat_model(settings: Settings) -> BaseChatModel:
    """The chat model that the settings name: `vlm`, or else that of the profile.

    Raises SetupError when it is not on this machine, or the server does not say what it serves. A
    line on stderr says when photos will travel to a server through a proxy.
    """
    chosen = settings.vlm
    if chosen is not None and chosen.lower().startswith(("http://", "https://")):
        from assistant.chat_model.served.model import load_served_vlm
        from assistant.chat_model.served.routes import parse_endpoint

        if notice := parse_endpoint(chosen).notice:
            print_remarks([notice])
        return load_served_vlm(chosen, wait_s=settings.vlm_wait_s)
    return load_local_vlm(chosen or profile_checkpoint_dir(settings), settings)


def load_local_vlm(source: str | Path, settings: Settings) -> "LocalVLM":
    """A checkpoint on this machine, by folder or id."""
    # Loads torch and transformers: seconds that nobody with a server should wait for.
    from assistant.chat_model.local.model import LocalVLM

    return LocalVLM.load(source, threads=settings.threads)


def profile_checkpoint_dir(settings: Settings) -> Path:
    """The folder of the profile's own checkpoint. Raises SetupError when it is not there."""
    return locate(PROFILES[settings.profile]["vlm"], settings.models_dir)
