"""On which way photos reach a chat server: straight, or through a proxy that the person has set.

A server of this machine is asked directly, whatever proxies are set. Any other server is asked by
its configured name; only the usual settings of the system (HTTP_PROXY, HTTPS_PROXY, ALL_PROXY,
NO_PROXY) put a proxy between, and then the person is told. Redirects are not followed: a server
cannot send photos on to another one. Nothing of OPENAI_* changes address, key or headers.
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

# What a request needs; clients add more, some of it out of the environment. The last is how
# OpenAI's client notes for itself what its caller wants.
_HEADERS = frozenset(
    ("accept", "accept-encoding", "connection", "content-length", "content-type", "host",
     "transfer-encoding", "x-stainless-raw-response")
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ServerEndpoint:
    """Where a server is (`base`, without a key), its key, the model that was named, the proxy."""

    base: str
    key: str
    model: str
    proxy: str | None

    @property
    def notice(self) -> str | None:
        """What the person must know about the way that photos take; None: it is straight."""
        if self.proxy is None:
            return None
        host = urlsplit(self.proxy).hostname or self.proxy
        return (
            f"photos travel to {self.base} through the proxy {host} that your system names; "
            "set NO_PROXY to ask the server directly"
        )

    def client(self) -> Any:
        """An HTTP client that takes this way and no other."""
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
        """Nothing in a request but what it needs: no header out of the environment.

        Each question has a connection of its own, on which the person who asks can hang up.
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
    """The way to the server of a URL as in "http://:KEY@host:8000/v1#MODEL".

    Raises SetupError when it is no such URL.
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
    """The address that a text spells, also as the system reads "127.1"; None for a name."""
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(name)) if name[:1].isdigit() else None
    except OSError:
        return None
