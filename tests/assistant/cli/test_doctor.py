"""`unmask doctor` finds faults, names the command that fixes each, and changes nothing."""

import importlib.metadata
import shutil
from pathlib import Path

import onnxruntime
import pytest
import torch

from assistant.cli import doctor
from assistant.settings import Settings
from tests.support.stand_ins import FINGERPRINT
from tools.gallery.database_file import DATABASE_FILE
from tools.gallery.record_store import Gallery

pytestmark = pytest.mark.fast


@pytest.fixture
def settings(home: Path) -> Settings:
    """Settings with an empty data folder."""
    return Settings.load()


def test_a_foreign_package_of_our_name_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another wheel that ships `tools` is named, with the command that removes it."""
    monkeypatch.setattr(
        importlib.metadata,
        "packages_distributions",
        lambda: {"tools": ["unmask", "sometools"], "numpy": ["numpy"]},
    )
    check = doctor.check_package_conflicts()
    assert check.state == "broken"
    assert "'tools' (sometools)" in check.detail
    assert "pip uninstall sometools" in check.hint


def test_the_parts_of_setup_are_listed_with_what_they_are_for(settings: Settings) -> None:
    """All three by name, none of them here; that is no fault, and the hint fetches them."""
    checks = list(doctor.check_parts(settings))
    assert [check.state for check in checks] == ["ok"] * 3
    assert all("not here" in it.detail and ", for " in it.detail for it in checks)
    assert all("unmask setup" in check.hint for check in checks)


def test_our_own_names_are_no_clash(monkeypatch: pytest.MonkeyPatch) -> None:
    """What Unmask itself installs is not held against it."""
    claims = {name: ["unmask"] for name in doctor.OUR_PACKAGES}
    monkeypatch.setattr(importlib.metadata, "packages_distributions", lambda: claims)
    assert doctor.check_package_conflicts().state == "ok"


def test_missing_libraries_are_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """A library that is not installed is named."""
    monkeypatch.setattr(importlib.metadata, "packages_distributions", lambda: {"numpy": ["numpy"]})
    check = doctor.check_libraries()
    assert check.state == "broken"
    assert "chromadb" in check.detail
    assert "numpy" not in check.detail


def test_libraries_are_told_with_their_versions() -> None:
    """The versions are those of the distributions, whatever the import is called."""
    check = doctor.check_libraries()
    assert check.state == "ok"
    assert f"torch {importlib.metadata.version('torch')}" in check.detail


def test_looking_makes_nothing(settings: Settings) -> None:
    """The data folder is not made by checking it."""
    assert doctor.check_home(settings.home).state == "ok"
    assert doctor.check_disk(settings.home).state in {"ok", "warning"}
    assert not settings.home.exists()


def test_an_unusable_data_folder_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file in the way, or a read-only disk, is found and UNMASK_HOME is pointed to."""
    (tmp_path / "file").write_text("in the way")
    for home in (tmp_path / "file", tmp_path / "file" / "below"):
        check = doctor.check_home(home)
        assert check.state == "broken"
        assert "UNMASK_HOME" in check.hint

    def read_only(**_: object) -> object:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("tempfile.TemporaryFile", read_only)
    assert doctor.check_home(tmp_path).state == "broken"


def test_a_nearly_full_disk_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Less than two gigabytes free is worth a word."""
    usage = shutil.disk_usage(tmp_path)._replace(free=1_500_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    check = doctor.check_disk(tmp_path)
    assert (check.state, check.detail) == ("warning", "1.5 GB free")


def test_a_profile_that_is_not_here_names_the_download(home: Path) -> None:
    """The full profile, not downloaded, is broken in use, with the command that gets it."""
    check = doctor.check_profile(Settings.load(profile="full"))
    assert check.state == "broken"
    assert "missing" in check.detail
    assert check.hint == "run `unmask models download full`"


def test_a_gpu_that_onnxruntime_cannot_use_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The silent fall back to the CPU is a warning; with both, or with neither, all is well."""
    providers = ["CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: providers)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "H200")
    check = doctor.check_gpu()
    assert check.state == "warning"
    assert "onnxruntime-gpu" in check.hint
    providers.append("CUDAExecutionProvider")
    assert doctor.check_gpu().state == "ok"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert "CPU" in doctor.check_gpu().detail


def test_sound_galleries_are_counted(settings: Settings) -> None:
    """A gallery that can be read is ok, with what it holds."""
    (none,) = doctor.check_galleries(settings)
    assert "unmask index" in none.detail
    Gallery.open(settings.home, "case", fingerprint=FINGERPRINT).close()
    (check,) = doctor.check_galleries(settings)
    assert (check.name, check.state) == ("gallery case", "ok")
    assert check.detail.startswith("no image, 0 faces")


def test_a_damaged_gallery_is_broken(settings: Settings) -> None:
    """A record that is no database is found, and the other galleries are still examined."""
    for name in ("case", "other"):
        Gallery.open(settings.home, name, fingerprint=FINGERPRINT).close()
    record = settings.galleries_dir / "case" / DATABASE_FILE
    record.write_bytes(b"not a database at all" * 100)
    damaged, sound = doctor.check_galleries(settings)
    assert (damaged.name, damaged.state) == ("gallery case", "broken")
    assert sound.state == "ok"


def test_examine_looks_at_everything(settings: Settings) -> None:
    """One check for each thing that can be wrong, in a fixed order."""
    names = [check.name for check in doctor.run_checks(settings)]
    assert names == [
        "python", "libraries", "package names", "data folder", "disk", "profile pocket",
        "part clip_vit_b16", "part efficientnet_lite0", "part smollm2_135m", "engines", "galleries",
    ]  # fmt: skip
