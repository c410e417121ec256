"""`unmask accounts` and `unmask cases share`: from the password on stdin to the last admin."""

from pathlib import Path

import pytest

from assistant.case.record import Case
from assistant.server.access.accounts import AccountStore
from assistant.server.access.passwords import Cost
from assistant.server.work.ledger import Ledger
from tests.assistant.cli.test_cli import Answer

pytestmark = pytest.mark.fast
SECRET = "four words are enough"  # noqa: S105 - a test's


@pytest.fixture(autouse=True)
def config(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Accounts of this test only, with hashes that cost little."""
    monkeypatch.setenv("UNMASK_CONFIG_DIR", str(tmp_path / "config"))
    defaults = AccountStore.__init__.__kwdefaults__
    monkeypatch.setitem(defaults, "cost", Cost(n=16, r=1, p=1))
    return tmp_path / "config"


def add(name: str, role: str) -> None:
    """An account with the tests' password."""
    made = Answer("accounts", "add", name, "--role", role, typed=SECRET + "\n")
    assert (made.status, made.stdout.count("\n")) == (0, 1), made.stderr
    assert SECRET not in made.stdout + made.stderr


def test_accounts_are_made_listed_changed_and_removed(config: Path) -> None:
    """The password comes from stdin and is nowhere printed; the list has none."""
    assert "make one with" in Answer("accounts", "list").stdout
    add("ada", "admin")
    add("bob", "viewer")
    (ada, bob) = Answer("accounts", "list", "--json").json["accounts"]  # type: ignore[misc]
    assert (ada["name"], ada["role"], bob["role"]) == ("ada", "admin", "viewer")
    assert ada.keys() == {"name", "role", "created"}
    assert Answer("accounts", "role", "bob", "investigator").status == 0
    other = "five other words are good"
    assert Answer("accounts", "password", "bob", typed=other + "\n").status == 0
    who = AccountStore(config).log_in("bob", other)
    assert who is not None and who.role == "investigator"
    assert AccountStore(config).log_in("bob", SECRET) is None
    assert Answer("accounts", "remove", "bob", "--yes").status == 0
    assert [it.name for it in AccountStore(config).records()] == ["ada"]


def test_slips_are_one_line() -> None:
    """What is wrong, and what to do; nothing changes."""
    add("ada", "admin")
    assert Answer("tokens", "create", "lab").status == 0
    for words, typed, said in (
        (("accounts", "add", "bob"), "", "write it to stdin"),
        (("accounts", "add", "bob"), "short\n", "12 to 256 characters"),
        (("accounts", "add", "bob", "--role", "boss"), SECRET, "roles are viewer"),
        (("accounts", "add", "ada"), SECRET, "already"),
        (("accounts", "add", "lab"), SECRET, "choose another name"),
        (("accounts", "role", "ada", "viewer"), "", "the last admin"),
        (("accounts", "remove", "ada", "--yes"), "", "the last admin"),
        (("accounts", "remove", "ada"), "", "--yes"),
        (("accounts", "password", "bob"), SECRET, "there are: ada"),
        (("tokens", "create", "ada"), "", "--account ada"),
        (("tokens", "create", "x", "--account", "bob"), "", "there is no account 'bob'"),
    ):
        answer = Answer(*words, typed=typed)
        assert (answer.status, answer.stdout) == (1, ""), words
        assert said in answer.stderr and answer.stderr.count("\n") == 1, answer.stderr
    (account,) = Answer("accounts", "list", "--json").json["accounts"]  # type: ignore[misc]
    assert (account["name"], account["role"]) == ("ada", "admin")


def test_a_case_is_shared_and_withdrawn(home: Path) -> None:
    """With accounts that exist; the command says who sees it now, and a removal withdraws it."""
    add("ada", "admin")
    add("bob", "viewer")
    case = Case.create(home, gallery="forum")
    share = ("cases", "share", case.id)
    assert Answer(*share, "--with", "bob").stdout == f"Case {case.id} is shared with bob.\n"
    assert Answer(*share, "--json").json == {"id": case.id, "owner": None, "names": ["bob"]}
    assert "there is no account 'eve'" in Answer(*share, "--with", "eve").stderr
    assert "nobody" in Answer(*share, "--not-with", "bob").stdout
    Answer(*share, "--with", "bob")
    Answer("tokens", "create", "phone", "--account", "bob")
    assert Answer("accounts", "remove", "bob", "--yes").status == 0
    assert Answer("tokens", "list", "--json").json == {"tokens": []}
    books = Ledger(home)
    assert books.shared_with("case", case.id) == []
    books.close()
    assert Answer("cases", "list", "--with", "bob").status == 2
