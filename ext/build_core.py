"""Build `microtorch._core`: generated elementwise loops, and the hand-written C files beside this one.

    pip install .                          calls this file (setup.py names it under cffi_modules)
    python ext/build_core.py               compiles the module into this checkout
    python ext/build_core.py --print       shows the generated C

The elementwise loops come from `microtorch/formulas.py`, the same rows of text from which the numpy kernels, the
backward rules and the OpenCL kernels are made: one loop for each value and for each derivative that is not plain `g`.
That file and `microtorch/expr.py` are loaded by path, not through the package: a build must not need
numpy, nor a package that is not installed yet.

No -march=native, so the module runs on every machine of its kind; no -ffast-math, so NaN, infinities and the order of
additions are what they are in numpy. libm is linked by name (expf would otherwise be an undefined symbol at import).
"""

import argparse
import importlib.util
import os
import re
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from cffi import FFI

# setuptools wants every source as a path relative to setup.py, with forward slashes; it runs this file from there.
ROOT = Path(__file__).resolve().parent.parent
SOURCES = ["ext/matmul.c"]
HEADERS = ["ext/core.h"]
ARRAYS = ("g", "out", "x", "y", "z")  # names of a formula that stand for arrays, in the order of a loop's parameters


def load(path: str) -> Any:
    """The module at ``path`` (relative to the project's root), without importing the package around it."""
    name = Path(path).stem
    spec = importlib.util.spec_from_file_location(f"_build_{name}", ROOT / path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up while it is being executed
    spec.loader.exec_module(module)
    return module


class Loop(NamedTuple):
    """One elementwise loop: the name of the C function, what it reads, and the C expression of one element."""

    name: str
    formula: str  # as written in formulas.py, for the comment
    arrays: tuple[str, ...]
    scalars: tuple[str, ...]
    expression: str

    @property
    def prototype(self) -> str:
        """``void sigmoid_f32(size_t n, const float *restrict x_, float *restrict result)``"""
        parameters = ["size_t n", *(f"float {s}" for s in self.scalars)]
        parameters += [f"const float *restrict {a}_" for a in self.arrays]
        return f"void {self.name}({', '.join(parameters)}, float *restrict result)"

    def source(self) -> str:
        """The whole function; each element gets the name it has in the formula, so that the formula stands as it is."""
        reads = [f"        const float {a} = {a}_[i];" for a in self.arrays]
        return "\n".join([
            f"/* {self.formula} */",
            self.prototype,
            "{",
            "    for (size_t i = 0; i < n; i++) {",
            *reads,
            f"        result[i] = {self.expression};",
            "    }",
            "}",
            "",
        ])


def loops() -> Iterator[Loop]:
    """The loops of every row of formulas.py: ``name_f32`` for the value, ``name_vjp0_f32``, ... for the derivatives."""
    formulas, expr = load("microtorch/formulas.py"), load("microtorch/expr.py")
    for op, (value, derivatives) in formulas.TABLE.items():
        if op == "where":  # its condition is an array of bool, and these loops read float32 only
            continue
        scalars = tuple(formulas.ARGUMENTS.get(op, ()))
        rows = [(f"{op}_f32", value)]
        rows += [(f"{op}_vjp{i}_f32", text) for i, text in enumerate(derivatives) if text not in (None, "g")]
        for name, text in rows:
            read = expr.names(text)
            arrays, used = tuple(a for a in ARRAYS if a in read), tuple(s for s in scalars if s in read)
            yield Loop(name, f"{op}: {text}", arrays, used, expr.render(text, expr.C))


def prototypes() -> str:
    """The hand-written functions' declarations, from between the marks in core.h."""
    header = (ROOT / "ext/core.h").read_text(encoding="utf-8")
    return re.search(r"/\* cffi: begin \*/\n(.*)/\* cffi: end \*/", header, re.DOTALL).group(1)


def checksum() -> int:
    """A number for the formulas the loops are made of: a module compiled from others is not used (backends/core.py)."""
    formulas = load("microtorch/formulas.py")
    return zlib.crc32(repr((formulas.TABLE, formulas.ARGUMENTS)).encode())


TABLE = list(loops())
CDEF = prototypes() + "\n".join(f"{loop.prototype};" for loop in TABLE) + f"\n#define FORMULAS {checksum()}\n"
CODE = f'#include "core.h"\n#define FORMULAS {checksum()}u\n\n' + "\n".join(loop.source() for loop in TABLE)

if sys.platform == "win32":
    FLAGS, LIBRARIES = ["/O2", "/W3", "/fp:precise"], []
else:
    FLAGS, LIBRARIES = ["-O3", "-Wall", "-Wextra", "-std=c11", "-fno-math-errno", "-fno-trapping-math"], ["m"]

ffi = FFI()
ffi.cdef(CDEF)
ffi.set_source(
    "microtorch._core",
    CODE,
    sources=SOURCES,
    # depends= also puts these files into an sdist, without a MANIFEST.in
    depends=[*HEADERS, "ext/build_core.py", "microtorch/formulas.py", "microtorch/expr.py"],
    include_dirs=["ext"],
    libraries=LIBRARIES,
    extra_compile_args=FLAGS,
    optional=os.environ.get("MICROTORCH_REQUIRE_CORE", "") in ("", "0"),
)


def main() -> None:
    """Print the generated C, or compile the module into the checkout."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--print", action="store_true", dest="show", help="write the generated C to standard output")
    if parser.parse_args().show:
        print(CODE, end="")
        return
    # setup.py does the same as for an installation, and puts the result beside the sources
    environment = {**os.environ, "MICROTORCH_REQUIRE_CORE": "1"}
    command = [sys.executable, "setup.py", "--quiet", "build_ext", "--inplace"]
    sys.exit(subprocess.run(command, cwd=ROOT, env=environment).returncode)


if __name__ == "__main__":
    main()
