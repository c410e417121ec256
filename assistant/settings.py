"""The one place that reads the environment: where Unmask keeps its state, and with what it works.

A `Settings` is passed down, never global. Variables: `UNMASK_HOME`,
`UNMASK_MODELS_DIR`, `UNMASK_PROFILE`, `UNMASK_THREADS`.
"""

import os
from pathlib import Path
from typing import Literal, Self, get_args

import platformdirs
from pydantic import Field, ValidationError, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from tools.errors import SetupError

ProfileName = Literal["pocket", "full"]
PROFILE_NAMES: tuple[ProfileName, ...] = get_args(ProfileName)


def _user_data_folder() -> Path:
    return Path(platformdirs.user_data_dir("unmask", appauthor=False))


class Settings(BaseSettings):
    """What a person can set; frozen.

    `home` is the folder of all state (galleries, downloaded models, demo); `models_dir` holds the
    downloaded checkpoints (the pocket ones come with the package); `profile` names the set of
    checkpoints; `threads` caps the threads of every engine (None: they choose).
    """

    model_config = SettingsConfigDict(env_prefix="UNMASK_", frozen=True, env_ignore_empty=True)

    home: Path = Field(default_factory=_user_data_folder)
    models_dir: Path = Field(default_factory=lambda data: data["home"] / "models")
    profile: ProfileName = "pocket"
    threads: int | None = Field(default=None, ge=1)

    @field_validator("home", "models_dir")
    @classmethod
    def _absolute(cls, folder: Path) -> Path:
        # Absolute now: a later change of the working directory must not move the state.
        return Path(os.path.abspath(folder.expanduser()))  # noqa: PTH100 - keeps links as given

    @property
    def galleries_dir(self) -> Path:
        """Where each gallery has a folder of its own."""
        return self.home / "galleries"

    @property
    def demo_dir(self) -> Path:
        """Where `unmask demo` builds its pictures and its page."""
        return self.home / "demo"

    @classmethod
    def load(cls, *, profile: str | None = None) -> Self:
        """Read the environment; a given `profile` wins. Raises SetupError naming the mistake."""
        try:
            return cls() if profile is None else cls(profile=profile)  # type: ignore[arg-type]
        except ValidationError as error:
            raise SetupError("; ".join(_explain(item) for item in error.errors())) from error


def _explain(mistake: ErrorDetails) -> str:
    """One pydantic error as a sentence: which variable, which value, what is wrong."""
    name = "_".join(str(part) for part in mistake["loc"]).upper()
    return f"UNMASK_{name}={mistake['input']!r}: {mistake['msg'].lower()}; correct or unset it"


_LIBRARY_ENVIRONMENT = {
    "ANONYMIZED_TELEMETRY": "False",  # chromadb
    "DO_NOT_TRACK": "1",
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "NO_ALBUMENTATIONS_UPDATE": "1",
    "ORT_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",  # its thread pool warns, then deadlocks, after a fork
}

_OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE")


def harden_library_environment(*, downloads: bool = False) -> None:
    """Tell the libraries, before they are imported, to report nothing and download nothing.

    Only entry points call this. With `downloads` the person has asked for a download; telemetry
    stays off. Overrides what the environment says: "nothing leaves this machine" is a promise.
    """
    os.environ.update(_LIBRARY_ENVIRONMENT)
    for name in _OFFLINE:
        if downloads:
            os.environ.pop(name, None)
        else:
            os.environ[name] = "1"
