"""A data folder with a gallery, a case and every kind of leftover of one picture."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import assistant.chat_model.choice
from assistant import Settings, Unmask
from assistant.profile import LoadedModels
from assistant.report.pictures.data_uris import data_uri, thumbnail
from tests.assistant.cli.privacy.held import Traces, only_case, unmask, write
from tests.support.cases import GALLERY
from tests.support.made.held_bytes import THUMBNAIL_PX, found_below, traces_of
from tests.support.scripted_model import ScriptedModel, tool_call_reply
from tools.gallery.record_store import Gallery
from tools.media.hashing import file_sha256

REPLIES = [tool_call_reply(("find_person", {"photos": ["Q1"]})), "I searched the gallery: [S1]."]


def replace_models(case: Unmask, patch: pytest.MonkeyPatch, model: ScriptedModel) -> None:
    """The weights of the small real case, and a scripted chat model."""
    patch.setattr(assistant.chat_model.choice, "load_chat_model", lambda settings: model)
    for part in ("faces", "encoder", "detectors", "rule", "fingerprint"):
        patch.setattr(LoadedModels, part, getattr(case.models, part))


@pytest.fixture(scope="session")
def asked(case: Unmask, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a data folder, in which a case searched the gallery, and its signing key."""
    folder = tmp_path_factory.mktemp("asked")
    shutil.copytree(case.settings.galleries_dir, folder / "home" / "galleries")
    query = case.settings.home / "SECRET_NAME.png"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UNMASK_HOME", str(folder / "home"))
        patch.setenv("UNMASK_CONFIG_DIR", str(folder / "config"))
        replace_models(case, patch, ScriptedModel(replies=[*REPLIES]))
        assert unmask("ask", query, "find fakes of this person", "-g", GALLERY).exit_code == 0
    return folder


@pytest.fixture(scope="session")
def decided(
    asked: Path, case: Unmask, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str]:
    """Its copy, decided hit by hit as `reviewed` says; and the handle of `copy.jpg`."""
    folder = tmp_path_factory.mktemp("decided") / "all"
    shutil.copytree(asked, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UNMASK_HOME", str(folder / "home"))
        patch.setenv("UNMASK_CONFIG_DIR", str(folder / "config"))
        replace_models(case, patch, ScriptedModel())
        begun = only_case(folder / "home")
        latest = begun.latest_search()
        assert latest is not None
        handles = {Path(it["path"]).name: f"H{it['rank']}" for it in latest["findings"]["hits"]}
        about = handles.pop("copy.jpg")
        other = next(iter(handles.values()))
        for words in (
            ("mark", about, "confirmed"), ("mark", other, "rejected"), ("mark", about, "hidden"),
            ("undo",), ("mark", about, "rejected"),
        ):  # fmt: skip
            assert unmask("review", begun.id, *words).exit_code == 0
    return folder, about


@pytest.fixture
def model(case: Unmask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ScriptedModel:
    """A copy of the small real case as data folder; its source files lie elsewhere."""
    home, model = tmp_path / "home", ScriptedModel()
    shutil.copytree(case.settings.galleries_dir, home / "galleries")
    monkeypatch.setenv("UNMASK_HOME", str(home))
    monkeypatch.setenv("UNMASK_CONFIG_DIR", str(tmp_path / "config"))
    replace_models(case, monkeypatch, model)
    return model


@pytest.fixture
def data(model: ScriptedModel) -> Path:
    """The data folder."""
    return Settings.load().home


@pytest.fixture
def source(case: Unmask) -> Path:
    """The user's own file that is to be forgotten: a copy of the portrait, in the gallery."""
    return case.settings.home / "collection" / "copy.jpg"


@pytest.fixture
def query(case: Unmask) -> Path:
    """The query photo: the same person, other bytes."""
    return case.settings.home / "SECRET_NAME.png"


@pytest.fixture
def investigated(data: Path, asked: Path, source: Path) -> Traces:
    """A case whose search found the file, and every kind of leftover of it; its traces."""
    shutil.copytree(asked / "home" / "cases", data / "cases")
    shutil.copytree(asked / "config", data.parent / "config")
    pixels = np.asarray(Image.open(source).convert("RGB"))
    with Gallery.open_existing(data, GALLERY) as gallery:
        traces = traces_of(gallery, file_sha256(source), pixels)
    page = f"<img src='{data_uri(thumbnail(pixels, longest_px=THUMBNAIL_PX))}'>"
    write(data / "evals" / "retrieval-1" / "samples.jsonl", '{"id": "collection/copy.jpg"}\n')
    write(data / "evals" / "retrieval-1" / "report.html", page)
    write(data / "evals" / "retrieval-2" / "samples.jsonl", '{"id": "collection/group.png"}\n')
    write(data / "uploads" / "ab12" / "thumb.html", page)
    write(data / "demo" / "report.html", page + str(source))
    (data / "dropped" / GALLERY).mkdir(parents=True)
    shutil.copyfile(source, data / "dropped" / GALLERY / "dropped.jpg")
    fit = data / "models" / "detectors" / "mine" / ".fit"
    write(fit / "faces.jsonl", json.dumps({"key": "x", "id": file_sha256(source)}))
    assert found_below(data, traces).keys() == traces.keys()
    return traces


@pytest.fixture
def reviewed(decided: tuple[Path, str], investigated: Traces, data: Path) -> str:
    """The case with decisions about every hit, one of the file undone; the file's handle."""
    folder, about = decided
    for part, kept in (("home/cases", data / "cases"), ("config", data.parent / "config")):
        shutil.rmtree(kept)
        shutil.copytree(folder / part, kept)
    return about
