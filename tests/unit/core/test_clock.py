import re
from datetime import UTC, datetime, timedelta

from stocklstm.core.clock import utc_now


def test_the_time_is_utc_to_the_second():
    before = datetime.now(UTC).replace(microsecond=0)
    text = utc_now()
    after = datetime.now(UTC)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", text)
    read = datetime.fromisoformat(text)
    assert read.utcoffset() == timedelta(0)
    assert before <= read <= after
