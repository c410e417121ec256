"""Load the request reader, if its language model is installed and the chat model is ours."""

from typing import TYPE_CHECKING

from assistant.settings import Settings
from tools.checkpoints.pretrained import part_status, pretrained_folder
from tools.checkpoints.pretrained.table import SMOLLM2_135M

if TYPE_CHECKING:
    from assistant.chat_model.local.model import LocalVLM

MAX_ANSWER_TOKENS = 120
"""Two calls with their arguments; no answer of the training is longer."""


def load_request_reader(settings: Settings) -> "LocalVLM | None":
    """The reader; None without `unmask setup`, or if the chat model reads requests itself.

    A chat model that the user chose, and the full profile's, are large enough to read requests.
    """
    if settings.vlm is not None or settings.profile != "pocket":
        return None
    if part_status(SMOLLM2_135M, settings.models_dir).state != "here":
        return None
    from assistant.chat_model.local.model import LocalVLM
    from assistant.chat_model.reader.assembly import assembled_reader

    folder = assembled_reader(
        pretrained_folder(SMOLLM2_135M, settings.models_dir), settings.models_dir
    )
    return LocalVLM.load(
        folder, threads=settings.threads, pictures=False, max_new_tokens=MAX_ANSWER_TOKENS
    )
