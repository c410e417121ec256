"""A tab of a browser, by the protocol of Gradio's own page: events join a queue and stream back."""

import json
import mimetypes
import secrets
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
from gradio_client.utils import apply_diff

_API = "gradio_api"
_SILENCE_S = 120.0
"""Gradio's stream has a sign of life every 15 seconds."""


class PageError(Exception):
    """The page did not answer as it should."""


class Tab:
    """One opened page; `shown` holds the values of its named components.

    `warnings` are the notices that popped up, `statuses` all HTTP statuses. Not thread-safe, except
    for `stop`.
    """

    def __init__(self, address: str) -> None:
        self.shown: dict[str, Any] = {}
        self.warnings: list[str] = []
        self.statuses: list[int] = []
        self._session = secrets.token_hex(6)
        self._http = httpx.Client(
            base_url=address, timeout=httpx.Timeout(60, read=_SILENCE_S), trust_env=False,
            event_hooks={"response": [lambda it: self.statuses.append(it.status_code)]},
        )  # fmt: skip
        self._http.get("").raise_for_status()
        config = self._http.get("config").raise_for_status().json()
        self._functions = {it["api_name"]: it for it in config["dependencies"]}
        self._names = {
            it["id"]: it["props"].get("elem_id") or it["type"] for it in config["components"]
        }
        self._heartbeat = self._opened(httpx.URL(address))

    def __enter__(self) -> "Tab":
        return self

    def __exit__(self, *_: object) -> None:
        self._heartbeat.close()
        self._http.close()

    def _opened(self, address: httpx.URL) -> socket.socket:
        """The connection by which a page is open: nothing is read from it, its end closes it."""
        host, port = address.host, address.port or 80
        connection = socket.create_connection((host, port), timeout=_SILENCE_S)
        ask = f"GET /{_API}/heartbeat/{self._session} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n"
        connection.sendall(ask.encode("ascii"))
        return connection

    def load(self, token: str) -> str:
        """Open the page as a browser that keeps this token ("" for none); returns its token."""
        self.run("load", [token])
        return str(self.shown["browserstate"])

    def new_case(self) -> str:
        """Press "New case"; returns the browser's new token."""
        self.run("new_case", [None, "", False])
        return str(self.shown["browserstate"])

    def upload(self, photo: Path) -> dict[str, Any]:
        """Upload a file for the message box."""
        with photo.open("rb") as file:
            kind = mimetypes.guess_type(photo.name)[0] or "application/octet-stream"
            answer = self._http.post(f"{_API}/upload", files={"files": (photo.name, file, kind)})
        (path,) = answer.raise_for_status().json()
        meta = {"_type": "gradio.FileData"}
        return {"path": path, "orig_name": photo.name, "mime_type": kind, "meta": meta}

    def ask(self, text: str, photos: Sequence[Path] = (), *, gallery: str) -> Iterator[float]:
        """Send a message; yields as `stream` does."""
        files = [self.upload(photo) for photo in photos]
        return self.stream("ask", [None, gallery, {"text": text, "files": files}])

    def stop(self) -> None:
        """Press the button that stops the answer."""
        body = self._body("stop", [None], None)
        self._http.post(f"{_API}/run/predict", json=body).raise_for_status()

    def run(self, name: str, data: Sequence[Any], event: Mapping[str, Any] | None = None) -> None:
        """Run a handler to its end."""
        for _ in self.stream(name, data, event):
            pass

    def stream(
        self, name: str, data: Sequence[Any], event: Mapping[str, Any] | None = None,
        *, clock: Callable[[], float] = time.monotonic,
    ) -> Iterator[float]:  # fmt: skip
        """Run a handler; yields the time of each update, after `shown` has it.

        Closing the iterator closes the stream, as leaving the page does. Raises PageError.
        """
        body = self._body(name, data, event)
        self._http.post(f"{_API}/queue/join", json=body).raise_for_status()
        raw: list[Any] = []
        ended = False
        with self._http.stream(
            "GET", f"{_API}/queue/data", params={"session_hash": self._session}
        ) as answer:
            for line in answer.iter_lines():
                if not line.startswith("data:"):
                    continue
                message = json.loads(line[len("data:") :])
                ended = ended or message["msg"] == "process_completed"
                if values := self._values(message, raw):
                    raw = values
                    self._show(name, raw)
                    yield clock()
        if not ended:
            raise PageError(f"the stream of {name!r} broke off")

    def _body(
        self, name: str, data: Sequence[Any], event: Mapping[str, Any] | None
    ) -> dict[str, Any]:  # fmt: skip
        function = self._functions[name]
        return {
            "data": [*data],
            "event_data": event,
            "fn_index": function["id"],
            "trigger_id": function["targets"][0][0],
            "session_hash": self._session,
        }

    def _values(self, message: Mapping[str, Any], raw: list[Any]) -> list[Any]:
        """The outputs after a message of the stream; empty if it has none."""
        if message["msg"] == "log":
            self.warnings.append(str(message["log"]))
        if message["msg"] == "unexpected_error":
            raise PageError(str(message["message"]))
        if message["msg"] not in ("process_generating", "process_completed"):
            return []
        if not message["success"]:
            raise PageError(str(message["output"].get("error")))
        data = list(message["output"].get("data") or ())
        if raw and message["msg"] == "process_generating":
            return [apply_diff(old, change) for old, change in zip(raw, data, strict=True)]
        return data

    def _show(self, name: str, raw: Sequence[Any]) -> None:
        for id, value in zip(self._functions[name]["outputs"], raw, strict=True):
            if isinstance(value, Mapping) and value.get("__type__") == "update":
                if "value" in value:
                    self.shown[self._names[id]] = value["value"]
            else:
                self.shown[self._names[id]] = value
