"""What is said on stderr."""

import os

import pytest

from tests.conftest import Cli


@pytest.mark.usefixtures("model_home")
def test_verbose_is_of_one_command_line(cli: Cli) -> None:
    arguments = ("predict", "--levels", "x")
    verbose, plain = cli("--verbose", *arguments), cli(*arguments)

    assert " cause: ValueError" in verbose.err
    assert " cause:" not in plain.err
    assert "STOCKLSTM_VERBOSE" not in os.environ
