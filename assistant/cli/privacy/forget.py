"""`unmask forget`: delete a picture, a person, a case or a gallery, with a signed proof."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assistant.cli.options import (
    FaceOption,
    JsonOption,
    load_settings,
    parse_cli_path,
    parse_face_numbers,
    redirect_library_output,
)
from assistant.console.output import (
    escape_terminal,
    format_probability,
    print_json,
    print_remarks,
    print_table,
    stderr_console,
    stdout_console,
)
from tools.media.file_names import printable

if TYPE_CHECKING:
    from assistant.case.forgetting.deletion import Plan
    from assistant.case.forgetting.person import PersonFaces
    from assistant.case.forgetting.proof import Proof
    from assistant.case.forgetting.request import ForgetRequest
    from assistant.case.signed.signing import SigningKeys
    from assistant.settings import Settings

_SHOWN, _BESIDE_SHOWN = 10, 5
_WORDS = {
    "galleries": "gallery", "images": "picture or video frame", "faces": "face", "cases": "case",
    "case_entries": "case entry", "case_photos": "case photo", "watch_entries": "watch entry",
    "files": "file",
}  # fmt: skip
_PLURALS = {
    "gallery": "galleries", "picture or video frame": "pictures or video frames",
    "case entry": "case entries", "watch entry": "watch entries",
}  # fmt: skip
WRONG_DELETION = (
    "The certainty is a measurement and can be wrong. A wrong deletion destroys evidence and "
    "cannot be undone: look at each file, and keep a face with --keep ID."
)


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(short_help="Delete a picture, a person, a case or a gallery for good.")(forget)


def forget(
    context: typer.Context,
    image: Annotated[
        Path | None,
        typer.Option(metavar="FILE", parser=parse_cli_path, help="A picture or video, by content."),
    ] = None,
    person: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="PHOTO", parser=parse_cli_path, help="A photo of a person; may be repeated."
        ),
    ] = None,
    case: Annotated[str | None, typer.Option(metavar="ID", help="A whole case.")] = None,
    gallery: Annotated[
        str | None, typer.Option("--gallery", "-g", metavar="NAME", help="A whole gallery.")
    ] = None,
    face: FaceOption = None,
    keep: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="With --person: a listed face that stays; repeatable."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list what would go.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    proofs: Annotated[
        bool, typer.Option("--list-proofs", help="List the proofs of earlier deletions.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Delete what Unmask holds of a picture, a person, a case or a gallery.

    \b
    unmask forget --image ada.jpg --dry-run
    unmask forget --person ada.jpg                  # lists every face, then asks
    unmask forget --case 20261120-193816-0fecd7
    unmask forget --gallery case42 --yes
    unmask forget --list-proofs                     # with --image FILE: the proofs about it

    Records, embeddings, features, the search index, private copies, uploads, reports in the folders
    of cases, and runs in the data folder that hold it are deleted and overwritten. Your own files
    are never touched: delete them yourself, and do not index them again. Pages that you wrote
    elsewhere, backups and what the disk keeps of freed blocks are beyond reach.

    With --person, every face that the identity band calls the same person is listed with its
    certainty and deleted only when you confirm, because a wrong deletion destroys evidence. Faces
    that the band leaves undecided stay. A picture that shows other people too stays without that
    face. A case of a deleted photo keeps its chain: emptied entries say "deleted on", and `unmask
    cases verify` reports it. --case deletes a case whole.

    A signed proof without face, name or path is written to the data folder. After an interruption,
    run the same command again. The exit status is 1 if something could not be looked at or deleted.
    """
    given = [image is not None, bool(person), case is not None, gallery is not None]
    if sum(given) > 1 or (not any(given) and not proofs):
        raise typer.BadParameter("give one of --image, --person, --case and --gallery")
    if (face or keep) and not person:
        raise typer.BadParameter("needs --person", param_hint="--face" if face else "--keep")
    if json and not (yes or dry_run or proofs):
        raise typer.BadParameter("needs --yes or --dry-run: there is no question in JSON",
                                 param_hint="--json")  # fmt: skip
    from assistant.case.forgetting.request import ForgetRequest, request_image
    from assistant.case.signed.signing import SigningKeys

    settings = load_settings(context)
    keys = SigningKeys(settings.keys_dir)
    faces: PersonFaces | None = None
    request: ForgetRequest | None = None
    if image is not None:
        request = request_image(image)
    elif case is not None or gallery is not None:
        request = ForgetRequest("case" if gallery is None else "gallery", case or gallery or "")
    elif person:
        with redirect_library_output(context):
            faces = _faces_of(settings, person, face or ())
        request = faces.request(keep or ())
    if proofs:
        _print_proofs(settings, keys, request, json=json)
    elif request is not None:
        _forget(settings, request, keys, faces=faces, dry_run=dry_run, yes=yes, json=json)


def forget_gallery(settings: "Settings", name: str, *, yes: bool) -> None:
    """Delete a whole gallery, after a question unless `yes`."""
    from assistant.case.forgetting.request import ForgetRequest
    from assistant.case.signed.signing import SigningKeys

    _forget(
        settings, ForgetRequest("gallery", name), SigningKeys(settings.keys_dir), faces=None,
        dry_run=False, yes=yes, json=False,
    )  # fmt: skip


def forget_case(settings: "Settings", id: str, *, yes: bool, json: bool) -> None:
    """Delete a whole case, after a question unless `yes`."""
    from assistant.case.forgetting.request import ForgetRequest
    from assistant.case.signed.signing import SigningKeys

    _forget(
        settings, ForgetRequest("case", id), SigningKeys(settings.keys_dir), faces=None,
        dry_run=False, yes=yes, json=json,
    )  # fmt: skip


def _faces_of(settings: "Settings", photos: Sequence[Path], face: Sequence[str]) -> "PersonFaces":
    from assistant.case.forgetting.person import find_person
    from assistant.profile import LoadedModels
    from tools.search.query_files import query_from_files

    chosen, models = parse_face_numbers(face), LoadedModels(settings)
    query = query_from_files(
        photos, faces=models.faces, encoder=models.encoder, face=chosen, rule=models.rule
    )
    ids = {each.partition("@")[0] for each in query.photo_ids}
    return find_person(settings.home, query, models=models, keys=ids)


def _forget(
    settings: "Settings", request: "ForgetRequest", keys: "SigningKeys", *,
    faces: "PersonFaces | None", dry_run: bool, yes: bool, json: bool,
) -> None:  # fmt: skip
    from assistant.case.forgetting.deletion import execute, make_plan, resumable
    from tools.media.data_folder import require_writable

    plan = make_plan(settings, request, keys=keys)
    if not json:
        _print_plan(plan, faces, going="Would be deleted:" if dry_run else "To be deleted:")
    continued = resumable(settings.home, request)
    if dry_run or not (plan.found or continued):
        _tell(plan, None, None, faces, json=json, dry_run=dry_run)
        return
    require_writable(settings.home)
    if continued and not json:
        print_remarks([f"continues the deletion that was interrupted on {continued.began}"])
    if not yes:
        typer.confirm("Delete all of this for good? Your own files are not touched.", abort=True)
    path, proof = execute(settings, plan, keys=keys)
    _tell(plan, path, proof, faces, json=json, dry_run=False)


def _tell(
    plan: "Plan", path: Path | None, proof: "Proof | None", faces: "PersonFaces | None", *,
    json: bool, dry_run: bool,
) -> None:  # fmt: skip
    """Print the outcome; exit status 1 if something could not be looked at."""
    if json:
        print_json(_plan_json(plan, faces) | {
            "dry_run": dry_run,
            "deleted": proof is not None,
            "proof": None if proof is None or path is None
            else {"file": printable(path), **dataclasses.asdict(proof)},
        })  # fmt: skip
    elif proof is not None:
        stdout_console().print(
            f"Deleted: {_counted(proof.counts)}.\nProof: {escape_terminal(path)}", soft_wrap=True
        )
        if not proof.signature:
            print_remarks(["the proof is not signed: no signing key could be used"])
    elif not plan.found:
        stdout_console().print("Nothing is held of it: there is nothing to delete.")
    if plan.problems:
        stderr_console().print("not everything could be looked at; see above")
        raise typer.Exit(1)


def _print_plan(plan: "Plan", faces: "PersonFaces | None", *, going: str) -> None:
    """Print what goes, below the heading `going`, and what stays."""
    console = stdout_console()
    if faces is not None and faces.matches:
        print_table(
            ["id", "same person", "where", "file", "also shows"],
            [[it.id, format_probability(it.probability), it.place, printable(it.path),
              f"{it.others} others" if it.others else ""] for it in faces.matches],
        )  # fmt: skip
        console.print(WRONG_DELETION)
    if plan.found or plan.loose.files:
        console.print(going)
    for name, held in plan.galleries.items():
        records = {"images": len(held.images), "faces": len(held.faces)}
        console.print(f"  gallery {name!r}: {_counted(records)}")
    for case, kept in plan.cases.items():
        counts = {"case_entries": len(kept.entries), "case_photos": len(kept.copies)}
        console.print(f"  case {case}: {_counted(counts)}")
    for watch in plan.loose.watches:
        console.print(
            f"  watch {watch.folder.name!r}: {_counted({'watch_entries': watch.entries})}"
        )
    for path in [*([plan.whole] if plan.whole else []), *plan.loose.folders]:
        _print_folder(path, [it for it in plan.loose.beside if it.is_relative_to(path)])
    _print_some("  report", plan.loose.reports)
    _print_some("  file", plan.loose.files)
    if plan.sources:
        console.print("Stays, because it is yours:")
        _print_some(" ", plan.sources)
    print_remarks([*plan.notes, *plan.problems])


def _print_folder(folder: Path, beside: Sequence[Path]) -> None:
    """A folder that goes whole, and what goes with it although it is about something else."""
    files = sum(it.is_file() for it in folder.rglob("*"))
    told = f"  folder {escape_terminal(folder)}, with all in it: {_counted({'files': files})}"
    if beside:
        names = ", ".join(str(it.relative_to(folder)) for it in beside[:_BESIDE_SHOWN])
        rest = len(beside) - _BESIDE_SHOWN
        told += f"; {len(beside)} of them are not about it: {escape_terminal(names)}"
        told += f" and {rest} more" if rest > 0 else ""
    stdout_console().print(told, soft_wrap=True, markup=False)


def _print_some(word: str, paths: Sequence[Path]) -> None:
    console = stdout_console()
    for path in paths[:_SHOWN]:
        console.print(f"{word} {escape_terminal(path)}", soft_wrap=True, markup=False)
    if len(paths) > _SHOWN:
        console.print(f"{word} … and {len(paths) - _SHOWN} more; --json names them")


def _counted(counts: Mapping[str, int]) -> str:
    told = []
    for name, count in counts.items():
        word = _WORDS.get(name, name)
        plural = _PLURALS.get(word, f"{word}s")
        told += [f"{count:,} {word if count == 1 else plural}"] if count else []
    return ", ".join(told) or "nothing but what an interrupted run had left"


def _plan_json(plan: "Plan", faces: "PersonFaces | None") -> dict[str, Any]:
    matches = [
        {"id": it.id, "where": it.place, "path": printable(it.path), "others": it.others,
         "identity_probability": it.probability}
        for it in (faces.matches if faces else ())
    ]  # fmt: skip
    return {
        "kind": plan.request.kind,
        "counts": plan.counts,
        "faces": matches,
        "undecided": faces.undecided if faces else None,
        "galleries": {name: dataclasses.asdict(it) for name, it in plan.galleries.items()},
        "cases": {id: {"entries": len(it.entries), "photos": len(it.copies)}
                  for id, it in plan.cases.items()},
        "watches": {it.folder.name: it.entries for it in plan.loose.watches},
        "files": [printable(it) for it in plan.loose.files],
        "reports": [printable(it) for it in plan.loose.reports],
        "folders": [printable(it) for it in plan.loose.folders],
        "beside": [printable(it) for it in plan.loose.beside],
        "stays": [printable(it) for it in plan.sources],
        "notes": list(plan.notes),
        "problems": list(plan.problems),
    }  # fmt: skip


def _print_proofs(
    settings: "Settings", keys: "SigningKeys", request: "ForgetRequest | None", *, json: bool
) -> None:
    """List the proofs; with a subject, only those about it."""
    from assistant.case.forgetting.journal import unfinished_deletions
    from assistant.case.forgetting.proof import list_proofs

    rows = [
        (path, proof, state)
        for path, proof, state in list_proofs(settings.home, keys)
        if request is None or (proof is not None and proof.is_about(request.kind, request.key))
    ]
    open_ = [it.began for it in unfinished_deletions(settings.home)]
    if json:
        print_json({
            "proofs": [
                {"file": printable(path), "state": state,
                 **(dataclasses.asdict(proof) if proof else {})}
                for path, proof, state in rows
            ],
            "unfinished": open_,
        })  # fmt: skip
        return
    if rows:
        print_table(
            ["at", "kind", "deleted", "signature", "file"],
            [[proof.at, proof.kind, _counted(proof.counts), state, path.name] if proof
             else ["", "", "", state, path.name] for path, proof, state in rows],
        )  # fmt: skip
    else:
        stdout_console().print("No proofs" + (" about it." if request else " yet."))
    print_remarks(
        f"a deletion begun on {began} was interrupted: run its command again" for began in open_
    )
