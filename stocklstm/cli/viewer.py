"""--open: pictures in the viewer that the system has for them."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import suppress

from stocklstm.cli.streams import note
from stocklstm.core.language import say
from stocklstm.core.operating_system import system

MOST_OPENED = 5
"""Pictures at most: more windows than that nobody wants at once."""

# A viewer that cannot show anything says so at once; one that can may stay until it is closed.
_PATIENCE_S = 5


def open_pictures(paths: Sequence[str]) -> None:
    """Show pictures; what stands in the way becomes a note, since the result is there."""
    wanted = list(dict.fromkeys(paths))
    if not wanted:
        note(say("there is no picture to open"))
    for path in wanted[:MOST_OPENED]:
        if reason := _shown(path):
            note(say("no picture was opened: {reason}", reason=reason))
            return
    if len(wanted) > MOST_OPENED:
        note(
            say(
                "opened {opened} of {count} pictures; the paths of all stand above",
                opened=MOST_OPENED,
                count=len(wanted),
            )
        )


def _shown(path: str) -> str:
    """Show one picture; say what stands in the way."""
    viewer = system().viewer
    if not viewer:
        try:
            system().show(path)
        except OSError as error:
            return f"the system says {error.strerror}"
        return ""
    if viewer == "xdg-open" and not (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    ):
        return "there is no display (neither DISPLAY nor WAYLAND_DISPLAY is set)"
    program = shutil.which(viewer)
    if program is None:
        return f"there is no {viewer} on this machine"
    try:
        # Of its own session, so that Ctrl-C here does not close the picture.
        started = subprocess.Popen(  # noqa: S603 - the system's viewer, of a path of our own
            [program, path],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        return f"{program} cannot be run: {error.strerror}"
    code = 0
    with suppress(subprocess.TimeoutExpired):
        code = started.wait(_PATIENCE_S)
    return f"{viewer} ended with code {code}" if code else ""
