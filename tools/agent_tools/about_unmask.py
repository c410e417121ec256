"""What Unmask says about itself, by topic; the figures come from the verdict rule in use."""

from collections.abc import Iterator
from string import Template

from prompts import project
from tools.errors import ToolError
from tools.verdict.handles import quote_untrusted
from tools.verdict.rule import UnseenToolMissRate, VerdictRule

TOPICS = tuple(project.ABOUT)


def about_unmask(topic: str, rule: VerdictRule | None) -> str:
    """The text of a topic; ToolError, which lists the topics, for an unknown one."""
    name = " ".join(topic.split()).casefold()
    if name not in project.ABOUT:
        raise ToolError(
            f"there is no topic {quote_untrusted(topic)}; topics are {', '.join(TOPICS)}"
        )
    text = Template(project.ABOUT[name])
    return text.substitute(figures=" ".join(_figures(rule)) if name == "accuracy" else "")


def _figures(rule: VerdictRule | None) -> Iterator[str]:
    if rule is None:
        yield project.NOT_FITTED
        return
    known = rule.fitted_on
    if {"persons", "dataset"} <= known.keys():
        yield Template(project.FITTED).substitute(
            persons=known["persons"], dataset=known["dataset"]
        )
    shares = "; ".join(_shares(rule))
    yield Template(project.PASSED).substitute(shares=shares) if shares else project.NOT_PASSED
    band = rule.questions["with_query"].band
    if band.guarantees_high:
        yield Template(project.ERROR_LIMIT).substitute(percent=f"{100 * band.alpha_high:g}")


def _shares(rule: VerdictRule) -> Iterator[str]:
    """`17 to 19 of 312 forgeries of …`: the measured miss rates, over all stages of the rule."""
    rates: dict[tuple[str, int], list[UnseenToolMissRate]] = {}
    for name, question in rule.named_questions():
        if name.rpartition("/")[2] == "with_query":
            for it in rule.unseen("with_query", question):
                rates.setdefault((it.what, it.forgeries), []).append(it)
    for (what, forgeries), some in rates.items():
        passed = sorted({it.passed for it in some})
        count = " to ".join(str(each) for each in dict.fromkeys((passed[0], passed[-1])))
        most = max(it.most for it in some)
        yield f"{count} of {forgeries} {what} (at most {100 * most:.0f} % at 95 % confidence)"
