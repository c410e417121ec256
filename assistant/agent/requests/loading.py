"""Load the request reader, if its language model is installed and the chat model is ours."""

from threading import Lock
from typing import TYPE_CHECKING

from assistant.settings import Settings
from tools.checkpoints.pretrained import part_status, pretrained_folder
from tools.checkpoints.pretrained.table import SMOLLM2_135M

if TYPE_CHECKING:
    from assistant.agent.requests.reader import RequestReader


def load_request_reader(settings: Settings) -> "RequestReader | None":
    """The reader; None without `unmask setup`, or if the chat model reads requests itself.

    A chat model that the user chose, and the full profile's, are large enough to read requests.
    """
    if settings.vlm is not None or settings.profile != "pocket":
        return None
    return _load(settings)


class StandIn:
    """The reader beside any chat model, for turns that the model fails; None without `setup`.

    Loaded by the first turn that needs it, while the others wait: a server that is gone fails many
    sessions at once, and transformers cannot be imported by two threads together.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._loaded: tuple[RequestReader | None] | None = None
        self._turn = Lock()

    def __call__(self) -> "RequestReader | None":
        """The reader. Raises SetupError if it is damaged."""
        with self._turn:
            self._loaded = self._loaded or (_load(self._settings),)
            return self._loaded[0]


def _load(settings: Settings) -> "RequestReader | None":
    if part_status(SMOLLM2_135M, settings.models_dir).state != "here":
        return None
    from assistant.agent.requests.reader import RequestReader

    return RequestReader.load(pretrained_folder(SMOLLM2_135M, settings.models_dir))
