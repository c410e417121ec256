"""A case as a bundle: whole and signed on the way out, checked in every part on the way in."""

import hashlib
import json
import shutil
import stat
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from assistant.case.archive.importing import import_case, unpacked
from assistant.case.archive.layout import RECORD, SIGNATURE, SUMS, signed_message, sums_text
from assistant.case.archive.writing import write_bundle
from assistant.case.catalogue import duplicate_case
from assistant.case.record import Case
from assistant.case.redaction import Subject, redact
from assistant.case.signed.chain import GENESIS_HASH, chained
from assistant.case.signed.entry import CaseEntry
from assistant.case.signed.signing import SigningKeys
from assistant.conversation.steps import UserTurn
from tests.support.made.listed_hits import findings, hit
from tests.support.stand_ins import picture
from tools.errors import SetupError
from tools.media.hashing import file_sha256

pytestmark = pytest.mark.fast


@pytest.fixture
def case(tmp_path: Path) -> Case:
    """A case with a photo, a question and an exhibit of odd name."""
    begun = Case.create(tmp_path / "home", gallery="family", keys=SigningKeys(tmp_path / "keys"))
    Image.fromarray(picture(1)).save(tmp_path / "1.png")
    (copy,) = begun.keep_photos([tmp_path / "1.png"])
    begun.begin_turn("find fakes of <b>Ada</b> 😀", {"Q1": copy}, gallery="family")
    begun.record_search({"photos": ["Q1"]}, {"hits": []}, made_with={"unmask": "0.1.0"})
    return begun


@pytest.fixture
def bundle(case: Case, tmp_path: Path) -> Path:
    """The case's bundle, with one exhibit and one that is gone."""
    exhibit = tmp_path / "odd\u202e 😀.PNG"
    Image.fromarray(picture(2)).save(exhibit)
    gone = hit(2, tmp_path / "gone.jpg", image_id="b" * 64)
    hits = [hit(1, exhibit, image_id=file_sha256(exhibit)), gone]
    return write_bundle(tmp_path / "case.zip", case, findings(hits), {"report.csv": "rank\n1\n"})


def elsewhere(tmp_path: Path) -> SigningKeys:
    """The keys of another person."""
    return SigningKeys(tmp_path / "other keys")


def rewritten(bundle: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    """The bundle with other contents, by someone without the key."""
    with zipfile.ZipFile(bundle) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    change(files)
    made = bundle.with_name("changed.zip")
    with zipfile.ZipFile(made, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return made


def listed_anew(files: dict[str, bytes]) -> None:
    """The list of hashes, computed for the files as they are."""
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()
              if name not in (SUMS, SIGNATURE)}  # fmt: skip
    files[SUMS] = sums_text(hashes).encode()


def test_a_case_goes_to_another_person(bundle: Path, case: Case, tmp_path: Path) -> None:
    """All arrives private and verifies; the key is named, and the work goes on."""
    keys = elsewhere(tmp_path)
    found = import_case(bundle, tmp_path / "there", keys=keys)
    assert found.key == case.keys.id != keys.id
    assert found.case.entries() == case.entries()
    assert found.verification.signature == "valid"
    note = found.verification.note
    assert f"signed with the key {case.keys.id}, which came with the case" in note
    (exhibit,) = found.case.exhibits_folder.iterdir()
    assert exhibit.name == f"{file_sha256(exhibit)}.png"
    assert (found.case.folder / "report.csv").read_text() == "rank\n1\n"
    for path in found.case.folder.rglob("*"):
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path
    found.case.append(UserTurn("and now?"))
    after = found.case.verification()
    assert (after.problems, after.signature) == ((), "valid")
    assert f"signed with the key {keys.id}, {len(case.entries()) + 1} entries" in after.note
    assert list((tmp_path / "there" / "uploads").iterdir()) == []


def test_a_duplicate_keeps_the_exhibits(bundle: Path, tmp_path: Path) -> None:
    """An imported case that is duplicated can still be replayed, and verifies."""
    home = tmp_path / "there"
    received = import_case(bundle, home, keys=elsewhere(tmp_path)).case
    made = duplicate_case(received, home)
    kept = [it.name for it in received.exhibits_folder.iterdir()]
    assert kept == [it.name for it in made.exhibits_folder.iterdir()] != []
    assert made.verify() == ()


def test_what_is_not_included_is_named(bundle: Path) -> None:
    """A missing exhibit is no reason to withhold the rest; anybody can check the hashes."""
    with zipfile.ZipFile(bundle) as archive:
        readme = archive.read("README.txt").decode()
        sums = archive.read(SUMS).decode()
    assert f"Not included: exhibit H2, sha256 {'b' * 64}" in readme
    assert "sha256sum --check" in readme
    assert len(sums.splitlines()) == 5


@pytest.mark.parametrize("name", ["record.json", "report.csv", "README.txt", "photo", "exhibit"])
def test_one_changed_byte_is_found(bundle: Path, tmp_path: Path, name: str) -> None:
    """With the old list of hashes and with a new one, and nothing is left behind."""

    def change(files: dict[str, bytes]) -> None:
        member = next(it for it in files if it.startswith(name))
        files[member] = files[member][:-1] + bytes([files[member][-1] ^ 1])

    def change_and_list(files: dict[str, bytes]) -> None:
        change(files)
        listed_anew(files)

    for changed in (change, change_and_list):
        with pytest.raises(SetupError, match="is not read: "):
            import_case(rewritten(bundle, changed), tmp_path / "there", keys=elsewhere(tmp_path))
    assert not (tmp_path / "there" / "cases").exists()


def test_a_record_hashed_anew_and_signed_by_another_is_found(
    bundle: Path, case: Case, tmp_path: Path
) -> None:
    """An editor with a key of their own can only sign with that key's name, and not the head."""
    editor = SigningKeys(tmp_path / "editor")

    def forge(files: dict[str, bytes]) -> None:
        data = json.loads(files[RECORD])
        data["entries"][2]["body"]["text"] = "find fakes of Eve"
        previous = GENESIS_HASH
        for row in data["entries"]:
            row["hash"] = previous = chained(previous, replace(CaseEntry(**row), hash=""))
        data["heads"][0]["hash"] = previous
        files[RECORD] = json.dumps(data).encode()
        listed_anew(files)
        listed = hashlib.sha256(files[SUMS]).hexdigest()
        given = json.loads(files[SIGNATURE])
        editor.ensure()
        given |= {"key": editor.id, "public_key": editor.public_key}
        message = signed_message(case.id, listed, editor.id, given["exported"])
        given["signature"] = (editor.sign_message(message) or ("", ""))[1]
        files[SIGNATURE] = json.dumps(given).encode()

    forged = rewritten(bundle, forge)
    with pytest.raises(SetupError, match="does not verify, so nothing was read: its signature was"):
        import_case(forged, tmp_path / "there", keys=elsewhere(tmp_path))
    with pytest.raises(SetupError, match="not with"):
        import_case(forged, tmp_path / "there", keys=elsewhere(tmp_path), expected_key=case.keys.id)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("../../evil", "belongs in no bundle"),
        ("/etc/passwd", "belongs in no bundle"),
        ("photos/../../evil", "belongs in no bundle"),
        ("photos\\evil", "belongs in no bundle"),
        ("case.sqlite3", "belongs in no bundle"),
        ("report.pdf", "does not name the files"),
    ],
)
def test_no_name_leads_out(bundle: Path, tmp_path: Path, name: str, why: str) -> None:
    """A file that does not belong is refused by its name before anything is written."""
    changed = rewritten(bundle, lambda files: files.update({name: b"x"}))
    with pytest.raises(SetupError, match=why):
        import_case(changed, tmp_path / "there", keys=elsewhere(tmp_path))


def test_links_bombs_doubles_and_damage_are_refused(bundle: Path, tmp_path: Path) -> None:
    """In one line each, without unpacking."""
    there, keys = tmp_path / "there", elsewhere(tmp_path)

    def refused(path: Path) -> str:
        with pytest.raises(SetupError) as error:
            import_case(path, there, keys=keys)
        return str(error.value)

    link = tmp_path / "link.zip"
    shutil.copy(bundle, link)
    with zipfile.ZipFile(link, "a") as archive:
        info = zipfile.ZipInfo("report.html")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    assert "is a link or a device" in refused(link)
    double = tmp_path / "double.zip"
    shutil.copy(bundle, double)
    with zipfile.ZipFile(double, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("record.json", "{}")
    assert "twice" in refused(double)
    bomb = tmp_path / "bomb.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("record.json", SUMS, SIGNATURE):
            archive.writestr(name, "{}")
        archive.writestr("report.html", bytes(80 << 20))
    assert "would unpack to" in refused(bomb)
    cut = tmp_path / "cut.zip"
    cut.write_bytes(bundle.read_bytes()[:-200])
    assert "cut off or damaged" in refused(cut)
    assert "cut off or damaged" in refused(tmp_path / "1.png")
    assert "No such file" in refused(tmp_path / "nothing.zip")


def test_a_case_that_is_here_stays(bundle: Path, case: Case, tmp_path: Path) -> None:
    """Nothing is overwritten, and no older state comes back after a deletion of the folder."""
    with pytest.raises(SetupError, match="is here already"):
        import_case(bundle, tmp_path / "home", keys=case.keys)
    case.append(UserTurn("later"))
    with unpacked(bundle, tmp_path / "home", keys=case.keys) as found:
        assert found.verification.problems == ()
    with pytest.raises(SetupError, match="are known to have been signed"):
        import_case(bundle, tmp_path / "there", keys=case.keys)


def test_a_damaged_record_is_not_exported(case: Case, tmp_path: Path) -> None:
    """A signature on the bundle would cover up the change."""
    case.photos()["Q1"].write_bytes(b"")
    with pytest.raises(SetupError, match="its record is not intact"):
        write_bundle(tmp_path / "case.zip", case, None, {})
    assert not (tmp_path / "case.zip").exists()


def test_an_exhibit_of_an_imported_case_can_be_forgotten(bundle: Path, tmp_path: Path) -> None:
    """A deletion finds the copy that came with the case."""
    found = import_case(bundle, tmp_path / "there", keys=elsewhere(tmp_path))
    (exhibit,) = found.case.exhibits_folder.iterdir()
    redact(found.case, Subject(frozenset({exhibit.stem})))
    assert not exhibit.exists()
