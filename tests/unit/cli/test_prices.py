"""What a person sees of stored prices, on any width."""

from dataclasses import replace

import pytest

from stocklstm.cli.output import Mode, show
from stocklstm.cli.prices import DETAILS, OVERVIEW
from stocklstm.core.batch import Batch
from stocklstm.store.prices import LogEntry
from stocklstm.workflows.prices.show import PriceRow, StoredPrices
from tests.conftest import TICKER, Cli

AT = "2024-03-14T00:05:00Z"
NAN = float("nan")
ROWS = (
    PriceRow("2024-03-12", 36.35, 37.23, 36.16, 36.82, 36.5, 76139100.0, "sample", AT),
    PriceRow("2024-03-13", NAN, NAN, NAN, 36.38, 36.38, NAN, "csv", AT),
)
PRICES = StoredPrices(
    ticker=TICKER,
    rows=3514,
    first="2010-01-04",
    last="2024-03-13",
    last_close=36.38,
    currency="BRL",
    exchange="BVMF",
    calendar_known=True,
    pinned_calendar=None,
    time_zone="America/Sao_Paulo",
    last_fetch=AT,
    sources={"csv": 1, "sample": 3513},
    gaps=("2012-02-22", "2020-11-20"),
    dividends=3,
    splits=1,
    log=(
        LogEntry(AT, "csv", "corrected", "2024-03-13", "2024-03-13", 1, '{"close": [null, 36.38]}'),
        LogEntry(AT, "yahoo", "revised", "2010-01-04", "2024-03-11", 3512, "a split of 2"),
    ),
    recent=tuple(float(n) for n in range(1, 61)),
    last_rows=ROWS,
)

OVERVIEW_AT_100 = """\
Stored prices
Ticker    Rows        From          To     Close  Gaps  Sources             Fetched     Course
────────────────────────────────────────────────────────────────────────────────────────────────────
PETR4.SA  3514  2010-01-04  2024-03-13  R$ 36.38     2  csv 1, sample 3513  2024-03-14  ▁▂▂▃▄▄▅▅▆▇▇█
"""

DETAILS_AT_100 = """\
PETR4.SA
  rows       3514, 2010-01-04 to 2024-03-13
  close      R$ 36.38
  last 3     ▁▅█
  calendar   BVMF, America/Sao_Paulo
  currency   BRL
  sources    csv 1, sample 3513
  events     3 dividends, 1 splits
  fetched    2024-03-14T00:05:00Z
  gaps       2: 2012-02-22, 2020-11-20
  changes    2
  corrected  2024-03-13: close none to 36.38 (csv, 2024-03-14T00:05:00Z)
  revised    2010-01-04 to 2024-03-11: a split of 2 (yahoo, 2024-03-14T00:05:00Z)

Last 2 rows
Date         Open   High    Low  Close  Adj close      Volume  Fetched     Source
─────────────────────────────────────────────────────────────────────────────────
2024-03-12  36.35  37.23  36.16  36.82      36.50  76,139,100  2024-03-14  sample
2024-03-13                       36.38      36.38              2024-03-14  csv
"""


def shown(capfd, *, details: bool = True, **changes: object) -> str:
    show(DETAILS if details else OVERVIEW, Batch((replace(PRICES, **changes),)), Mode.HUMAN)
    return capfd.readouterr().out


def test_all_tickers_are_a_line_each(capfd, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    assert shown(capfd, details=False) == OVERVIEW_AT_100


def test_one_ticker_is_shown_with_everything_known(capfd, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    assert shown(capfd, recent=(1.0, 2.0, 3.0)) == DETAILS_AT_100


@pytest.mark.parametrize("columns", ["20", "40", "60", "80", "200"])
def test_no_width_loses_a_figure(capfd, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    out = shown(capfd, details=False) + shown(capfd)

    assert max(map(len, out.splitlines())) <= int(columns)
    joined = "".join(out.split())
    for figure in (
        *("2010-01-04", "R$36.38", "sample3513", "2012-02-22,2020-11-20", "76,139,100"),
        *("3dividends,1splits", "closenoneto36.38", AT, "36.16", "America/Sao_Paulo"),
    ):
        assert figure in joined


def test_an_overview_fits_a_common_terminal(capfd, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    out = shown(capfd, details=False, sources={"yahoo": 3514})
    assert len(out.splitlines()) == 4


def test_a_terminal_without_unicode_gets_ascii(capfd, monkeypatch):
    monkeypatch.setattr("stocklstm.cli.tables.writes_utf8", lambda: False)
    out = shown(capfd, details=False) + shown(capfd)
    assert out.isascii()
    assert "___" in out


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"exchange": "", "calendar_known": False}, "weekdays, as no calendar is known, America"),
        (
            {"exchange": "", "calendar_known": False, "pinned_calendar": ""},
            "weekdays, chosen with --calendar",
        ),
        ({"pinned_calendar": "BVMF"}, "BVMF, chosen with --calendar"),
        ({"calendar_known": False}, "BVMF, its sessions are not stored"),
        ({"calendar_known": False}, "not known without a calendar"),
        ({"gaps": ()}, "none\n"),
        ({"gaps": ("2012-02-22",) * 12}, "2012-02-22 and 2 more"),
        ({"log": ()}, "none since the rows were stored"),
        ({"log": PRICES.log * 3}, "6, the last 5 of them"),
        ({"currency": ""}, "not known"),
        ({"last_rows": ROWS[:1]}, "Last 1 rows, from sample"),
    ],
)
def test_what_is_said(capfd, changes, words):
    assert words in shown(capfd, **changes)


def test_gaps_that_cannot_be_known_are_not_counted(capfd):
    line = shown(capfd, details=False, calendar_known=False, gaps=()).splitlines()[-1]
    assert " ? " in line


def test_no_rows_need_no_table(capfd):
    assert "Last" not in shown(capfd, last_rows=())


def test_several_tickers_stand_apart(capfd):
    show(DETAILS, Batch((PRICES, PRICES)), Mode.HUMAN)
    assert f"\n\n{TICKER}\n" in capfd.readouterr().out


# Through the command line


@pytest.mark.usefixtures("priced_home")
def test_quiet_gives_bare_values(cli: Cli, tmp_path):
    file = tmp_path / "petr4.csv"
    assert cli("prices", "show", "-q").out == "PETR4.SA 2024-03-13 36.380001\n"
    assert cli("prices", "verify", "-q").out == "PETR4.SA ok\n"
    assert cli("prices", "export", "-t", TICKER, "--out", f"{file}", "-q").out == f"{file}\n"


@pytest.mark.usefixtures("priced_home")
def test_an_export_is_written_to_standard_output_or_to_a_file(cli: Cli, tmp_path):
    written = cli("prices", "export", "-t", TICKER)
    told = cli("prices", "export", "-t", TICKER, "--out", f"{tmp_path}/")

    assert (written.code, written.err) == (0, "")
    assert (tmp_path / "PETR4.SA.csv").read_text() == written.out
    assert told.out == f"PETR4.SA: 3514 rows in {tmp_path}/PETR4.SA.csv\n"


@pytest.mark.usefixtures("priced_home")
def test_standard_output_takes_no_description_of_itself(cli: Cli):
    assert "--out" in cli("prices", "export", "-t", TICKER, "--json").err


@pytest.mark.usefixtures("priced_home")
def test_checks_are_shown_as_a_table(cli: Cli):
    out = cli("prices", "verify").out
    assert out.startswith("PETR4.SA prices: ok\n")
    assert "2 sessions without a row: 2012-02-22, 2020-11-20" in out


@pytest.mark.usefixtures("priced_home")
def test_no_negative_number_of_rows(cli: Cli):
    assert cli("prices", "show", "--last", "-1").code == 2
