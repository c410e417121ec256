"""Does the assistant call the right tools and report their results, with the shipped model?

Scripted conversations (`evals.suites.agent.conversations`) about galleries of authentic photos,
forgeries, bodies and copies, indexed by the real pipeline (`evals.suites.agent.workspaces`); the
real tools, agent and checker; the pocket VLM in 4 bits, and the request reader if `unmask setup`
installed it, as in the product. The pocket VLM's training grammar can produce part of
the wordings: turns with new wordings have separate figures. `--limit` caps the turns, except to
finish a short conversation. Does not show: how other people would ask, or results on forgeries that
the forge does not make; explanations of single hits are evaluated in
`evals.suites.agent.explanations`.
"""

import random
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from assistant.agent.agent import Agent
from assistant.agent.requests.loading import load_request_reader
from assistant.case.record import Case
from assistant.case.signed.signing import SigningKeys
from assistant.chat_model.local.model import LocalVLM
from assistant.settings import Settings
from evals.options import EvalOptions
from evals.runs.samples import SampleWriter
from evals.suites.agent.conversations import TurnOutcome, long_conversation, short_conversations
from evals.suites.agent.grammar import is_fresh, matches_training_grammar
from evals.suites.agent.sentences import grounded_share, is_verdict_word_error, names_region
from evals.suites.agent.workspaces import make_workspaces
from tools.checkpoints.table import CHAT_WEIGHTS_DIR
from tools.metrics import grouped_interval, mean
from tools.verdict.handles import parse_handle

WEIGHTS = CHAT_WEIGHTS_DIR / "vlm"
TURNS = 330
REFUSALS = ("outside", "unanswerable", "no photo", "no search", "injection")


@dataclass(frozen=True, slots=True)
class EvaluatedTurn:
    """A turn and its workspace; turns of one workspace are not independent."""

    workspace: str
    outcome: TurnOutcome
    new: bool
    fresh: bool

    @classmethod
    def of(cls, workspace: str, outcome: TurnOutcome) -> "EvaluatedTurn":
        """Adds whether its wording is new to training, and whether it was written after
        training."""
        asked = outcome.asked
        return cls(workspace, outcome, not matches_training_grammar(asked), is_fresh(asked))


def run(options: EvalOptions) -> dict[str, object]:
    """Ask at least `TURNS` questions; returns the figures."""
    model = LocalVLM.load(WEIGHTS, threads=1)
    reader = load_request_reader(Settings.load())
    began = time.monotonic()
    most = options.limit or TURNS
    turns: list[EvaluatedTurn] = []
    with tempfile.TemporaryDirectory() as folder:
        # An output folder also keeps the galleries: they take longer than the questions.
        work = options.output or Path(folder)
        for number, (workspace, photos) in enumerate(make_workspaces(options, work, turns=most)):
            rng = random.Random(f"{options.seed}-{number}")  # noqa: S311 - not for secrets
            agent = Agent(
                model,
                workspace,
                Case.create(
                    Path(folder) / "cases",
                    gallery="default",
                    keys=SigningKeys(Path(folder) / "keys"),
                ),
                reader=reader,
            )
            asked = (
                short_conversations(agent, rng, photos, place=number, folder=Path(folder))
                if number % 3
                else long_conversation(agent, rng, photos, most=most - len(turns))
            )
            turns += [EvaluatedTurn.of(f"desk {number}", outcome) for outcome in asked]
            options.progress(min(len(turns), most), most, "asking")
            if len(turns) >= most:
                break
    _keep(turns, options)
    seconds = time.monotonic() - began
    read = {"read by the request reader": reader is not None}
    return {"turns": len(turns), "seconds": seconds, **read, **_calling(turns), **_speaking(turns)}


# -- calls -----------------------------------------------------------------------------------


def _calling(turns: Sequence[EvaluatedTurn]) -> dict[str, object]:
    """Valid calls, right calls and refusals, by kind, and for wordings that are new to training."""
    outcomes = [turn.outcome for turn in turns]
    told = [bool(it.recognised) for it in outcomes if it.kind in REFUSALS]
    new = [turn for turn in turns if turn.new]
    fresh = [turn for turn in turns if turn.fresh]
    return {
        "valid calls": mean([it.valid for it in outcomes if it.made]),
        **_right("right tool and arguments", turns),
        "refusals recognised": mean(told),
        "wordings new to training": {
            "turns": len(new),
            **_right("right tool and arguments", new),
            "right by kind": _by_kind(new),
        },
        "wordings written after training": {
            "turns": len(fresh),
            **_right("right tool and arguments", fresh),
            "right by kind": _by_kind(fresh),
        },
        "right by kind": _by_kind(turns),
    }


def _right(name: str, turns: Sequence[EvaluatedTurn]) -> dict[str, object]:
    right = [float(turn.outcome.right) for turn in turns]
    places = [turn.workspace for turn in turns]
    return {name: mean(right), f"{name}_95": grouped_interval(mean, places, right)}


def _by_kind(turns: Sequence[EvaluatedTurn]) -> dict[str, str]:
    kinds: dict[str, list[bool]] = defaultdict(list)
    for turn in turns:
        kinds[turn.outcome.kind].append(turn.outcome.right)
    return {kind: f"{sum(right)}/{len(right)}" for kind, right in sorted(kinds.items())}


# -- sentences -------------------------------------------------------------------------------


def _speaking(turns: Sequence[EvaluatedTurn]) -> dict[str, object]:
    """Answers: grounded before the check, contradictions, parts of the face named."""
    outcomes = [turn.outcome for turn in turns]
    said = [it for outcome in outcomes for it in outcome.sentences]
    about = [outcome for outcome in outcomes if outcome.about]
    clear = [it for it in about if it.verdicts.get(str(it.about)) == "no forgery found"]
    return {
        "sentences": len(said),
        "grounded before the check": grounded_share([it.sentences for it in outcomes]),
        "cite the hit asked about": mean(
            [
                parse_handle(cite).subject == outcome.about
                for outcome in about
                for sentence in outcome.sentences
                if sentence.source == "model"
                for cite in sentence.cites
                if cite[0] == "H"
            ]
        ),
        "deciding words typed, all refused": sum(is_verdict_word_error(it.finding) for it in said),
        "contradictions shown": sum(outcome.contradictions for outcome in outcomes),
        "grounded after the check": mean([it.grounded for it in outcomes if it.sentences]),
        "artefact claims where no forgery was found": sum(names_region(it.text) for it in clear),
        "no forgery found, asked about": len(clear),
        "plain writer's": sum(it.source == "plain" for it in said),
        "unchecked": sum(it.source == "unchecked" for it in said),
    }


def _keep(turns: Sequence[EvaluatedTurn], options: EvalOptions) -> None:
    samples, count = SampleWriter(options.output), defaultdict[str, int](int)
    for turn in turns:
        it = turn.outcome
        values: Mapping[str, float | None] = {
            "right": float(it.right),
            "valid": float(it.valid) if it.made else None,
            "recognised": None if it.recognised is None else float(it.recognised),
            "grounded": float(it.grounded) if it.sentences else None,
        }
        count[turn.workspace] += 1
        samples.query(
            id=f"{turn.workspace}/{count[turn.workspace]}", group=turn.workspace, values=values,
            about=it.kind, asked=it.asked, new=turn.new, fresh=turn.fresh, text=it.text,
            expected=[[*call] for call in it.expected], made=[[*call] for call in it.made],
            findings=[one.finding for one in it.sentences if one.finding],
        )  # fmt: skip
