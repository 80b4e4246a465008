"""The repository around the package: its files that no package holds, and programs of their own."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def loaded(path):
    """A Python file as a module. ``path`` is taken from the repository's root."""
    file = ROOT / path
    name = f"{file.parent.name}_{file.stem}"  # no __main__, which would run
    spec = importlib.util.spec_from_file_location(name, file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def script(name):
    return loaded(f"scripts/{name}.py")


def ran(*arguments, cwd=ROOT, timeout=None, **environment):
    """A Python of its own that ran ``arguments`` with this checkout's package."""
    return subprocess.run(
        [sys.executable, *map(str, arguments)], cwd=cwd, timeout=timeout,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        capture_output=True, text=True, encoding="utf-8",
    )  # fmt: skip


def python(*arguments, **options):
    """What such a Python printed, which ended well and had nothing to warn of."""
    done = ran(*arguments, **options)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout
