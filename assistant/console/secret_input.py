"""Ask for a password or passphrase: without echo, or from stdin where there is no terminal."""

import sys

import typer

from tools.errors import SetupError


def read_secret(what: str, *, confirm: bool, instead: str = "") -> str:
    """What is typed, twice to `confirm` it; without a terminal, the first line of stdin.

    `what` names it, as in "password"; `instead` is another way, for the message. Raises SetupError
    if stdin is empty.
    """
    if sys.stdin.isatty():
        typed: str = typer.prompt(
            what.capitalize(), hide_input=True, err=True,
            confirmation_prompt="The same again" if confirm else False,
        )  # fmt: skip
        return typed
    line = sys.stdin.readline().rstrip("\r\n")
    if not line:
        raise SetupError(
            f"a {what} is needed, and there is no terminal to ask on: write it to stdin{instead}"
        )
    return line
