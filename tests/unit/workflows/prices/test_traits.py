"""Currency and calendar: what a source says, somebody chose, or a name only suggests."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from stocklstm import fetch, rename_prices
from stocklstm.core.prices.series import Instrument
from stocklstm.errors import ConfigError, RejectedDataError
from stocklstm.market.instrument import guess_instrument
from stocklstm.store.store import open_store
from stocklstm.workflows.prices.fetch import FetchedTicker
from stocklstm.workflows.prices.plan import FetchOptions
from tests.conftest import Cli
from tests.support.price_rows import answer_of
from tests.support.scripted_source import ScriptedSource

AMERICAN = {"calendar": "XNYS", "currency": "USD"}
SAID = "the calendar XNYS and the currency USD are only assumed, from its name"

# Monday to Wednesday, all of them sessions in New York, Frankfurt and Tokyo.
WEEK = [("2024-03-11", 100.0), ("2024-03-12", 101.0), ("2024-03-13", 102.0)]
THURSDAY = ("2024-03-14", 103.0)

Fetch = Callable[..., FetchedTicker]


@pytest.fixture
def from_file(home: Path, tmp_path: Path) -> Fetch:
    """Fetch rows from a file."""

    def call(ticker: str, *rows: tuple[str, float], **options: object) -> FetchedTicker:
        file = tmp_path / "prices.csv"
        file.write_text("Date,Close\n" + "".join(f"{day},{close}\n" for day, close in rows))
        result = fetch([ticker], FetchOptions("csv", (file,), **options), home=home)
        for failure in result.failures:
            raise failure.error
        return result.results[0]

    return call


@pytest.fixture
def from_yahoo(home: Path, monkeypatch: pytest.MonkeyPatch) -> Fetch:
    """Fetch rows from a source that knows what it quotes."""

    def call(instrument: Instrument, *rows: tuple[str, float], **options: object) -> FetchedTicker:
        answer = replace(
            answer_of(list(rows), instrument=instrument),
            source="yahoo",
            stated=("calendar", "currency"),
        )
        with monkeypatch.context() as patch:
            source = ScriptedSource(lambda _: answer)
            patch.setattr("stocklstm.workflows.prices.plan.load_source", lambda _: source)
            result = fetch([instrument.ticker], FetchOptions(**options), home=home)
        for failure in result.failures:
            raise failure.error
        return result.results[0]

    return call


def stored(home: Path, ticker: str) -> Instrument:
    with open_store(home) as store:
        return store.prices.instrument(ticker)


def said(result: FetchedTicker) -> bool:
    return any("assumed" in warning for warning in result.warnings)


def test_what_a_name_only_suggests_is_said_with_the_options_that_set_it(from_file: Fetch) -> None:
    result = from_file("AAPL", *WEEK)

    assert result.assumed == AMERICAN
    assert result.warnings[0] == f"{SAID}; say which by --calendar and --currency"


def test_it_is_said_again_only_where_rows_were_added(from_file: Fetch) -> None:
    from_file("AAPL", *WEEK)

    again, longer = from_file("AAPL", *WEEK), from_file("AAPL", *WEEK, THURSDAY)

    assert again.unchanged
    assert (again.assumed, said(again)) == (AMERICAN, False)
    assert (longer.rows_added, longer.assumed, said(longer)) == (1, AMERICAN, True)


def test_what_a_name_says_for_certain_is_not_assumed(from_file: Fetch) -> None:
    result = from_file("PETR4.SA", *WEEK)

    assert (result.assumed, said(result)) == ({}, False)
    assert (result.currency, result.exchange) == ("BRL", "BVMF")


def test_what_is_not_known_at_all_is_said_too(from_file: Fetch) -> None:
    result = from_file("X.QQ", *WEEK)

    assert result.assumed == {"calendar": "weekdays", "currency": ""}
    assert "its currency is not known; say which by --currency" in result.warnings
    assert any("choose one with --calendar" in warning for warning in result.warnings)


def test_what_somebody_chose_is_stored_and_not_assumed_from_then_on(
    home: Path, from_file: Fetch
) -> None:
    chosen = from_file("SAP", *WEEK, calendar="XETR", currency="eur")
    later = from_file("SAP", *WEEK, THURSDAY)

    for result in (chosen, later):
        assert (result.assumed, said(result)) == ({}, False)
        assert (result.currency, result.exchange) == ("EUR", "XETR")
    assert stored(home, "SAP") == Instrument("SAP", "EUR", "XETR", "Europe/Berlin")


def test_who_confirms_what_was_assumed_hears_no_more_of_it(from_file: Fetch) -> None:
    from_file("AAPL", *WEEK)

    confirmed = from_file("AAPL", *WEEK, calendar="XNYS", currency="USD")
    again = from_file("AAPL", *WEEK, calendar="XNYS", currency="USD")
    later = from_file("AAPL", *WEEK, THURSDAY)

    assert (confirmed.unchanged, again.unchanged) == (False, True)
    assert [result.assumed for result in (confirmed, again, later)] == [{}, {}, {}]


def test_one_of_the_two_can_be_chosen_alone(from_file: Fetch) -> None:
    result = from_file("SAP", *WEEK, currency="EUR")

    assert result.assumed == {"calendar": "XNYS"}
    assert result.warnings[0].endswith("say which by --calendar")


def test_a_guessed_time_zone_follows_the_calendar(home: Path, from_file: Fetch) -> None:
    zones = []
    for calendar in ("XTKS", None, "weekdays", "auto"):
        from_file("TOYOTA", *WEEK, calendar=calendar)
        zones.append(stored(home, "TOYOTA").time_zone)

    assert zones == ["Asia/Tokyo", "Asia/Tokyo", "America/New_York", "America/New_York"]


def test_a_known_time_zone_does_not(home: Path, from_file: Fetch) -> None:
    from_file("PETR4.SA", *WEEK, calendar="XNYS")

    assert stored(home, "PETR4.SA").time_zone == "America/Sao_Paulo"


def test_a_currency_that_was_chosen_can_be_chosen_anew_and_let_go(from_file: Fetch) -> None:
    from_file("SAP", *WEEK, currency="EUR")

    anew = from_file("SAP", *WEEK, currency="CHF")
    gone = from_file("SAP", *WEEK, currency="auto")

    assert (anew.currency, anew.unchanged) == ("CHF", False)
    assert (gone.currency, gone.assumed, gone.unchanged) == ("USD", AMERICAN, False)


def test_what_the_source_knows_is_learned(home: Path, from_file: Fetch, from_yahoo: Fetch) -> None:
    known = Instrument("SAP", "EUR", "XETR", "Europe/Berlin")
    from_file("SAP", *WEEK)

    learned = from_yahoo(known, *WEEK[1:], THURSDAY)
    later = from_file("SAP", *WEEK)

    assert (learned.assumed, later.assumed) == ({}, {})
    assert stored(home, "SAP") == known


@pytest.mark.parametrize(
    "quoted",
    [
        Instrument("CSPX.L", "USD", "XLON", "Europe/London"),
        Instrument("ZCZ24.CBT", "USX", "CMES", "America/Chicago"),
    ],
)
def test_yahoo_knows_better_than_a_name(home: Path, from_yahoo: Fetch, quoted: Instrument) -> None:
    first, again = from_yahoo(quoted, *WEEK), from_yahoo(quoted, *WEEK, THURSDAY)

    assert (first.currency, first.assumed, again.rows) == (quoted.currency, {}, 4)
    assert stored(home, quoted.ticker) == quoted


def test_instants_in_a_file_are_days_of_the_exchange_that_is_known(
    home: Path, tmp_path: Path, from_yahoo: Fetch
) -> None:
    from_yahoo(Instrument("SAP", "EUR", "XETR", "Europe/Berlin"), *WEEK)
    file = tmp_path / "instants.csv"
    # Midnights in Berlin, which are evenings of the day before in New York.
    file.write_text("Date,Close\n2024-03-12T23:00:00+00:00,102\n2024-03-13T23:00:00+00:00,103\n")

    (result,) = fetch(["SAP"], FetchOptions("csv", (file,)), home=home).results

    assert (result.rows_added, result.rows_revised, result.last) == (1, 0, "2024-03-14")


def test_what_is_known_is_not_chosen_otherwise(
    home: Path, from_file: Fetch, from_yahoo: Fetch
) -> None:
    known = Instrument("AAPL", "USD", "XNYS", "America/New_York")
    from_yahoo(known, *WEEK)

    with pytest.raises(RejectedDataError, match="AAPL is stored in USD"):
        from_file("AAPL", *WEEK, THURSDAY, currency="EUR")
    with pytest.raises(RejectedDataError, match="in USD"):
        from_yahoo(known, *WEEK, THURSDAY, currency="EUR")

    with open_store(home) as store:
        assert len(store.prices.bars("AAPL")) == len(WEEK)
        assert store.prices.chosen_currency("AAPL") is None


def test_a_source_that_knows_its_currency_does_not_take_another(from_yahoo: Fetch) -> None:
    with pytest.raises(RejectedDataError, match="quotes AAPL in USD, not in EUR"):
        from_yahoo(Instrument("AAPL", "USD", "XNYS", "America/New_York"), *WEEK, currency="EUR")


def test_who_chose_the_wrong_currency_is_told_how_to_mend_it(
    from_file: Fetch, from_yahoo: Fetch
) -> None:
    known = Instrument("AAPL", "USD", "XNYS", "America/New_York")
    from_file("AAPL", *WEEK, currency="EUR")

    with pytest.raises(RejectedDataError, match="EUR, chosen with --currency") as caught:
        from_yahoo(known, *WEEK, THURSDAY)
    mended = from_yahoo(known, *WEEK, THURSDAY, currency="USD")

    assert "add --currency USD" in str(caught.value.hint)
    assert (mended.currency, mended.rows) == ("USD", 4)


def test_prices_that_were_taken_for_an_american_share_become_those_of_a_pair(
    home: Path, from_file: Fetch
) -> None:
    pair = "BTCUSDT"
    with open_store(home, create=True) as store:
        american = Instrument(pair, "USD", "XNYS", "America/New_York")
        bars = answer_of(WEEK, instrument=american).bars
        store.prices.merge(american, bars, (), source="csv", at="2024-03-14T00:00:00Z")

    weekend = [("2024-03-09", 98.0), ("2024-03-10", 99.0)]
    result = from_file(pair, *weekend, *WEEK)

    assert (result.rows, result.rows_rejected, result.assumed) == (5, (), {})
    assert stored(home, pair) == Instrument(pair, "USDT", "24/7", "UTC")


def test_a_file_that_states_its_currency_is_believed(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "sap.csv"

    def fetched(stated_in: str, *, ticker: str = "SAP", **options: object) -> FetchedTicker:
        rows = "".join(f"{day},{close},{stated_in}\n" for day, close in WEEK)
        file.write_text(f"Date,Close,Currency\n{rows}")
        result = fetch([ticker], FetchOptions("csv", (file,), **options), home=home)
        for failure in result.failures:
            raise failure.error
        return result.results[0]

    stated, brazilian = fetched("EUR"), fetched("R$", ticker="PETR4.SA")
    with pytest.raises(RejectedDataError, match="in EUR, not in USD"):
        fetched("EUR", ticker="XYZ", currency="USD")
    with pytest.raises(RejectedDataError, match=r"PETR4.SA is stored in BRL, and .* in USD"):
        fetched("USD", ticker="PETR4.SA")

    assert (stated.currency, stated.assumed) == ("EUR", {"calendar": "XNYS"})
    assert brazilian.currency == "BRL"


def test_what_a_source_of_ones_own_stated_is_remembered(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dollars = guess_instrument("ACME")
    answer = replace(answer_of(list(WEEK), instrument=dollars), source="mine", stated=("currency",))
    with monkeypatch.context() as patch:
        source = ScriptedSource(lambda _: answer)
        patch.setattr("stocklstm.workflows.prices.plan.load_source", lambda _: source)
        (first,) = fetch(["ACME"], FetchOptions("mine"), home=home).results
        (again,) = fetch(["ACME"], FetchOptions("mine"), home=home).results
    file = tmp_path / "acme.csv"
    file.write_text("Date,Close,Currency\n2024-03-20,36.5,EUR\n")
    (failure,) = fetch(["ACME"], FetchOptions("csv", (file,)), home=home).failures

    assert (first.currency, first.assumed) == ("USD", {"calendar": "XNYS"})
    assert again.unchanged
    assert "ACME is stored in USD, and these prices are in EUR" in str(failure.error)


def test_no_store_is_made_for_what_is_no_currency(home: Path) -> None:
    with pytest.raises(ConfigError, match="'R\\$' is not the code of a currency"):
        fetch(["AAPL"], FetchOptions("sample", currency="R$"), home=home)

    assert not home.exists()


def test_a_new_name_keeps_the_currency_that_was_chosen(home: Path, from_file: Fetch) -> None:
    from_file("OLDNAME", *WEEK, currency="EUR")

    rename_prices("OLDNAME", "NEW.L", home=home)

    assert stored(home, "NEW.L") == Instrument("NEW.L", "EUR", "XLON", "Europe/London")
    assert from_file("NEW.L", *WEEK, THURSDAY).currency == "EUR"


def test_the_program_says_it_once_for_all_who_need_it(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "aapl.csv"
    file.write_text("Date,Close\n2024-03-11,100\n2024-03-12,101\n")

    done = cli("fetch", "--ticker", "AAPL", "--file", str(file), "--json")
    again = cli("fetch", "--ticker", "AAPL", "--file", str(file), "--json")
    known = cli(
        *("fetch", "--ticker", "AAPL", "--file", str(file), "--json"),
        *("--calendar", "XNYS", "--currency", "USD"),
    )

    assert [each.code for each in (done, again, known)] == [0, 0, 0]
    assert f"warning: AAPL: {SAID}; say which by --calendar and --currency\n" in done.err
    assert "assumed" not in again.err + known.err
    assert json.loads(done.out)["results"][0]["assumed"] == AMERICAN
    assert json.loads(known.out)["results"][0]["assumed"] == {}
