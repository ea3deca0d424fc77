"""Ctrl-C ends training after the step under way, and says how to go on."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from tests.conftest import TICKER, TINY_OPTIONS
from tests.support.terminal import talkative

# Enough epochs for the signal to come long before the last.
OPTIONS = [*TINY_OPTIONS, "--epochs", "400", "--patience", "none"]


def test_ctrl_c_keeps_the_state_and_names_the_next_command(priced_home: Path) -> None:
    environment = {**os.environ, "STOCKLSTM_HOME": str(priced_home)}
    with subprocess.Popen(
        talkative("train", "-t", TICKER, *OPTIONS),
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Whoever runs the tests may have told this process to ignore the signal.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
    ) as process:
        for line in process.stderr:
            if ": epoch 2/" in line:
                process.send_signal(signal.SIGINT)
                break
        out, err = process.communicate(timeout=120)

    assert process.returncode == 130
    assert out == ""
    assert "Traceback" not in err
    (command,) = re.findall(r"next: stocklstm (train --resume \S+)$", err, re.MULTILINE)
    state = priced_home / "runs" / command.split()[-1] / "state.pth"
    assert state.exists()

    # What it says works; a second stop, at once, leaves what was kept.
    before = state.read_bytes()
    done = subprocess.run(
        [sys.executable, "-m", "stocklstm", *command.split(), "--epochs", "3", "--json"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 2
    assert json.loads(done.stdout)["errors"][0]["code"] == 2
    assert state.read_bytes() == before
