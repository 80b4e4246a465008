"""From C text to functions: the compiler, and a cache of what it made, keyed by content.

A library is written beside its place and renamed, so that two processes, Ctrl-C or a full disk
leave either a whole file or none, and no other files. Its sum lies beside it: to load a file that
was cut short or overwritten would end the process. Where there is no compiler, CompilerError says
so.
"""
from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np

from .native import builtin

if TYPE_CHECKING:
    from ..base.types import Kernel

# -O2: gcc 12 -O3 has been seen to miscompile a loop of four lines. Without contraction, a * b + c
# is rounded as numpy rounds it.
# Python's functions are found in the process.
LINKED = ("-undefined", "dynamic_lookup") if sys.platform == "darwin" else ()
FLAGS = ("-std=gnu99", "-O2", "-ffp-contract=off", "-fPIC", "-shared", "-w",
         # loops as vector code, for this processor; sums that the text marks, in any order
         "-ftree-vectorize", "-fno-math-errno", "-fno-trapping-math", "-fopenmp-simd", "-DSIMD")
NATIVE = "-march=native"
SECONDS = 120


class CompilerError(Exception):
    """C cannot be compiled or used here; the text says why."""


@cache
def compiler() -> tuple[str, ...]:
    """The C compiler, as the words of a command: that of the environment variable CC, or cc, gcc or
    clang, or the one of the package ziglang (pip install "microtorch[compiler]").
    """
    for words in (os.environ.get("CC", "").split(), ["cc"], ["gcc"], ["clang"]):
        path = shutil.which(words[0]) if words else None
        if path:
            return (path, *words[1:])
    if find_spec("ziglang") is not None:
        return (sys.executable, "-m", "ziglang", "cc")
    raise CompilerError(
        "no C compiler was found (cc, gcc, clang, or the variable CC); "
        'pip install "microtorch[compiler]" brings one'
    )


@cache
def check_layout() -> None:
    """CompilerError unless numpy's array objects begin as the C text takes it for granted."""
    for probe in (np.zeros(3), np.zeros((2, 2), np.float32)[1:]):
        at = id(probe) + 2 * ctypes.sizeof(ctypes.c_void_p)
        if ctypes.c_void_p.from_address(at).value != probe.ctypes.data:
            raise CompilerError("numpy's array objects have another layout here")


def directory() -> str:
    """Where libraries are kept: MICROTORCH_CACHE, or "microtorch" in the user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.environ.get("MICROTORCH_CACHE") or os.path.join(base, "microtorch")


@cache
def processor() -> str:
    """What -march=native stands for: a library made for another processor is not to be used."""
    try:
        done = ran([*compiler(), NATIVE, "-dM", "-E", "-x", "c", os.devnull], SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return hashlib.sha256(done.stdout.encode()).hexdigest() if not done.returncode else ""


def flags() -> tuple[str, ...]:
    """The compiler's options."""
    return (*FLAGS, NATIVE) if processor() else FLAGS


def library(text: str, names: Sequence[str], more: Sequence[str] = ()) -> list[Kernel]:
    """Functions of a C text, as Python calls them (native.py). CompilerError says why not.

    ``more``: further options of the compiler.
    """
    try:
        return [builtin(loaded(text, more), n) for n in names]
    except AttributeError as e:
        raise CompilerError(f"{type(e).__name__}: {e}") from None


def loaded(text: str, more: Sequence[str] = ()) -> ctypes.CDLL:
    """A C text as a library. CompilerError says why not."""
    if sys.implementation.name != "cpython" or sys.platform == "win32":
        raise CompilerError("compiled programs need CPython on Linux or macOS")
    check_layout()
    key = "\n".join([*compiler(), *flags(), *more, processor(), platform.machine(), text])
    name = hashlib.sha256(key.encode()).hexdigest()[:32] + ".so"
    path = os.path.join(directory(), name)
    try:
        if is_whole(path):
            with suppress(OSError):  # built where another C library is
                return ctypes.CDLL(path)
        build(text, path, more)
        return ctypes.CDLL(path)
    except (OSError, subprocess.TimeoutExpired) as e:
        raise CompilerError(f"{type(e).__name__}: {e}") from None


def ran(
    command: Sequence[str], seconds: float, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """A compiler has run. Where it takes too long, or Ctrl-C comes, it is ended with all that it
    has started: gcc does its work in another process, and leaves files if it is ended alone."""
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdout=pipe, stderr=pipe, text=True, encoding="utf-8", errors="replace",
        env={**os.environ, **(environment or {})}, start_new_session=True,
    ) as process:  # fmt: skip
        try:
            out, errors = process.communicate(timeout=seconds)
        except BaseException:
            if hasattr(os, "killpg"):
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
            process.kill()
            process.wait()
            raise
    return subprocess.CompletedProcess(command, process.returncode, out, errors)


def is_whole(path: str) -> bool:
    """Is there a library, as it was written?"""
    try:
        with open(path, "rb") as file, open(f"{path}.sum", encoding="ascii") as beside:
            return hashlib.sha256(file.read()).hexdigest() == beside.read()
    except (OSError, ValueError):
        return False


def build(text: str, path: str, more: Sequence[str] = ()) -> None:
    """Compile a text to the library ``path``."""
    folder = os.path.dirname(path)
    os.makedirs(folder, mode=0o700, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as place:
        c, out = os.path.join(place, "program.c"), os.path.join(place, "program.so")
        with open(c, "w", encoding="utf-8") as file:
            file.write(text)
        command = [*compiler(), *flags(), *more, "-o", out, c, "-lm", *LINKED]
        done = ran(command, SECONDS, {"TMPDIR": place})
        if done.returncode:
            raise CompilerError(f"{' '.join(command)} failed: {done.stderr[:2000]}")
        with open(out, "rb") as library, open(f"{out}.sum", "w", encoding="ascii") as file:
            file.write(hashlib.sha256(library.read()).hexdigest())
        os.replace(out, path)
        os.replace(f"{out}.sum", f"{path}.sum")
