"""Plan and execute a deletion: what would go, then its removal, resumable, with a proof at the end.

Exported reports go first, then cases and loose files, and galleries last: a case's record tells
which of its reports may show the subject, and a gallery knows the names by which the others are
found, so a run that is interrupted anywhere can be repeated and finds the rest. What an interrupted
run had deleted but not yet overwritten is overwritten at the start of the next one.

Source files of the user are never touched: only files that Unmask made below its data folder, and
the heads of deleted cases beside the signing key. Indexing the same files again would bring them
back.
"""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from assistant.case.catalogue import CaseSummary, list_cases
from assistant.case.forgetting import journal
from assistant.case.forgetting.places import LoosePlaces, loose_places
from assistant.case.forgetting.proof import Proof, write_proof
from assistant.case.forgetting.reports import reports_about, reports_in
from assistant.case.forgetting.request import ForgetRequest
from assistant.case.forgetting.watches import forget_in_watch
from assistant.case.record import Case, cases_folder
from assistant.case.redaction import (
    HeldInCase,
    Subject,
    delete_case,
    held_in_case,
    redact,
    scrub_case,
)
from assistant.case.signed.signing import SigningKeys
from assistant.settings import Settings
from tools.errors import SetupError
from tools.gallery.access_log import record_access
from tools.gallery.closer_looks import forget_looks
from tools.gallery.database_file import gallery_folder
from tools.gallery.forgetting import (
    HeldRecords,
    delete_gallery,
    forget_records,
    held_records,
    scrub,
)
from tools.gallery.record_store import Gallery

OnStep = Callable[[str], None]
"""Called with a few words before each step of a deletion."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What would go: records by gallery, entries and copies by case, loose files and folders.

    For a request about a whole case or gallery, that is `whole`. `sources` are the user's own
    files, which stay. `notes` and `problems` are sentences: what stays, and what could not be
    looked at.
    """

    request: ForgetRequest
    galleries: Mapping[str, HeldRecords]
    cases: Mapping[str, HeldInCase]
    loose: LoosePlaces
    whole: Path | None
    sources: tuple[Path, ...]
    notes: tuple[str, ...]
    problems: tuple[str, ...]

    @property
    def counts(self) -> dict[str, int]:
        """The number of things to be deleted, by category."""
        held = self.galleries.values()
        loose = self.loose
        files = [
            *loose.files,
            *loose.reports,
            *(it for at in loose.folders for it in at.rglob("*")),
        ]
        return {
            "galleries": int(self.request.kind == "gallery" and self.whole is not None),
            "images": sum(len(it.images) for it in held),
            "faces": sum(len(it.faces) for it in held),
            "cases": int(self.request.kind == "case" and self.whole is not None),
            "case_entries": sum(len(it.entries) for it in self.cases.values()),
            "case_photos": sum(len(it.copies) for it in self.cases.values()),
            "watch_entries": sum(it.entries for it in loose.watches),
            "files": sum(it.is_file() for it in files),
        }

    @property
    def found(self) -> bool:
        """Whether there is anything to delete, caches for the screen aside."""
        loose = self.loose
        return bool(
            self.galleries
            or self.cases
            or self.whole
            or loose.folders
            or loose.reports
            or loose.watches
        ) or any("dropped" in it.parts for it in loose.files)


def make_plan(settings: Settings, request: ForgetRequest, *, keys: SigningKeys) -> Plan:
    """Find everything that goes with a request; changes nothing.

    Raises SetupError for an unknown case or gallery.
    """
    if request.kind in ("case", "gallery"):
        return _plan_whole(settings, request, keys=keys)
    home, problems = settings.home, list(request.problems)
    galleries, paths = dict[str, HeldRecords](), set(request.paths)
    for name in Gallery.names(home):
        try:
            with Gallery.open_existing(home, name) as gallery:
                held = held_records(gallery, request.images, request.faces)
                for image in request.images:
                    paths |= {*gallery.paths_of(image), *gallery.paths_of(image, gone=True)}
        except SetupError as error:
            problems.append(str(error))
            continue
        if held:
            galleries[name] = held
    request = replace(request, paths=frozenset(paths))
    cases, reports = dict[str, HeldInCase](), list[Path]()
    for summary in list_cases(home):
        try:
            case = _case(home, summary.id, keys)
            entries = held_in_case(case, _subject(request))
        except SetupError as error:
            problems.append(str(error))
            continue
        reports += reports_about(case.folder, _subject(request), entries)
        if entries:
            cases[summary.id] = entries
    loose = replace(loose_places(settings, request), reports=tuple(reports))
    problems += loose.problems
    going = {*loose.files, *(it for at in loose.folders for it in at.rglob("*"))}
    sources = sorted(it for it in paths if it.is_file() and it not in going)
    return Plan(request, galleries, cases, loose, None, tuple(sources), request.notes,
                tuple(dict.fromkeys(problems)))  # fmt: skip


def execute(
    settings: Settings, plan: Plan, *, keys: SigningKeys, on_step: OnStep = lambda _: None
) -> tuple[Path, Proof]:
    """Delete what is planned; returns the proof with its file.

    Raises SetupError where something cannot be deleted (a gallery open elsewhere, a read-only
    disk): the rest of the plan is then left, and the same call continues.
    """
    home, request = settings.home, plan.request
    resumed = resumable(home, request)
    noted = journal.begin(
        home, request, counts=plan.counts, galleries=tuple(plan.galleries),
        cases=tuple(plan.cases), resumed=resumed,
    )  # fmt: skip
    for report in plan.loose.reports:
        report.unlink(missing_ok=True)
        if report.parent.name not in plan.cases and plan.whole != report.parent:
            record_access(report.parent, "forget")
    for case in plan.cases:
        on_step(f"case {case}")
        redact(_case(home, case, keys), _subject(request))
        record_access(cases_folder(home) / case, "forget")
    for file in plan.loose.files:
        file.unlink(missing_ok=True)
    for folder in plan.loose.folders:
        on_step(f"folder {folder.name}")
        shutil.rmtree(folder)
    for watch in plan.loose.watches:
        on_step(f"watch {watch.folder.name}")
        forget_in_watch(watch, plan.loose.needles, request.images)
    for name in Gallery.names(home):  # similarities to whom is forgotten may be in any of them
        forget_looks(gallery_folder(home, name))
    for name, held in plan.galleries.items():
        on_step(f"gallery {name}")
        forget_records(home, name, held)
        record_access(gallery_folder(home, name), "forget")
    if plan.whole is not None and request.kind == "case":
        delete_case(Case(plan.whole, keys=keys), sessions=home / "sessions")
    if plan.whole is not None and request.kind == "gallery":
        delete_gallery(home, request.key)
    _overwrite(home, _not_done(noted, plan), keys=keys, on_step=on_step)
    written = write_proof(
        home, keys, kind=request.kind, counts=noted.counts, salt=noted.salt, subject=noted.subject,
        interrupted=resumed is not None,
    )  # fmt: skip
    journal.finish(noted)
    return written


def _not_done(noted: journal.Unfinished, plan: Plan) -> journal.Unfinished:
    """The note without the galleries and cases that this run has overwritten itself."""
    return replace(
        noted,
        galleries=tuple(it for it in noted.galleries if it not in plan.galleries),
        cases=tuple(it for it in noted.cases if it not in plan.cases),
    )


def resumable(home: Path, request: ForgetRequest) -> journal.Unfinished | None:
    """The interrupted deletion that a request continues; None if there is none."""
    begun = journal.unfinished_deletions(home)
    return next((it for it in begun if it.is_about(request)), None)


def _overwrite(
    home: Path, noted: journal.Unfinished, *, keys: SigningKeys, on_step: OnStep
) -> None:
    """Overwrite what an earlier, interrupted run had deleted."""
    for name in noted.galleries:
        if name in Gallery.names(home):
            on_step(f"gallery {name}")
            scrub(home, name)
    known = {summary.id for summary in list_cases(home)}
    for case in (it for it in noted.cases if it in known):
        on_step(f"case {case}")
        scrub_case(_case(home, case, keys))


def _plan_whole(settings: Settings, request: ForgetRequest, *, keys: SigningKeys) -> Plan:
    home, notes, problems = settings.home, list(request.notes), list[str]()
    begun = resumable(home, request) is not None  # then it may have lost its record already
    searched = list[CaseSummary]()
    if request.kind == "case":
        whole = cases_folder(home) / request.key
        if not begun:
            Case.find(home, request.key, keys=keys)
    else:
        whole = gallery_folder(home, request.key)
        if not begun and request.key not in Gallery.names(home):
            raise SetupError(
                f"there is no gallery {request.key!r}; `unmask galleries list` shows all"
            )
        cases = list_cases(home)
        searched = [it for it in cases if _searched(home, it.id, request.key, keys)]
        problems = [f"{it.damaged}, to see whether it investigated this gallery"
                    for it in cases if it.state == "locked"]  # fmt: skip
        notes += [
            f"case {it.id} investigated this gallery and keeps its record, without exported "
            f"reports: delete it with `unmask forget --case {it.id}`"
            for it in searched
        ]
    folders = [whole] if request.kind == "case" else [cases_folder(home) / it.id for it in searched]
    reports = tuple(report for folder in folders for report in reports_in(folder))
    loose = replace(loose_places(settings, request), reports=reports)
    problems += loose.problems
    return Plan(request, {}, {}, loose, whole, (), tuple(notes), tuple(problems))


def _searched(home: Path, case: str, gallery: str, keys: SigningKeys) -> bool:
    try:
        entries = _case(home, case, keys).entries()
    except SetupError:
        return False
    return any(it.kind == "gallery" and it.body.get("name") == gallery for it in entries)


def _case(home: Path, id: str, keys: SigningKeys) -> Case:
    return Case.open(home, id, keys=keys)


def _subject(request: ForgetRequest) -> Subject:
    return Subject(request.images | request.faces | request.case_photos, request.paths)
