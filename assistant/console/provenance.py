"""Print what files say about their own origin on stdout."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.padding import Padding
from rich.text import Text

from assistant.console.output import escape_terminal, stdout_console

if TYPE_CHECKING:
    from tools.provenance.findings import Provenance

_TITLES = {
    "generated": "says generated",
    "made": "says made",
    "edited": "says edited",
    "captured": "says captured",
    "contradiction": "contradiction",
    "invalid": "not valid",
    "fact": "fact",
}
_STYLES = {"contradiction": "black on yellow", "invalid": "black on yellow"}


def print_provenance(files: "Sequence[tuple[str, Provenance]]", *, explain: bool) -> None:
    """Print the findings of every file by name; with `explain`, what each kind can mean."""
    from tools.provenance.findings import LIMITS

    console = stdout_console()
    for name, found in files:
        console.print(Text(f"Provenance of {escape_terminal(name)}", style="bold"))
        console.print(_indented(found.summary))
        for it in found.findings:
            title = Text(f" {_TITLES[it.bearing]} ", style=_STYLES.get(it.bearing, "dim"))
            line = Text.assemble(title, f" {it.where}: {it.text}.")
            console.print(Padding(line, (0, 0, 0, 3), expand=False))
        if explain:
            for kind in dict.fromkeys(it.kind for it in found.findings):
                of_kind = next(it for it in found.findings if it.kind == kind)
                console.print(
                    _indented(f"{kind}: {of_kind.can_mean} {of_kind.cannot_mean}", dim=True)
                )
        console.print()
    if files:
        console.print(Text(LIMITS, style="dim"))


def _indented(text: str, *, dim: bool = False) -> Padding:
    return Padding(
        Text(escape_terminal(text), style="dim" if dim else ""), (0, 0, 0, 3), expand=False
    )
