"""Real prices with a crash are stored, learned and forecast; with a split left in they are not.

What is spliced in are moves that shares have made: Americanas fell 77 % on 2023-01-12.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from stocklstm import fetch, predict, train, validate, verify_prices
from stocklstm.core.settings.config import TrainingConfig
from stocklstm.errors import RejectedDataError
from stocklstm.workflows.prices.fetch import FetchedTicker
from stocklstm.workflows.prices.plan import FetchOptions
from tests.conftest import TICKER, Cli
from tests.support.cotahist import Quote, cotahist, zipped
from tests.support.places import SAMPLE

HEADER, *LINES = SAMPLE.read_text().splitlines()
ROWS = [line.split(",") for line in LINES]
DAYS = [row[0] for row in ROWS]
CLOSES = np.array([float(row[4]) for row in ROWS])
OHLC, ALL, CLOSE_ALONE = (1, 2, 3, 4), (1, 2, 3, 4, 5), (4,)
SPLITS = [(2, 1), (3, 1), (4, 1), (7, 1), (10, 1), (50, 1), (1, 2), (1, 10), (2, 3)]
UNITS = [(100, 1), (1, 100), (1000, 1), (1, 1000)]


def times(factor: float, rows: range, columns: Sequence[int] = ALL) -> list[list[str]]:
    """Multiply prices of some rows."""
    changed = [list(row) for row in ROWS]
    for row in rows:
        for column in columns:
            changed[row][column] = f"{float(changed[row][column]) * factor:.6f}"
    return changed


def before(row: int) -> range:
    return range(row)


def since(row: int) -> range:
    return range(row, len(ROWS))


def write(folder: Path, rows: list[list[str]]) -> Path:
    file = folder / "prices.csv"
    file.write_text("\n".join([HEADER, *(",".join(row) for row in rows)]) + "\n")
    return file


def try_rows(home: Path, rows: list[list[str]], **options: bool) -> FetchedTicker | Exception:
    result = fetch([TICKER], FetchOptions("csv", (write(home.parent, rows),), **options), home=home)
    return result.results[0] if result.results else result.failures[0].error


def row_of(day: str) -> int:
    return DAYS.index(day)


CRASHES = {"2023-01-12": -0.7733, "2015-06-01": 0.6, "2020-03-09": -0.46, "2012-05-03": -0.44}


def crashed() -> list[list[str]]:
    rows = [list(row) for row in ROWS]
    for day, move in CRASHES.items():
        place = row_of(day)
        own = CLOSES[place] / CLOSES[place - 1]
        for row in rows[place:]:
            for column in ALL:
                row[column] = f"{float(row[column]) * (1 + move) / own:.8f}"
    return rows


def test_real_crashes_need_no_flag(home: Path, tiny: TrainingConfig) -> None:
    fetched = try_rows(home, crashed())

    assert isinstance(fetched, FetchedTicker), fetched
    assert fetched.rows_added == 3514
    by_day = {move.date: move for move in fetched.large_moves}
    assert by_day.keys() == CRASHES.keys()
    for day, change in CRASHES.items():
        # The dividends of the day are in the adjusted close alone.
        assert by_day[day].change_pct == pytest.approx(100 * change, abs=0.2)
    (warning,) = [each for each in fetched.warnings if "35 %" in each]
    assert "2012-05-03 (" in warning
    (trained,) = train([TICKER], tiny, home=home).results
    (forecast,) = predict([TICKER], home=home).results
    (checked, *_) = validate([TICKER], leakage=True, home=home).results
    (verified,) = verify_prices(home=home).results
    assert trained.version == 1
    assert np.isfinite([forecast.point, *forecast.quantiles.values()]).all()
    assert checked.status == "ok", checked.checks
    assert {check.name: check.status for check in verified.checks}["jumps"] == "ok"
    again = try_rows(home, crashed())
    assert isinstance(again, FetchedTicker)
    assert (again.unchanged, again.large_moves) == (True, ())


@pytest.mark.parametrize("columns", [ALL, OHLC, CLOSE_ALONE, (4, 5)], ids=str)
@pytest.mark.parametrize("ratio", SPLITS + UNITS, ids=str)
def test_a_split_left_in_is_refused_and_its_day_is_named(
    home: Path, ratio: tuple[int, int], columns: tuple[int, ...]
) -> None:
    day = "2018-08-15"
    place, factor = row_of(day), ratio[0] / ratio[1]

    refused = try_rows(home, times(factor, before(place), columns))

    assert isinstance(refused, RejectedDataError)
    old, new = CLOSES[place - 1] * factor, CLOSES[place]
    assert f"{day}, {words(old)} to {words(new)} (about {ratio[0]}:{ratio[1]})" in refused.message
    assert "--accept-revision, which stores these prices as they are" in str(refused.hint)
    assert not home.exists()


def words(price: float) -> str:
    if price >= 1:
        return f"{price:,.2f}"
    # Four digits that count.
    return f"{price:.4f}" if price >= 0.1 else f"{price:.5f}"


def test_two_splits_left_in_are_both_named_and_accepted_as_they_are(
    cli: Cli, tmp_path: Path
) -> None:
    first, second = row_of("2014-06-09"), row_of("2020-08-31")
    rows = times(4, before(second))
    for row in rows[:first]:
        for column in ALL:
            row[column] = f"{float(row[column]) * 7:.6f}"
    arguments = ("fetch", "-t", TICKER, "--file", f"{write(tmp_path, rows)}", "--json")

    refused, accepted = cli(*arguments), cli(*arguments, "--accept-revision")
    again = cli(*arguments)

    assert (refused.code, accepted.code, again.code) == (6, 0, 0)
    (error,) = json.loads(refused.out)["errors"]
    assert "on 2 days" in error["message"]
    assert "2014-06-09, " in error["message"]
    assert "2020-08-31, " in error["message"]
    (result,) = json.loads(accepted.out)["results"]
    assert [move["date"] for move in result["large_moves"]] == ["2014-06-09", "2020-08-31"]
    assert result["large_moves"][1] == {
        "date": "2020-08-31",
        "before": pytest.approx(CLOSES[second - 1] * 4, abs=1e-5),
        "after": CLOSES[second],
        "change_pct": pytest.approx(100 * (CLOSES[second] / CLOSES[second - 1] / 4 - 1), abs=1e-4),
    }
    assert json.loads(again.out)["results"][0]["unchanged"] is True


def test_a_row_in_cents_is_refused_with_the_day_on_which_it_ends(home: Path) -> None:
    place = row_of("2018-08-15")

    refused = try_rows(home, times(100, range(place, place + 1)))

    assert isinstance(refused, RejectedDataError)
    assert "2018-08-15, " in refused.message
    assert "2018-08-16, " in refused.message
    assert "on 2 days" in refused.message


def test_the_rule_is_the_same_on_a_later_evening(home: Path) -> None:
    assert isinstance(try_rows(home, ROWS[:-5]), FetchedTicker)
    place = len(ROWS) - 3

    split = try_rows(home, times(0.5, since(place)))
    crash = try_rows(home, times(0.23, since(place)))

    assert isinstance(split, RejectedDataError)
    assert f"{DAYS[place]}, " in split.message
    assert isinstance(crash, FetchedTicker)
    assert [move.date for move in crash.large_moves] == [DAYS[place]]


def test_people_are_told(cli: Cli, tmp_path: Path) -> None:
    file = write(tmp_path, times(0.23, since(row_of("2023-01-12"))))

    told = cli("fetch", "-t", TICKER, "--file", f"{file}")

    assert told.code == 0
    assert f"{TICKER}: stored with a move beyond 35 %" in told.err
    assert "2023-01-12 (24.28 to 5.66, -76.67 %)" in told.err
    shown = " ".join(told.out.split())
    assert "2023-01-12 is stored with a large move, 24.28 to 5.66 (-76.67 %)" in shown


def test_a_file_of_the_exchange_names_the_days_and_the_next_step(
    home: Path, tmp_path: Path
) -> None:
    quotes = [Quote(f"2024-03-{day}", "MGLU3", 2, 2, 2, 2) for day in (11, 12)]
    quotes += [Quote(f"2024-03-{day}", "MGLU3", 20, 20.2, 19.8, 20) for day in (13, 14)]
    quotes += [Quote("2024-03-15", "MGLU3", 4.6, 4.7, 4.5, 4.6)]
    file = tmp_path / "COTAHIST_A2024.ZIP"
    file.write_bytes(zipped(cotahist(quotes)))

    (failure,) = fetch(["MGLU3.SA"], FetchOptions("b3", (file,)), home=home).failures

    assert isinstance(failure.error, RejectedDataError)
    assert "2024-03-13, 2.00 to 20.00 (about 1:10)" in failure.error.message
    assert "2024-03-15" not in failure.error.message
    assert "stocklstm fetch --ticker MGLU3.SA gets the splits from Yahoo" in str(failure.error.hint)


# Days without a trade may be fillers of holidays, which are not stored.
TRADED = [row for row in range(30, len(ROWS)) if int(ROWS[row][6]) and int(ROWS[row - 1][6])]
CALM = [
    row
    for row in TRADED[:-6]
    if abs(CLOSES[row] / CLOSES[row - 1] - 1) < 0.04
    and (abs(CLOSES[row + 1 : row + 6] / CLOSES[row] - 1) < 0.12).all()
    and float(ROWS[row][2]) < 1.1 * float(ROWS[row][3])
]


@settings(deadline=None, max_examples=15, phases=[Phase.generate], derandomize=True)
@given(
    place=st.sampled_from(CALM),
    ratio=st.sampled_from([2, 3, 4, 5, 6, 8, 10, 15, 20, 25, 30, 40, 50, 100, 1000]),
    up=st.booleans(),
    columns=st.sampled_from([ALL, OHLC, CLOSE_ALONE, (4, 5)]),
)
def test_wherever_a_split_is_left_in(
    place: int, ratio: int, up: bool, columns: tuple[int, ...]
) -> None:
    rows = times(1 / ratio if up else ratio, before(place), columns)
    with TemporaryDirectory() as folder:
        refused = try_rows(Path(folder) / "home", rows)
    assert isinstance(refused, RejectedDataError)
    assert DAYS[place] in refused.message


ADJUSTED = np.array([float(row[5]) for row in ROWS])
WITHOUT_DIVIDEND = [
    row
    for row in TRADED
    if abs(ADJUSTED[row] / ADJUSTED[row - 1] / CLOSES[row] * CLOSES[row - 1] - 1) < 1e-3
]
BANDS = [(n * 0.94, n * 1.06) for n in (1.5, 2, 3, 4, 5, 6, 7, 8, 10)]


@settings(deadline=None, max_examples=15, phases=[Phase.generate], derandomize=True)
@given(
    place=st.sampled_from(WITHOUT_DIVIDEND),
    size=st.floats(1.56, 10).filter(lambda x: not any(low < x < high for low, high in BANDS)),
    up=st.booleans(),
)
def test_wherever_a_market_moves_otherwise(place: int, size: float, up: bool) -> None:
    own = CLOSES[place] / CLOSES[place - 1]
    rows = times((size if up else 1 / size) / own, since(place))
    with TemporaryDirectory() as folder:
        stored = try_rows(Path(folder) / "home", rows)
    assert isinstance(stored, FetchedTicker), stored
    assert [move.date for move in stored.large_moves] == [DAYS[place]]
