"""Hand a case over: export it as a bundle, import one, and name the key that signs.

Export and import return what is said about the result, and the same as data.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.console.output import print_remarks
from tools.errors import SetupError

if TYPE_CHECKING:
    from assistant.settings import Settings


def export_bundle(settings: "Settings", id: str, path: Path) -> tuple[str, dict[str, Any]]:
    """Write a bundle with the reports of the case's latest search, if it has one."""
    written, key = _export(settings, id, path), key_name(settings)
    said = (
        f"Written: {written}. It is signed with the key {key}; tell the recipient that name by "
        "another way."
    )
    return said, {"written": str(written), "key": key}


def _export(settings: "Settings", id: str, path: Path) -> Path:
    from assistant.case.archive.writing import write_bundle
    from assistant.case.record import Case
    from assistant.case.restoring import restore_case
    from assistant.profile import LoadedModels
    from assistant.report.case_export import export_findings
    from tools.gallery.access_log import record_access

    case = Case.open(settings.home, id)
    record_access(case.folder, "export")
    if case.latest_search() is None:
        return write_bundle(path, case, None, {})
    restored = restore_case(case, LoadedModels(settings), home=settings.home)
    print_remarks(f"{note[:1].upper()}{note[1:]}." for note in restored.notes)
    if restored.workspace.last_search is None:
        raise SetupError(
            f"case {id!r} is not exported: its search cannot be run again here, so its report and "
            "originals would be missing"
        )
    return export_findings(restored.workspace, case, "bundle", path=path)


def import_bundle(settings: "Settings", path: Path, *, key: str) -> tuple[str, dict[str, Any]]:
    """Import a bundle; with a `key`, only one that this key signed."""
    from assistant.case.archive.importing import import_case

    found = import_case(path, settings.home, expected_key=key)
    asked = "as you expected" if key else (
        "ask the person who gave it to you, by another way, whether that is theirs"
    )  # fmt: skip
    said = (
        f"Imported as case {found.case.id}, exported {found.exported}. It was signed with the key "
        f"{found.key}: {asked}. Record, photos, exhibits and every hash verify."
    )
    return said, {"id": found.case.id, "key": found.key, "exported": found.exported,
                  "signature": found.verification.signature}  # fmt: skip


def key_name(settings: "Settings") -> str:
    """The name of the user's key, which is made if there is none."""
    from assistant.case.signed.signing import SigningKeys

    keys = SigningKeys(settings.keys_dir)
    name = keys.ensure()
    if not name:
        raise SetupError(keys.trouble)
    return name
