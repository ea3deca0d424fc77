"""The client and the names of the package: one list, one store, one place to import from."""

import inspect
import pickle
import re
import sys
from importlib import import_module
from pathlib import Path

import pytest

import stocklstm
from stocklstm import FetchOptions, Wanted, configure
from stocklstm.client import Client, function_of
from stocklstm.errors import (
    ConfigError,
    MissingPackageError,
    NoPricesError,
    NotFoundError,
    StoreLockedError,
)
from stocklstm.store import store as store_module
from stocklstm.store.locks import writer_lock
from stocklstm.store.paths import StorePaths
from tests.conftest import TICKER, TINY
from tests.support.type_stub import STUB, stub

PACKAGE = Path(stocklstm.__file__)

OTHER = "VALE3.SA"

# What it takes to have a client at all.
OF_THE_CLIENT = {"close", "store"}


def test_each_method_of_the_client_is_a_function_of_the_package() -> None:
    methods = {name for name in vars(Client) if not name.startswith("_")}

    assert set(stocklstm._FUNCTIONS) == methods - OF_THE_CLIENT
    assert sorted(stocklstm._FUNCTIONS) == list(stocklstm._FUNCTIONS)


def test_every_public_name_is_there() -> None:
    assert len(set(stocklstm.__all__)) == len(stocklstm.__all__)
    for name in stocklstm.__all__:
        assert getattr(stocklstm, name) is getattr(stocklstm, name), name
        assert name in dir(stocklstm)
    with pytest.raises(AttributeError, match="'stocklstm' has no attribute 'foretell'"):
        stocklstm.foretell  # noqa: B018 - it is asked for


def test_type_checkers_are_told_of_the_same_names_and_arguments() -> None:
    """What is loaded on first use cannot be seen by them, so that it stands in a file for them."""
    assert STUB.read_text(encoding="utf-8") == stub(), "run: python -m tests.support.type_stub"
    for name, module in stocklstm._PLACES.items():
        assert getattr(import_module(module), name) is getattr(stocklstm, name)


def test_a_function_takes_what_its_method_takes_and_which_store() -> None:
    taken = inspect.signature(stocklstm.predict).parameters

    assert list(taken) == [
        *("references", "wanted", "at", "horizon", "levels", "adaptive"),
        *("pool", "demands", "now", "ledger_wait_s"),
        *("home", "lock_timeout_s"),
    ]
    assert taken["home"].kind is inspect.Parameter.KEYWORD_ONLY
    assert stocklstm.predict.__doc__ == Client.predict.__doc__
    again = pickle.loads(pickle.dumps(stocklstm.predict))  # noqa: S301 - of this process
    assert again is stocklstm.predict
    assert function_of("fetch").__name__ == "fetch"


def test_options_are_public_like_the_methods_that_take_them() -> None:
    """Whatever class of this package a method takes can be imported from the package itself."""
    taken = {
        word
        for name in stocklstm._FUNCTIONS
        for parameter in inspect.signature(getattr(Client, name)).parameters.values()
        if "Callable" not in str(parameter.annotation)
        for word in re.findall(r"\b[A-Z]\w+", str(parameter.annotation).replace("typing.", ""))
    }

    ours = taken - {"Any", "Mapping", "None", "Path", "Sequence"}
    # What `draw_forecasts` takes is what `predict` gave, and `write_report` what `evening` gave.
    assert ours - {"PredictResult", "EveningResult"} <= set(stocklstm._PLACES)


def test_whatever_takes_names_takes_one() -> None:
    for name in stocklstm._FUNCTIONS:
        method = getattr(Client, name)
        taken = inspect.signature(method).parameters
        for names in taken.keys() & {"tickers", "references"}:
            assert str(taken[names].annotation).startswith("str | "), name
            assert hasattr(method, "__wrapped__"), name


def test_one_name_is_no_row_of_letters(model_home: Path) -> None:
    with stocklstm.open(model_home) as client:
        assert client.predict(TICKER).forecasts[0].ticker == TICKER
        assert client.predict(references=f"{TICKER}@v1").forecasts[0].model == f"{TICKER}@v1"
        assert client.show_prices("petr4.sa").prices == client.show_prices([TICKER]).prices
        assert [each.ticker for each in client.validate(TICKER, deep=False).results] == [TICKER]


def test_the_failure_of_one_name_is_raised(model_home: Path) -> None:
    with stocklstm.open(model_home) as client:
        listed = client.predict([OTHER])
        assert listed.failures
        assert not listed.forecasts
        with pytest.raises(type(listed.failures[0].error), match=re.escape(OTHER)):
            client.predict(OTHER)
        with pytest.raises(NoPricesError, match=re.escape(OTHER)):
            client.train(OTHER, configure("calibrated", **TINY))
    with pytest.raises(NotFoundError, match=re.escape(OTHER)):
        stocklstm.evaluate(OTHER, home=model_home)


def test_what_is_wanted_can_be_said_by_name(model_home: Path) -> None:
    with stocklstm.open(model_home) as client:
        said = client.predict(TICKER, at="2024-03-12", horizon=[1, 2], levels=[0.5])
        wanted = Wanted(at="2024-03-12", horizon=(1, 2), levels=(0.5,))
        assert said.forecasts == client.predict([TICKER], wanted).forecasts
        assert len(said.forecasts) == 2
        # A name takes the place of the same in what is wanted.
        (other,) = client.predict(TICKER, wanted, horizon=1).forecasts
        assert other == said.forecasts[0]
        with pytest.raises(ConfigError, match="--at is a day"):
            client.predict(TICKER, at="yesterday")


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """List the database of each store that is opened."""
    found: list[Path] = []
    for name in ("open_database", "open_readonly"):
        right = getattr(store_module, name)

        def spy(path: Path, *, lock_timeout_s: float, right=right) -> object:
            found.append(path)
            return right(path, lock_timeout_s=lock_timeout_s)

        monkeypatch.setattr(store_module, name, spy)
    return found


def test_a_client_opens_its_store_at_the_first_call_and_once(
    model_home: Path, opened: list[Path]
) -> None:
    with stocklstm.open(model_home) as client:
        assert opened == []
        result = client.predict([TICKER])
        client.draw_forecasts(result)
        assert client.load(TICKER).ticker == TICKER
        assert client.evaluate_live([TICKER]).results[0].n == 0

    assert opened == [model_home / "stocklstm.db"]
    client.list_models()
    client.close()
    assert len(opened) == 2


def test_only_a_fetch_makes_a_store(home: Path) -> None:
    with stocklstm.open(home) as client:
        with pytest.raises(NotFoundError, match="there is no store"):
            client.predict([TICKER])
        with pytest.raises(ConfigError, match="there is no price source"):
            client.fetch([TICKER], FetchOptions(source="nowhere"))
        assert not home.exists()

        assert not client.fetch([TICKER], FetchOptions(source="sample")).failures
        assert client.show_prices().prices[0].ticker == TICKER


def test_a_store_that_is_open_and_can_only_be_read_is_not_fetched_into(
    model_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Permissions do not bind a superuser.
    monkeypatch.setattr("os.access", lambda *_: False)

    with stocklstm.open(str(model_home)) as client:
        assert client.predict([TICKER]).forecasts
        with pytest.raises(ConfigError, match="cannot be written: no permission"):
            client.fetch([TICKER], FetchOptions(source="sample"))


def test_a_function_opens_and_closes_the_store_that_it_is_told(
    model_home: Path, opened: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[Client] = []
    right = Client.close
    monkeypatch.setattr(Client, "close", lambda client: (closed.append(client), right(client)))

    stocklstm.predict([TICKER], home=model_home, lock_timeout_s=1.5)

    assert opened == [model_home / "stocklstm.db"]
    assert [client.lock_timeout_s for client in closed] == [1.5]


def test_another_writer_is_waited_for_as_long_as_the_client_says(model_home: Path) -> None:
    with (
        stocklstm.open(model_home, lock_timeout_s=0.1) as client,
        writer_lock(StorePaths(model_home), TICKER, 0),
    ):
        assert client.store().lock_timeout_s == 0.1
        with pytest.raises(StoreLockedError, match=r"for more than 0\.1 s"):
            client.promote(f"{TICKER}@v1", alias="live")


@pytest.mark.parametrize(("module", "package"), [("sklearn", "scikit-learn"), ("joblib", "joblib")])
def test_files_of_the_tutorials_need_more_than_a_training(
    module: str, package: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with (
        stocklstm.open(home) as client,
        pytest.raises(MissingPackageError, match=f"--format classic needs {package}, which is not"),
    ):
        client.export_model(TICKER, file_format="classic")


def test_a_home_may_begin_with_a_tilde(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))

    assert stocklstm.Client("~/store").home == tmp_path / "store"
    assert repr(stocklstm.open("~/store")) == f"Client({str(tmp_path / 'store')!r})"


def test_a_star_import_leaves_the_builtin_open_alone() -> None:
    names: dict[str, object] = {}
    exec("from stocklstm import *", names)  # noqa: S102 - the statement is what is tested

    assert "open" not in names
    assert callable(stocklstm.open)
