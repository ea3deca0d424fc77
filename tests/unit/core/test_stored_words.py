"""What a column may hold is tested value by value, or by its ends, with one outcome."""

from hypothesis import example, given
from hypothesis import strategies as st

from stocklstm.core.stored_words import WORDS, _holds, faults_in
from tests.support.property_tests import PROPERTY

# Highs and lows are read together.
NUMBERS = [
    (table, name)
    for table, tests in WORDS.items()
    for name, test in tests.items()
    if name not in {"high", "low"} and (_holds(test, 1) or _holds(test, 1.0))
]

values = st.one_of(
    st.floats(),
    st.floats(1, 100),
    st.integers(-(2**63), 2**63 - 1),
    st.integers(1, 9),
    st.none(),
    st.sampled_from(["", "x", b"\x80"]),
)


@PROPERTY
@given(st.sampled_from(NUMBERS), st.lists(st.floats(1, 100)), st.lists(values, max_size=6))
@example(("prices", "close"), [1.0, 2.0, 3.0], [float("nan")])
@example(("prices", "volume"), [1.0, 2.0, 3.0], [None])
@example(("prices", "close"), [1.0, 2.0, 3.0], [None])
def test_a_fault_of_one_value_among_many_is_found(
    place: tuple[str, str], sound: list[float], other: list[object]
) -> None:
    table, name = place
    column = [*sound, *other]

    faults = faults_in(table, (name,), [(value,) for value in column]) if column else []

    assert bool(faults) == any(not _holds(WORDS[table][name], value) for value in column)
