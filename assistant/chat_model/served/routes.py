"""Network route to a chat server: direct, or through a proxy that the user has configured.

A server on this machine is reached directly, whatever proxies are set. Any other server is reached
by its configured name; only the usual settings of the system (HTTP_PROXY, HTTPS_PROXY, ALL_PROXY,
NO_PROXY) add a proxy, and then the user is warned. Redirects are not followed: a server cannot send
photos on to another one. OPENAI_* variables change neither address, key nor headers.
"""

import ipaddress
import socket
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

import openai

from assistant.conversation.server_wait import line
from assistant.settings import proxy_for
from tools.errors import SetupError

# The headers that a request needs; clients add more, some from the environment. The last one is an
# internal note of OpenAI's client about its caller's options.
_HEADERS = frozenset(
    ("accept", "accept-encoding", "connection", "content-length", "content-type", "host",
     "transfer-encoding", "x-stainless-raw-response")
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ServerEndpoint:
    """A server's address (`base`, without a key), its key, the model that was named, the proxy."""

    base: str
    key: str
    model: str
    proxy: str | None

    @property
    def notice(self) -> str | None:
        """A warning about the route of photos; None if it is direct."""
        if self.proxy is None:
            return None
        host = urlsplit(self.proxy).hostname or self.proxy
        return (
            f"photos travel to {self.base} through the proxy {host} that your system names; "
            "set NO_PROXY to ask the server directly"
        )

    def client(self) -> Any:
        """An HTTP client that uses this route and no other."""
        try:
            return openai.DefaultHttpxClient(
                trust_env=False,
                follow_redirects=False,
                proxy=self.proxy,
                event_hooks={"request": [self._bare]},
            )
        except (ValueError, ImportError) as error:
            raise SetupError(
                f"the proxy {self.proxy!r} cannot be used ({error}): correct HTTP_PROXY, "
                "HTTPS_PROXY or ALL_PROXY, or put the server into NO_PROXY"
            ) from error

    def _bare(self, request: Any) -> None:
        """Strip a request of headers from the environment.

        Each request has a connection of its own, so that the caller can hang up.
        """
        for name in [it for it in request.headers if it.lower() not in _HEADERS]:
            del request.headers[name]
        request.headers["Host"] = urlsplit(str(request.url)).netloc
        request.headers["Authorization"] = f"Bearer {self.key}"
        request.headers["User-Agent"] = "unmask"
        request.headers["Connection"] = "close"
        if (calling := line()) is not None:
            request.extensions["trace"] = calling.trace


def parse_endpoint(url: str) -> ServerEndpoint:
    """Parse a server URL such as "http://:KEY@host:8000/v1#MODEL".

    Raises SetupError for any other form.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise SetupError(f"{url!r} is no URL of a server ({error}); correct `--vlm`") from error
    if not host:
        raise SetupError(f"{url!r} names no server; write `--vlm http://HOST:PORT`")
    place = parts.netloc.rpartition("@")[2]
    base = urlunsplit((parts.scheme, place, parts.path.rstrip("/") or "/v1", parts.query, ""))
    key = unquote(parts.password or "") or "none"
    proxy = None if is_loopback(host) else proxy_for(base)
    return ServerEndpoint(base, key, unquote(parts.fragment), proxy)


def is_loopback(host: str) -> bool:
    """Whether a name or an address, in any of its spellings, means this machine itself."""
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    address = _address(name.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None) or address
    return mapped is not None and (mapped.is_loopback or mapped.is_unspecified)


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Parse an address, also in short forms such as "127.1"; None for a name."""
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(name)) if name[:1].isdigit() else None
    except OSError:
        return None
