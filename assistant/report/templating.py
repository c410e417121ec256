"""HTML templates (Jinja): escaped by default, undefined names are errors, shared filters."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from assistant.report.explained_terms import explained_html, term_meaning
from assistant.report.remarks import known_limits, own_remarks, sentence_html, typed_html
from assistant.report.times import local_time, utc_clock
from tools.verdict.interpretation import describe_question
from tools.verdict.rule import Assessment
from tools.verdict.term_lookup import glossary
from tools.verdict.units import format_percent


def render_template(name: str, /, **values: object) -> str:
    """The template `templates/<name>` as HTML, with every value escaped."""
    return str(_environment().get_template(name).render(**values))


def jinja_environment(package: str) -> Any:
    """Jinja over a package's folder `templates`: escapes values, fails on missing ones."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader(package), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip


@cache
def _environment() -> Any:
    made = jinja_environment("assistant.report")
    made.filters["percent"] = format_percent
    made.filters["explained"] = explained_html
    made.filters["meaning"] = term_meaning
    made.filters["asked"] = describe_question
    made.filters["own_remarks"] = own_remarks
    made.filters["known_limits"] = known_limits
    made.filters["sentence"] = sentence_html
    made.filters["typed"] = typed_html
    made.filters["when"] = local_time
    made.filters["utc"] = utc_clock
    made.globals["glossary"] = glossary
    return made


def inconclusive_bands(given: Assessment) -> Mapping[str, tuple[float, float]]:
    """The inconclusive range of each axis that has one, as (low, high) of the probability."""
    placed = {"identity": given.identity_band, "fake": given.fake_band}
    return {axis: (band.low, band.high) for axis, band in placed.items() if band is not None}
