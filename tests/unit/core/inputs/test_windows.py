import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stocklstm.core.inputs.windows import sliding_windows, windows_at
from tests.support.property_tests import PROPERTY


def rows_of(count: int, features: int) -> np.ndarray:
    return np.arange(count * features, dtype=np.float32).reshape(count, features)


@PROPERTY
@given(count=st.integers(0, 60), features=st.integers(1, 4), length=st.integers(1, 70))
def test_every_window_holds_its_rows(count, features, length):
    values = rows_of(count, features)
    windows = sliding_windows(values, length)
    assert windows.shape == (max(0, count - length + 1), length, features)
    assert windows.dtype == np.float32
    for start, window in enumerate(windows):
        assert np.array_equal(window, values[start : start + length])


@PROPERTY
@given(count=st.integers(1, 60), features=st.integers(1, 4), data=st.data())
def test_windows_are_views(count, features, data):
    values = rows_of(count, features)
    windows = sliding_windows(values, data.draw(st.integers(1, count)))
    assert np.shares_memory(windows, values)
    values[-1, -1] = -1
    assert windows[-1, -1, -1] == -1


def test_windows_cannot_be_written_to():
    windows = sliding_windows(rows_of(5, 2), 3)
    with pytest.raises(ValueError, match="read-only"):
        windows[0, 0, 0] = 1


def test_windows_of_the_first_rows_know_no_later_row():
    values = rows_of(50, 2)
    changed = values.copy()
    changed[30:] = np.nan
    # Window w ends at row w + 9: those that end at row 29 or before are the first 21.
    assert np.array_equal(sliding_windows(values, 10)[:21], sliding_windows(changed, 10)[:21])
    assert np.isnan(sliding_windows(changed, 10)[21:]).any(axis=(1, 2)).all()


@PROPERTY
@given(count=st.integers(1, 60), features=st.integers(1, 4), data=st.data())
def test_chosen_windows_end_where_they_are_asked_to(count, features, data):
    values = rows_of(count, features)
    length = data.draw(st.integers(1, count))
    rows = st.lists(st.integers(length - 1, count - 1), max_size=5)
    origins = np.array(data.draw(rows), np.int64)
    found = windows_at(values, origins, length)
    assert np.array_equal(found, sliding_windows(values, length)[origins - (length - 1)])
    assert found.shape == (len(origins), length, features)
