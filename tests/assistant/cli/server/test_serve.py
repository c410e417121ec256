"""`unmask tokens` and the slips of `unmask serve`, before anything loads."""

from pathlib import Path

import pytest

from tests.assistant.cli.test_cli import Answer

pytestmark = pytest.mark.fast


@pytest.fixture(autouse=True)
def own_config(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens of this test only."""
    monkeypatch.setenv("UNMASK_CONFIG_DIR", str(tmp_path / "config"))


def test_tokens_are_shown_once_listed_and_revoked() -> None:
    """The secret is on stdout alone; the list has none."""
    assert "make one with" in Answer("tokens", "list").stdout
    made = Answer("tokens", "create", "lab", "--scope", "check", "--scope", "search", "--days", "9")
    assert made.status == 0
    assert made.stdout.startswith("unmask_") and len(made.stdout.split()) == 1
    assert "shown once" in made.stderr
    (listed,) = Answer("tokens", "list", "--json").json["tokens"]  # type: ignore[misc]
    assert (listed["name"], listed["scopes"], listed["expired"]) == (
        "lab",
        ["check", "search"],
        False,
    )
    assert made.stdout.strip() not in str(listed)
    assert Answer("tokens", "revoke", "lab").status == 0
    assert Answer("tokens", "list", "--json").json == {"tokens": []}


def test_slips_are_one_line() -> None:
    """What is wrong, and what to do."""
    for words, said in (
        (("tokens", "create", "lab", "--scope", "all"), "scopes are check"),
        (("tokens", "create", "../lab"), "no name for a token"),
        (("tokens", "revoke", "lab"), "there is no token 'lab'"),
        (("serve", "--folder", "/no/such/folder"), "check --folder"),
        (("chat", "--folder", "/no/such/folder"), "check --folder"),
        (("mcp", "--folder", "/no/such/folder"), "check --folder"),
    ):
        answer = Answer(*words)
        assert (answer.status, answer.stdout) == (1, ""), words
        assert said in answer.stderr and answer.stderr.count("\n") == 1
    assert Answer("serve", "--key", "key.pem").status == 2


def test_the_extension_comes_with_a_token(tmp_path: Path) -> None:
    """The token can only check; running again renews the files and keeps it, if not told else."""
    folder = tmp_path / "extension"
    made = Answer("extension", str(folder)).stdout
    assert made.count("unmask_") == 1 and "chrome://extensions" in made
    again = Answer("extension", str(folder)).stdout
    assert "unmask_" not in again and "stays valid" in again
    (listed,) = Answer("tokens", "list", "--json").json["tokens"]  # type: ignore[misc]
    assert (listed["name"], listed["scopes"]) == ("browser", ["check"])
    assert "unmask_" in Answer("extension", str(folder), "--new-token").stdout
    assert Answer("extension", str(tmp_path)).status == 1
