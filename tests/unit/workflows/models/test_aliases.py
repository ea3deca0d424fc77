"""models promote, rollback and unalias, as a person uses them."""

import pytest

from stocklstm.store.store import Store
from tests.conftest import TICKER, Cli
from tests.support.copied_versions import only
from tests.support.tampering import flip_bit, os_refuses_to_write


def test_promoting_moves_champion_and_previous(cli: Cli, versions: Store) -> None:
    done = only(cli("models", "promote", f"{TICKER}@v1", "--reason", "calmer", "--json").out)
    assert (done["alias"], done["replaced"], done["version"], done["previous"]) == (
        *("champion", 4, 1),
        4,
    )
    assert done["unchanged"] is False
    assert [line.reason for line in versions.registry.aliases.log(TICKER)[-2:]] == ["calmer"] * 2
    again = only(cli("models", "promote", f"{TICKER}@v1", "--json").out)
    assert again["unchanged"] is True
    assert again["previous"] == 4
    assert len(versions.registry.aliases.log(TICKER)) == 7


def test_rolling_back_twice_is_back_where_one_was(cli: Cli, versions: Store) -> None:
    before = versions.registry.aliases.of(TICKER)
    assert before == {"champion": 4, "previous": 3}
    assert cli("models", "rollback", TICKER, "--quiet").out == f"{TICKER}@v3\n"
    assert versions.registry.aliases.of(TICKER) == {"champion": 3, "previous": 4}
    assert only(cli("predict", "-t", TICKER, "--json").out, "forecasts")["version"] == 3
    shown = cli("models", "rollback", TICKER).out
    assert "v4 (was v3)" in shown
    assert versions.registry.aliases.of(TICKER) == before


@pytest.mark.usefixtures("model_home")
def test_a_first_champion_has_nothing_to_go_back_to(cli: Cli) -> None:
    outcome = cli("models", "rollback", TICKER)
    assert outcome.code == 4
    assert "has had no champion before this one" in outcome.err
    assert cli("models", "rollback", "VALE3.SA").code == 4


def test_an_alias_of_ones_own(cli: Cli, versions: Store) -> None:
    assert cli("models", "promote", f"{TICKER}@v2", "--as", "live").code == 0
    assert only(cli("predict", "-t", f"{TICKER}@live", "--json").out, "forecasts")["version"] == 2
    assert versions.registry.aliases.of(TICKER)["champion"] == 4
    assert cli("models", "unalias", f"{TICKER}@live", "--quiet").out == ""
    last = versions.registry.aliases.log(TICKER)[-1]
    assert (last.name, last.version, last.replaced) == ("live", None, 2)
    assert cli("models", "unalias", f"{TICKER}@live").code == 4
    assert "live removed (was v2)" in cli("models", "show", TICKER).out


@pytest.mark.parametrize("name", ["previous", "v3", "v0", "Live", "", "../x", "x" * 33])
def test_names_that_cannot_be_set(cli: Cli, versions: Store, name: str) -> None:
    before = versions.registry.aliases.log(TICKER)
    assert cli("models", "promote", f"{TICKER}@v2", "--as", name).code == 2
    assert versions.registry.aliases.log(TICKER) == before


@pytest.mark.parametrize("reason", ["two\nlines", "\x1b[2Jgone", "x" * 301])
def test_a_reason_is_one_line(cli: Cli, versions: Store, reason: str) -> None:
    before = versions.registry.aliases.log(TICKER)
    for command in (("promote", f"{TICKER}@v2"), ("rollback", TICKER), ("unalias", f"{TICKER}@x")):
        assert cli("models", *command, "--reason", reason).code == 2
    assert versions.registry.aliases.log(TICKER) == before


@pytest.mark.parametrize("reference", ["champion", "previous", "v1"])
def test_what_is_no_alias_of_ones_own_stays(cli: Cli, versions: Store, reference: str) -> None:
    before = versions.registry.aliases.of(TICKER)
    assert cli("models", "unalias", f"{TICKER}@{reference}").code == 2
    assert cli("models", "unalias", TICKER).code == 2
    assert versions.registry.aliases.of(TICKER) == before


@pytest.mark.parametrize("command", [("promote", f"{TICKER}@v3"), ("rollback", TICKER)])
@pytest.mark.parametrize("file", ["model.onnx", "manifest.json"])
def test_a_damaged_version_is_put_into_use_by_nobody(
    cli: Cli, versions: Store, command: tuple[str, str], file: str
) -> None:
    flip_bit(versions.paths.version(TICKER, 3) / file, 0.5)
    outcome = cli("models", *command)
    assert outcome.code == 5
    assert versions.registry.aliases.of(TICKER)["champion"] == 4


@pytest.mark.parametrize(
    "arguments",
    [
        ("promote", f"{TICKER}@v1"),
        ("rollback", TICKER),
        ("unalias", f"{TICKER}@live"),
        ("rm", f"{TICKER}@v2"),
        ("gc", "--keep", "0"),
    ],
)
def test_a_store_that_cannot_be_written(
    cli: Cli, versions: Store, arguments: tuple[str, ...]
) -> None:
    before = versions.registry.aliases.of(TICKER), versions.registry.versions(TICKER)
    with os_refuses_to_write():
        assert cli("models", *arguments).code == 2
    assert (versions.registry.aliases.of(TICKER), versions.registry.versions(TICKER)) == before


# The four forms of a reference


@pytest.mark.parametrize(
    ("reference", "version"),
    [(TICKER, 4), (f"{TICKER}@v2", 2), (f"{TICKER}@champion", 4), (f"{TICKER}@previous", 3)],
)
def test_every_command_understands_every_form(
    cli: Cli, versions: Store, reference: str, version: int
) -> None:
    assert versions.writable

    def said(*arguments: str, key: str = "results") -> int:
        return int(only(cli(*arguments, "--json").out, key)["version"])

    assert said("predict", "-t", reference, key="forecasts") == version
    assert said("evaluate", "-t", reference) == version
    assert said("validate", "-t", reference) == version
    assert only(cli("models", "show", reference, "--json").out, "models")["path"].endswith(
        f"v{version}"
    )
    assert only(cli("models", "diff", reference, f"{TICKER}@v1", "--json").out, "diffs")[
        "left"
    ] == (f"{TICKER}@v{version}")
    assert said("models", "promote", reference, "--as", "live") == version
    assert cli("config", "show", "--like", reference, "--json").code == 0
    plan = ("train", "-t", TICKER, "--dry-run", "--json")
    begun = only(cli(*plan, "--like", reference, "--from", reference).out, "plans")["start"]
    assert begun == f"{TICKER}@v{1 if version == 2 else version}"
    outcome = cli("quantize", "-t", reference, "--json")
    if version == 2:
        assert f"quantize --ticker {TICKER}@v1" in outcome.err
    else:
        assert only(outcome.out)["parent"] == version
