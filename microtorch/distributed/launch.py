"""``python -m microtorch.distributed.launch``: run.py under the name that came before torchrun.

A program that was written for it reads ``--local-rank``; ``--use_env`` leaves that out.
"""
from __future__ import annotations

import sys
from collections.abc import Sequence

from .run import arguments, main


def launch(given: Sequence[str] | None = None) -> int:
    """Start the processes as run.py does; returns the exit status."""
    return main(given, "1" if arguments(given).use_env else "local_rank")


if __name__ == "__main__":
    sys.exit(launch())
