"""Settings from the environment: data folders, profile, chat model, chat page.

The only module that reads the environment. A `Settings` is passed down, never global. Variables:
`UNMASK_HOME`, `UNMASK_MODELS_DIR`, `UNMASK_CONFIG_DIR`, `UNMASK_PROFILE`, `UNMASK_THREADS`,
`UNMASK_VLM`, `UNMASK_VLM_WAIT_S`, `UNMASK_AUTH`, `UNMASK_FOLDERS`, `UNMASK_HOST`, `UNMASK_PORT`,
`UNMASK_WEBHOOK_HOSTS`, `UNMASK_KEY_FILE`, `UNMASK_SHOW_BYSTANDERS`.
"""

import os
import urllib.request
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

import platformdirs
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from tools.errors import SetupError

ProfileName = Literal["pocket", "full"]
VLM_WAIT_S = 600.0
"""Seconds that a chat server may be silent. On a CPU a large model reads a long conversation (6,000
tokens at 20 tokens/s) for 5 minutes, and an answer that may call tools arrives in one piece (300
tokens at 2 tokens/s): 2.5 minutes more. In the meantime the wait is shown, and can be stopped."""


def _user_data_folder() -> Path:
    return Path(platformdirs.user_data_dir("unmask", appauthor=False))


def _user_config_folder() -> Path:
    return Path(platformdirs.user_config_dir("unmask", appauthor=False))


class Settings(BaseSettings):
    """The user's settings; frozen.

    `home` is the folder of all state (galleries, downloaded models, demo); `models_dir` holds the
    downloaded checkpoints (the pocket ones come with the package); `config_dir` holds files that
    belong to the user and not to the data: the key that signs cases; `profile` names the set of
    checkpoints; `threads` limits the threads of every engine (None: the engines choose).

    For the assistant: `vlm` is the chat model, as a folder, an id or the URL of a server (None: the
    profile's); `vlm_wait_s` is how many seconds a server may be silent. For the chat page: `auth`
    holds the logins as "name:password[,name:password]" (None: no login); `folders` are those that
    may be indexed from the page; `host` and `port` are the address it listens on.

    `webhook_hosts` are other machines that `unmask watch` may report to, separated by commas.
    `show_bystanders` shows the faces of other people in pictures, which are blurred otherwise.
    `key_file` is the key of `unmask lock` and `unmask unlock` (None: they ask for a passphrase).
    """

    model_config = SettingsConfigDict(env_prefix="UNMASK_", frozen=True, env_ignore_empty=True)

    home: Path = Field(default_factory=_user_data_folder)
    models_dir: Path = Field(default_factory=lambda data: data["home"] / "models")
    config_dir: Path = Field(default_factory=_user_config_folder)
    profile: ProfileName = "pocket"
    threads: int | None = Field(default=None, ge=1)
    vlm: str | None = None
    vlm_wait_s: float = Field(default=VLM_WAIT_S, gt=0)
    auth: SecretStr | None = None
    folders: Annotated[tuple[Path, ...], NoDecode] = ()
    host: str = "127.0.0.1"
    port: int = Field(default=7860, ge=0, le=65535)
    webhook_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    key_file: Path | None = None
    show_bystanders: bool = False

    @field_validator("home", "models_dir", "config_dir")
    @classmethod
    def _absolute(cls, folder: Path) -> Path:
        # Absolute now: a later change of the working directory must not move the state.
        return Path(os.path.abspath(folder.expanduser()))  # noqa: PTH100 - keeps links as given

    @field_validator("folders", mode="before")
    @classmethod
    def _separated(cls, folders: object) -> object:
        if not isinstance(folders, str):
            return folders
        return tuple(Path(folder) for folder in folders.split(os.pathsep) if folder)

    @field_validator("webhook_hosts", mode="before")
    @classmethod
    def _by_commas(cls, hosts: object) -> object:
        if not isinstance(hosts, str):
            return hosts
        return tuple(host.strip() for host in hosts.split(",") if host.strip())

    @field_validator("folders")
    @classmethod
    def _all_absolute(cls, folders: tuple[Path, ...]) -> tuple[Path, ...]:
        return tuple(folder.expanduser().resolve() for folder in folders)

    @field_validator("auth")
    @classmethod
    def _pairs(cls, auth: SecretStr | None) -> SecretStr | None:
        if auth is not None and not all(_logins(auth)):
            raise ValueError("write logins as name:password, separated by commas")
        return auth

    @property
    def logins(self) -> tuple[tuple[str, str], ...]:
        """(name, password) of each user of the chat page; empty: no login is required."""
        pairs = _logins(self.auth) if self.auth else []
        return tuple(pair for pair in pairs if pair is not None)

    @property
    def keys_dir(self) -> Path:
        """The folder of the key that signs cases, apart from them."""
        return self.config_dir / "keys"

    @property
    def galleries_dir(self) -> Path:
        """The folder with one sub-folder per gallery."""
        return self.home / "galleries"

    @property
    def demo_dir(self) -> Path:
        """The folder of the pictures and the page of `unmask demo`."""
        return self.home / "demo"

    @property
    def watch_dir(self) -> Path:
        """The folder of what each `unmask watch` remembers, with its feed."""
        return self.home / "watch"

    @property
    def evals_dir(self) -> Path:
        """The folder of the runs of `python -m evals run`."""
        return self.home / "evals"

    @classmethod
    def load(cls, *, profile: str | None = None) -> Self:
        """Read the environment; a given `profile` wins. Raises SetupError naming the mistake."""
        try:
            return cls() if profile is None else cls(profile=profile)  # type: ignore[arg-type]
        except ValidationError as error:
            raise SetupError("; ".join(_explain(item) for item in error.errors())) from error


def _logins(auth: SecretStr) -> list[tuple[str, str] | None]:
    """The pairs of a login setting; None for a part that is not a pair."""
    parts = (part.partition(":") for part in auth.get_secret_value().split(","))
    return [(name, password) if name and password else None for name, _, password in parts]


def _explain(mistake: ErrorDetails) -> str:
    """One pydantic error as a sentence with the variable, the value and the problem."""
    name = "_".join(str(part) for part in mistake["loc"]).upper()
    value = "…" if name == "AUTH" else repr(mistake["input"])  # passwords are not repeated
    return f"UNMASK_{name}={value}: {mistake['msg'].lower()}; correct or unset it"


def proxy_for(url: str) -> str | None:
    """The system's proxy for an address (HTTP_PROXY, ALL_PROXY …); None if there is none.

    NO_PROXY is respected.
    """
    parts = urlsplit(url)
    proxies = urllib.request.getproxies()
    if urllib.request.proxy_bypass(parts.hostname or ""):
        return None
    return proxies.get(parts.scheme) or proxies.get("all")


def set_upload_dir(folder: Path) -> None:
    """Make Gradio, before it is imported, keep uploads here and not where all users can look."""
    os.environ["GRADIO_TEMP_DIR"] = str(folder)
