import csv
import io

from stocklstm.core.training.epochs import EpochRecord, history_csv


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
