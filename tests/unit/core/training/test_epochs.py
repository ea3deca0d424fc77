import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stocklstm.core.training.epochs import EpochRecord, history_csv, read_history


def test_a_spreadsheet_reads_the_history():
    history = [
        EpochRecord(0, None, 0.2, 0.001, 0.0, 0),
        EpochRecord(1, 0.1 + 0.2, 1e-9, 0.001, 1.23456, 1),
    ]
    text = history_csv(history)
    assert text == (
        "epoch,train_loss,val_loss,learning_rate,seconds,best_epoch\n"
        "0,,0.2,0.001,0.000,0\n"
        "1,0.30000000000000004,1e-09,0.001,1.235,1\n"
    )
    rows = list(csv.DictReader(io.StringIO(text)))
    assert rows[0]["train_loss"] == ""
    assert float(rows[1]["train_loss"]) == history[1].train_loss
    assert float(rows[1]["val_loss"]) == history[1].val_loss


def test_an_empty_history_is_a_header():
    assert history_csv([]).count("\n") == 1


LOSSES = st.floats(0, 1e14)


@given(st.data(), st.integers(0, 1), st.integers(1, 9))
def test_what_was_written_is_read(data, first, count):
    epochs = range(first, first + count)
    history = tuple(
        EpochRecord(
            epoch,
            data.draw(LOSSES) if epoch else None,
            data.draw(LOSSES),
            data.draw(st.floats(0, 10)),
            data.draw(st.integers(0, 10**6)) / 1000,
            data.draw(st.sampled_from(epochs)),
        )
        for epoch in epochs
    )

    assert read_history(history_csv(history)) == history


@given(st.text() | st.lists(st.text(",.0123456789naife-"), max_size=4).map("\n".join))
def test_what_is_no_history_is_refused(text):
    for content in (text, history_csv([]) + text):
        with pytest.raises(ValueError, match=r"."):
            read_history(content)


@pytest.mark.parametrize(
    "row",
    [
        "1,nan,1,1,1,1",
        "1,1,inf,1,1,1",
        "1,1,1e99,1,1,1",
        "1,-1,1,1,1,1",
        "2,1,1,1,1,2",
        "1,1,1,1,1,2",
    ],
)
def test_numbers_that_no_training_has_are_refused(row):
    with pytest.raises(ValueError, match=r"."):
        read_history(history_csv([]) + row)
