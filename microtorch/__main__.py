"""The command ``microtorch`` (or ``python -m microtorch``): each subcommand is a module with ``main(arguments)``."""
from __future__ import annotations

import argparse
import importlib
import sys

from .errors import nearest
from .version import __version__

COMMANDS = {  # name: (module, one line of help)
    "demo": ("demo", "learn to read handwritten digits, and draw the graphs"),
    "run": ("alias", "run a script written for PyTorch, unchanged"),
    "doctor": ("doctor", "what this machine has for microtorch, and what to do about the rest"),
}


def main(arguments: list[str] | None = None) -> int:
    """Dispatch to a subcommand and return its exit status."""
    commands = "\n".join(f"  {name:8} {text}" for name, (_, text) in COMMANDS.items())
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
        parser.error(f"no command '{options.command}'.{nearest(options.command, COMMANDS)}\n\ncommands:\n{commands}")
    module, _ = COMMANDS[options.command]
    return importlib.import_module(f".{module}", __package__).main(options.arguments)


if __name__ == "__main__":
    sys.exit(main())
