"""Put the server together: API, MCP, login and gate; and listen."""

import logging
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from assistant.server.access.gate import Access, Gate
from assistant.server.access.hosts import HostPolicy
from assistant.server.access.login import LoginPage, LoginSessions
from assistant.server.access.run_token import Keyring
from assistant.server.access.tokens import TokenStore
from assistant.server.api.application import build_api
from assistant.server.api.services import Services
from assistant.server.api.unknown import unknown_paths
from assistant.server.browser.web_app import web_app_routes
from assistant.settings import Settings
from tools.errors import SetupError
from tools.media.private_files import private_folder, restrict_permissions, set_private_umask

if TYPE_CHECKING:
    import uvicorn
    from fastapi import FastAPI

MAX_CONNECTIONS = 256


@dataclass(frozen=True)
class Server:
    """A server that can be served: `asgi` is `app` behind the gate."""

    app: "FastAPI"
    access: Access
    parts: Services

    @property
    def asgi(self) -> Gate:
        """The application as it is served."""
        return Gate(self.app, self.access)


def build_server(
    settings: Settings,
    *,
    run_secret: str | None = None,
    names: Sequence[str] = (),
    api: bool = True,
    mcp: bool = True,
    parts: Services | None = None,
) -> Server:
    """The server without the page; `names` are further host names that it answers to.

    Without `api` and `mcp` it has only the login, for a page to be added.
    """
    parts = parts or Services.of(settings)
    restrict_permissions(private_folder(parts.uploads))
    keyring = Keyring(TokenStore(settings.config_dir), run_secret)
    logins = LoginSessions(holds=parts.accounts.holds)
    access = Access(keyring, HostPolicy(settings.host, names), logins)
    running = None
    if mcp:
        from assistant.server.mcp_server import McpServer
        from assistant.server.mcp_tools import AgentTools

        tools = AgentTools(parts.investigations, settings.home, settings.folders)
        agents = McpServer(tools, parts.lane)
        running = agents.running
    app = build_api(parts, running=running, routes=api)
    if mcp:
        app.router.routes.append(agents.route())
    login = LoginPage(logins, keyring, access.guesses, parts.accounts, settings.logins)
    routes = [*login.routes(), *web_app_routes(), *unknown_paths(app.router)]
    app.router.routes.extend(routes)
    return Server(app, access, parts)


def listen(
    server: Server,
    *,
    certificate: tuple[Path, Path] | None = None,
    on_start: Callable[[str], None],
    stop: threading.Event | None = None,
) -> None:
    """Serve until interrupted, or until `stop` is set; `on_start` gets the address.

    `certificate` is (chain, key) for TLS; `stop` serves a server in another thread than the main.

    Raises SetupError if the address cannot be listened on.
    """
    import uvicorn

    settings = server.parts.settings
    set_private_umask()
    bound = _bound(settings.host, settings.port)
    logging.getLogger("assistant.server").setLevel(logging.WARNING)  # guesses are always logged
    chain, key = certificate or (None, None)
    config = uvicorn.Config(
        server.asgi, log_config=None, access_log=False, server_header=False, lifespan="on",
        ws="none", limit_concurrency=MAX_CONNECTIONS, timeout_graceful_shutdown=5,
        ssl_certfile=chain, ssl_keyfile=key,
        proxy_headers=False,  # anyone on this machine could give each guess an address of its own
    )  # fmt: skip
    try:
        config.load()
    except (OSError, ValueError) as error:
        bound.close()
        raise SetupError(
            f"the certificate or its key cannot be read ({error}): check --certificate and --key"
        ) from error
    host, port = bound.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    on_start(f"{'https' if certificate else 'http'}://{shown}:{port}")
    serving = uvicorn.Server(config)
    if stop is not None:
        threading.Thread(target=_stops, args=(serving, stop), daemon=True).start()
    serving.run(sockets=[bound])


def _stops(serving: "uvicorn.Server", stop: threading.Event) -> None:
    stop.wait()
    serving.should_exit = True


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise SetupError(
            f"{host}:{port} cannot be listened on ({error.strerror or error}): choose another "
            "port with `unmask serve --port N`"
        ) from error
