"""Settings: read from the environment once, and validated."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from assistant.library_environment import harden_library_environment
from assistant.settings import Settings
from tests.support.paths import ROOT
from tools.errors import SetupError

pytestmark = pytest.mark.fast


def test_state_lives_under_one_folder_that_can_be_moved(home: Path) -> None:
    """UNMASK_HOME moves everything."""
    settings = Settings.load()
    assert settings.home == home
    for folder in (settings.galleries_dir, settings.models_dir, settings.demo_dir):
        assert folder.parent == home


def test_models_can_be_shared_between_data_folders(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Downloaded checkpoints may live elsewhere than the rest of the state."""
    monkeypatch.setenv("UNMASK_MODELS_DIR", str(tmp_path / "shared"))
    settings = Settings.load()
    assert settings.models_dir == tmp_path / "shared"
    assert settings.galleries_dir.parent == home


def test_the_default_folder_is_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without UNMASK_HOME, also when it is empty, state goes to the user's data folder."""
    monkeypatch.setenv("UNMASK_HOME", "")
    home = Settings.load().home
    assert home.is_absolute()
    assert home.name == "unmask"


def test_a_relative_home_stays_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative UNMASK_HOME is resolved once, so that a later chdir does not move the state."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("UNMASK_HOME", "state")
    assert Settings.load().home == tmp_path / "state"


def test_a_given_profile_wins(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line wins over UNMASK_PROFILE, which wins over pocket."""
    assert Settings.load().profile == "pocket"
    monkeypatch.setenv("UNMASK_PROFILE", "full")
    assert Settings.load().profile == "full"
    assert Settings.load(profile="pocket").profile == "pocket"


@pytest.mark.parametrize(("name", "value"), [("PROFILE", "huge"), ("THREADS", "0")])
def test_a_mistake_names_its_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """A wrong value is one line that names the variable and the value."""
    monkeypatch.setenv(f"UNMASK_{name}", value)
    with pytest.raises(SetupError) as caught:
        Settings.load()
    assert f"UNMASK_{name}='{value}'" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_settings_are_frozen(home: Path) -> None:
    """Nobody changes settings on the way down."""
    with pytest.raises(ValidationError):
        Settings.load().profile = "full"


def test_loading_settings_changes_nothing(home: Path) -> None:
    """Reading settings creates no folder and sets no variable."""
    before = dict(os.environ)
    Settings.load()
    assert dict(os.environ) == before
    assert not home.exists()


def test_libraries_are_told_to_stay_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Telemetry is always off; the model hub is reachable only when a download was asked for."""
    monkeypatch.setattr(os, "environ", {"ANONYMIZED_TELEMETRY": "True"})
    harden_library_environment()
    assert os.environ["HF_HUB_OFFLINE"] == "1"
    assert os.environ["ANONYMIZED_TELEMETRY"] == "False"
    harden_library_environment(downloads=True)
    assert "HF_HUB_OFFLINE" not in os.environ
    assert os.environ["GRADIO_ANALYTICS_ENABLED"] == "False"


def test_importing_the_package_is_instant() -> None:
    """`import assistant` brings no heavy library along."""
    heavy = "{'torch', 'numpy', 'pydantic', 'chromadb', 'insightface', 'transformers', 'gradio'}"
    script = f"import sys, assistant; print({heavy} & set(sys.modules) or 'none')"
    answer = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert answer.stdout.strip() == "none"


def test_public_names_resolve() -> None:
    """What the package promises can be imported from it, and nothing else."""
    import assistant

    assert assistant.Settings is Settings
    assert assistant.SetupError is SetupError
    with pytest.raises(AttributeError, match="no attribute 'Unmasc'"):
        _ = assistant.Unmasc


def test_help_needs_no_settings() -> None:
    """`unmask --help` imports neither numbers nor models, nor what validates settings."""
    heavy = "{'pydantic', 'numpy', 'torch', 'rich.progress', 'transformers', 'open_clip'}"
    script = f"import sys, assistant.cli.main; print({heavy} & set(sys.modules) or 'none')"
    answer = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert answer.stdout.strip() == "none"
