"""Choose the chat model: the profile's checkpoint, another local one, or a served model."""

from pathlib import Path
from typing import TYPE_CHECKING

from langchain_core.language_models import BaseChatModel

from assistant.console.output import print_remarks
from assistant.settings import Settings
from tools.checkpoints.store import PROFILES, locate

if TYPE_CHECKING:
    from assistant.chat_model.local.model import LocalVLM


def load_chat_model(settings: Settings) -> BaseChatModel:
    """The chat model in the settings: `vlm` if set, else the profile's.

    Raises SetupError if it is not on this machine, or if the server does not list its model. A line
    on stderr warns if photos will travel to a server through a proxy.
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
    """Load a checkpoint on this machine, by folder or id."""
    # Imports torch and transformers: seconds of delay that a served model does not need.
    from assistant.chat_model.local.model import LocalVLM

    return LocalVLM.load(source, threads=settings.threads)


def profile_checkpoint_dir(settings: Settings) -> Path:
    """The folder of the profile's own checkpoint. Raises SetupError if it is missing."""
    return locate(PROFILES[settings.profile]["vlm"], settings.models_dir)
