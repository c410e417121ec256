"""`unmask forget` on a real gallery and a real case: nothing stays of what was meant, all else."""

import json
import os
import re
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from assistant import Settings, Unmask
from assistant.case.record import Case
from assistant.case.restoring import restore_case
from assistant.case.signed.signing import SigningKeys
from assistant.report.case_export import attach_exporter
from tests.assistant.cli.privacy.held import Traces, only_case, state, unmask, write
from tests.support.cases import GALLERY
from tests.support.made.held_bytes import found_below
from tests.support.paths import ROOT
from tools import toolkit
from tools.errors import ToolError
from tools.gallery import database_file
from tools.gallery.access_log import accesses
from tools.gallery.record_store import Gallery
from tools.gallery.vector_index import FaceIndex
from tools.media.hashing import file_sha256


def test_no_byte_of_a_forgotten_picture_stays(
    investigated: Traces, data: Path, source: Path, query: Path
) -> None:
    """Records, index, case, pages, runs, uploads and fits: nothing is found, the rest works."""
    answer = unmask("forget", "--image", source, "--yes")
    assert answer.exit_code == 0, answer.output
    assert found_below(data, investigated) == {}
    assert source.is_file()
    assert f"Stays, because it is yours:\n  {source}" in answer.stdout
    assert (data / "evals" / "retrieval-2").is_dir()
    with Gallery.open_existing(data, GALLERY) as gallery:
        assert gallery.problems() == []
        left = gallery.counts()
    assert (left.images, left.files) == (3, 3)
    found = json.loads(unmask("find", query, "-g", GALLERY, "--quick", "--json").stdout)
    assert all("copy.jpg" not in hit["path"] for hit in found["hits"])
    assert found["hits"] and not any("index was" in it for it in found["warnings"])
    assert found_below(data, investigated) == {}


def test_a_case_still_verifies_and_says_what_was_deleted(
    investigated: Traces, data: Path, source: Path
) -> None:
    """The hit is gone from the record, its other entries stay, and the chain is signed anew."""
    before = only_case(data).steps()
    assert unmask("forget", "--image", source, "--yes").exit_code == 0
    kept = only_case(data)
    found = kept.verification()
    assert (found.problems, found.signature) == ((), "valid")
    assert "were emptied when a picture was deleted on 20" in found.note
    assert len(kept.steps()) == len(before)
    assert kept.steps()[0] == before[0]
    latest = kept.latest_search()
    assert latest is not None and latest["findings"]["hits"]
    assert unmask("cases", "verify").exit_code == 0


def test_decisions_about_a_forgotten_picture_go_and_others_stay(
    reviewed: str, investigated: Traces, data: Path, source: Path
) -> None:
    """No entry names it, the record verifies, and review, undo and resumption go on."""
    case = only_case(data)
    others = [it for it in case.decisions() if it.image_id != file_sha256(source)]
    assert (len(case.decisions()), [it.decision for it in others]) == (5, ["rejected"])
    assert unmask("forget", "--image", source, "--yes").exit_code == 0
    assert found_below(data, investigated) == {}
    assert only_case(data).decisions() == others
    emptied = [it.body for it in case.entries() if it.kind == "deleted"]
    assert [set(it) for it in emptied if it["was"] == "decision"] == [{"was", "on"}] * 4
    assert unmask("cases", "verify", case.id).exit_code == 0
    listed = unmask("review", case.id, "list", "--json")
    assert listed.exit_code == 0, listed.output
    (kept,) = [it for it in json.loads(listed.stdout)["hits"] if it["decision"]]
    assert (kept["image_id"], kept["decision"]["decision"]) == (others[0].image_id, "rejected")
    assert "no longer marked as rejected" in unmask("review", case.id, "undo").stdout
    assert "nothing to undo" in unmask("review", case.id, "undo").stderr
    # Not the index that these calls built: it may hold leftovers of this process's memory.
    assert (only_case(data).verify(), found_below(case.folder, investigated)) == ((), {})
    first = json.loads(listed.stdout)["hits"][0]["path"]
    assert unmask("forget", "--image", first, "--yes").exit_code == 0
    renumbered = unmask("review", case.id, "list").stderr
    assert "hits are numbered anew" in " ".join(renumbered.split())


def test_undone_decisions_stay_undone_without_the_photo(
    reviewed: str, data: Path, case: Unmask, source: Path, query: Path
) -> None:
    """A later photo goes with what is about its person; no old decision is in force again."""
    kept = only_case(data)
    (copy,) = kept.keep_photos([case.settings.home / "SECRET_GROUP.png"])
    kept.begin_turn("and this one?", {"Q2": copy}, gallery=GALLERY)
    assert unmask("review", kept.id, "undo").exit_code == 0
    before = kept.decisions()
    group = case.settings.home / "SECRET_GROUP.png"
    assert unmask("forget", "--image", group, "--yes").exit_code == 0
    assert list(kept.photos()) == ["Q1", "Q2"]
    assert (kept.verify(), kept.decisions()) == ((), before)


def test_reports_that_show_a_forgotten_picture_go(
    reviewed: str, investigated: Traces, data: Path, source: Path, case: Unmask
) -> None:
    """A dry run lists them; new ones, without the picture, can be exported afterwards."""
    kept = only_case(data)
    reports = exported(kept, case, data)
    told = json.loads(unmask("forget", "--image", source, "--dry-run", "--json").stdout)
    assert {*told["reports"]} == {str(report) for report in reports}
    said = unmask("forget", "--image", source, "--dry-run").stdout
    for report in reports:
        assert str(report) in said
        assert source.name in report.read_text()
    assert unmask("forget", "--image", source, "--yes").exit_code == 0
    assert not any(report.exists() for report in reports)
    assert found_below(data, investigated) == {}
    for report in exported(kept, case, data):
        assert "forged.jpg" in report.read_text()
        assert source.name not in report.read_text()
    assert found_below(kept.folder, investigated) == {}


def exported(kept: Case, case: Unmask, data: Path) -> list[Path]:
    """Reports of a case in every format; it is opened, and its search repeated, once."""
    workspace = restore_case(kept, case.models, home=data).workspace
    attach_exporter(workspace, kept)
    tools = {it.name: it for it in toolkit(workspace)}
    for format in ("html", "json", "csv"):
        tools["export_report"].invoke({"format": format})
    return [kept.folder / f"report.{format}" for format in ("html", "json", "csv")]


def test_a_report_of_a_search_that_is_not_recorded_goes(
    investigated: Traces, data: Path, source: Path
) -> None:
    """A resumed case searches the gallery as it is; other reports of other cases stay."""
    about = Case.create(data, gallery=GALLERY)
    other = Case.create(data, gallery=GALLERY)
    write(about.folder / "report.csv", f"rank,file\n1,{source}\n")
    write(other.folder / "report.csv", "rank,file\n1,/x/other.jpg\n")
    assert unmask("forget", "--image", source, "--yes").exit_code == 0
    assert not (about.folder / "report.csv").exists()
    assert (other.folder / "report.csv").exists()
    assert [it.what for it in accesses(about.folder)] == ["forget"]
    assert list(accesses(other.folder)) == []


@pytest.mark.parametrize("kind", ["case", "gallery"])
def test_reports_go_with_a_whole_case_or_gallery(
    kind: str, investigated: Traces, data: Path
) -> None:
    """They show pictures of the gallery; a dry run lists them; those of other galleries stay."""
    case, other = only_case(data), Case.create(data, gallery="other")
    for each in (case, other):
        write(each.folder / "report.html", "<img>")
    key = GALLERY if kind == "gallery" else case.id
    dry = unmask("forget", f"--{kind}", key, "--dry-run")
    assert dry.stdout.startswith("Would be deleted:\n")
    assert f"  report {case.folder / 'report.html'}" in dry.stdout
    assert re.search(r"  folder \S+, with all in it: \d+ files?\n", dry.stdout)
    assert (case.folder / "report.html").is_file()
    assert unmask("forget", f"--{kind}", key, "--yes").exit_code == 0
    assert not (case.folder / "report.html").exists()
    assert (other.folder / "report.html").exists()
    assert case.folder.is_dir() == (kind == "gallery")


def test_an_open_case_exports_nothing_that_was_deleted(
    investigated: Traces, data: Path, source: Path, case: Unmask
) -> None:
    """A running chat still holds its search: no report of that one is written, but of the next."""
    opened = only_case(data)
    workspace = restore_case(opened, case.models, home=data).workspace
    attach_exporter(workspace, opened)
    tools = {it.name: it for it in toolkit(workspace)}
    assert unmask("forget", "--image", source, "--yes").exit_code == 0
    for format in ("html", "json", "csv"):
        with pytest.raises(ToolError, match="were deleted since: search again"):
            tools["export_report"].invoke({"format": format})
    assert found_below(data, investigated) == {}
    tools["find_person"].invoke({"photos": ["Q1"]})
    for format in ("html", "json", "csv"):
        tools["export_report"].invoke({"format": format})
        assert (opened.folder / f"report.{format}").is_file()
    # The index is not looked at: it may hold leftovers of this process's memory.
    assert found_below(opened.folder, investigated) == {}


def test_a_forgotten_query_photo_leaves_an_empty_chain(
    investigated: Traces, data: Path, query: Path
) -> None:
    """Its private copy goes, and all that was said about it; its handle and the times stay."""
    photo_id = file_sha256(query).encode()
    assert found_below(data, {"photo": [photo_id]})
    assert unmask("forget", "--image", query, "--yes").exit_code == 0
    kept = only_case(data)
    assert found_below(data, {"photo": [photo_id, query.read_bytes()[-200:-100]]}) == {}
    assert kept.verification().problems == ()
    assert list(kept.photos()) == ["Q1"]
    assert kept.latest_search() is None
    said = json.dumps([dict(entry.body) for entry in kept.entries()])
    assert "find fakes" not in said and "Deleted on 20" in said


def test_a_dry_run_changes_nothing(investigated: Traces, data: Path, source: Path) -> None:
    """It lists galleries, cases, folders and files; a "no" to the question does the same."""
    before = state(data)
    answer = unmask("forget", "--image", source, "--dry-run")
    assert answer.exit_code == 0
    for part in (f"gallery {GALLERY!r}: 1 picture", "case 20", "retrieval-1", "dropped.jpg"):
        assert part in answer.stdout
    told = json.loads(unmask("forget", "--image", source, "--dry-run", "--json").stdout)
    assert (told["deleted"], told["proof"], told["counts"]["images"]) == (False, None, 1)
    assert unmask("forget", "--image", source, typed="n\n").exit_code == 1
    assert state(data) == before


def test_the_proof_is_signed_and_names_nobody(
    investigated: Traces, data: Path, source: Path, tmp_path: Path
) -> None:
    """Counts, time, kind and a salted hash; the key's holder verifies it, and sees any change."""
    told = json.loads(unmask("forget", "--image", source, "--yes", "--json").stdout)
    file = Path(told["proof"]["file"])
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    text = file.read_text()
    for secret in (file_sha256(source), source.name, str(data), only_case(data).id):
        assert secret not in text
    assert told["counts"]["images"] == 1 and told["proof"]["kind"] == "image"
    (listed,) = json.loads(unmask("forget", "--list-proofs", "--json").stdout)["proofs"]
    assert listed["state"] == "valid"
    about = unmask("forget", "--list-proofs", "--image", source, "--json")
    assert len(json.loads(about.stdout)["proofs"]) == 1
    other = tmp_path / "other.png"
    Image.new("RGB", (64, 64)).save(other)
    assert "No proofs about it." in unmask("forget", "--list-proofs", "--image", other).stdout
    file.write_text(text.replace('"images": 1', '"images": 9'))
    (listed,) = json.loads(unmask("forget", "--list-proofs", "--json").stdout)["proofs"]
    assert listed["state"] == "was changed"


CHILD = """
import os, signal, sys
sys.path.insert(0, sys.argv[1])
module, name = sys.argv[2].rsplit(".", 1)
import importlib
place = importlib.import_module(module)
setattr(place, name, lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL))
from assistant.cli.main import main
sys.argv = ["unmask", *sys.argv[3:]]
main()
"""


def killed_at(where: str, *words: str | Path) -> None:
    """`unmask` in a process of its own, killed where it would call a function."""
    command = [sys.executable, "-c", CHILD, str(ROOT), where, *map(str, words)]
    child = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
    assert child.returncode == -signal.SIGKILL, child.stderr


@pytest.mark.parametrize(
    "where",
    [
        "assistant.case.redaction.scrub_case",
        "assistant.case.forgetting.deletion.redact",
        "assistant.case.forgetting.deletion.forget_records",
        "tools.gallery.forgetting._delete",
        "tools.gallery.forgetting._rebuild",
        "assistant.case.forgetting.deletion.write_proof",
    ],
)
def test_a_killed_deletion_is_finished_by_the_same_command(
    investigated: Traces, data: Path, source: Path, where: str
) -> None:
    """Wherever the process dies: doctor tells, the next run finishes, and the proof counts all."""
    write(only_case(data).folder / "report.html", "<img>")
    killed_at(where, "forget", "--image", source, "--yes")
    unfinished = json.loads(unmask("forget", "--list-proofs", "--json").stdout)
    assert (len(unfinished["unfinished"]), unfinished["proofs"]) == (1, [])
    answer = unmask("forget", "--image", source, "--yes", "--json")
    assert answer.exit_code == 0, answer.output
    assert found_below(data, investigated) == {}
    assert not (only_case(data).folder / "report.html").exists()
    proof = json.loads(answer.stdout)["proof"]
    assert proof["interrupted"] is True
    assert (proof["counts"]["images"], proof["counts"]["faces"]) == (1, 1)
    assert only_case(data).verification().problems == ()
    told = json.loads(unmask("forget", "--list-proofs", "--json").stdout)
    assert (told["unfinished"], len(told["proofs"])) == ([], 1)


@pytest.mark.parametrize("where", ["remove_entry", "shutil.rmtree"])
def test_a_killed_deletion_of_a_gallery_is_finished(data: Path, where: str) -> None:
    """A gallery that lost its record already is deleted by the same command."""
    target = "tools.gallery.forgetting.remove_entry" if where == "remove_entry" else where
    killed_at(target, "forget", "--gallery", GALLERY, "--yes")
    assert unmask("forget", "--gallery", GALLERY, "--yes").exit_code == 0
    assert not (data / "galleries" / GALLERY).exists()


def test_a_person_is_reviewed_before_anything_goes(
    investigated: Traces, data: Path, query: Path, source: Path
) -> None:
    """Every face is listed with its certainty; kept ones stay, confirmed ones go with the copy."""
    listed = unmask("forget", "--person", query, "--dry-run")
    assert listed.exit_code == 0, listed.output
    assert "A wrong deletion destroys evidence" in " ".join(listed.stdout.split())
    told = json.loads(unmask("forget", "--person", query, "--dry-run", "--json").stdout)
    by_file = {Path(it["path"]).name: it for it in told["faces"]}
    assert "copy.jpg" in by_file and by_file["copy.jpg"]["identity_probability"] > 0.9
    assert "coffee.png" not in by_file and "group.png" not in by_file
    kept = by_file["copy.jpg"]["id"]
    before = state(data)
    assert unmask("forget", "--person", query, typed="n\n").exit_code == 1
    assert unmask("forget", "--person", query, "--keep", "nix", "--yes").exit_code == 1
    assert state(data) == before
    assert unmask("forget", "--person", query, "--keep", kept, "--yes").exit_code == 0
    with Gallery.open_existing(data, GALLERY) as gallery:
        assert gallery.has_image(file_sha256(source))
    assert found_below(data, {"photo": [query.read_bytes()]}) == {}
    assert unmask("forget", "--person", query, "--yes").exit_code == 0
    assert found_below(data, investigated) == {}


def test_other_faces_of_a_picture_stay(data: Path, case: Unmask) -> None:
    """In a group photo only the person's face goes: record, index and search keep the others."""
    group = case.settings.home / "SECRET_GROUP.png"
    image = file_sha256(case.settings.home / "collection" / "group.png")
    with Gallery.open_existing(data, GALLERY) as gallery:
        before = gallery.faces_of(image)
    answer = unmask("forget", "--person", group, "--face", "1", "--yes", "--json")
    assert answer.exit_code == 0, answer.output
    gone = [it["id"] for it in json.loads(answer.stdout)["faces"]]
    assert len(gone) == 1
    with Gallery.open_existing(data, GALLERY) as gallery:
        after = [face.id for face in gallery.faces_of(image)]
    assert len(after) == len(before) - 1
    (missing,) = {face.id for face in before} - set(after)
    (face,) = [it for it in before if it.id == missing]
    assert (
        found_below(data, {"embedding": [np.asarray(face.face.embedding, "<f4").tobytes()]}) == {}
    )


def test_a_whole_case_goes_with_its_head(investigated: Traces, data: Path) -> None:
    """Record, photos, the signed head and the browser's note; another case stays."""
    begun = only_case(data)
    write(data / "sessions" / "abc", begun.id)
    other = Case.create(data, gallery=GALLERY)
    heads = data.parent / "config" / "keys" / "heads"
    assert (heads / f"{begun.id}.json").is_file()
    assert unmask("forget", "--case", begun.id, "--yes").exit_code == 0
    assert not begun.folder.exists()
    assert not (heads / f"{begun.id}.json").exists()
    assert [it.name for it in (data / "sessions").iterdir()] == []
    assert only_case(data).id == other.id
    assert only_case(data).verify() == ()
    assert "there is no case" in unmask("forget", "--case", begun.id, "--yes").stderr


def test_a_whole_gallery_goes_and_its_cases_are_named(investigated: Traces, data: Path) -> None:
    """The folder and dropped files; the case that searched it stays, and a line says so."""
    case_id = only_case(data).id
    answer = unmask("forget", "--gallery", GALLERY, "--yes")
    assert answer.exit_code == 0
    assert f"unmask forget --case {case_id}" in " ".join(answer.stderr.split())
    assert not (data / "galleries" / GALLERY).exists()
    assert not (data / "dropped" / GALLERY).exists()
    assert unmask("forget", "--gallery", GALLERY, "--yes").exit_code == 1


def test_unknown_names_and_wrong_usage_are_one_line(data: Path, tmp_path: Path) -> None:
    """Nothing is deleted, and the line says what is wrong."""
    before = state(data)
    for words, status, part in (
        (["--gallery", "nix"], 1, "there is no gallery 'nix'"),
        (["--gallery", "../.."], 1, "is no name for a gallery"),
        (["--case", "../.."], 1, "there is no case"),
        (["--image", str(tmp_path / "nix.jpg")], 1, "nix.jpg"),
        (["--person", str(tmp_path / "nix.jpg")], 1, "nix.jpg"),
        ([], 2, "give one of"),
        (["--case", "x", "--gallery", "y"], 2, "give one of"),
        (["--case", "x", "--json"], 2, "needs --yes or --dry-run"),
        (["--case", "x", "--keep", "y"], 2, "needs --person"),
    ):
        words += ["--yes"] if status == 1 else []
        answer = unmask("forget", *words)
        assert (answer.exit_code, part in " ".join(answer.stderr.split())) == (status, True), (
            words, answer.stderr,
        )  # fmt: skip
    assert state(data) == before


def test_what_is_not_held_is_said_so(data: Path, tmp_path: Path) -> None:
    """A picture that is nowhere: no question, no proof, status 0."""
    Image.new("RGB", (64, 64)).save(tmp_path / "other.png")
    answer = unmask("forget", "--image", tmp_path / "other.png")
    assert (answer.exit_code, "nothing to delete" in answer.stdout) == (0, True)
    assert not (data / "proofs").exists()


HOLD = """
import sqlite3, sys
if sys.argv[2] == "read":
    connection = sqlite3.connect(sys.argv[1], isolation_level=None)
    connection.execute("BEGIN")
    connection.execute("SELECT count(*) FROM images").fetchone()
else:
    connection = sqlite3.connect(sys.argv[1], isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture(params=["read", "lock"])
def elsewhere(request: pytest.FixtureRequest, data: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that reads the record, or holds the index."""
    name = database_file.DATABASE_FILE if request.param == "read" else "chroma.lock"
    command = [sys.executable, "-c", HOLD, str(data / "galleries" / GALLERY / name), request.param]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None and child.stdout.readline() == "held\n"
    yield child
    child.kill()
    child.communicate()


def test_a_gallery_open_elsewhere_is_refused_and_finished_later(
    elsewhere: subprocess.Popen[str], investigated: Traces, data: Path, source: Path
) -> None:
    """One line names it; when the other process has ended, the same command does the rest."""
    answer = unmask("forget", "--image", source, "--yes")
    assert answer.exit_code == 1
    assert "is open in another process" in " ".join(answer.stderr.split())
    elsewhere.kill()
    elsewhere.communicate()
    assert unmask("forget", "--image", source, "--yes").exit_code == 0
    assert found_below(data, investigated) == {}


def test_an_open_index_of_this_process_is_refused(data: Path, source: Path) -> None:
    """As in a running chat that searches at this moment."""
    with Gallery.open_existing(data, GALLERY) as gallery, FaceIndex.open(gallery):
        assert unmask("forget", "--image", source, "--yes").exit_code == 1
    assert unmask("forget", "--image", source, "--yes").exit_code == 0


def test_a_read_only_disk_is_one_line(
    data: Path, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It lists what would go, and deletes nothing."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting needs rights that this machine does not give")
    try:
        shutil.copytree(data, disk / "home")
        remount = ["mount", "-o", "remount,ro", str(disk)]
        subprocess.run(remount, check=True, capture_output=True)
        monkeypatch.setenv("UNMASK_HOME", str(disk / "home"))
        assert unmask("forget", "--image", source, "--dry-run").exit_code == 0
        answer = unmask("forget", "--image", source, "--yes")
        assert answer.exit_code == 1
        assert "the data folder" in answer.stderr and "read-only" in answer.stderr
        assert answer.stdout.count("Deleted") == 0
    finally:
        subprocess.run(["umount", str(disk)], check=True)  # noqa: S607


def test_a_record_that_was_changed_before_stays_changed(
    investigated: Traces, data: Path, source: Path
) -> None:
    """A deletion signs anew, and must not hide that somebody had edited the record."""
    edited = only_case(data)
    with sqlite3.connect(edited.folder / "case.sqlite3") as connection:
        connection.execute("UPDATE entries SET body = replace(body, 'fakes', 'ghosts')")
    connection.close()
    assert unmask("forget", "--image", source, "--yes").exit_code == 0
    assert any("did not verify before" in it for it in only_case(data).verify())
    assert unmask("cases", "verify").exit_code == 1


def test_without_a_key_the_proof_says_that_it_is_not_signed(
    data: Path, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The deletion goes on, and the proof claims nothing."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("UNMASK_CONFIG_DIR", str(tmp_path / "file"))
    answer = unmask("forget", "--image", source, "--yes")
    assert answer.exit_code == 0
    assert "the proof is not signed" in answer.stderr
    (listed,) = json.loads(unmask("forget", "--list-proofs", "--json").stdout)["proofs"]
    assert listed["state"] == "not signed"
    assert SigningKeys(Settings.load().keys_dir).id == ""
