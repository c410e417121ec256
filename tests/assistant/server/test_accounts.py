"""Accounts: names, roles and passwords; logins and tokens that end with them."""

import stat
from contextlib import closing
from pathlib import Path
from sqlite3 import connect
from threading import Thread

import pytest

from assistant.server.access import passwords
from assistant.server.access.accounts import AccountStore
from assistant.server.access.passwords import COST, Cost, hashed, matches
from assistant.server.access.tokens import TokenStore
from assistant.server.serving import Server
from tests.assistant.server.serving import anonymous, server_in
from tools.errors import SetupError

pytestmark = pytest.mark.fast

QUICK = Cost(n=16, r=1, p=1)
SECRET = "four words are enough"  # noqa: S105 - a test's


def store_in(folder: Path, **roles: str) -> AccountStore:
    """Accounts of these names and roles, all with one password."""
    store = AccountStore(folder, cost=QUICK)
    for name, role in roles.items():
        store.add(name, role, SECRET)
    return store


# -- passwords ------------------------------------------------------------------------------------


def test_a_password_is_stored_as_a_salted_hash_with_its_cost() -> None:
    """Two hashes of one password differ; both match it, in either way of composing it."""
    first, second = hashed(SECRET, QUICK), hashed(SECRET, QUICK)
    assert first != second and SECRET not in first
    assert first.startswith("scrypt$16$1$1$")
    assert matches(SECRET, first) and matches(SECRET, second)
    assert not matches(SECRET + "!", first)
    assert matches("cafe\u0301 au lait noir", hashed("caf\u00e9 au lait noir", QUICK))


def test_the_default_cost_is_a_strong_one() -> None:
    """32 MiB of memory, three times, as OWASP lists among equal choices."""
    assert (128 * COST.n * COST.r, COST.p) == (32 * 1024 * 1024, 3)


@pytest.mark.parametrize("password", ["", "short", "x" * 257])
def test_a_password_has_a_length(password: str) -> None:
    """Too short and too long ones are refused before anything is stored."""
    with pytest.raises(SetupError, match="12 to 256 characters"):
        hashed(password, QUICK)


def test_an_unknown_name_costs_as_much_as_a_wrong_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both compute one hash with the same parameters; nobody has the hash that stands for none."""
    AccountStore(tmp_path).add("ada", "admin", SECRET)
    costs: list[Cost] = []
    real = passwords._key

    def counted(password: str, salt: bytes, cost: Cost) -> bytes:
        costs.append(cost)
        return real(password, salt, cost)

    monkeypatch.setattr(passwords, "_key", counted)
    store = AccountStore(tmp_path)
    assert store.log_in("ada", "not the password") is None
    assert store.log_in("nobody", "not the password") is None
    assert costs == [COST, COST]
    monkeypatch.setattr(passwords, "_key", lambda *_: bytes(32))
    assert not matches("anything", None)


# -- the store ------------------------------------------------------------------------------------


def test_accounts_lie_in_an_owner_only_file_without_passwords(tmp_path: Path) -> None:
    """The password is nowhere on the disk, and opens the account; another does not."""
    store = store_in(tmp_path / "config", ada="admin")
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(store.path.parent.stat().st_mode) == 0o700
    assert SECRET.encode() not in store.path.read_bytes()
    found = store.log_in("ada", SECRET)
    assert found is not None and (found.name, found.role) == ("ada", "admin")
    assert store.log_in("ada", SECRET[:-1]) is None
    assert store.log_in("Ada", SECRET) is None


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("../x", "no name for an account"), ("", "no name for an account"),
        ("a b", "no name for an account"), ("x" * 65, "no name for an account"),
        ("\ufb01n", "no name for an account"), ("ADA", "already"), ("owner", "choose another name"),
        ("lab", "choose another name"),
    ],
)  # fmt: skip
def test_names_are_checked(tmp_path: Path, name: str, said: str) -> None:
    """No path, no space, no look-alike, no name whose cases are somebody else's."""
    store = store_in(tmp_path, ada="admin")
    with pytest.raises(SetupError, match=said):
        store.add(name, "viewer", SECRET, taken={"lab"})
    assert [it.name for it in store.records()] == ["ada"]


def test_the_last_admin_stays_one(tmp_path: Path) -> None:
    """Neither removed nor given another role; with a second one both go."""
    store = store_in(tmp_path, ada="admin", bob="viewer")
    for change in (lambda: store.remove("ada"), lambda: store.set_role("ada", "viewer")):
        with pytest.raises(SetupError, match="the last admin"):
            change()
    store.set_role("bob", "admin")
    store.set_role("ada", "viewer")
    store.remove("ada")
    assert [(it.name, it.role) for it in store.records()] == [("bob", "admin")]


def test_tokens_do_not_pass_to_a_later_account_of_the_name(tmp_path: Path) -> None:
    """Whoever had left would act in the name of somebody else, with that person's role."""
    store, tokens = store_in(tmp_path, ada="admin", eve="viewer"), TokenStore(tmp_path)
    old = tokens.create("laptop", (), account="eve")
    with closing(connect(tokens.path)) as connection, connection:
        connection.execute("UPDATE tokens SET created = '2026-01-01T00:00:00+00:00'")
    store.remove("eve")
    store.add("eve", "admin", SECRET)
    assert tokens.find(old) is None
    new = tokens.create("phone", (), account="eve")
    assert tokens.find(new) is not None
    tokens.revoke_of("eve")
    assert (tokens.find(new), tokens.records()) == (None, [])


def test_two_admins_cannot_remove_each_other_at_the_same_time(tmp_path: Path) -> None:
    """Of two removals at once, one is refused."""
    store = store_in(tmp_path, ada="admin", bob="admin")
    refused: list[str] = []

    def remove(name: str) -> None:
        try:
            AccountStore(tmp_path).remove(name)
        except SetupError as error:
            refused.append(str(error))

    threads = [Thread(target=remove, args=(name,)) for name in ("ada", "bob")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 1 and len(store.records()) == 1


def test_slips_with_accounts_say_what_to_do(tmp_path: Path) -> None:
    """An unknown role and an unknown name list what there is; a broken file says where it lies."""
    store = store_in(tmp_path, ada="admin")
    with pytest.raises(SetupError, match="roles are viewer, investigator, admin"):
        store.add("bob", "boss", SECRET)
    for change in (store.remove, lambda it: store.set_password(it, SECRET), store.require):
        with pytest.raises(SetupError, match="there are: ada"):
            change("bob")
    store.path.write_text("no database, but long enough to be read as one" * 30)
    with pytest.raises(SetupError, match=r"accounts cannot be read or stored .*UNMASK_CONFIG_DIR"):
        store.records()


def test_a_session_ends_with_the_role_the_password_or_the_account(tmp_path: Path) -> None:
    """Also if an account of the same name is made again."""
    store = store_in(tmp_path, ada="admin", bob="viewer")

    def made_again() -> None:
        store.remove("bob")
        store.add("bob", "investigator", SECRET)

    for change in (
        lambda: store.set_role("bob", "investigator"),
        lambda: store.set_password("bob", SECRET),
        made_again,
        lambda: store.remove("bob"),
    ):
        who = store.require("bob").identity
        assert store.holds(who)
        change()
        assert not store.holds(who)


# -- tokens of an account -------------------------------------------------------------------------


def test_a_token_of_an_account_does_what_both_allow(tmp_path: Path) -> None:
    """At each request the role is the account's present one; it ends with the account."""
    store, tokens = store_in(tmp_path, ada="admin", bob="viewer"), TokenStore(tmp_path)
    with pytest.raises(SetupError, match="has the role viewer, which has no scope 'index'"):
        tokens.create("bobs", ["index"], account="bob")
    with pytest.raises(SetupError, match="there is no account 'eve'"):
        tokens.create("eves", [], account="eve")
    with pytest.raises(SetupError, match="--account bob"):
        tokens.create("bob", ["search"])
    looks = tokens.create("bobs", [], account="bob")
    works = tokens.create("adas", [], account="ada")
    found = tokens.find(looks)
    assert found is not None
    assert (found.name, found.role, found.scopes) == ("bob", "viewer", {"search", "page"})
    store.set_role("bob", "admin")
    store.set_role("ada", "viewer")
    assert tokens.find(looks).scopes == {"search", "page"}  # type: ignore[union-attr]
    narrowed = tokens.find(works)
    assert narrowed is not None and narrowed.scopes == {"search", "page"}
    store.remove("ada")
    assert tokens.find(works) is None
    assert [(it.name, it.account) for it in tokens.records()] == [("adas", "ada"), ("bobs", "bob")]


# -- the login ------------------------------------------------------------------------------------


@pytest.fixture
def server(tmp_path: Path) -> Server:
    """A server with two accounts."""
    store_in(tmp_path / "config", ada="admin", bob="viewer")
    return server_in(tmp_path)


def test_an_account_logs_in_until_it_changes(server: Server) -> None:
    """The session ends by itself in a server that runs; a logout ends it, too."""
    store = AccountStore(server.parts.settings.config_dir, cost=QUICK)
    form = {"name": " bob ", "secret": SECRET}
    for change in (
        lambda: store.set_role("bob", "investigator"),
        lambda: store.set_password("bob", SECRET),
    ):
        browser = anonymous(server, {"Accept": "text/html", "Origin": "http://localhost:7860"})
        assert 'name="name"' in browser.get("/login").text
        assert "hidden>Name" not in browser.get("/login").text
        assert browser.post("/login", data=form | {"secret": "wrong"}).status_code == 401
        assert browser.post("/login", data=form).status_code == 303
        assert browser.get("/").status_code == 404  # this server has no page
        change()
        assert browser.get("/").headers["location"] == "/login"
        assert browser.post("/login", data=form).status_code == 303
        assert browser.post("/logout").headers["location"] == "/login"
        assert browser.get("/").headers["location"] == "/login"


def test_wrong_passwords_of_accounts_are_slowed_and_logged(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    """As wrong tokens are; neither name nor password is in the log."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    server.access.guesses._sleep = sleep
    browser = anonymous(server)
    for number in range(5):
        browser.post("/login", data={"name": "bob", "secret": f"guess {number}"})
    assert slept == [1, 2]
    assert "(5 in a row)" in caplog.text
    assert "guess" not in caplog.text and "bob" not in caplog.text


def test_an_account_has_its_own_password_beside_the_setting(tmp_path: Path) -> None:
    """UNMASK_AUTH opens no account, whatever it holds."""
    store_in(tmp_path / "config", ada="admin")
    server = server_in(tmp_path, auth="ada:of the setting,eve:of the setting")
    browser = anonymous(server)
    wrong = browser.post("/login", data={"name": "ada", "secret": "of the setting"})
    right = browser.post("/login", data={"name": "eve", "secret": "of the setting"})
    assert (wrong.status_code, right.status_code) == (401, 303)
