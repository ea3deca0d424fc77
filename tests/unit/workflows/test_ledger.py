"""Who was champion when a forecast was made."""

from dataclasses import dataclass
from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from stocklstm.store.aliases import AliasChange
from stocklstm.workflows.ledger import _Champions

MOMENTS = st.integers(0, 9).map(lambda hour: f"2024-03-13T0{hour}:00:00Z")


@dataclass(frozen=True)
class Log:
    """A store that knows of nothing but one log."""

    changes: list[AliasChange]

    @property
    def registry(self) -> SimpleNamespace:
        return SimpleNamespace(alias_log=lambda _: self.changes)


CHANGES = st.lists(
    st.builds(
        AliasChange,
        at=MOMENTS,
        name=st.sampled_from(["champion", "previous", "live"]),
        version=st.one_of(st.none(), st.integers(1, 5)),
        replaced=st.none(),
        reason=st.just("for a test"),
    ),
    max_size=8,
)


@given(changes=CHANGES, moment=MOMENTS)
def test_the_last_one_named_by_then_and_else_the_first(
    changes: list[AliasChange], moment: str
) -> None:
    """Clocks may have been put back between two changes."""
    named = [each for each in changes if each.name == "champion" and each.version is not None]
    by_then = [each.version for each in named if each.at <= moment]
    expected = by_then[-1] if by_then else next((each.version for each in named), None)

    assert _Champions(Log(changes), "PETR4.SA").at(moment) == expected
