"""Whether claims fit the facts: regions, verdicts and readings (rules 4 to 6 of the checker)."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Self

from assistant import claims
from assistant.claims import Phrase, Polarity
from assistant.sentences import Part
from tools.desk import Desk
from tools.errors import SetupError, ToolError
from tools.handles import Fact, cited, parse
from tools.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Ground:
    """What a text is held against; `subjects` are the photos and hits that there are.

    `fact` gives a measured or unmeasured fact by its id, None when there is none; `verdict` the
    rule's on a hit; `about` limits whom the text may speak of (None: everything on the desk).
    """

    fact: Callable[[str], Fact | None]
    verdict: Callable[[str], Verdict | None]
    subjects: frozenset[str]
    about: frozenset[str] | None = None

    @classmethod
    def of(cls, desk: Desk, *, about: str | None = None) -> Self:
        """The facts of a desk, or those of one hit only."""
        hits = {} if desk.search is None else {hit.handle: hit for hit in desk.search[0].hits}
        verdicts = {handle: hit.verdict for handle, hit in hits.items()}
        # Facts of a photo are measured, those of the gallery read from disk: once a text.
        facts = cache(lambda subject: _facts(desk, subject))
        return cls(
            fact=lambda id_: facts(parse(id_).subject or parse(id_).kind).get(id_),
            verdict=verdicts.get,
            subjects=frozenset([*desk.photos, *hits]),
            about=None if about is None else frozenset([about]),
        )


def _facts(desk: Desk, subject: str) -> dict[str, Fact]:
    try:
        return {fact.id: fact for fact in desk.facts(subject)}
    except (ToolError, SetupError):  # no such hit, no face in the photo, no gallery: no facts
        return {}


# -- rule 4: regions ---------------------------------------------------------------------------


def regions(parts: Sequence[Part], facts: Mapping[str, Fact]) -> Iterator[str]:
    """Rule 4: parts of the face, and traces, are spoken of where they were located."""
    for part in parts:
        if facts and (flaw := claims.UNMEASURED.search(part.text)):
            yield f'no tool measures "{flaw[0]}"'
        for pattern, numbers in claims.REGIONS:
            match = pattern.search(part.text)
            if match and facts:
                yield from _region(part.text, match, numbers, facts)


def _region(
    text: str, match: re.Match[str], numbers: frozenset[int], facts: Mapping[str, Fact]
) -> Iterator[str]:
    about = [it for id_, it in facts.items() if _number(id_) in numbers and ".E" in id_]
    if not about:
        yield f'"{match[0]}" was not located: no cited fact is about it'
    denied = claims.polarity(text, match, anywhere=True) == "denied"
    for fact in about:
        if (fact.reads == "none") != denied:
            yield f'"{match[0]}" does not fit {fact.id}, which reads "{fact.reads}"'


def _number(id_: str) -> int:
    return parse(id_).number


# -- rule 5: verdicts --------------------------------------------------------------------------


def verdicts(sentence: str, parts: Sequence[Part], ground: Ground) -> Iterator[str]:
    """Rule 5: words that name a verdict name the rule's, or the count of it."""
    for part in parts:
        for word, pattern in claims.VERDICT_WORDS.items():
            for match in pattern.finditer(part.text):
                # "not assessed" is a verdict with a negation in its name.
                how = claims.polarity(part.text, match)
                for hit in _meant(part, match):
                    yield from _verdict(match[0], word, how, hit, ground)
                if not _hits(part.facts):
                    yield from _counted(
                        sentence, match[0], claims.VERDICT_COUNTS[word], how, ground
                    )


def _verdict(said: str, word: Verdict, how: Polarity, hit: str, ground: Ground) -> Iterator[str]:
    verdict = ground.verdict(hit)
    if verdict is None:
        return
    open_ = verdict in ("inconclusive", "not assessed")
    fits = {
        "affirmed": word == verdict,
        "hedged": word == verdict or open_,
        "denied": word != verdict and not open_,
    }[how]
    if not fits:
        yield f'"{said}" does not fit the verdict on {hit}, which is "{verdict}"'


def _meant(part: Part, match: re.Match[str]) -> list[str]:
    """The hits that words are about: those named just before them, else all that are cited."""
    hits = _hits(part.facts)
    spoken = [
        name[0] for name in re.finditer(r"\bH[1-9]\d*\b", part.text[: match.start()])
        if name[0] in hits
    ]  # fmt: skip
    others = [
        found.end()
        for pattern in claims.VERDICT_WORDS.values()
        for found in pattern.finditer(part.text, 0, match.start())
    ]
    since = part.text[max(others, default=0) : match.start()]
    recent = [name for name in spoken if re.search(rf"\b{name}\b", since)]
    return recent or hits


def _hits(facts: Sequence[Fact]) -> list[str]:
    subjects = (parse(fact.id).subject for fact in facts)
    return list(dict.fromkeys(subject for subject in subjects if subject.startswith("H")))


def _counted(
    sentence: str, said: str, count: str, how: Polarity, ground: Ground
) -> Iterator[str]:  # fmt: skip
    """Words about all faces together, beside the count of them."""
    fact = ground.fact(count)
    if fact is None or fact.value is None or not any(id_[0] == "S" for id_ in cited(sentence)):
        return
    if count not in cited(sentence):
        yield f'"{said}" is counted by {count}, which it does not cite'
    as_number = re.search(rf"\[{count}\]\W+(?:\w+ )?{re.escape(said)}", sentence)
    if how == "denied" and fact.value > 0:
        yield f'it denies "{said}", but {count} reads "{fact.reads}"'
    if how == "affirmed" and fact.value == 0 and not as_number:
        yield f'it affirms "{said}", but {count} reads "{fact.reads}"'
    compared = ground.fact("S1")
    whole = re.search(r"\b(?:all|every|each|everything)\b", sentence, re.IGNORECASE)
    if whole and how == "affirmed" and compared is not None and compared.value != fact.value:
        yield f'it says "{whole[0]}", but {count} is not all of S1'


# -- rule 6: readings --------------------------------------------------------------------------


def readings(sentence: str, parts: Sequence[Part], ground: Ground) -> Iterator[str]:
    """Rule 6: words agree with how the facts read that are cited for them."""
    cited_facts = tuple(fact for part in parts for fact in part.facts)
    for part in parts:
        for phrase in claims.PHRASES:
            for match in phrase.pattern.finditer(part.text):
                yield from _reading(sentence, part, phrase, match, cited_facts, ground)


def _reading(
    sentence: str, part: Part, phrase: Phrase, match: re.Match[str],
    everywhere: tuple[Fact, ...], ground: Ground,
) -> Iterator[str]:  # fmt: skip
    how = claims.polarity(part.text, match)
    if phrase.count and not any(claims.scale_of(fact.id) for fact in part.facts):
        yield from _counted(sentence, match[0], phrase.count, how, ground)
        return
    about = _relevant(part.facts, phrase, part.text, match) or _relevant(
        everywhere, phrase, part.text, match
    )
    if any(fact.id.endswith(".E10") and fact.reads == "marked" for fact in part.facts):
        return  # what the metadata say is quoted, not claimed
    if not about and any(claims.scale_of(fact.id) for fact in everywhere):
        yield f'"{match[0]}" is not what the cited facts are about'
    if phrase.decided_by:
        deciding = (ground.fact(f"{_subject(fact)}.{phrase.decided_by}") for fact in about)
        about = [fact for fact in deciding if fact is not None] or about
    for fact in about:
        if not _agrees(phrase, how, fact):
            yield f'"{match[0]}" does not fit {fact.id}, which reads "{_reads(fact)}"'


def _relevant(
    facts: Sequence[Fact], phrase: Phrase, text: str, match: re.Match[str]
) -> list[Fact]:  # fmt: skip
    """The cited facts on scales that a phrase can be about; of the measure named nearest, if any.

    Where the phrase has a probability that decides, or nothing is named, every scale counts.
    """
    about = [fact for fact in facts if claims.scale_of(fact.id) in phrase.asserts]
    named = claims.nearest_scale(text, match.start())
    of_it = [fact for fact in about if claims.scale_of(fact.id) == named]
    hits = _meant(Part(text, tuple(about)), match)
    chosen = of_it or about
    return [fact for fact in chosen if _subject(fact)[0] != "H" or _subject(fact) in hits]


def _agrees(phrase: Phrase, how: Polarity, fact: Fact) -> bool:
    scale = claims.scale_of(fact.id)
    asserted = phrase.asserts.get(scale, frozenset()) if scale else frozenset()
    reads = _reads(fact)
    if how == "affirmed":
        return reads in asserted
    if how == "hedged":
        return reads in asserted or reads == "uncertain"
    return reads not in asserted and reads not in _OPEN


_OPEN = ("uncertain", "not measured", "not calibrated")


def _reads(fact: Fact) -> str:
    return fact.reads if fact.value is not None else "not measured"


def _subject(fact: Fact) -> str:
    return parse(fact.id).subject
