"""Build a report from a search, the models that made it, and the case that records it."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from assistant.case.instruments import describe_instruments
from assistant.case.record import Case
from assistant.report.contents import texts
from assistant.report.contents.custody import access_items, case_header, custody_items
from assistant.report.contents.model import (
    CopyItem,
    DecisionItem,
    Exhibit,
    ExhibitState,
    HitItem,
    Instruments,
    Likelihood,
    Methods,
    NoteItem,
    Report,
)
from assistant.report.contents.rates import measured_rates, without_rates
from prompts import project
from tools.agent_tools.copies import group_copies
from tools.agent_tools.review.entries import Decision, HitNote
from tools.media.file_names import encodable, printable
from tools.media.hashing import read_sha256
from tools.search.model_bundle import ModelBundle
from tools.search.query import Query
from tools.search.results import Findings, Hit
from tools.verdict.likelihood_ratio import likelihood_ratio, validated_limits
from tools.verdict.rule import VerdictRule

Decisions = Mapping[str, Decision]
"""The reviewer's decisions in force, by the hit's handle."""

Notes = Mapping[str, HitNote]
"""The reviewer's notes in force, by the hit's handle."""


def build_report(
    findings: Findings,
    query: Query,
    *,
    rule: VerdictRule | None,
    models: ModelBundle | None = None,
    decisions: Decisions | None = None,
    notes: Notes | None = None,
    case: Case | None = None,
) -> Report:
    """The report of a search by `rule`; without a `case` it has no custody log.

    Without `models` the methods name no versions. Reads and hashes every exhibit. Raises SetupError
    for a damaged case record.
    """
    data, decided, noted = findings.to_json(), decisions or {}, notes or {}
    hits = [
        HitItem(
            **row, handle=hit.handle, name=f"{printable(Path(hit.path.name))}{hit.at}",
            seen=hit.seen, likelihood_ratio=likelihood_item(hit, rule),
            decision=decision_item(decided.get(hit.handle)),
            reviewer_note=note_item(noted.get(hit.handle)),
        )
        for hit, row in zip(findings.hits, data.pop("hits"), strict=True)
    ]  # fmt: skip
    return Report(
        **data,
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        question=texts.question(findings.gallery),
        propositions=texts.PROPOSITIONS,
        case=None if case is None else case_header(case),
        exhibits=(*_query_exhibits(query, case), *map(_hit_exhibit, findings.hits)),
        hits=tuple(hits),
        copies=tuple(
            CopyItem(**group.to_json(), earliest_in_words=group.earliest_in_words)
            for group in group_copies(findings.hits)
        ),
        methods=_methods(rule, models),
        limits=texts.LIMITS,
        alternatives=texts.ALTERNATIVES,
        custody=() if case is None else tuple(custody_items(case)),
        access=() if case is None else tuple(access_items(case)),
    )


def decision_item(decision: Decision | None) -> DecisionItem | None:
    """A decision with its time and user, as shown beside a hit."""
    if decision is None:
        return None
    return DecisionItem(decision=decision.decision, at=decision.at, user=encodable(decision.user))


def note_item(note: HitNote | None) -> NoteItem | None:
    """A note with its time and user, as shown beside a hit."""
    if note is None:
        return None
    return NoteItem(text=encodable(note.text), at=note.at, user=encodable(note.user))


def likelihood_item(hit: Hit, rule: VerdictRule | None) -> Likelihood | None:
    """The likelihood ratio of a hit's face comparison; None if it was not measured."""
    found = likelihood_ratio(hit.assessment.identity_probability, rule)
    if found is None:
        return None
    return Likelihood(
        value=found.value, limited=found.limited, limit=found.limit, verbal=found.verbal,
        sentence=found.sentence, note=found.note,
    )  # fmt: skip


def _query_exhibits(query: Query, case: Case | None) -> Iterator[Exhibit]:
    """One per file, with its handle in the case; a video gives several rows of a query."""
    files = dict(zip(query.paths, query.photo_ids, strict=True))
    handles = {} if case is None else {path: handle for handle, path in case.photos().items()}
    names = given_names(case)
    for number, (path, image_id) in enumerate(files.items(), start=1):
        label = handles.get(path, f"Q{number}")
        yield _exhibit(label, path, image_id, name=names.get(path, ""))


def given_names(case: Case | None) -> dict[Path, str]:
    """The names that query photos had when they were given, by their private copies."""
    if case is None:
        return {}
    photos = case.photos()
    return {photos[it]: name for it, name in case.photo_names().items() if it in photos}


def _hit_exhibit(hit: Hit) -> Exhibit:
    return _exhibit(hit.handle, hit.path, hit.image_id)


def _exhibit(label: str, path: Path, image_id: str, *, name: str = "") -> Exhibit:
    recorded = image_id.partition("@")[0]
    try:
        found, size = read_sha256(path), path.stat().st_size
    except OSError:
        found, size = None, None
    state: ExhibitState = "missing" if found is None else "unchanged"
    if found is not None and found != recorded:
        state = "changed since it was recorded"
    return Exhibit(
        label=label, role="query photo" if label.startswith("Q") else "hit",
        name=name or printable(Path(path.name)), path=printable(path), sha256=found,
        recorded_sha256=recorded, bytes=size, state=state,
    )  # fmt: skip


def _methods(rule: VerdictRule | None, models: ModelBundle | None) -> Methods:
    limits = None if rule is None else validated_limits(rule.identity_band)
    ratio: Sequence[str] = texts.LIKELIHOOD_RATIO
    if limits is not None:
        most, least = limits
        ratio = (
            *ratio,
            f"The validation compared {most} persons with strangers and {least} persons with "
            f"themselves. No ratio beyond {most} for the same person, or {least} for another "
            "person, is reported, whatever was computed.",
        )
    else:
        ratio = ("No likelihood ratio is reported: the size of the validation is not known.",)
    return Methods(
        instruments=None if models is None else Instruments(**describe_instruments(models)),
        description=(project.ABOUT["method"], *_fit(rule)),
        rates=() if models is None else tuple(measured_rates(models)),
        not_measured=() if models is None else tuple(without_rates(models)),
        likelihood_ratio=tuple(ratio),
    )


def _fit(rule: VerdictRule | None) -> Iterator[str]:
    if rule is None:
        return
    known = rule.fitted_on
    if {"persons", "dataset"} <= known.keys():
        yield (
            f"The verdict rule was fitted on {known['persons']} persons that no other part was "
            f"trained on ({known['dataset']}), at prior odds of one to one."
        )
    yield (
        "A verdict of “impersonation”, “no forgery found” or “other” that mild compression, "
        "resizing or blur of the picture turns into another one is reported as inconclusive."
    )
    yield (
        "Every explanation beside a hit is written by fixed templates from the measurements. No "
        "text of a language model is in this report."
    )
