"""Errors travel between processes as they are."""

import pickle
import traceback

import pytest

from stocklstm import errors
from stocklstm.errors import SeriesTooShortError, StockLstmError


def every(kind: type[StockLstmError]) -> list[type[StockLstmError]]:
    return [kind, *(deeper for child in kind.__subclasses__() for deeper in every(child))]


@pytest.mark.parametrize("kind", every(StockLstmError))
def test_an_error_is_the_same_in_another_process(kind: type[StockLstmError]) -> None:
    numbers = {"needed": 9, "found": 3} if kind is SeriesTooShortError else {}
    error = kind("what happened", hint="what to do", **numbers)

    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - its own

    assert type(copy) is kind
    assert (
        vars(copy) == vars(error) == {"message": "what happened", "hint": "what to do", **numbers}
    )
    assert str(copy) == str(error)


def test_below_a_traceback_the_next_step_is_said() -> None:
    for hint, last in (("stocklstm predict", "next: stocklstm predict\n"), (None, "happened\n")):
        lines = traceback.format_exception(StockLstmError("what happened", hint=hint))
        assert lines[-1].endswith(last)


def test_a_copy_may_be_given_the_notes_of_the_first() -> None:
    """As tblib does, which Dask imports: no error could be copied any more once it had."""
    error = StockLstmError("what happened", hint="stocklstm predict")

    error.__notes__ = error.__notes__

    assert error.__notes__ == ["next: stocklstm predict"]


def test_there_are_as_many_as_the_tree_shows() -> None:
    shown = [line for line in errors.__doc__.splitlines() if "├ " in line or "└ " in line]

    assert len(every(StockLstmError)) >= len(shown) + 1
