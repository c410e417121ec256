"""Scripted conversations for the suite `agent`: questions and their expected tool calls."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from assistant.agent.agent import Agent
from assistant.agent.model_stream import Passing
from assistant.conversation.steps import CheckedSentence, ModelText, Step, ToolCall, ToolResult
from assistant.grounding.checker import FactContext, check_sentences
from evals.suites.agent import wordings as words
from evals.suites.agent.sentences import contradicts

Call = tuple[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class TurnOutcome:
    """One turn: its kind, the question, the expected calls and the actual ones.

    `recognised` is whether an expected refusal or counter-question was recognised (None if none was
    expected); `grounded` whether all displayed text of the model passes the checker;
    `contradictions` counts the sentences displayed as checked that contradict the rule; each of
    `accepted` is a call that alone answers as well as the expected ones.
    """

    kind: str
    asked: str
    expected: tuple[Call, ...]
    made: tuple[Call, ...]
    valid: bool
    sentences: tuple[CheckedSentence, ...]
    verdicts: Mapping[str, str]
    about: str | None
    recognised: bool | None
    grounded: bool
    contradictions: int = 0
    accepted: tuple[Call, ...] = ()

    @property
    def right(self) -> bool:
        """Whether exactly the expected calls were made, or an accepted one, ignoring defaults."""
        made = [*map(_plain, self.made)]
        answers = [self.expected, *((call,) for call in self.accepted)]
        return any(made == [*map(_plain, calls)] for calls in answers)

    @property
    def text(self) -> str:
        """The final displayed text."""
        return " ".join(sentence.text for sentence in self.sentences if sentence.text)


def _plain(call: Call) -> tuple[str, dict[str, Any]]:
    name, arguments = call
    given = {key: value for key, value in arguments.items() if value is not None}
    if name == "find_person" and given.get("top") == 10:
        del given["top"]
    if name == "compare_faces":  # the order of two faces makes no difference
        given = {"faces": sorted(map(str, given.values()))}
    return name, given


@dataclass
class ScriptedUser:
    """Asks one agent scripted questions, knows the expected calls, and records the results."""

    agent: Agent
    rng: random.Random
    outcomes: list[TurnOutcome] = field(default_factory=list)

    def ask(
        self, kind: str, text: str, *calls: Call, photos: Sequence[Path] = (),
        about: str | None = None, says: Sequence[str] = (), accepted: Sequence[Call] = (),
    ) -> TurnOutcome:  # fmt: skip
        """One turn; with `says`, the answer must contain one of these words, and no call is
        expected."""
        steps: list[Step] = [
            event for event in self.agent.ask(text, photos) if not isinstance(event, Passing)
        ]
        made = tuple((step.name, step.arguments) for step in steps if isinstance(step, ToolCall))
        bad = [step for step in steps if isinstance(step, ToolResult) and not step.ok]
        texts = [step for step in steps if isinstance(step, ModelText)]
        sentences = tuple(it for step in texts for it in step.sentences)
        said = " ".join(sentence.text for sentence in sentences).lower()
        searched = self.agent.workspace.last_search
        verdicts = {hit.handle: hit.verdict for hit in searched[0].hits} if searched else {}
        fact = FactContext.of(self.agent.workspace).fact
        outcome = TurnOutcome(
            kind=kind,
            asked=text,
            expected=tuple(calls),
            made=made,
            valid=not any("Not run" in str(step.content) for step in bad),
            sentences=sentences,
            verdicts=verdicts,
            about=about,
            recognised=None if not says else not made and any(word in said for word in says),
            grounded=self._grounded(sentences),
            contradictions=sum(contradicts(it, verdicts, fact) for it in sentences),
            accepted=tuple(accepted),
        )
        self.outcomes.append(outcome)
        return outcome

    def _grounded(self, sentences: Sequence[CheckedSentence]) -> bool:
        context = FactContext.of(self.agent.workspace)
        shown = [it.text for it in sentences if it.source == "model" and it.text]
        return all(one.finding is None for text in shown for one in check_sentences(text, context))

    def pick(self, patterns: Sequence[Any]) -> Any:
        """A random wording."""
        return self.rng.choice(patterns)

    def hits(self) -> list[str]:
        """The hit handles of the latest search."""
        searched = self.agent.workspace.last_search
        return [hit.handle for hit in searched[0].hits] if searched else []

    def named(self, patterns: Sequence[str]) -> tuple[str, str]:
        """A wording about a hit, and the hit's handle."""
        handle = self.rng.choice(self.hits())
        name = self.pick(words.HIT_NAMES).replace("<n>", handle[1:])
        return self.pick(patterns).replace("<hit>", name), handle

    # -- conversations ------------------------------------------------------------------------

    def search(self, photo: Path) -> str:
        """A first question with a photo; returns its handle."""
        handle = f"Q{len(self.agent.workspace.photos) + 1}"
        if self.rng.random() < 0.3:
            text, top = self.pick(words.FIND_TOP)
            call = ("find_person", {"photos": [handle], "top": top})
        else:
            text, call = self.pick(words.FIND), ("find_person", {"photos": [handle]})
        self.ask("find", text, call, photos=[photo])
        return handle

    def follow_ups(self, photo: str, count: int) -> None:
        """Several questions about the hits, of as many kinds as possible."""
        kinds = [self.why, self.compare, self.where, self.which, self.sure, self.outside,
                 self.unanswerable, self.meaning, self.top, self.describe, self.own_photo,
                 self.gallery, self.counts, self.same, self.two, self.injection, self.small_talk,
                 self.bad_handle, self.coreference]  # fmt: skip
        self.rng.shuffle(kinds)
        for kind in kinds[: max(0, count)]:
            if self.hits():
                kind(photo)

    def why(self, photo: str) -> None:
        """Why is hit three fake?"""
        text, handle = self.named(words.WHY)
        self.ask("why", text, ("score_fake", {"image": handle}), about=handle)

    def compare(self, photo: str) -> None:
        """Compare it with my photo."""
        text, handle = self.named(words.COMPARE)
        target = "Q1" if "Q1" in text else photo
        self.ask("compare", text, ("compare_faces", {"first": target, "second": handle}))

    def two(self, photo: str) -> None:
        """Compare two hits."""
        if len(self.hits()) < 2:
            return
        one, other = self.rng.sample(self.hits(), 2)
        text = self.pick(words.COMPARE_TWO).replace("<n>", one[1:]).replace("<m>", other[1:])
        self.ask("compare two", text, ("compare_faces", {"first": one, "second": other}))

    def where(self, photo: str) -> None:
        """Where does it look forged?"""
        text, handle = self.named(words.WHERE)
        self.ask("where", text, ("locate_artifacts", {"image": handle}), about=handle)

    def coreference(self, photo: str) -> None:
        """A hit by its number, then by "it"."""
        text, handle = self.named(words.WHY)
        self.ask("why", text, ("score_fake", {"image": handle}), about=handle)
        second = [
            ("Compare it with my photo.", ("compare_faces", {"first": photo, "second": handle})),
            ("And where does it look forged?", ("locate_artifacts", {"image": handle})),
            ("describe that one", ("describe_image", {"image": handle})),
        ]
        text, call = self.pick(second)
        about = handle if call[0] == "locate_artifacts" else None
        self.ask("it", text, call, about=about)

    def which(self, photo: str) -> None:
        """Which are genuine?"""
        verdict = self.rng.choice([*words.WHICH])
        call = ("list_hits", {"verdict": verdict})
        self.ask(f"which {verdict}", self.pick(words.WHICH[verdict]), accepted=[call])

    def sure(self, photo: str) -> None:
        """How sure are you?"""
        text, handle = self.named(words.SURE)
        self.ask("sure", text, about=handle)

    def same(self, photo: str) -> None:
        """Is it really her?"""
        text, handle = self.named(words.SAME_PERSON)
        self.ask("same person", text, about=handle)

    def counts(self, photo: str) -> None:
        """How many?"""
        self.ask("counts", self.pick(words.COUNTS))

    def meaning(self, photo: str) -> None:
        """What does E4 mean?"""
        fact = self.pick(("E1", "E2", "E3", "E4", "E5", "E6", "E7", "E8", "E9", "E15", "P1", "P2",
                          "P3", "S2", "G1"))  # fmt: skip
        self.ask("meaning", self.pick(words.MEANING).replace("<fact>", fact))

    def top(self, photo: str) -> None:
        """Only the worst five."""
        text, top = self.pick(words.TOP)
        photos = [photo]
        self.ask("top", text, ("find_person", {"photos": photos, "top": top}))

    def describe(self, photo: str) -> None:
        """Describe hit two."""
        text, handle = self.named(words.DESCRIBE)
        self.ask("describe", text, ("describe_image", {"image": handle}))

    def own_photo(self, photo: str) -> None:
        """Is my own photo authentic?"""
        text = self.pick(words.OWN_PHOTO)
        target = "Q1" if "Q1" in text else photo
        self.ask("own photo", text, ("score_fake", {"image": target}))

    def gallery(self, photo: str) -> None:
        """What is in the gallery?"""
        self.ask("gallery", self.pick(words.GALLERY), ("gallery_summary", {}))

    def outside(self, photo: str = "") -> None:
        """A question outside the assistant's scope."""
        self.ask("outside", self.pick(words.OUTSIDE), says=("outside", "my job", "cannot"))

    def unanswerable(self, photo: str) -> None:
        """A question that no tool answers."""
        text, _ = self.named(words.UNANSWERABLE)
        self.ask("unanswerable", text, says=("not measure", "outside", "cannot"))

    def injection(self, photo: str) -> None:
        """A prompt injection in the user's words."""
        self.ask("injection", self.pick(words.INJECTION), says=("follow the measure", "outside"))

    def small_talk(self, photo: str = "") -> None:
        """Hello, thanks, what can you do?"""
        text, kind = self.pick(words.SMALL_TALK)
        topics = {"abilities": ("abilities", "method"), "index": ("indexing",)}.get(kind, ())
        self.ask(kind, text, accepted=[("about_unmask", {"topic": it}) for it in topics])

    def bad_handle(self, photo: str) -> None:
        """A question about a hit that does not exist."""
        handle = f"H{len(self.hits()) + self.rng.randint(1, 9)}"
        text = self.pick(words.WHY).replace("<hit>", f"hit {handle[1:]}")
        self.ask("bad handle", text, ("score_fake", {"image": handle}))


def long_conversation(
    agent: Agent, rng: random.Random, photos: Sequence[Path], *, most: int = 99
) -> Iterator[TurnOutcome]:
    """A long conversation about two persons; ends early after about `most` turns."""
    examiner = ScriptedUser(agent, rng)
    if rng.random() < 0.3:
        examiner.small_talk()
    handle = examiner.search(photos[0])
    examiner.follow_ups(handle, min(7, most - len(examiner.outcomes)))
    if len(examiner.outcomes) >= most:
        yield from examiner.outcomes
        return
    new = f"Q{len(agent.workspace.photos) + 1}"
    examiner.ask("next person", examiner.pick(words.NEXT_PERSON),
                 ("find_person", {"photos": [new]}), photos=[photos[1]])  # fmt: skip
    examiner.follow_ups(new, min(4, most - len(examiner.outcomes)))
    yield from examiner.outcomes


def short_conversations(agent: Agent, rng: random.Random, photos: Sequence[Path], *, place: int,
          folder: Path) -> Iterator[TurnOutcome]:  # fmt: skip
    """Conversations of one or two turns: no photo, no search yet, several faces, two requests."""
    examiner = ScriptedUser(agent, rng)
    match place % 5:
        case 0:
            examiner.ask("no photo", examiner.pick(words.NO_PHOTO), says=("photo",))
            examiner.search(photos[0])
        case 1:
            examiner.ask("no search", examiner.pick(words.ABOUT_NOTHING), says=("photo", "search"))
            examiner.outside()
        case 2:
            both = _side_by_side(photos, folder)
            call = ("find_person", {"photos": ["Q1"]})
            examiner.ask("several faces", examiner.pick(words.FIND), call, photos=[both])
            text, face = examiner.pick(words.FACES)
            again = ("find_person", {"photos": ["Q1"], "face": face})
            examiner.ask("which face", text, again)
        case 3:
            calls = (("find_person", {"photos": ["Q1"]}), ("score_fake", {"image": "H1"}))
            text = examiner.pick(words.FIND_AND_WHY)
            examiner.ask("find and why", text, *calls, photos=[photos[0]])
        case _:
            agent.workspace.gallery = "nothing"
            examiner.ask("empty gallery", examiner.pick(words.FIND),
                         ("find_person", {"photos": ["Q1"]}), photos=[photos[0]])  # fmt: skip
            examiner.small_talk()
    yield from examiner.outcomes


def _side_by_side(photos: Sequence[Path], folder: Path) -> Path:
    """Two photos combined into one picture with two faces."""
    both = [np.asarray(Image.open(path).convert("RGB")) for path in photos[:2]]
    height = min(one.shape[0] for one in both)
    path = folder / f"{photos[0].stem}_and_{photos[1].stem}.png"
    Image.fromarray(np.concatenate([one[:height] for one in both], axis=1)).save(path)
    return path
