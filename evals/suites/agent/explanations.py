"""Are explanations faithful to the measurements, before and after the checker?

The shipped model explains hits of searches in galleries (see `evals.suites.agent.workspaces`): once
unconstrained, without masking or repair ("nothing masked"), and once as the user sees it. A flip
test swaps one forgery reading in the model's input: the text must then cite that measure if one is
due, and no sentence about other things may change. `--limit` caps the hits.

Does not show: whether people find explanations helpful or complete, whether a located region is
where the forgery truly is (see `localisers`), nor whether it is visible in the crop.
"""

import json
import random
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assistant.agent.agent import Agent
from assistant.case.record import Case
from assistant.case.signed.signing import SigningKeys
from assistant.chat_model.local.model import LocalVLM
from assistant.conversation.messages import explanation_messages
from assistant.conversation.steps import CheckedSentence, Explanation
from assistant.grounding.checker import FactContext, check_sentences
from assistant.grounding.repair import first_query_photo
from evals.options import EvalOptions
from evals.runs.samples import SampleWriter
from evals.suites.agent.sentences import (
    grounded_share,
    is_verdict_word_error,
    names_flaw,
    names_region,
)
from evals.suites.agent.suite import WEIGHTS
from evals.suites.agent.workspaces import make_workspaces
from tools.errors import ToolError
from tools.metrics import grouped_interval, mean
from tools.verdict.handles import cited_handles

HITS = 72
HITS_PER_WORKSPACE = 4
SCORES = ("high", "raised", "ordinary")
FORGERY_FACTS = ("E2", "E3", "E4", "E5")


@dataclass(frozen=True, slots=True)
class ExplanationTrial:
    """An explained hit: the unconstrained draft with its findings, the displayed text, and the flip
    test.

    `cites` are the citations of the draft with whether each is a measured fact; `regions` says for
    each draft sentence that names a part of the face whether it is cited as located.
    """

    workspace: str
    hit: str
    verdict: str
    draft: tuple[CheckedSentence, ...]
    shown: Explanation
    cites: tuple[tuple[str, bool], ...]
    regions: tuple[bool, ...]
    passes_again: tuple[bool, ...]
    follows: bool
    rest_unchanged: bool

    @property
    def numbers(self) -> list[bool]:
        """For each number in the draft, cited or typed, whether a tool measured it."""
        typed = [False for it in self.draft if "types a number" in (it.finding or "")]
        return [measured for _, measured in self.cites] + typed


def run(options: EvalOptions) -> dict[str, object]:
    """Explain at least `HITS` hits, swap a reading of each; returns the figures."""
    model = LocalVLM.load(WEIGHTS, threads=1)
    most = options.limit or HITS
    found: list[ExplanationTrial] = []
    with tempfile.TemporaryDirectory() as folder:
        work = options.output or Path(folder)
        for number, (workspace, photos) in enumerate(
            make_workspaces(options, work, turns=most * 4)
        ):
            if number % 3:
                continue  # those are for short conversations in `evals.suites.agent.suite`
            rng = random.Random(f"{options.seed}-{number}")  # noqa: S311 - not for secrets
            agent = Agent(
                model,
                workspace,
                Case.create(
                    Path(folder) / "cases",
                    gallery="default",
                    keys=SigningKeys(Path(folder) / "keys"),
                ),
            )
            hits = searched(agent, photos[0])
            some = rng.sample(hits, min(HITS_PER_WORKSPACE, len(hits), most - len(found)))
            found += explained(agent, model, some, name=f"desk {number}", rng=rng)
            options.progress(len(found), most, "explaining")
            if len(found) >= most:
                break
    _keep(found, options)
    return explanation_figures(found)


def searched(agent: Agent, photo: Path) -> list[str]:
    """The hits of a search for the person in a photo; none if the search refuses."""
    handle = agent.workspace.add_photo(photo)
    try:
        agent.tools["find_person"].invoke({"photos": [handle]})
    except ToolError:  # several faces, no face
        return []
    return (
        [hit.handle for hit in agent.workspace.last_search[0].hits]
        if agent.workspace.last_search
        else []
    )


def explained(
    agent: Agent, model: LocalVLM, hits: Sequence[str], *, name: str, rng: random.Random
) -> list[ExplanationTrial]:
    """Explanations of some hits of a workspace."""
    drafts = model.batch([_prompt(agent, hit) for hit in hits]) if hits else []
    shown = [*agent.explain(hits)]
    return [
        _judged(agent, hit, draft.text, final, name, _flipped(agent, model, hit, rng))
        for hit, draft, final in zip(hits, drafts, shown, strict=True)
    ]


def _judged(
    agent: Agent, hit: str, draft: str, shown: Explanation, name: str, flip: tuple[bool, bool]
) -> ExplanationTrial:
    context = FactContext.of(agent.workspace, about=hit)
    sentences = check_sentences(draft, context)
    cites = tuple(cited_handles(draft))
    return ExplanationTrial(
        workspace=name,
        hit=hit,
        verdict=agent.workspace.hit(hit).verdict,
        draft=sentences,
        shown=shown,
        cites=tuple((cite, _measured(context, cite)) for cite in cites),
        regions=tuple(it.finding is None for it in sentences if names_flaw(it.text)),
        passes_again=tuple(
            again.finding is None
            for it in shown.sentences
            if it.source == "model" and it.text
            for again in check_sentences(it.text, context)
        ),
        follows=flip[0],
        rest_unchanged=flip[1],
    )


def _measured(context: FactContext, cite: str) -> bool:
    fact = context.fact(cite)
    return fact is not None and fact.value is not None


# -- the flip test ----------------------------------------------------------------------------


def _evidence(agent: Agent, hit: str) -> str:
    return str(agent.tools["score_fake"].invoke({"image": hit}))


def _prompt(agent: Agent, hit: str, evidence: str | None = None) -> Any:
    return explanation_messages(
        agent.workspace.pictures, hit=hit, photo=first_query_photo(agent.workspace),
        evidence=evidence or _evidence(agent, hit),
    )  # fmt: skip


def _flipped(agent: Agent, model: LocalVLM, hit: str, rng: random.Random) -> tuple[bool, bool]:
    """Swap one forgery reading: does the text still cite it correctly, and is the rest
    unchanged?"""
    evidence = json.loads(_evidence(agent, hit))
    items = [it for it in evidence["evidence"] if it["id"].split(".")[1] in FORGERY_FACTS]
    item = rng.choice(items)
    before = model.invoke(_prompt(agent, hit)).text
    item["reads"] = rng.choice([it for it in SCORES if it != item["reads"]])
    changed = json.dumps(evidence, ensure_ascii=False, separators=(",", ":"))
    after = model.invoke(_prompt(agent, hit, changed)).text
    passes = all(
        one.finding is None
        for one in check_sentences(after, FactContext.of(agent.workspace, about=hit))
    )
    due = evidence["verdict"] not in ("other", "not assessed")
    follows = passes and (item["id"] in cited_handles(after)) == due
    return follows, _rest(before) == _rest(after)


def _rest(text: str) -> list[str]:
    """The sentences that are not about forgery scores; the last ones may be cut off."""
    kept = [it for it in text.split(". ") if not any(f".{fact}]" in it for fact in FORGERY_FACTS)]
    return [it.removesuffix(".") for it in kept if ".E6]" not in it and "not measured" not in it]


# -- figures ----------------------------------------------------------------------------------


def explanation_figures(found: Sequence[ExplanationTrial]) -> dict[str, object]:
    """All figures; shares of whole explanations have intervals over workspaces."""
    free = [sentence for one in found for sentence in one.draft]
    clear = [one for one in found if one.verdict == "no forgery found"]
    told = [_names_artefact(one) for one in clear]
    return {
        "hits": len(found),
        "sentences": len(free),
        "grounded, nothing masked": mean([it.finding is None for it in free]),
        "grounded, nothing masked_95": grouped_interval(
            mean,
            [one.workspace for one in found for _ in one.draft],
            [float(it.finding is None) for it in free],
        ),
        "grounded before the check": grounded_share([one.shown.sentences for one in found]),
        "grounded after the check": mean([it for one in found for it in one.passes_again]),
        "numeric fidelity, nothing masked": mean([it for one in found for it in one.numbers]),
        "right hit cited, nothing masked": mean(
            [cite.startswith(f"{one.hit}.") for one in found for cite, _ in one.cites]
        ),
        "region validity, nothing masked": mean([it for one in found for it in one.regions]),
        "regions named, nothing masked": sum(len(one.regions) for one in found),
        "deciding words typed, all refused": sum(is_verdict_word_error(it.finding) for it in free),
        "no forgery found, explained": len(clear),
        "artefact claims where no forgery was found": sum(told),
        "plain writer's": sum(it.source == "plain" for one in found for it in one.shown.sentences),
        "flip test": {
            "swaps": len(found),
            "text follows": mean([one.follows for one in found]),
            "rest unchanged": mean([one.rest_unchanged for one in found]),
        },
    }


def _names_artefact(one: ExplanationTrial) -> int:
    """Number of displayed sentences that name a part of the face."""
    return sum(names_region(it.text) for it in one.shown.sentences)


def _keep(found: Sequence[ExplanationTrial], options: EvalOptions) -> None:
    samples = SampleWriter(options.output)
    for one in found:
        values: Mapping[str, float | None] = {
            "grounded, nothing masked": mean([it.finding is None for it in one.draft]),
            "numeric fidelity": mean(one.numbers),
            "region validity": mean(one.regions),
            "text follows": float(one.follows),
            "rest unchanged": float(one.rest_unchanged),
        }
        samples.query(
            id=f"{one.workspace}/{one.hit}", group=one.workspace, values=values,
            verdict=one.verdict, draft=[[it.text, it.finding] for it in one.draft],
            shown=[[it.text, it.source] for it in one.shown.sentences],
        )  # fmt: skip
