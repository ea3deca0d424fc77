import pytest

from stocklstm.core.batch import Failure, for_each
from stocklstm.core.reference import ModelReference, parse_reference, parse_ticker
from stocklstm.errors import ConfigError, NoModelError, StockLstmError, UnexpectedError


def test_one_failure_stops_no_other():
    error = NoModelError("no model")

    def task(name: str) -> str:
        if name == "B":
            raise error
        return name.lower()

    results, failures = for_each(["C", "B", "A"], str, task)
    assert results == ("c", "a")
    assert failures == (Failure("B", error),)


def test_a_name_that_cannot_be_read_stops_no_other():
    seen: list[str] = []
    results, failures = for_each(["PETR4.SA", "../etc", "VALE3.SA"], parse_ticker, seen.append)
    assert seen == ["PETR4.SA", "VALE3.SA"]
    assert results == (None, None)
    (failure,) = failures
    assert failure.ticker is None
    assert isinstance(failure.error, ConfigError)


def test_the_task_is_given_what_the_name_means():
    results, failures = for_each(["petr4.sa@v2", "PETR4.SA"], parse_reference, repr)
    expected = ModelReference("PETR4.SA", version=2), ModelReference("PETR4.SA")
    assert results == tuple(map(repr, expected))
    assert failures == ()


def test_a_name_given_twice_is_done_once():
    seen: list[str] = []
    results, failures = for_each(iter(["A", "B", "A", "A"]), str, seen.append)
    assert seen == ["A", "B"]
    assert results == (None, None)
    assert failures == ()


@pytest.mark.parametrize(
    "names",
    [
        ("PETR4.SA", "petr4.sa", "Petr4.Sa"),
        ("PETR4.SA", "PETR4.SA@champion", "petr4.sa@champion"),
        ("PETR4.SA@v2", "petr4.sa@v2"),
    ],
)
def test_names_that_mean_the_same_are_done_once(names):
    seen: list[ModelReference] = []
    for_each(names, parse_reference, seen.append)
    assert seen == [parse_reference(names[0])]


def test_names_of_one_ticker_that_mean_different_versions_are_all_done():
    seen: list[ModelReference] = []
    for_each(["PETR4.SA@v1", "PETR4.SA@v2", "PETR4.SA"], parse_reference, seen.append)
    assert [str(reference) for reference in seen] == [
        "PETR4.SA@v1",
        "PETR4.SA@v2",
        "PETR4.SA@champion",
    ]


def test_what_failed_once_is_not_tried_again():
    tried: list[str] = []

    def task(name: str) -> None:
        tried.append(name)
        raise StockLstmError(name)

    _, failures = for_each(["a", "A", "a"], str.upper, task)
    assert tried == ["A"]
    assert [failure.ticker for failure in failures] == ["A"]


@pytest.mark.parametrize(
    ("name", "ticker"),
    [
        ("PETR4.SA", "PETR4.SA"),
        ("petr4.sa", "PETR4.SA"),
        ("petr4.sa@v3", "PETR4.SA"),
        ("PETR4.SA@previous", "PETR4.SA"),
        (" petr4.sa ", "PETR4.SA"),
    ],
)
@pytest.mark.parametrize("error", [NoModelError("no model"), ZeroDivisionError()])
def test_a_failure_names_the_ticker_alone(name, ticker, error):
    def fail(_: str) -> None:
        raise error

    results, (failure,) = for_each([name], str, fail)
    assert results == ()
    assert failure.ticker == ticker


@pytest.mark.parametrize("name", ["petr4.sa", "petr4.sa@v3", ""])
def test_what_is_no_name_has_no_ticker_though_others_before_it_had(name):
    error = ConfigError("no such name")

    def parse(given: str) -> str:
        if given == name:
            raise error
        return given

    results, failures = for_each(["VALE3.SA", name], parse, str)
    assert results == ("VALE3.SA",)
    assert failures == (Failure(None, error),)


def test_no_names_give_nothing():
    assert for_each([], str, str) == ((), ())


def test_all_may_fail():
    def task(name: str) -> None:
        raise StockLstmError(name)

    results, failures = for_each("BA", str, task)
    assert results == ()
    assert [failure.ticker for failure in failures] == ["B", "A"]
    assert [failure.error.message for failure in failures] == ["B", "A"]


def test_a_bug_in_one_is_kept_and_stops_no_other():
    bug = ZeroDivisionError("by nothing")
    done: list[str] = []

    def task(name: str) -> str:
        done.append(name)
        if name == "B":
            raise bug
        return name.lower()

    results, (failure,) = for_each("ABC", str, task)
    assert done == ["A", "B", "C"]
    assert results == ("a", "c")
    assert failure.ticker == "B"
    assert isinstance(failure.error, UnexpectedError)
    assert failure.error.__cause__ is bug
    assert failure.error.message == "a bug in stocklstm: ZeroDivisionError: by nothing"
    assert "report" in failure.error.hint


def test_a_bug_in_reading_a_name_is_kept_too():
    results, (failure,) = for_each(["", "A"], lambda name: 1 // len(name), str)
    assert results == ("1",)
    assert failure.ticker is None
    assert isinstance(failure.error, UnexpectedError)


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_whoever_stops_the_program_stops_it(stop):
    done: list[str] = []

    def task(name: str) -> None:
        done.append(name)
        if name == "B":
            raise stop

    with pytest.raises(stop):
        for_each("ABC", str, task)
    assert done == ["A", "B"]
