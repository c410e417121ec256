"""Terminal output: results on stdout, progress and remarks on stderr.

File names are data: their control characters are escaped and they are never read as markup, so that
a file called "[red]x" or one with an escape sequence affects only its own display.
"""

import io
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from tools.media.file_names import encodable, printable

if TYPE_CHECKING:
    from tools.agent_tools.copies import CopyGroup
    from tools.gallery.indexing.progress import IndexSummary
    from tools.search.results import Findings, Hit
    from tools.verdict.evidence import Evidence

_STYLES = {
    "impersonation": "bold white on red",
    "forged": "bold white on red",
    "inconclusive": "black on yellow",
    "no forgery found": "green",
    "copy": "cyan",
    "other": "dim",
    "not assessed": "dim italic",
    "ok": "green",
    "warning": "black on yellow",
    "broken": "bold white on red",
}
_SKIPS_SHOWN = 10
# Text beside a name must stay visible: a very long name is shown by its ends.
_LONG_NAME = re.compile(r"(\S{120})\S{120,}(\S{60})")
_WIDTH_OF_A_PIPE = 160
_WIDE = 120
_EXPLAINED_UNASKED = 3


def escape_terminal(value: object) -> str:
    """Escape undecodable bytes and control characters, so that text cannot steer a terminal."""
    text = printable(value) if isinstance(value, Path) else encodable(f"{value}")
    return "".join(_escaped(character) for character in text)


def _escaped(character: str) -> str:
    if character.isprintable():
        return character
    return character.encode("unicode_escape").decode("ascii")


def format_probability(value: float | None) -> str:
    """Format a probability for a column, never as a certainty; *not measured* for None."""
    from tools.verdict.units import format_percent

    return format_percent(value).replace("over", ">").replace("under", "<")


def stdout_console() -> Console:
    """The console for results."""
    # Rich takes 80 columns where there is no terminal; a log or a pipe has room for paths.
    width = None if sys.stdout.isatty() else _WIDTH_OF_A_PIPE
    return Console(width=width, highlight=False, emoji=False, markup=False)


def stderr_console() -> Console:
    """The console for progress and remarks."""
    return Console(stderr=True, highlight=False, emoji=False, markup=False)


def escape_unencodable() -> None:
    """Show characters that the encoding of the terminal or pipe lacks as escapes.

    Names can be in any script; a console may know 256 characters (Windows), or ASCII (LC_ALL=C).
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def print_json(data: Mapping[str, object]) -> None:
    """Print one JSON object on stdout; a NaN in it is a bug and raises ValueError."""
    sys.stdout.write(json.dumps(_encodable(data), indent=2, allow_nan=False) + "\n")


def _encodable(value: object) -> object:
    """The data without lone surrogates, which strict JSON parsers refuse."""
    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, Mapping):
        return {_encodable(key): _encodable(item) for key, item in value.items()}
    return [*map(_encodable, value)] if isinstance(value, list | tuple) else value


def print_error(error: BaseException) -> None:
    """Print one `error:` on stderr; a message may have several lines (a numbered list of faces)."""
    lines = (_LONG_NAME.sub(r"\1...\2", escape_terminal(line)) for line in str(error).split("\n"))
    sys.stderr.write("error: " + "\n".join(lines) + "\n")


def print_remarks(remarks: Iterable[str]) -> None:
    """Print remarks on stderr, one per line."""
    for remark in remarks:
        sys.stderr.write(f"note: {escape_terminal(remark)}\n")


def print_summary(summary: "IndexSummary", gallery: str) -> None:
    """Print the result of indexing: skipped files, the reason, and the remedy for each."""
    from tools.media.skip_reasons import remedy

    console = stdout_console()
    console.print(
        f"Gallery {gallery!r}: {pluralize(summary.images_added, 'image')} with "
        f"{pluralize(summary.faces_found, 'face')} added in {summary.seconds:.1f} s."
    )
    if summary.videos_added:
        console.print(f"  {format_frame_counts(summary)}")
    rest = {
        "already known": summary.already_known,
        "identical to another file": summary.duplicates,
        "no longer found": summary.missing,
    }
    for words, number in rest.items():
        if number:
            console.print(f"  {pluralize(number, 'file')} {words}")
    if summary.skipped:
        reasons = ", ".join(f"{number} {reason}" for reason, number in summary.skipped.items())
        console.print(f"  {pluralize(sum(summary.skipped.values()), 'file')} skipped: {reasons}")
    for path, reason in summary.skipped_files[:_SKIPS_SHOWN]:
        why = f"{escape_terminal(reason)}: {remedy(reason)}"
        console.print(Text(f"    {escape_terminal(path)}  ({why})", overflow="fold"))
    more = sum(summary.skipped.values()) - _SKIPS_SHOWN
    if more > 0:
        console.print(f"    … and {more} more; --json names them")


def format_frame_counts(summary: "IndexSummary") -> str:
    """The number of added images that are video frames, and the number of videos."""
    videos = pluralize(summary.videos_added, "video")
    return f"{summary.frames_added:,} of them are frames of {videos}"


def pluralize(number: int, noun: str) -> str:
    """A number with its noun: 1 file, 2 files."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def print_findings(
    findings: "Findings", *, explain: bool, truths: Mapping[str, str] | None = None
) -> None:
    """Print ranked hits as a table, and the reasons for all or for the first impersonations.

    `truths` maps file names to the true nature of a picture, if it is known (as in the demo).
    """
    from tools.agent_tools.copies import group_copies

    console = stdout_console()
    if not findings.hits:
        console.print(f"No face in gallery {findings.gallery!r} could be compared.")
        return
    shared = _shared_folder(findings.hits)
    if shared is not None:
        console.print(Text(f"Below {escape_terminal(shared)}:\n", overflow="fold"))
    copies = group_copies(findings.hits)
    console.print(
        _hit_table(
            findings.hits, truths or {}, shared=shared, copies=copies,
            wide=console.width >= _WIDE,
        )
    )  # fmt: skip
    console.print(_totals(findings))
    for line in _undecided(findings.hits):
        console.print(Text(line, overflow="fold"))
    if findings.forged_others:
        console.print(Text(findings.forged_others, overflow="fold"))
    print_copies(copies)
    for hit in findings.hits:
        if hit.version is not None:
            console.print(Text(_with_another_face(hit, shared), overflow="fold"))
    for hit in findings.hits if explain else _worth_a_word(findings.hits):
        name = _shown(hit, shared)
        console.print(Text.assemble(f"\n{hit.rank}  ", badge(hit.verdict), f"  {name}"))
        console.print(_indented(Text(escape_terminal(f"{hit.explanation} {hit.seen}".rstrip()))))
        console.print(_indented(_evidence_lines(hit, everything=explain)))
    if not explain:
        console.print("\n--explain gives the reasons and all the evidence for every hit.")


def _undecided(hits: Sequence["Hit"]) -> Iterator[str]:
    """Why hits are inconclusive, one line for each reason."""
    from tools.verdict.clauses import join_with_and

    ranks: dict[str, list[str]] = {}
    for hit in hits:
        if hit.verdict == "inconclusive":
            ranks.setdefault(hit.assessment.reason, []).append(str(hit.rank))
    for reason, some in ranks.items():
        yield f"Inconclusive, because {reason}: {join_with_and(some)}."


def _with_another_face(hit: "Hit", shared: Path | None) -> str:
    """One line about another version of a hit's photograph."""
    name = escape_terminal(hit.version.name) if hit.version else ""
    which = {"high": "this one", "low": "at least one; the other one reads more forged"}.get(
        hit.assessment.of_two or "", "at least one of them"
    )
    return (
        f"{hit.rank}  {_shown(hit, shared)}: the same photograph as {name}, with another face; "
        f"altered: {which}"
    )


def _shared_folder(hits: Sequence["Hit"]) -> Path | None:
    """The folder that contains all hits, so that it is not repeated for each."""
    try:
        folder = Path(os.path.commonpath([hit.path.parent for hit in hits]))
    except ValueError:  # several drives
        return None
    return folder if folder.name else None


def _shown(hit: "Hit", shared: Path | None) -> str:
    gone = "  (file is gone)" if hit.file_missing else ""
    if hit.file_replaced:
        gone = "  (replaced since it was indexed: another file lies there)"
    return (
        escape_terminal(hit.path if shared is None else hit.path.relative_to(shared))
        + hit.at
        + gone
    )


def _indented(text: Text) -> Padding:
    return Padding(text, (0, 0, 0, 3), expand=False)


def _worth_a_word(hits: Sequence["Hit"]) -> list["Hit"]:
    found = [hit for hit in hits if hit.verdict == "impersonation"] or list(hits[:1])
    return found[:_EXPLAINED_UNASKED]


def print_copies(copies: Sequence["CopyGroup"], *, prefix: str = "") -> None:
    """One line for each group of near-identical hits, with the earliest; "H" makes handles."""
    from tools.verdict.clauses import join_with_and

    for each in copies:
        handles = join_with_and([f"{prefix}{hit.rank}" for hit in each.hits])
        earliest = ""
        if each.earliest is not None:
            earliest = f"; the earliest is {prefix}{each.earliest.rank}, {each.date_in_words}"
        said = f"Hits {handles} show nearly the same picture{earliest}."
        stdout_console().print(said, soft_wrap=True)


def _hit_table(
    hits: Sequence["Hit"], truths: Mapping[str, str], *, shared: Path | None,
    copies: Sequence["CopyGroup"], wide: bool,
) -> Table:  # fmt: skip
    """The hits by rank; near-identical ones stand below the first of them.

    Beside the probability of a forgery stands which question it answers. The probability that
    orders the hits is left out where there is no room.
    """
    from tools.verdict.interpretation import describe_question

    behind = {each.hits[0].handle: each.hits[1:] for each in copies}
    later = {hit.handle for some in behind.values() for hit in some}
    table = Table(box=None, pad_edge=False)
    table.add_column("rank", justify="right")
    table.add_column("verdict", no_wrap=True)
    table.add_column("same person", justify="right", min_width=6)
    table.add_column("forged", justify="right", min_width=6)
    table.add_column("", no_wrap=True)
    if wide:
        table.add_column("impersonation", justify="right", min_width=6)
    table.add_column("file", overflow="fold")
    if truths:
        table.add_column("what it really is", overflow="fold")
    for hit in (each for lead in hits if lead.handle not in later
                for each in (lead, *behind.get(lead.handle, ()))):  # fmt: skip
        assessment = hit.assessment
        cells = [
            Text(str(hit.rank)),
            badge(hit.verdict),
            Text(format_probability(assessment.identity_probability)),
            Text(format_probability(assessment.fake_probability)),
            Text(describe_question(assessment.question)),
            *([Text(format_probability(assessment.impersonation_probability))] if wide else []),
            Text(f"{'└ ' if hit.handle in later else ''}{_shown(hit, shared)}"),
        ]
        if truths:
            cells.append(Text(escape_terminal(truths.get(hit.path.name, ""))))
        table.add_row(*cells)
    return table


def badge(word: str) -> Text:
    """A verdict or a state in its colour."""
    return Text(f" {word} ", style=_STYLES.get(word, ""))


def _totals(findings: "Findings") -> str:
    verdicts = ", ".join(f"{number} {verdict}" for verdict, number in findings.counts.items())
    listed = len(findings.hits)
    rest = (
        f" {listed} of {findings.compared} are listed; `--top {findings.compared}` asks for all."
        if listed < findings.compared
        else ""
    )
    told = f"{findings.compared_in_words} compared: {verdicts}"
    return f"\n{told}; {findings.faceless_in_words} without a face.{rest}"


def _evidence_lines(hit: "Hit", *, everything: bool) -> Text:
    cited = [item for item in hit.evidence if everything or f"[{item.id}]" in hit.explanation]
    return Text("\n".join(evidence_line(item) for item in cited), style="dim")


def evidence_line(item: "Evidence") -> str:
    """A piece of evidence with its value in one line."""
    from tools.verdict.interpretation import UNCALIBRATED

    # A bare cosine says nothing to a reader: without a usual range, the reading stands beside it.
    read = item.value is not None and item.unit and item.reads != UNCALIBRATED
    usual = f", {item.usual}" if item.usual else f" ({item.reads})" if read else ""
    return escape_terminal(f"{item.id} {item.title}: {item.shown}{usual}")


def print_table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print plain rows under headings; cells are data, not markup."""
    table = Table(box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(Text(escape_terminal(cell)) for cell in row))
    stdout_console().print(table)
