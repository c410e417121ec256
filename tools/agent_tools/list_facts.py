"""Citable facts about the list of hits: by verdict, near-identical ones, and what stays open."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from tools.agent_tools.copies import NEAR_BITS, alike_hits, nearest_hits
from tools.agent_tools.facts import worded
from tools.search.reranking.reranker import MAX_RERANKED_HITS
from tools.search.results import Findings, Hit, Unassessed
from tools.verdict.clauses import format_hit_ranges, join_with_and
from tools.verdict.handles import VERDICT_KEYS, Fact, quote_untrusted
from tools.verdict.interpretation import interpret_forgery
from tools.verdict.rule import VERDICTS, Verdict


def list_facts(findings: Findings | None) -> tuple[Fact, ...]:
    """The hits of the latest search in total and per verdict, and what they have in common."""
    if findings is None:
        return (worded("hits.all", "the hits", "there was no search yet"),)
    numbers = {
        verdict: [hit.rank for hit in findings.hits if hit.verdict == verdict]
        for verdict in VERDICTS
    }
    return (
        *hit_lists(numbers),
        worded("hits.alike", "hits that are nearly the same picture", _alike(findings.hits)),
        worded("hits.unassessed", "what could not be decided, and why", _unassessed(findings)),
        worded("hits.forged_others", "other people who read as forged", _forged_others(findings)),
    )


def hit_lists(numbers: Mapping[Verdict, Sequence[int]]) -> tuple[Fact, ...]:
    """The lists of hits by verdict, from the hit numbers per verdict."""
    every = sorted(number for some in numbers.values() for number in some)
    whole = f"the hits are {format_hit_ranges(every)}" if len(every) > 1 else "the only hit is H1"
    return (
        worded("hits.all", "the hits", whole if every else "the search found no hit"),
        *(
            worded(f"hits.{key}", f"hits with verdict {verdict!r}", _having(verdict, numbers))
            for key, verdict in zip(VERDICT_KEYS, VERDICTS, strict=True)
        ),
    )


def _having(verdict: Verdict, numbers: Mapping[Verdict, Sequence[int]]) -> str:
    having = numbers.get(verdict, ())
    if not having:
        return f"no listed hit has the verdict {verdict}"
    return f"the verdict on {format_hit_ranges(having)} is {verdict}"


# -- copies -----------------------------------------------------------------------------------


def _alike(hits: Sequence[Hit]) -> str:
    """Groups of hits with nearly the same face, the nearest pair, and files of the same bytes."""
    groups = [format_hit_ranges([hit.rank for hit in group]) for group in alike_hits(hits)]
    said = [
        f"{_these(groups)} show nearly the same face (aligned, it differs in at most "
        f"{NEAR_BITS} of 64 bits), as copies and neighbouring frames of a video do"
        if groups
        else "no two listed hits show nearly the same face (aligned, it would differ in at most "
        f"{NEAR_BITS} of 64 bits)"
    ]
    if (pair := nearest_hits(hits)) is not None:
        first, second, bits = pair
        said.append(f"the nearest two are {first.handle} and {second.handle} ({bits} of 64 bits)")
    doubled = [hit for hit in hits if len(hit.paths) > 1]
    said += [
        f"{hit.handle} is there {len(hit.paths):,} times with the same bytes, as "
        + join_with_and([_shown(path.name) for path in hit.paths[:_FILES]])
        for hit in doubled[:_FILES]
    ]
    if not doubled:
        said.append("no listed hit has a second file with the same bytes")
    return "; ".join(said)


_FILES = 5
"""Files, and hits with several, that are named."""


def _these(groups: Sequence[str]) -> str:
    return groups[0] if len(groups) == 1 else "; ".join(groups[:-1]) + f"; and {groups[-1]}"


def _shown(name: str) -> str:
    """A file's name as data, which must not read as a citation."""
    return quote_untrusted(name).translate(str.maketrans("[]", "()"))


# -- what stays open --------------------------------------------------------------------------


def _unassessed(findings: Findings) -> str:
    """What was not assessed or stayed inconclusive, by the reason of the rule."""
    counts = findings.counts
    none, open_ = counts["not assessed"], counts["inconclusive"]
    said = f"{none:,} of {findings.compared_in_words} could not be assessed"
    if none:
        named = [_not_measured(it, findings.hits) for it in findings.unassessed]
        said += f": {join_with_and([*named, *_left(none - len(named), 'not named here')])}"
    were = "was" if open_ == 1 else "were"
    said += f"; {open_:,} {were} measured and stayed inconclusive"
    reasons = defaultdict[str, list[int]](list)
    for hit in findings.hits:
        if hit.verdict == "inconclusive":
            reasons[_reason(hit)].append(hit.rank)
    named = [f"{format_hit_ranges(ranks)} ({reason})" for reason, ranks in reasons.items()]
    named += _left(
        open_ - sum(map(len, reasons.values())), f"not listed ({ask_for_more(findings)})"
    )
    return f"{said}: {join_with_and(named)}" if named else said


def _left(count: int, where: str) -> list[str]:
    return [f"{count:,} {where}"] if count > 0 else []


def _not_measured(found: Unassessed, hits: Sequence[Hit]) -> str:
    """`H3, "far.jpg" (too small, 9 px between the eyes)`."""
    handle = next((f"{hit.handle}, " for hit in hits if hit.image_id == found.image_id), "")
    why = join_with_and(found.problems) or "not measured"
    eyes = f", {found.interocular_px:.0f} px between the eyes" if "too small" in why else ""
    return f"{handle}{_shown(found.path.name)} ({why}{eyes})"


def _reason(hit: Hit) -> str:
    """Why a hit stayed open; what mild retakes change counts before what the rule said."""
    if hit.assessment.unsteady:
        return "mild changes of the picture turn the verdict around"
    return hit.assessment.reason


def ask_for_more(findings: Findings) -> str:
    """How to see what is not listed."""
    if len(findings.hits) < MAX_RERANKED_HITS:
        return "ask for more hits"
    return f"at most {MAX_RERANKED_HITS} hits are listed"


# -- other people -----------------------------------------------------------------------------


def _forged_others(findings: Findings) -> str:
    """Listed hits of other people that read as forged: a crude swap can lose its victim's face."""
    ranks = [
        hit.rank
        for hit in findings.hits
        if hit.verdict == "other" and interpret_forgery(hit.assessment) == "forged"
    ]
    if ranks:
        one = len(ranks) == 1
        said = (
            f"{format_hit_ranges(ranks)} {'shows' if one else 'show'} another person and "
            f"{'reads' if one else 'read'} as forged, perhaps as a crude swap of this one"
        )
    else:
        said = "no listed hit of another person reads as forged"
    listed = sum(hit.verdict == "other" for hit in findings.hits)
    unlisted = findings.counts["other"] - listed
    if unlisted:
        are = "is" if unlisted == 1 else "are"
        said += f"; {unlisted:,} more of other people {are} not listed ({ask_for_more(findings)})"
    return said
