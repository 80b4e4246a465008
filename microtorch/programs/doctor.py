"""The doctor: what this machine has for microtorch, and what to do about the rest.

    microtorch doctor   or   python -m microtorch.programs.doctor

Everything beyond Python and numpy is optional. ``report`` looks for each part without starting it,
and without importing what is heavy. Nothing here fails because a part is broken: to find that out
is its purpose.
"""
from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple


class Part(NamedTuple):
    """One line of the report; ``advice`` is empty for a part that is there."""

    name: str
    found: bool
    detail: str
    advice: str


COMPILERS = ("gcc", "cc", "clang")
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


def _system(apt: str, brew: str, winget: str) -> str:
    """How this system gets a program."""
    if sys.platform == "darwin":
        return f"brew install {brew}"
    if sys.platform == "win32":
        return f"winget install {winget}"
    return f"Debian, Ubuntu: apt install {apt}"


def _first_line(*command: str) -> str:
    """The first line a program prints about its version, on either stream."""
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"does not answer: {error}"
    lines = (run.stdout + run.stderr).strip().splitlines()
    return lines[0] if lines else ""


def _version(distribution: str) -> str | None:
    """The version of an installed distribution."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def python() -> Part:
    found = sys.version_info >= (3, 10)
    detail = f"{platform.python_implementation()} {platform.python_version()}, {sys.executable}"
    return Part("Python", found, detail, "" if found else "install Python 3.10 or newer")


def numpy() -> Part:
    version = _version("numpy")
    found = version is not None and int(version.partition(".")[0]) >= 2
    advice = "" if found else 'pip install "numpy>=2.0"'
    return Part("numpy", found, version or "not installed", advice)


def compiler() -> Part:
    asked = os.environ.get("CC", "").split()
    for name in asked[:1] or COMPILERS:
        path = shutil.which(name)
        if path:
            return Part("C compiler", True, f"{_first_line(path, '--version')} ({path})", "")
    if not asked and find_spec("ziglang") is not None:
        return Part("C compiler", True, "that of the package ziglang", "")
    detail = f"CC={asked[0]} does not exist" if asked else f"none of {', '.join(COMPILERS)} on PATH"
    advice = _system("gcc libc6-dev python3-dev", "gcc", "Microsoft.VisualStudio.2022.BuildTools")
    zig = "without root: pip install ziglang setuptools cffi; pip install --no-build-isolation ."
    return Part("C compiler", False, detail, f"{advice}, then install microtorch again; {zig}")


def c_core() -> Part:
    from ..backends import core

    if core.is_available():
        others = [name for name in core.isas() if name != core.isa]
        isa = f"instructions {core.isa}" + (f" (also here: {', '.join(others)})" if others else "")
        return Part("C core", True, f"{isa}; {sys.modules['microtorch._core'].__file__}", "")
    detail, _, advice = core.reason.partition("; ")
    return Part("C core", False, f"numpy does its work: {detail}", advice)


def programs() -> Part:
    """What compiles the C of torch.compile."""
    from ..static import build

    try:
        command = build.compiler()
    except build.CompilerError as e:
        reason, _, advice = str(e).partition("; ")
        return Part("torch.compile", False, f"the interpreter runs programs: {reason}", advice)
    return Part("torch.compile", True, f"{' '.join(command)}; keeps {build.directory()}", "")


def threads() -> Part:
    from ..backends import core

    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    names = [name for name in ("MICROTORCH_NUM_THREADS", "OMP_NUM_THREADS") if os.environ.get(name)]
    set_by = f" ({names[0]}={os.environ[names[0]]})" if names else ""
    detail = f"{core.get_num_threads()}{set_by}; this process may use {usable} CPUs"
    return Part("Threads", True, detail, "")


def graphviz_dot() -> Part:
    path = shutil.which("dot")
    if path:
        return Part("Graphviz dot", True, f"{_first_line(path, '-V')} ({path})", "")
    system = _system("graphviz", "graphviz", "graphviz")
    advice = f'{system}; or pip install "microtorch[viz]", which needs no dot'
    return Part("Graphviz dot", False, "no program dot on PATH", advice)


def pygraphviz() -> Part:
    version = _version("pygraphviz")
    if version is None:
        advice = 'pip install "microtorch[viz]" draws without the program dot'
        return Part("pygraphviz", False, "not installed", advice)
    found = int(version.partition(".")[0]) >= 2
    advice = "" if found else 'pip install -U "microtorch[viz]": 2.0 needs no dot'
    return Part("pygraphviz", found, version, advice)


def opencl() -> Part:
    """Looks for the files that name drivers. To import pyopencl could crash on a broken one."""
    version = _version("pyopencl")
    if version is None:
        advice = 'pip install "microtorch[opencl]"'
        return Part("OpenCL", False, "pyopencl is not installed", advice)
    folder = Path(os.environ.get("OCL_ICD_VENDORS") or "/etc/OpenCL/vendors")
    drivers = sorted(p.stem for p in folder.glob("*.icd")) if folder.is_dir() else []
    if _version("pocl-binary-distribution") or _version("pocl_binary_distribution"):
        drivers.append("pocl (pip)")
    if drivers or sys.platform in ("darwin", "win32"):
        detail = f"pyopencl {version}; drivers: {', '.join(drivers) or 'of the system'}"
        return Part("OpenCL", True, detail, "")
    detail = f"pyopencl {version}, but no driver in {folder}"
    return Part("OpenCL", False, detail, _system("pocl-opencl-icd", "pocl", "pocl"))


def browser() -> Part:
    for name in BROWSERS:
        path = shutil.which(name)
        if path:
            return Part("Chromium", True, path, "")
    detail = "not found; only the tests of the interactive pages need it"
    return Part("Chromium", False, detail, _system("chromium", "--cask chromium", "Google.Chrome"))


PARTS: tuple[Callable[[], Part], ...] = (
    python, numpy, c_core, threads, compiler, programs, graphviz_dot, pygraphviz, opencl, browser,
)  # fmt: skip


def report() -> list[Part]:
    """What there is of every part."""
    return [part() for part in PARTS]


def command(arguments: list[str] | None = None) -> int:
    """``microtorch doctor``: print the report, or with --missing what is not there.

    Returns 1 if Python or numpy is missing or too old.
    """
    about = "What this machine has for microtorch, and what to do about the rest."
    parser = argparse.ArgumentParser(prog="microtorch doctor", description=about)
    parser.add_argument("--missing", action="store_true", help="only the parts that are not there")
    missing_only = parser.parse_args(arguments).missing
    parts = report()
    for part in parts:
        if part.found and missing_only:
            continue
        print(f"{part.name:13} {'yes' if part.found else 'no ':3}  {part.detail}")
        if part.advice:
            print(f"{'':13}      -> {part.advice}")
    return int(not all(part.found for part in parts if part.name in ("Python", "numpy")))


if __name__ == "__main__":
    sys.exit(command())
