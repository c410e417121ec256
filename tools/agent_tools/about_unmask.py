"""What Unmask says about itself, by topic; the figures come from the verdict rule in use."""

from collections.abc import Iterator
from string import Template

from prompts import project
from tools.detectors.catalogue import false_accusations
from tools.errors import ToolError
from tools.verdict.handles import quote_untrusted
from tools.verdict.measured_rates import UnseenToolMissRate
from tools.verdict.rule import VerdictRule

TOPICS = tuple(project.ABOUT)


def about_unmask(topic: str, rule: VerdictRule | None, *, judged_by: str = "") -> str:
    """The text of a topic; ToolError, which lists the topics, for an unknown one.

    `judged_by` is the sha256 of the weights in use: figures of other ones are marked as such.
    """
    name = " ".join(topic.split()).casefold()
    if name not in project.ABOUT:
        raise ToolError(
            f"there is no topic {quote_untrusted(topic)}; topics are {', '.join(TOPICS)}"
        )
    text = Template(project.ABOUT[name])
    return text.substitute(
        figures=" ".join(_figures(rule, judged_by)) if name == "accuracy" else ""
    )


def _figures(rule: VerdictRule | None, judged_by: str) -> Iterator[str]:
    if rule is None:
        yield project.NOT_FITTED
        return
    yield from _accused(judged_by)
    known = rule.fitted_on
    if "persons" in known:
        yield Template(project.FITTED).substitute(persons=known["persons"])
    band = rule.questions["with_query"].band
    if band.guarantees_high:
        yield Template(project.ERROR_LIMIT).substitute(percent=f"{100 * band.alpha_high:g}")
    missed = [*_missed(rule)]
    yield from (project.MISSED_MEANS, *missed) if missed else (project.NOT_TESTED,)


def _accused(judged_by: str) -> Iterator[str]:
    """False accusations, the worse of the two errors."""
    row, ours = false_accusations(judged_by)
    if row is None:
        yield project.ACCUSED_UNKNOWN
        return
    accused = round(row.value * row.authentic)
    yield Template(project.ACCUSED).substitute(
        photos=row.authentic, accused=_counted(accused), most=f"{100 * row.interval[1]:.0f}"
    )
    if not ours:
        yield Template(project.ACCUSED_EARLIER).substitute(date=row.date)


def _counted(count: int) -> str:
    return {0: "none was", 1: "1 was"}.get(count, f"{count} were")


def _missed(rule: VerdictRule) -> Iterator[str]:
    """A sentence for each kind of forgery, with the highest miss rate of the rule's stages."""
    worst: dict[tuple[str, int], UnseenToolMissRate] = {}
    for name, question in rule.named_questions():
        if name.rpartition("/")[2] == "with_query":
            for it in rule.unseen("with_query", question):
                known = worst.get((it.what, it.forgeries), it)
                worst[it.what, it.forgeries] = max(known, it, key=lambda each: each.passed)
    for it in worst.values():
        yield Template(project.MISSED).substitute(
            forgeries=it.forgeries, kind=it.kind, missed=_counted(it.passed),
            most=f"{100 * it.most:.0f}",
        )  # fmt: skip
