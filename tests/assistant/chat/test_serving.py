"""Starting the page: what can go wrong is one line."""

import threading
import time
from pathlib import Path
from typing import Any

import gradio.networking
import numpy as np
import pytest
from langchain_core.messages import BaseMessage
from PIL import Image

from assistant.chat.serving import build_app, serve
from assistant.settings import Settings
from evals.suites.resilience.soak.page_client import Tab
from tests.support.scripted_model import ScriptedModel
from tools.errors import SetupError


@pytest.mark.allow_hosts(["127.0.0.1"])
def test_a_page_that_does_not_answer_in_time_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gradio looks once whether the page answers; on a busy machine it may not, for 3 s."""
    monkeypatch.setattr(gradio.networking, "url_ok", lambda _: False)
    settings = Settings(home=tmp_path / "home", port=0)
    with pytest.raises(SetupError, match="too busy") as failure:
        serve(settings, model=ScriptedModel())
    assert "\n" not in str(failure.value)


@pytest.mark.allow_hosts(["127.0.0.1"])
def test_a_closed_page_is_not_held(tmp_path: Path) -> None:
    """Gradio keeps what every open page shows; when one closes, its pictures leave memory."""
    page, options = build_app(Settings(home=tmp_path / "home", port=0), model=ScriptedModel())
    try:
        _, address, _ = page.launch(**options, prevent_thread_lock=True, quiet=True)
        with Tab(address) as tab:
            tab.load("")
            assert "gallery" in _held(page)
        for _ in range(100):
            if not _held(page):
                break
            time.sleep(0.1)
        assert _held(page) == ""
        with Tab(address) as tab:  # another one is served as before
            assert tab.load("")
    finally:
        page.close()


@pytest.mark.allow_hosts(["127.0.0.1"])
def test_the_same_photo_of_two_people_is_deleted_by_the_last(tmp_path: Path) -> None:
    """It is one file for Gradio; the first answer must not take it from the second message."""
    reply, photo = threading.Event(), tmp_path / "ada.png"
    Image.fromarray(np.full((60, 60, 3), 90, np.uint8)).save(photo)

    def answer(messages: list[BaseMessage]) -> str:
        slow = any("slowly" in message.text for message in messages)
        return "That is all." if not slow or reply.wait(30) else ""

    model = ScriptedModel(replies=[answer] * 9)
    page, options = build_app(Settings(home=tmp_path / "home", port=0), model=model)
    try:
        _, address, _ = page.launch(**options, prevent_thread_lock=True, quiet=True)
        with Tab(address) as first, Tab(address) as second:
            for tab in (first, second):
                tab.load("")
            sent = iter(second.ask("Look at it slowly", [photo], gallery="default"))
            for _ in range(2):
                next(sent)
            for _ in first.ask("Look at it", [photo], gallery="default"):
                pass
            (upload,) = (tmp_path / "home" / "uploads").glob("*/ada.png")
            reply.set()
            for _ in sent:
                pass
            assert not upload.exists()
    finally:
        reply.set()
        page.close()


def _held(page: Any) -> str:
    """What Gradio holds of all open pages."""
    opened = page.state_holder.session_data.values()
    configs = [config for state in opened for config in state.components]
    return " ".join(str(it["props"]["value"]) for it in configs if it["props"].get("value"))
