"""The command ``microtorch`` (or ``python -m microtorch``): each subcommand is a function of its
arguments.
"""
from __future__ import annotations

import argparse
import importlib
import sys

from .base.errors import nearest
from .version import __version__

COMMANDS = {  # name: (module, function, one line of help)
    "demo": (
        "demo",
        "command",
        "a tour: a neuron, a network, handwritten digits; with --output DIR: pictures of it",
    ),
    "run": ("alias", "main", "run a script written for PyTorch, unchanged"),
    "draw": ("show", "draw", "run a script and draw the graph of its last backward()"),
    "step": ("show", "step", "run a script and step through its last backward(), forward and back"),
    "doctor": (
        "doctor",
        "main",
        "what this machine has for microtorch, and what to do about the rest",
    ),
}


def main(arguments: list[str] | None = None) -> int:
    """Dispatch to a subcommand and return its exit status."""
    commands = "\n".join(f"  {name:8} {text}" for name, (*_, text) in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="microtorch",
        usage="microtorch [--version] COMMAND ...",
        description="Automatic differentiation to read, draw and step through.",
        epilog=f"commands (each explains itself with --help):\n{commands}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"microtorch {__version__}")
    parser.add_argument("command", nargs="?", help=argparse.SUPPRESS)
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.command is None:
        parser.print_help()
        return 0
    if options.command not in COMMANDS:
        parser.error(
            f"no command '{options.command}'.{nearest(options.command, COMMANDS)}\n\ncommands:\n{commands}"
        )
    module, function, _ = COMMANDS[options.command]
    return getattr(importlib.import_module(f".{module}", __package__), function)(options.arguments)


if __name__ == "__main__":
    sys.exit(main())
