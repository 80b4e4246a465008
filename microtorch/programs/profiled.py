"""The command ``microtorch profile``: a script runs as it is, and tables say what it took."""
from __future__ import annotations

import argparse
import os

from ..engine.registry import REGISTRY
from ..facade import alias
from ..facade.flop_counter import FlopCounterMode
from ..facade.profile_events import SORTED
from ..facade.profiler import profile
from ..nn import called as _called  # noqa: F401  what a module with hooks imports
from ..nn import functional
from .writable import output


def command(arguments: list[str] | None = None) -> int:
    """``microtorch profile script.py``. Returns the script's exit status."""
    parser = argparse.ArgumentParser(
        prog="microtorch profile",
        description="Run a script and show where its time goes: a row for each kernel, for its "
        "derivative (backward) and for each class of modules; then the additions and "
        "multiplications of products and convolutions, by module.",
        epilog="The options come before the script.",
    )
    add = parser.add_argument
    add("--sort", default="self_cpu_time_total", choices=sorted(SORTED), metavar="COLUMN",
        help=f"one of {', '.join(sorted(SORTED))}")  # fmt: skip
    add("--rows", type=int, default=20, metavar="N", help="at most so many (20)")
    add("--depth", type=int, default=2, metavar="N", help="levels of modules with FLOP (2)")
    help = "write each call to a .json or .json.gz for ui.perfetto.dev or chrome://tracing"
    add("--trace", metavar="FILE", type=output(), help=help)
    add("script", help="the Python file")
    add("arguments", nargs=argparse.REMAINDER, help="its command line")
    options = parser.parse_args(arguments)
    if not os.path.isfile(options.script):
        parser.error(f"no file {options.script}")
    _import_all()
    counter = FlopCounterMode(depth=options.depth, display=False)
    seen = profile(with_stack=bool(options.trace), profile_memory=True)
    try:
        with seen, counter:
            status = alias.status(options.script, options.arguments)
    finally:  # also if it ends itself by sys.exit(), or Ctrl-C ends it
        _report(seen, counter, options)
    return status


def _import_all() -> None:
    """Import what is otherwise imported at its first use, and would be the first layer's time."""
    list(REGISTRY)
    for name in dir(functional):
        getattr(functional, name)


def _report(seen: profile, counter: FlopCounterMode, options: argparse.Namespace) -> None:
    if not seen.events():
        print("No kernel ran and no module: Scalars compute in Python, devices on their own.")
        return
    print(seen.key_averages().table(options.sort, options.rows))
    if counter.get_total_flops():
        print(counter.get_table())
    if options.trace:
        seen.export_chrome_trace(options.trace)
        print(f"{options.trace}: open it at ui.perfetto.dev or chrome://tracing")
