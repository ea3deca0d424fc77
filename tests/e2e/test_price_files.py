"""Price files as people have them, through the whole program: what is stored, said and refused."""

import json
import shlex
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.conftest import Cli, Outcome
from tests.support.price_file_cases import (
    CASES,
    PETR4,
    TWO_TICKERS,
    VALE3,
    Prices,
    Read,
    Refused,
    closes_of,
    last,
)


def named(case: Read | Refused) -> str:
    return f"{case.kind}: {case.vendor}"


def in_store(home: Path) -> dict[str, dict[str, Prices]]:
    """Read what is stored, past the program."""
    stored: dict[str, dict[str, Prices]] = {}
    if (home / "stocklstm.db").exists():
        with closing(sqlite3.connect(home / "stocklstm.db")) as database:
            for ticker, day, *prices in database.execute(
                "SELECT ticker, date, open, high, low, close, adj_close, volume FROM prices"
            ):
                stored.setdefault(ticker, {})[day] = tuple(prices)
    return stored


def fetch(cli: Cli, path: Path, arguments: str) -> Outcome:
    return cli("fetch", "--file", str(path), "--json", *shlex.split(arguments))


@pytest.mark.parametrize("case", [case for case in CASES if isinstance(case, Read)], ids=named)
def test_a_file_that_is_read(cli: Cli, home: Path, tmp_path: Path, case: Read) -> None:
    path = tmp_path / "prices.csv"
    path.write_bytes(case.text.encode(case.encoding))

    outcome = fetch(cli, path, case.arguments)

    assert outcome.code == 0, outcome.err
    assert in_store(home) == case.stored
    document = json.loads(outcome.out)
    assert document["errors"] == []
    assert {item["ticker"]: item["rows"] for item in document["results"]} == {
        ticker: len(rows) for ticker, rows in case.stored.items()
    }
    assert all(item["rows_rejected"] == [] for item in document["results"])
    warnings = " ".join(w for item in document["results"] for w in item["warnings"])
    for words in case.says:
        assert words in warnings
        assert words in outcome.err


@pytest.mark.parametrize("case", [case for case in CASES if isinstance(case, Refused)], ids=named)
def test_a_file_that_is_refused(cli: Cli, home: Path, tmp_path: Path, case: Refused) -> None:
    path = tmp_path / "prices.csv"
    path.write_text(case.text, "utf-8")

    outcome = fetch(cli, path, case.arguments)

    assert outcome.code == case.code, outcome.out
    assert in_store(home) == {}
    document = json.loads(outcome.out)
    assert document["results"] == []
    (error,) = document["errors"]
    assert error["code"] == case.code
    for words in case.says:
        assert words in error["message"], error["message"]
    assert error["hint"]
    for words in case.next:
        assert words in error["hint"], error["hint"]
    assert f"next: {error['hint']}" in outcome.err

    if error["hint"].startswith("stocklstm "):
        followed = cli(*shlex.split(error["hint"])[1:])
        assert followed.code == 0, (error["hint"], followed.err)
    if case.mend:
        mended = fetch(cli, path, case.mend)
        assert mended.code == 0, mended.err
        assert in_store(home) == case.stored


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("2024-12-03", "2024-13-03"),
        ("Tue 12 Mar 2024", "Wed 13 Mar 2024"),
        ("12032024", "13032024"),
    ],
)
def test_a_date_is_read_or_gets_the_format_that_reads_it(
    cli: Cli, home: Path, tmp_path: Path, first: str, second: str
) -> None:
    path = tmp_path / "prices.csv"
    path.write_text(f"Date,Close\n{first},36.82\n{second},36.38\n", "utf-8")

    outcome = fetch(cli, path, "--ticker PETR4.SA")
    if outcome.code:
        (error,) = json.loads(outcome.out)["errors"]
        words = shlex.split(error["hint"])
        pattern = words[words.index("--date-format") + 1]
        outcome = cli(
            "fetch", "--ticker", "PETR4.SA", "--file", str(path), "--date-format", pattern
        )

    assert outcome.code == 0, outcome.err
    assert in_store(home) == {"PETR4.SA": last(closes_of(PETR4), 2)}


def test_one_missing_ticker_does_not_keep_the_others_out(
    cli: Cli, home: Path, tmp_path: Path
) -> None:
    path = tmp_path / "prices.csv"
    path.write_text(TWO_TICKERS, "utf-8")

    outcome = fetch(cli, path, "--ticker PETR4.SA --ticker ITUB4.SA --ticker VALE3.SA")

    assert outcome.code == 6
    assert in_store(home) == {"PETR4.SA": PETR4, "VALE3.SA": VALE3}
    (error,) = json.loads(outcome.out)["errors"]
    assert error["ticker"] == "ITUB4.SA"
    assert "PETR4.SA" in error["message"]
    assert "VALE3.SA" in error["message"]
    assert error["hint"]
