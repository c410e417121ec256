"""Starting the page: what can go wrong is one line."""

from pathlib import Path

import gradio.networking
import pytest

from assistant.chat.serving import serve
from assistant.settings import Settings
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
