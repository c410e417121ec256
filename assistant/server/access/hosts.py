"""Which Host and Origin headers are answered: a page of another site must not reach the server.

A browser can be made to send requests to this machine by any site (DNS rebinding: the site's own
name is pointed here). Such a request carries the site's name as its Host.
"""

import ipaddress
import re
import socket
from collections.abc import Sequence
from urllib.parse import urlsplit

EXTENSION = "chrome-extension://oheffoplkaggffgdkoopiimloabenmmk"
"""Origin of our extension in Chromium: the id follows from the `key` in its manifest."""

# Firefox gives each installation of an extension an id of its own.
_FIREFOX_EXTENSION = re.compile(r"moz-extension://[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


def is_loopback(host: str) -> bool:
    """Whether a listening address is reachable from this machine only."""
    return host in LOOPBACK_NAMES or (_is_address(host) and ipaddress.ip_address(host).is_loopback)


class HostPolicy:
    """The names by which the server may be addressed.

    On a loopback address these are the loopback names. Otherwise also any IP address (which no
    foreign site can rebind), this machine's name, and the `names` that the operator gave.
    """

    def __init__(self, host: str, names: Sequence[str] = ()) -> None:
        self._addresses = not is_loopback(host)
        known = {*LOOPBACK_NAMES, host, *names}
        if self._addresses:
            known |= {socket.gethostname(), socket.getfqdn()}
        self._names = {name.casefold() for name in known}

    def allows_host(self, header: str) -> bool:
        """Whether a request with this Host header is answered."""
        name = _name_of(header)
        return name in self._names or (self._addresses and _is_address(name))

    def allows_origin(self, origin: str, *, host: str) -> bool:
        """Whether a page of this origin may send requests: only the server's own page may."""
        parts = urlsplit(origin)
        return parts.scheme in ("http", "https") and parts.netloc.casefold() == host.casefold()


def is_extension(origin: str) -> bool:
    """Whether a request comes from a browser's extension: ours in Chromium, any in Firefox.

    No web page can send such an origin. It only lets the request reach the check of its token.
    """
    return origin == EXTENSION or _FIREFOX_EXTENSION.fullmatch(origin) is not None


def _name_of(header: str) -> str:
    """The host of a Host header, without port and brackets; empty for a malformed one."""
    try:
        return (urlsplit(f"//{header}").hostname or "").casefold()
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
