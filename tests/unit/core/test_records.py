"""Dataclasses that are made fast behave as those of the standard library."""

import dataclasses
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, field

import pytest

from stocklstm.core.records import dataclass
from stocklstm.core.reference import ModelReference

Maker = Callable[..., Callable[[type], type]]


def made(maker: Maker, **options: bool) -> type:
    @maker(frozen=True, **options)
    class Sample:
        """Of all that a field may be."""

        first: int
        second: str = "b"
        third: list[int] = field(default_factory=list, compare=False)
        secret: bytes = field(default=b"", repr=False)

        def __post_init__(self) -> None:
            if self.first < 0:
                raise ValueError("below zero")

    return Sample


@pytest.fixture(params=[{}, {"eq": False}, {"kw_only": True}], ids=str)
def pair(request: pytest.FixtureRequest) -> tuple[type, type]:
    """Give the same class made by both."""
    return made(dataclasses.dataclass, **request.param), made(dataclass, **request.param)


def test_it_is_shown_alike(pair: tuple[type, type]) -> None:
    theirs, ours = (repr(kind(first=1, third=[2], secret=b"key")) for kind in pair)

    assert ours == theirs
    assert "key" not in ours


def test_it_is_compared_alike(pair: tuple[type, type]) -> None:
    found = []
    for kind in pair:
        one, same, other = (kind(first=n, third=[number]) for n, number in ((1, 1), (1, 2), (2, 1)))
        found.append((one == same, one == other, one != same, one == (1, "b", b"")))
        if kind.__eq__ is not object.__eq__:
            assert hash(one) == hash(same)
            assert {one: 1}[same] == 1

    assert found[0] == found[1]


def test_it_is_as_frozen_and_as_checked(pair: tuple[type, type]) -> None:
    for kind in pair:
        one = kind(first=1)
        with pytest.raises(FrozenInstanceError):
            one.first = 2
        with pytest.raises(FrozenInstanceError):
            del one.first
        with pytest.raises(ValueError, match="below zero"):
            kind(first=-1)
        with pytest.raises(TypeError):
            kind()
        assert dataclasses.asdict(dataclasses.replace(one, second="c")) == {
            "first": 1,
            "second": "c",
            "third": [],
            "secret": b"",
        }
        assert [row.name for row in dataclasses.fields(kind)] == [
            *("first", "second", "third", "secret")
        ]


def test_two_classes_of_the_same_values_differ() -> None:
    ours, others = made(dataclass), made(dataclass)

    assert ours(1) != others(1)


def test_one_field_alone_is_compared_by_its_value() -> None:
    @dataclass(frozen=True)
    class One:
        only: int

    assert One(1) == One(1)
    assert One(1) != One(2)
    assert hash(One(1)) == hash(One(1))


def test_what_a_class_says_itself_stays() -> None:
    @dataclass(frozen=True)
    class Own:
        number: int

        def __repr__(self) -> str:
            return "mine"

        def __eq__(self, other: object) -> bool:
            return True

        def __hash__(self) -> int:
            return 7

    assert (repr(Own(1)), Own(1) == Own(2), hash(Own(1))) == ("mine", True, 7)


def test_it_travels_to_other_processes() -> None:
    reference = ModelReference("PETR4.SA", version=3)

    again = pickle.loads(pickle.dumps(reference))  # noqa: S301 - of this process
    assert again == reference
