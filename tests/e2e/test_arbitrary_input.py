"""Whatever a command is given, it ends with a documented exit code, and nothing is lost.

`python -m tests.support.arbitrary_input 5000` tries more.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from stocklstm import export_model
from tests.conftest import TICKER
from tests.support.arbitrary_input import Machine, examples, machine
from tests.support.forks import Forks
from tests.support.property_tests import PROPERTY


@pytest.fixture(scope="module")
def at_hand(
    _modelled: Path, warm_forks: Forks, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Machine]:
    folder = tmp_path_factory.mktemp("arbitrary")
    export_model(f"{TICKER}@v1", folder / "bundle.zip", home=_modelled)
    with machine(folder, _modelled, folder / "bundle.zip", warm_forks) as runs:
        yield runs


def test_every_command_with_arbitrary_words_files_and_environment(at_hand: Machine) -> None:
    @settings(PROPERTY, max_examples=12, suppress_health_check=[HealthCheck.too_slow])
    @given(examples(at_hand.places))
    def ends_well(example: object) -> None:
        at_hand.require_good_end(example)

    ends_well()
