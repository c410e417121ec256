"""Import a bundle as a case: all of it after every check, or nothing."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from assistant.case.archive.layout import EXHIBIT, PHOTO, REPORT
from assistant.case.archive.reading import Bundle, open_bundle
from assistant.case.record import Case, cases_folder
from assistant.case.signed.record_file import CASE_DB_FILE
from assistant.case.signed.signing import SigningKeys, write_signers
from assistant.case.signed.verification import Verification
from tools.errors import SetupError
from tools.gallery.access_log import record_access
from tools.media.file_names import printable
from tools.media.private_files import open_private, private_folder


@dataclass(frozen=True, slots=True)
class ImportedCase:
    """A case from a bundle, the key that signed the bundle, and the result of its check."""

    case: Case
    key: str
    exported: str
    verification: Verification


def import_case(
    path: Path, home: Path, *, keys: SigningKeys | None = None, expected_key: str = ""
) -> ImportedCase:
    """Unpack a bundle into the cases of a data folder.

    With `expected_key`, a bundle that another key signed is refused. Raises SetupError, and leaves
    nothing behind, for a bundle or record that does not verify, or a case that exists already.
    """
    with unpacked(path, home, keys=keys, expected_key=expected_key) as imported:
        target = cases_folder(home) / imported.case.id
        if (target / CASE_DB_FILE).exists():
            raise SetupError(
                f"case {target.name!r} is here already: to replace it, delete it first with "
                f"`unmask forget --case {target.name}`"
            )
        _require_newest(imported.case)
        private_folder(target.parent)
        try:
            imported.case.folder.replace(target)
        except OSError as error:
            raise SetupError(
                f"case {target.name!r} cannot be written ({error.strerror}); check the disk"
            ) from error
    case = Case(target, keys=keys)
    for head in sorted(case.heads(), key=lambda it: it.entries)[-1:]:
        case.keys.keep(head)  # what was received cannot be exchanged unnoticed later
    record_access(case.folder, "import")
    return ImportedCase(case, imported.key, imported.exported, imported.verification)


@contextmanager
def unpacked(
    path: Path, home: Path, *, keys: SigningKeys | None = None, expected_key: str = ""
) -> Iterator[ImportedCase]:
    """A bundle as a case in a temporary folder, which is deleted at the end.

    Raises SetupError for a bundle or record that does not verify.
    """
    with open_bundle(path) as bundle, _temporary_folder(home) as folder:
        if expected_key and bundle.key != expected_key:
            raise SetupError(
                f"{path.name!r} was signed with the key {bundle.key}, not with {expected_key}: "
                "it does not come from the person whose key that is"
            )
        case = _unpack(bundle, folder, keys=keys)
        # An older state that was exported is whole; only an import must not go back.
        found = case.verification(known_heads=False)
        if found.problems:
            raise SetupError(
                f"the record in {path.name!r} does not verify, so nothing was read: "
                f"{found.problems[0]}"
            )
        yield ImportedCase(case, bundle.key, bundle.exported, found)


@contextmanager
def _temporary_folder(home: Path) -> Iterator[Path]:
    """Below `uploads`, which `unmask forget` empties, should this process be killed."""
    try:
        folder = Path(tempfile.mkdtemp(dir=private_folder(home / "uploads"), prefix="bundle-"))
    except OSError as error:
        raise SetupError(
            f"a bundle cannot be unpacked in {printable(home)!r} ({error.strerror}); choose "
            "another data folder by setting UNMASK_HOME"
        ) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _require_newest(case: Case) -> None:
    kept = case.keys.latest_head(case.id)
    count = len(case.entries())
    if kept is not None and kept.entries > count:
        raise SetupError(
            f"the bundle holds case {case.id!r} with {count} entries, and {kept.entries} are known "
            "to have been signed: ask for a newer bundle, or continue the case where it is"
        )


def _unpack(bundle: Bundle, folder: Path, *, keys: SigningKeys | None) -> Case:
    """Photos, exhibits, reports and record, every byte checked against its hash."""
    received = bundle.record()
    home = private_folder(folder / received.case)
    try:
        _require_space(bundle, home)
        case = Case.rebuild(home, received.entries, received.heads, keys=keys)
        write_signers(home, received.signers)
        private_folder(case.photos_folder)
        private_folder(case.exhibits_folder)
        for name in bundle.names:
            target = _target(case, name)
            if target is None:
                bundle.read(name)  # not kept, but every byte is checked
            else:
                if target.parent != case.folder and bundle.sha256(name) != target.stem:
                    raise SetupError(f"{name[:12]}… in the bundle is not named by its hash")
                with open_private(target, "wb") as file:
                    bundle.extract(name, file)
    except OSError as error:
        raise SetupError(
            f"the bundle cannot be unpacked ({error.strerror or error}); check the disk"
        ) from error
    return case


def _target(case: Case, name: str) -> Path | None:
    """Where a file goes; named by what it is, never by the bundle."""
    if match := PHOTO.fullmatch(name):
        return case.photos_folder / match["sha256"]
    if match := EXHIBIT.fullmatch(name):
        return case.exhibits_folder / f"{match['sha256']}{match['extension']}"
    match = REPORT.fullmatch(name)
    return None if match is None else case.folder / match[0]


def _require_space(bundle: Bundle, folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if bundle.unpacked_bytes > free:
        raise SetupError(
            f"the bundle needs {bundle.unpacked_bytes:,} bytes, and the disk has {free:,}: free "
            "some, or choose another data folder by setting UNMASK_HOME"
        )
