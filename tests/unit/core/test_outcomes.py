import pytest

from stocklstm.core.outcomes import Failure, for_each
from stocklstm.errors import NoModelError, StockLstmError


def test_one_failure_stops_no_other():
    error = NoModelError("no model")

    def task(name: str) -> str:
        if name == "B":
            raise error
        return name.lower()

    results, failures = for_each(["C", "B", "A"], task)
    assert results == ("c", "a")
    assert failures == (Failure("B", error),)


def test_a_name_given_twice_is_done_once():
    seen: list[str] = []
    results, failures = for_each(iter(["A", "B", "A", "A"]), seen.append)
    assert seen == ["A", "B"]
    assert results == (None, None)
    assert failures == ()


def test_no_names_give_nothing():
    assert for_each([], str) == ((), ())


def test_all_may_fail():
    def task(name: str) -> None:
        raise StockLstmError(name)

    results, failures = for_each("BA", task)
    assert results == ()
    assert [failure.ticker for failure in failures] == ["B", "A"]
    assert [failure.error.message for failure in failures] == ["B", "A"]


def test_a_bug_ends_the_run():
    done: list[str] = []

    def task(name: str) -> None:
        done.append(name)
        if name == "B":
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        for_each("ABC", task)
    assert done == ["A", "B"]
