from dataclasses import FrozenInstanceError, asdict

import pytest

from stocklstm.core.checks import Check


def test_a_check_is_three_words_that_stay():
    check = Check("hashes", "ok", "5 files")
    assert asdict(check) == {"name": "hashes", "status": "ok", "detail": "5 files"}
    with pytest.raises(FrozenInstanceError):
        check.status = "failed"
