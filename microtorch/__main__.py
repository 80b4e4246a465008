"""The command ``microtorch`` or ``python -m microtorch``: subcommands, each a function."""
from __future__ import annotations

import argparse
import importlib
import io
import os
import sys

from .base.errors import nearest
from .version import MICROTORCH

COMMANDS = {  # name: (module, function, one line of help)
    "demo": (
        "__main__", "demo",
        "a tour: a neuron, a network, handwritten digits; with --output DIR: pictures of it",
    ),
    "run": ("facade.alias", "command", "run a script written for PyTorch, unchanged"),
    "draw": (
        "programs.run", "draw",
        "run a script and draw the graph of its last backward()",
    ),
    "step": (
        "programs.run", "step",
        "run a script and step through its last backward(), forward and back",
    ),
    "profile": (
        "programs.profiled", "command",
        "run a script and show where its time goes, and how many FLOP it takes",
    ),
    "check": (
        "programs.exercises", "command",
        "compare your own Value, op or backward (docs/course) with the engine",
    ),
    "museum": (
        "programs.museum", "command",
        "classic mistakes in training programs: each runs, is explained, and cured",
    ),
    "doctor": (
        "programs.doctor", "command",
        "what this machine has for microtorch, and what to do about the rest",
    ),
}  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Call the function of a subcommand, and return its exit status."""
    commands = "\n".join(f"  {name:8} {text}" for name, (*_, text) in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="microtorch",
        usage="microtorch [--version] COMMAND ...",
        description="Automatic differentiation to read, draw and step through.",
        epilog=f"commands (each explains itself with --help):\n{commands}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"microtorch {MICROTORCH}")
    parser.add_argument("command", nargs="?", help=argparse.SUPPRESS)
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.command is None:
        parser.print_help()
        return 0
    if options.command not in COMMANDS:
        near = nearest(options.command, COMMANDS)
        parser.error(f"no command '{options.command}'.{near}\n\ncommands:\n{commands}")
    module, function, _ = COMMANDS[options.command]
    found = importlib.import_module(f".{module}", __package__)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # where a pipe has no ↓ or ∂, as with Windows's code pages, a ? is better than no output
        sys.stdout.reconfigure(errors="replace")
    try:
        status: int = getattr(found, function)(options.arguments)
        sys.stdout.flush()
    except BrokenPipeError:  # of `microtorch museum | head`: its reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for Python's last flush
        return 128 + 13  # as a program that SIGPIPE ends
    except KeyboardInterrupt:
        if options.command == "run":  # as python script.py: it says where the script was
            raise
        print("\nstopped", file=sys.stderr)
        return 128 + 2  # as a program that SIGINT ends
    return status


def demo(arguments: list[str]) -> int:
    """``microtorch demo``: the tour for someone at a terminal, else the demo, as in a pipe.

    Who asks for pictures gets the demo. --tour and --no-tour overrule both.
    """
    from .programs import demo, tour

    parser = demo.parser("microtorch demo")
    parser.add_argument(
        "--tour",
        action=argparse.BooleanOptionalAction,
        help="step through a neuron, a network and the digits, in chapters",
    )
    options = parser.parse_args(arguments)
    wanted = options.tour
    if wanted is None:
        wanted = options.output is None and tour.interactive() and tour.possible()
    if wanted:
        return tour.give(options.epochs)
    return demo.learn_and_draw(options.epochs, options.output)


if __name__ == "__main__":
    sys.exit(main())
