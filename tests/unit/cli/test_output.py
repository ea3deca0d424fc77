"""What is said on stderr."""

import os
from pathlib import Path

from tests.conftest import Cli


def test_verbose_is_of_one_command_line(cli: Cli, model_home: Path) -> None:
    assert model_home.is_dir()
    arguments = ("predict", "--levels", "x")
    verbose, plain = cli("--verbose", *arguments), cli(*arguments)

    assert " cause: ValueError" in verbose.err
    assert " cause:" not in plain.err
    assert "STOCKLSTM_VERBOSE" not in os.environ
