"""Servers for tests: with stand-ins for the models, and clients of different users."""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from starlette.testclient import TestClient

from assistant import Settings
from assistant.profile import LoadedModels
from assistant.server.access.roles import SCOPES
from assistant.server.api.services import Services
from assistant.server.serving import Server, build_server
from tests.support.stand_ins import FINGERPRINT, FakeEncoder, FakeFaceAnalyser

ADDRESS = "http://localhost:7860"


def fake_models(settings: Settings) -> LoadedModels:
    """Stands for a profile's models: finds a "face" in every picture, and has no detector."""
    made = SimpleNamespace(
        settings=settings, profile="pocket", fingerprint=FINGERPRINT, faces=FakeFaceAnalyser(),
        encoder=FakeEncoder(), detectors=[], pixel_detectors=[], localising_detectors=[],
        second_embedder=None, tower=None, rule=None, notices=(), gallery_problem=lambda _: "",
    )  # fmt: skip
    return cast(LoadedModels, made)


def settings_in(folder: Path, **more: Any) -> Settings:
    """Settings whose data and configuration lie in a folder."""
    return Settings(home=folder / "home", config_dir=folder / "config", **more)


def server_in(
    folder: Path, models: LoadedModels | None = None, *, mcp: bool = False, **more: Any
) -> Server:
    """A server on a data folder, with these models or with stand-ins."""
    settings = settings_in(folder, **more)
    parts = Services.of(settings, models or fake_models(settings))
    return build_server(settings, parts=parts, mcp=mcp)


def client_of(server: Server, name: str, scopes: Sequence[str] = SCOPES) -> TestClient:
    """A client with a new token of this name; errors of the server are responses."""
    from assistant.server.access.tokens import TokenStore

    secret = TokenStore(server.parts.settings.config_dir).create(name, scopes)
    return anonymous(server, {"Authorization": f"Bearer {secret}"})


def anonymous(server: Server, headers: dict[str, str] | None = None) -> TestClient:
    """A client without a token."""
    return TestClient(
        server.asgi, base_url=ADDRESS, headers=headers, raise_server_exceptions=False,
        follow_redirects=False,
    )  # fmt: skip
