"""Exit codes on the command line; what they mean stands in `core.exits`."""

from stocklstm.core.exits import MEANINGS, ExitCode, exit_code, worst

__all__ = ["MEANINGS", "ExitCode", "exit_code", "help_text", "worst"]


def help_text() -> str:
    """List the codes for `--help`."""
    return "Exit codes: " + " · ".join(f"{code.value} {text}" for code, text in MEANINGS.items())
