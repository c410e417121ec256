"""Does the assistant call the right tools and say what they found, with the shipped model?

Persons of LFW's `val` split and wordings that no training saw; galleries of authentic photos,
forgeries, bodies and copies, indexed by the real pipeline; the real tools, agent and checker; the
pocket VLM in four bits. `--limit` caps the turns. Does not show: how other people would ask, or
what happens with forgeries that the forge does not make.
"""

import json
import random
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from assistant.agent import Agent
from assistant.case import Case
from assistant.chat_model import LocalVLM
from assistant.claims import REGIONS
from assistant.conversation import explanation_messages
from assistant.explaining import searched_photo
from assistant.grounding import Ground, check
from assistant.parts import Parts
from assistant.settings import Settings
from assistant.steps import CheckedSentence, Explanation
from assistant.training.harvest import galleries, indexed
from evals.agent_turns import Outcome, conversation, short
from evals.options import EvalOptions
from tools.desk import Desk
from tools.handles import Fact, cited, parse

WEIGHTS = Path(__file__).parents[1] / "assistant" / "weights" / "vlm"
TURNS = 330
HITS_EXPLAINED = 4
REFUSALS = ("outside", "unanswerable", "no photo", "no search", "injection")
SCORES = ("high", "raised", "ordinary")


def run(options: EvalOptions) -> dict[str, object]:
    """Ask at least `TURNS` questions, have hits explained, swap readings; returns the figures."""
    model = LocalVLM.load(WEIGHTS, threads=1)
    began = time.monotonic()
    most = options.limit or TURNS
    outcomes: list[Outcome] = []
    explained: list[Explained] = []
    flips: list[tuple[bool, bool]] = []
    with tempfile.TemporaryDirectory() as folder:
        # A folder for output keeps the galleries as well: they take longer than the questions.
        work = options.output or Path(folder)
        for number, (desk, photos) in enumerate(_desks(options, work, most)):
            rng = random.Random(f"{options.seed}-{number}")  # noqa: S311 - not for secrets
            agent = Agent(model, desk, Case.create(Path(folder) / "cases", gallery="default"))
            if number % 3:
                outcomes += short(agent, rng, photos, place=number, folder=Path(folder))
            else:
                outcomes += conversation(agent, rng, photos)
            if desk.search and number % 3 == 0:
                hits = [hit.handle for hit in desk.search[0].hits]
                some = rng.sample(hits, min(HITS_EXPLAINED, len(hits)))
                explained += _explained(agent, model, some)
                flips += [_flipped(agent, model, hit, rng) for hit in some]
            _progress(outcomes, began)
            if len(outcomes) >= most:
                break
    if options.output is not None:
        _write(outcomes, explained, options.output)
    return {
        "turns": len(outcomes),
        "seconds": time.monotonic() - began,
        **_calling(outcomes),
        **_speaking(outcomes),
        "explanations": _explaining(explained),
        "flip test": _flipping(flips),
    }


def _progress(outcomes: Sequence[Outcome], began: float) -> None:
    right = sum(it.right for it in outcomes)
    spent = time.monotonic() - began
    print(f"{right} of {len(outcomes)} turns right, {spent:.0f} s", file=sys.stderr, flush=True)


def _desks(options: EvalOptions, folder: Path, most: int) -> Iterator[tuple[Desk, list[Path]]]:
    """Desks over galleries of persons that no training saw, with two query photos each."""
    parts = Parts(Settings(home=folder / "home"))
    cases = 1 if most <= 60 else 2
    made = galleries(options.data, folder, count=cases, queries=6, split="val", seed=100)
    rounds = 3 if most <= 60 else 12
    for place, exhibits in made:
        home = indexed(parts, place)
        photos = [place / it.file for it in exhibits if it.kind == "query"]
        for turn in range(rounds * len(photos) // 2):
            first, second = photos[turn % len(photos)], photos[(turn * 5 + 1) % len(photos)]
            if first != second:
                yield Desk(parts, home=home), [first, second]


# -- calls -----------------------------------------------------------------------------------


def _calling(outcomes: Sequence[Outcome]) -> dict[str, object]:
    """Valid calls, right calls, refusals, by kind."""
    kinds: dict[str, list[bool]] = defaultdict(list)
    for outcome in outcomes:
        kinds[outcome.kind].append(outcome.right)
    told = [bool(it.recognised) for it in outcomes if it.kind in REFUSALS]
    valid = [it.valid for it in outcomes if it.made]
    return {
        "valid calls": float(np.mean(valid)) if valid else np.nan,
        "right tool and arguments": float(np.mean([it.right for it in outcomes])),
        "refusals recognised": float(np.mean(told)) if told else np.nan,
        "right by kind": {
            kind: f"{sum(right)}/{len(right)}" for kind, right in sorted(kinds.items())
        },
    }


# -- sentences -------------------------------------------------------------------------------


def _speaking(outcomes: Sequence[Outcome]) -> dict[str, object]:
    """Answers: grounded before the check, contradictions, artefact claims on genuine photos."""
    said = [it for outcome in outcomes for it in outcome.sentences]
    about = [outcome for outcome in outcomes if outcome.about]
    genuine = [it for it in about if it.verdicts.get(str(it.about)) == "genuine"]
    return {
        "sentences": len(said),
        "grounded before the check": _grounded([it.sentences for it in outcomes]),
        "cite the hit asked about": _mean(
            [
                parse(cite).subject == outcome.about
                for outcome in about
                for sentence in outcome.sentences
                if sentence.source == "model"
                for cite in sentence.cites
                if cite[0] == "H"
            ]
        ),
        "verdict contradictions before": len(
            {
                (place, it.finding)
                for place, outcome in enumerate(outcomes)
                for it in outcome.sentences
                if "the verdict" in (it.finding or "")
            }
        ),
        "grounded after the check": _mean([it.grounded for it in outcomes if it.sentences]),
        "artefact claims on genuine": sum(_names_region(it.text) for it in genuine),
        "genuine asked about": len(genuine),
        "plain writer's": sum(it.source == "plain" for it in said),
    }


def _grounded(answers: Sequence[Sequence[CheckedSentence]]) -> float:
    """Share of the model's sentences that passed at once.

    A refused sentence counts once, though the plain writer may have put several in its place.
    """
    passed, refused = 0, 0
    for sentences in answers:
        before: str | None = None
        for sentence in sentences:
            again = sentence.source == "plain" and sentence.finding == before
            passed += sentence.finding is None and sentence.source == "model"
            refused += sentence.finding is not None and not again
            before = sentence.finding
    return passed / (passed + refused) if passed + refused else float("nan")


def _names_region(text: str) -> bool:
    return any(pattern.search(text) for pattern, numbers in REGIONS if len(numbers) < 3)


def _mean(values: Sequence[bool]) -> float:
    return float(np.mean(values)) if values else float("nan")


# -- explanations ----------------------------------------------------------------------------


Explained = tuple[str, str, tuple[CheckedSentence, ...], tuple[str, ...], Explanation]


def _explained(agent: Agent, model: LocalVLM, hits: Sequence[str]) -> list[Explained]:
    """Explanations: free drafts (nothing masked) with their findings, and what is shown."""
    desk = agent.desk
    drafts = model.batch([_prompt(agent, hit) for hit in hits])
    shown = [*agent.explain(hits)]
    return [
        (hit, desk.hit(hit).verdict, check(draft.text, Ground.of(desk, about=hit)),
         tuple(cited(draft.text)), final)
        for hit, draft, final in zip(hits, drafts, shown, strict=True)
    ]  # fmt: skip


def _evidence(agent: Agent, hit: str) -> str:
    return str(agent._tools["score_fake"].invoke({"image": hit}))


def _prompt(agent: Agent, hit: str, evidence: str | None = None) -> Any:
    return explanation_messages(
        agent.desk, hit=hit, photo=searched_photo(agent.desk),
        evidence=evidence or _evidence(agent, hit),
    )  # fmt: skip


def _explaining(explained: Sequence[Explained]) -> dict[str, object]:
    free = [sentence for _, _, sentences, _, _ in explained for sentence in sentences]
    held = [sentence for *_, final in explained for sentence in final.sentences]
    cites = [(hit, cite) for hit, _, _, cites, _ in explained for cite in cites]
    genuine = [final for _, verdict, *_, final in explained if verdict == "genuine"]
    return {
        "hits": len(explained),
        "sentences": len(free),
        "grounded, nothing masked": _mean([it.finding is None for it in free]),
        "right hit cited, nothing masked": _mean(
            [cite.startswith(f"{hit}.") for hit, cite in cites]
        ),
        "grounded before the check": _grounded([final.sentences for *_, final in explained]),
        "verdict contradictions before": sum("the verdict" in (it.finding or "") for it in free),
        "artefact claims on genuine": sum(
            _names_region(it.text) for final in genuine for it in final.sentences
        ),
        "plain writer's": sum(it.source == "plain" for it in held),
    }


def _flipped(agent: Agent, model: LocalVLM, hit: str, rng: random.Random) -> tuple[bool, bool]:
    """Swap one forgery reading: does the text say the new one, and nothing else otherwise?"""
    evidence = json.loads(_evidence(agent, hit))
    items = [
        it for it in evidence["evidence"] if it["id"].split(".")[1] in ("E2", "E3", "E4", "E5")
    ]
    item = rng.choice(items)
    before = model.invoke(_prompt(agent, hit)).text
    item["reads"] = rng.choice([it for it in SCORES if it != item["reads"]])
    changed = json.dumps(evidence, ensure_ascii=False, separators=(",", ":"))
    after = model.invoke(_prompt(agent, hit, changed)).text
    new = Ground.of(agent.desk, about=hit)
    old_fact = new.fact(item["id"])
    swapped = Ground(_with(new, item["id"], item["reads"]), new.verdict, new.subjects, new.about)
    follows = before != after and all(one.finding is None for one in check(after, swapped))
    if evidence["verdict"] in ("other", "not assessed") and before == after and old_fact:
        follows = item["id"] not in cited(after)
    return follows, _rest(before) == _rest(after)


def _with(ground: Ground, name: str, reads: str) -> Any:
    def fact(id_: str) -> Fact | None:
        known = ground.fact(id_)
        if known is None or id_ != name:
            return known
        return Fact(id_, known.name, 1.0, known.unit, reads, known.method, known.limits)

    return fact


def _rest(text: str) -> list[str]:
    """The sentences that are not about forgery scores; the last ones may have had no room."""
    kept = [it for it in text.split(". ") if not any(f".E{n}]" in it for n in (2, 3, 4, 5))]
    return [it.removesuffix(".") for it in kept if ".E6]" not in it and "not measured" not in it]


def _flipping(flips: Sequence[tuple[bool, bool]]) -> dict[str, object]:
    return {
        "swaps": len(flips),
        "text follows": _mean([follows for follows, _ in flips]),
        "rest unchanged": _mean([same for _, same in flips]),
    }


def _write(outcomes: Sequence[Outcome], explained: Sequence[Explained], folder: Path) -> None:
    rows: list[Mapping[str, object]] = [
        {"kind": it.kind, "asked": it.asked, "expected": list(it.expected), "made": list(it.made),
         "right": it.right, "recognised": it.recognised, "text": it.text,
         "findings": [one.finding for one in it.sentences if one.finding]}
        for it in outcomes
    ]  # fmt: skip
    rows += [
        {"kind": "explanation", "hit": hit, "verdict": verdict,
         "draft": [(one.text, one.finding) for one in sentences]}
        for hit, verdict, sentences, *_ in explained
    ]  # fmt: skip
    lines = (json.dumps(row, ensure_ascii=False) for row in rows)
    (folder / "agent.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
