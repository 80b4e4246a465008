"""MICROTORCH_VIZ=1: any program leaves the stepper's page behind when it ends."""

from __future__ import annotations

import atexit
import os
import sys
import webbrowser

from ..reading.watching import Watch
from ..telling.steps import add_steps
from .stepper import Stepper

PAGE = "microtorch-steps.html"


def watch_program(where: str) -> None:
    """From now to the end of the program; ``where`` is a file (.html .svg .gif ...), or "1"."""
    watch = Watch()
    watch.__enter__()
    path = where if "." in where else PAGE
    atexit.register(_at_exit, watch, path)


def _at_exit(watch: Watch, path: str) -> None:
    watch.__exit__()
    if watch.root is None:
        return
    try:
        trace = watch.trace(watch.root, "step", {}, gradients=True)
        saved = Stepper(add_steps(trace)).save(path)
    except Exception as error:  # the program has done its work; the picture is an extra
        print(f"MICROTORCH_VIZ: no stepper: {str(error).splitlines()[0]}", file=sys.stderr)
        return
    print(f"MICROTORCH_VIZ: {saved}", file=sys.stderr)
    display = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    screen = sys.platform in ("darwin", "win32") or display
    if screen and sys.stderr.isatty() and path.endswith((".html", ".svg")):
        webbrowser.open("file://" + os.path.abspath(saved))
