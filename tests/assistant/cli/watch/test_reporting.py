"""What a watch remembers and where it reports: nothing lost, nothing twice, whatever is killed."""

import json
import socket
import stat
import threading
from collections.abc import Callable, Iterator
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from socketserver import StreamRequestHandler, TCPServer
from typing import Any

import pytest

from assistant.cli.watch.places import Feed, MailFolder, Place, UndeliveredError, Webhook
from assistant.cli.watch.state import Event, WatchState, event_id
from tools.errors import SetupError

pytestmark = pytest.mark.fast


def event(number: int, **changes: object) -> Event:
    """A report of one picture."""
    return {
        "id": event_id("ada", f"picture {number}", "impersonation"),
        "at": "2026-11-29T16:00:00+00:00",
        "person": "ada",
        "verdict": "impersonation",
        "line": f"impersonation: ada > 99 %, forged > 99 %: /x/{number}.jpg",
        "path": f"/x/{number}.jpg",
        "explanation": "It likely impersonates.",
        "notes": [],
    } | changes


@pytest.fixture
def state(tmp_path: Path) -> Iterator[WatchState]:
    """The memory of a watch."""
    with WatchState.open(tmp_path / "watch") as opened:
        yield opened


def report(state: WatchState, place: Place) -> list[str]:
    """Deliver what is pending, as a pass does; the ids that arrived."""
    arrived = []
    for each in place.deliver(state.pending(place.name)):
        state.note_delivered(place.name, [each])
        arrived.append(str(each["id"]))
    return arrived


def ids_in(feed: Path) -> list[str]:
    """The ids of a feed's lines, each of which is whole."""
    return [json.loads(line)["id"] for line in feed.read_text("utf-8").splitlines()]


def test_a_picture_is_looked_at_and_reported_once(state: WatchState) -> None:
    """Other photos of the person are another look; the same verdict is no second report."""
    assert state.unseen("ada", "photos", ["a", "b", "a"]) == ["a", "b"]
    state.record("ada", "photos", ["a"], [event(1)])
    assert state.unseen("ada", "photos", ["a", "b"]) == ["b"]
    assert state.unseen("ada", "more photos", ["a"]) == ["a"]
    state.record("ada", "more photos", ["a"], [event(1)])
    state.record("bob", "photos", ["a"], [])
    assert state.pending("feed") == [event(1)]


def test_a_look_that_is_interrupted_leaves_nothing_half(
    state: WatchState, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the mark that a picture was looked at, nor its report."""
    with pytest.raises(TypeError):
        state.record("ada", "photos", ["a"], [event(1), event(2, line=object())])
    assert state.unseen("ada", "photos", ["a"]) == ["a"]
    assert state.pending("feed") == []


def test_one_watch_at_a_time(tmp_path: Path, state: WatchState) -> None:
    """A second process is told, and the memory is private."""
    with pytest.raises(SetupError, match="another `unmask watch`"):
        WatchState.open(tmp_path / "watch")
    assert stat.S_IMODE((tmp_path / "watch" / "state.sqlite3").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "watch").stat().st_mode) == 0o700


@pytest.mark.parametrize("torn", ["", '{"id": "abc', '{"i', '{"other": 1}'])
def test_the_feed_holds_each_report_once_after_any_crash(
    torn: str, tmp_path: Path, state: WatchState
) -> None:
    """Killed after writing and before noting it, or amid a line: the next pass mends it."""
    feed = Feed(tmp_path / "feed.jsonl")
    state.record("ada", "photos", ["a", "b"], [event(1), event(2)])
    next(iter(feed.deliver(state.pending(feed.name))))  # both written, none noted
    with feed.path.open("a") as file:
        file.write(torn)
    state.record("ada", "photos", ["c"], [event(3)])
    assert report(state, feed) == [event(n)["id"] for n in (1, 2, 3)]
    lines = [line for line in feed.path.read_text().splitlines() if line != '{"other": 1}']
    assert [json.loads(line) for line in lines] == [event(1), event(2), event(3)]
    assert report(state, feed) == []
    assert stat.S_IMODE(feed.path.stat().st_mode) == 0o600


def test_a_new_place_gets_the_reports_from_then_on(tmp_path: Path, state: WatchState) -> None:
    """Its first day does not bring the whole past."""
    feed, mails = Feed(tmp_path / "feed.jsonl"), MailFolder(tmp_path / "mails")
    state.meet(feed.name)
    state.record("ada", "photos", ["a"], [event(1)])
    state.meet(feed.name)
    state.meet(mails.name)
    state.record("ada", "photos", ["b"], [event(2)])
    assert len(report(state, feed)) == 2
    assert report(state, mails) == [event(2)["id"]]


def test_mails_are_whole_private_files_without_foreign_headers(
    tmp_path: Path, state: WatchState
) -> None:
    """One a report, the same when repeated; a file's name cannot add a header."""
    mails = MailFolder(tmp_path / "mails", "desk@example.org")
    evil = event(1, path="/x/a\nBcc: all@example.org\n.jpg")
    assert [*mails.deliver([evil])] == [*mails.deliver([evil])] == [evil]
    (file,) = mails.folder.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    mail = message_from_bytes(file.read_bytes(), policy=policy.default)
    assert mail["To"] == "desk@example.org"
    assert mail["Subject"].startswith("Unmask: impersonation, ada: a Bcc: all@example.org")
    assert mail["Bcc"] is None
    assert mail["Message-ID"] == f"<{evil['id']}@unmask.invalid>"
    assert "It likely impersonates." in mail.get_content()


@pytest.mark.parametrize("url", ["ftp://localhost/x", "http://", "file:///etc/passwd", "hook"])
def test_a_webhook_is_an_http_address(url: str) -> None:
    """Anything else is refused before it is used."""
    with pytest.raises(SetupError, match="is no address"):
        Webhook.checked(url, allowed_hosts=())


def test_a_webhook_elsewhere_must_be_allowed() -> None:
    """This machine is; names that only look like it are not; the message says how."""
    for url in ("http://127.0.0.1:9/x", "http://[::1]/x", "https://localhost/x"):
        assert Webhook.checked(url, allowed_hosts=()).url == url
    for host in ("example.org", "127.0.0.1.example.org", "10.0.0.1"):
        with pytest.raises(SetupError, match=f"set UNMASK_WEBHOOK_HOSTS={host}"):
            Webhook.checked(f"http://{host}/x", allowed_hosts=())
        assert Webhook.checked(f"http://{host}/x", allowed_hosts=(host,))


@pytest.fixture
def server() -> Iterator[tuple[str, list[Any], list[int]]]:
    """A server on this machine: its address, the posts it got, the answers it gives next."""
    got: list[Any] = []
    answers: list[int] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got.append((self.headers["Idempotency-Key"], json.loads(body)))
            self.send_response(answers.pop(0) if answers else 200)
            self.send_header("Location", "http://127.0.0.1:9/")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}/hook", got, answers
        http.shutdown()
        thread.join()


@pytest.mark.allow_hosts(["127.0.0.1"])
@pytest.mark.parametrize("answer", [500, 302])
def test_a_webhook_that_fails_gets_the_rest_later(
    answer: int, server: tuple[str, list[Any], list[int]], state: WatchState
) -> None:
    """In order, from the one that failed on; a redirect is a failure and is not followed."""
    url, got, answers = server
    hook = Webhook(url)
    state.record("ada", "photos", ["a", "b"], [event(1), event(2)])
    answers += [200, answer]
    with pytest.raises(UndeliveredError, match=f"{url}: HTTP Error {answer}"):
        report(state, hook)
    assert report(state, hook) == [event(2)["id"]]
    assert [body for _, body in got] == [event(1), event(2), event(2)]
    assert [key for key, _ in got] == [event(n)["id"] for n in (1, 2, 2)]


@pytest.mark.allow_hosts(["127.0.0.1"])
def test_an_answer_that_is_no_http_is_tried_again(state: WatchState) -> None:
    """Another program at that port does not end the watch."""

    class Handler(StreamRequestHandler):
        def handle(self) -> None:
            while self.rfile.readline().strip():  # the head of the request
                pass
            self.wfile.write(b"220 mail.example.org ESMTP\r\n")

    state.record("ada", "photos", ["a"], [event(1)])
    with TCPServer(("127.0.0.1", 0), Handler) as other:
        thread = threading.Thread(target=other.handle_request)
        thread.start()
        hook = Webhook(f"http://127.0.0.1:{other.server_address[1]}/hook")
        with pytest.raises(UndeliveredError, match="no HTTP"):
            report(state, hook)
        thread.join()
    assert state.pending(hook.name) == [event(1)]


@pytest.mark.allow_hosts(["127.0.0.1"])
def test_a_name_that_leads_to_a_private_address_gets_nothing(
    server: tuple[str, list[Any], list[int]], state: WatchState, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An allowed name whose owner points it here, or that "localhost" is somewhere else."""
    url, got, _ = server
    resolve = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *more, **how: resolve("127.0.0.1", *more, **how)
    )
    elsewhere = url.replace("127.0.0.1", "desk.example.org")
    state.record("ada", "photos", ["a"], [event(1)])
    hook = Webhook.checked(elsewhere, allowed_hosts=["desk.example.org"])
    with pytest.raises(UndeliveredError, match=r"private address 127\.0\.0\.1: to allow it, add"):
        report(state, hook)
    assert got == []
    meant = Webhook.checked(elsewhere, allowed_hosts=["desk.example.org", "127.0.0.1"])
    assert report(state, meant) == [event(1)["id"]]
    for address in ("10.0.0.1", "169.254.169.254", "::1", "::ffff:10.0.0.1", "fe80::1%eth0"):
        with pytest.raises(OSError, match="private address"):
            hook._check("desk.example.org", address)
    with pytest.raises(OSError, match="private address"):
        hook._check("localhost", "10.0.0.1")
    hook._check("desk.example.org", "93.184.215.14")


@pytest.mark.parametrize(
    "make", [lambda at: Feed(at / "file" / "feed.jsonl"), lambda at: MailFolder(at / "file" / "x")]
)
def test_a_place_that_cannot_be_written_is_named(
    make: Callable[[Path], Place], tmp_path: Path
) -> None:
    """The report stays pending."""
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UndeliveredError, match=str(tmp_path / "file")):
        list(make(tmp_path).deliver([event(1)]))
