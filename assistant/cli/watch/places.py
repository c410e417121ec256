"""Where a watch reports: a feed of JSON lines, a webhook, a folder of e-mails.

Each place takes an event twice without harm: the feed and the folder recognise its id, and a
webhook gets the id as `Idempotency-Key`, because only its receiver can tell a repetition.
"""

import http.client
import ipaddress
import json
import os
import secrets
import urllib.request
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from assistant.cli.watch.state import Event
from tools.errors import SetupError
from tools.media.private_files import open_private, private_folder
from tools.verdict.handles import sanitise_text

_TIMEOUT_S = 10.0
_OURS = b'{"id": '


class UndeliveredError(Exception):
    """A place could not take an event; the message says why. It is tried again later."""


class Place(Protocol):
    """A place of delivery; `name` identifies it in the memory of the watch."""

    @property
    def name(self) -> str:
        """The kind and the address."""

    def deliver(self, events: Sequence[Event]) -> Iterable[Event]:
        """Deliver events in order; yields each once it is there. Raises UndeliveredError."""


@dataclass(frozen=True, slots=True)
class Feed:
    """A private file with one JSON object a line, each with the `id` of its event first."""

    path: Path

    @property
    def name(self) -> str:
        """The kind and the address."""
        return f"feed {self.path}"

    def deliver(self, events: Sequence[Event]) -> Iterable[Event]:
        """Append the events that the file does not hold yet; on the disk when they are yielded."""
        try:
            known = self._known()
            new = [it for it in events if it["id"] not in known]
            private_folder(self.path.parent)
            with open_private(self.path, "a") as file:
                for event in new:
                    file.write(json.dumps(event, ensure_ascii=False) + "\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise UndeliveredError(f"{self.path}: {error.strerror or error}") from error
        yield from events

    def _known(self) -> set[str]:
        """The ids in the file; half a line of ours at its end is cut off."""
        if not self.path.exists():
            return set()
        content = self.path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        rest = content[len(whole) :]
        if rest and (rest.startswith(_OURS) or _OURS.startswith(rest)):
            os.truncate(self.path, len(whole))
        elif rest:  # another program's line without an end
            with open_private(self.path, "a") as file:
                file.write("\n")
        return {_id(line) for line in whole.splitlines() if line.startswith(_OURS)}


def _id(line: bytes) -> str:
    try:
        return str(json.loads(line)["id"])
    except (ValueError, KeyError):
        return ""


@dataclass(frozen=True, slots=True)
class Webhook:
    """An address that gets each event as the JSON body of a POST.

    The name is believed only as far as the machine that answers: before anything is sent, its
    address must be public, or on this machine for a loopback `url`, or among the `allowed` ones.
    """

    url: str
    allowed: frozenset[str] = frozenset()

    @classmethod
    def checked(cls, url: str, *, allowed_hosts: Collection[str]) -> "Webhook":
        """A webhook on this machine or on an allowed host; SetupError for any other address."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        if parts.scheme not in ("http", "https") or not host:
            raise SetupError(f"--webhook {url!r} is no address; write http://127.0.0.1:9000/hook")
        if not _is_loopback(host) and host not in allowed_hosts:
            raise SetupError(
                f"--webhook: {host!r} is another machine, and reports name persons and files; to "
                f"allow it, set UNMASK_WEBHOOK_HOSTS={host}"
            )
        return cls(url, frozenset(allowed_hosts))

    @property
    def name(self) -> str:
        """The kind and the address."""
        return f"webhook {self.url}"

    def deliver(self, events: Sequence[Event]) -> Iterable[Event]:
        """Post the events one by one; no proxy is used and no redirect followed."""
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), _NoRedirects, _Http(self._check), _Https(self._check)
        )
        for event in events:
            request = urllib.request.Request(  # noqa: S310 - the scheme was checked
                self.url,
                data=json.dumps(event, ensure_ascii=False).encode(),
                headers={"Content-Type": "application/json", "Idempotency-Key": str(event["id"])},
                method="POST",
            )
            try:
                opener.open(request, timeout=_TIMEOUT_S).close()
            except OSError as error:
                raise UndeliveredError(f"{self.url}: {error}") from error
            except http.client.HTTPException as error:
                raise UndeliveredError(f"{self.url}: no HTTP ({type(error).__name__})") from error
            yield event

    def _check(self, host: str, address: str) -> None:
        """Raise OSError unless the machine that answers as `host` may get reports."""
        place = ipaddress.ip_address(address.partition("%")[0])
        place = getattr(place, "ipv4_mapped", None) or place
        wanted = place.is_loopback if _is_loopback(host) else place.is_global
        if not wanted and str(place) not in self.allowed:
            raise OSError(
                f"{host!r} is at the private address {place}: to allow it, add that address to "
                "UNMASK_WEBHOOK_HOSTS"
            )


Check = Callable[[str, str], None]


class _Checked(http.client.HTTPConnection):
    """A connection that is closed, before anything is sent, if its other end may not get it."""

    check: Check

    def connect(self) -> None:
        """Connect, and check whom to: the name may since stand for another address."""
        super().connect()
        try:
            self.check(self.host, str(self.sock.getpeername()[0]))
        except OSError:
            self.close()
            raise


class _CheckedTls(http.client.HTTPSConnection, _Checked):
    """The same, encrypted: the check comes before the handshake."""


def _checked(kind: type[_Checked], check: Check) -> Callable[..., _Checked]:
    def make(*given: Any, **options: Any) -> _Checked:
        connection = kind(*given, **options)
        connection.check = check
        return connection

    return make


class _Http(urllib.request.HTTPHandler):
    def __init__(self, check: Check) -> None:
        super().__init__()
        self._check = check

    def http_open(self, request: urllib.request.Request) -> Any:
        return self.do_open(_checked(_Checked, self._check), request)


class _Https(urllib.request.HTTPSHandler):
    def __init__(self, check: Check) -> None:
        super().__init__()
        self._check = check

    def https_open(self, request: urllib.request.Request) -> Any:
        return self.do_open(_checked(_CheckedTls, self._check), request)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A server cannot send a report on to another one: a redirect is an error."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@dataclass(frozen=True, slots=True)
class MailFolder:
    """A folder that gets each event as a private .eml file, for a mail program to send."""

    folder: Path
    to: str = ""

    @property
    def name(self) -> str:
        """The kind and the address."""
        return f"mail {self.folder}"

    def deliver(self, events: Sequence[Event]) -> Iterable[Event]:
        """Write one file per event, whole or not at all; the same event is the same file."""
        for event in events:
            try:
                path = private_folder(self.folder) / f"unmask-{event['id']}.eml"
                draft = path.with_suffix(f".{secrets.token_hex(4)}")
                with open_private(draft, "wb") as file:
                    file.write(self._message(event).as_bytes(policy=SMTP))
                    file.flush()
                    os.fsync(file.fileno())
                draft.replace(path)
            except OSError as error:
                raise UndeliveredError(f"{self.folder}: {error.strerror or error}") from error
            yield event

    def _message(self, event: Event) -> EmailMessage:
        message = EmailMessage()
        name = sanitise_text(Path(str(event["path"])).name)
        person = sanitise_text(event["person"])
        message["Subject"] = f"Unmask: {event['verdict']}, {person}: {name}"
        message["From"] = "unmask@localhost"
        if self.to:
            message["To"] = sanitise_text(self.to, longest=200)
        message["Date"] = format_datetime(datetime.fromisoformat(str(event["at"])))
        message["Message-ID"] = f"<{event['id']}@unmask.invalid>"
        body = [str(event["line"]), "", str(event["explanation"]), *map(str, event["notes"])]
        message.set_content("\n".join(body) + "\n")
        return message
