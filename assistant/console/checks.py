"""Print checked photos and comparisons on stdout."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from assistant.console.output import (
    badge,
    escape_terminal,
    evidence_line,
    format_probability,
    pluralize,
    stdout_console,
)
from assistant.console.provenance import print_provenance
from tools.search.checking.impression import IMPRESSION_LABEL, impression_text
from tools.verdict.interpretation import describe_question

if TYPE_CHECKING:
    from tools.search.checking.comparison import Comparison
    from tools.search.checking.results import CheckedFace, CheckReport

_EXPLAINED_UNASKED = 3


def print_report(report: "CheckReport", *, explain: bool) -> None:
    """Print checked faces as a table, with the reasons for all or for the first forged ones.

    Below them stands what the files say about their own origin.
    """
    if report.faces:
        _print_faces(report, explain=explain)
    if report.next_step:
        stdout_console().print(f"\n{report.next_step}" if report.faces else report.next_step)
    _print_origins(report, explain=explain)


def _print_faces(report: "CheckReport", *, explain: bool) -> None:
    console = stdout_console()
    console.print(_table(report.faces, with_person=bool(report.references)))
    verdicts = ", ".join(f"{number} {verdict}" for verdict, number in report.counts.items())
    files, faces = pluralize(report.files, "file"), pluralize(len(report.faces), "result")
    console.print(f"\n{files}, {faces}: {verdicts}.")
    worth = report.faces if explain else (report.forged or report.faces)[:_EXPLAINED_UNASKED]
    for face in worth:
        title = Text.assemble("\n", badge(face.verdict), f"  {escape_terminal(face.name)}")
        console.print(title)
        console.print(_indented(Text(escape_terminal(f"{face.explanation} {face.seen}".rstrip()))))
        if face.where:
            console.print(_indented(Text(f"Map of the face: {face.where}.")))
        if face.impression is not None:
            told = f"{IMPRESSION_LABEL}: {impression_text(face.impression)}."
            console.print(_indented(Text(told)))
        for note in face.assessment.notes:
            console.print(_indented(Text(f"Note: {note}.", style="dim")))
        cited = [it for it in face.evidence if explain or f"[{it.id}]" in face.explanation]
        lines = "\n".join(evidence_line(item) for item in cited)
        console.print(_indented(Text(lines, style="dim")))
    if worth[0].impression is None:
        console.print(Text(f"\n{IMPRESSION_LABEL}: {impression_text(None)}.", style="dim"))
    if len(worth) < len(report.faces):
        console.print("\n--explain gives the reasons and all the evidence for every face.")


def _print_origins(report: "CheckReport", *, explain: bool) -> None:
    """The provenance of all files, or of the first that say something."""
    files = [(path.name, found) for path, found in report.provenance]
    telling = [it for it in files if it[1].findings]
    shown = files if explain else (telling or files)[:_EXPLAINED_UNASKED]
    if shown:
        stdout_console().print()
        print_provenance(shown, explain=explain)
    if len(shown) < len(files):
        rest = pluralize(len(files) - len(shown), "more file")
        stdout_console().print(f"--explain shows the provenance of {rest}.")


def _table(faces: "Sequence[CheckedFace]", *, with_person: bool) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("verdict", no_wrap=True)
    table.add_column("forged", justify="right", min_width=6)
    table.add_column("", no_wrap=True)
    if with_person:
        table.add_column("this person", justify="right", min_width=6)
    table.add_column("file", overflow="fold")
    for face in faces:
        given = face.assessment
        person = [format_probability(given.identity_probability)] if with_person else []
        more = f" (and {len(face.paths) - 1} identical)" if len(face.paths) > 1 else ""
        cells = [
            format_probability(given.fake_probability), describe_question(given.question), *person,
        ]  # fmt: skip
        name = escape_terminal(f"{face.path.parent / face.name}{more}")
        table.add_row(badge(face.verdict), *(Text(cell) for cell in cells), Text(name))
    return table


def print_comparison(found: "Comparison") -> None:
    """Print a comparison in sentences, with its evidence."""
    console = stdout_console()
    for sentence in found.sentences:
        console.print(Text(escape_terminal(sentence)))
    if found.differs is not None:
        left, top, right, bottom = (round(edge) for edge in found.differs)
        console.print(
            f"Largest differing place: x {left} to {right}, y {top} to {bottom} in the first photo."
        )
    console.print(Text(found.limits, style="dim"))
    known = [item for item in found.evidence if item.value is not None]
    console.print(Text("\n".join(evidence_line(item) for item in known), style="dim"))


def _indented(text: Text) -> Padding:
    return Padding(text, (0, 0, 0, 3), expand=False)
