import csv
import io

import pytest

from stocklstm.core.history import EpochRecord, diagnose, history_csv


def history_of(*best_epochs: int, first: int = 1) -> list[EpochRecord]:
    return [
        EpochRecord(epoch, None if epoch == 0 else 0.5, 0.25, 1e-3, 1.23456, best)
        for epoch, best in enumerate(best_epochs, start=first)
    ]


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


@pytest.mark.parametrize(
    ("history", "kept", "epochs", "words"),
    [
        (history_of(0, 0, 0, first=0), 0, 2, "no epoch improved on the starting point; "),
        (history_of(0, 1, 2, first=0), 2, 2, "still improving at epoch 2; more --epochs may help"),
        (history_of(1), 1, 1, "still improving at epoch 1; more --epochs may help"),
        (
            history_of(1, 2, 2, 2),
            4,
            4,
            "validation loss was lowest at epoch 2, but this preset keeps the last epoch, 4",
        ),
        (
            history_of(1, 2, 2, 2),
            2,
            4,
            "validation loss was lowest at epoch 2; its weights were kept",
        ),
        (
            history_of(1, 2, 3),
            3,
            40,
            "validation loss was lowest at epoch 3; its weights were kept",
        ),
    ],
)
def test_what_the_losses_show(history, kept, epochs, words):
    assert diagnose(history, kept_epoch=kept, epochs=epochs).startswith(words)
