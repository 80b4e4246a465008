"""Build `microtorch._core` from loops generated from formulas and from the C files beside this one.

    pip install .                          calls this file (setup.py names it under cffi_modules)
    python ext/build_core.py               compiles the module into this checkout
    python ext/build_core.py --print       shows the generated C

A kernel is declared once, in C, by a line that begins with KERNEL (core.h says how to read it). The
elementwise kernels are generated from formulas (loops.py); the others are written by hand, in the
files listed as KERNELS below. The declarations (declarations.py) give

* ``build/core/table.h``: a table of pointers to all kernels, one table per instruction set
  (kernels.c);
* the functions that Python calls: they check that the arrays are as declared, and call the kernel
  in the current table.

The files listed as READ are loaded by path, not through the package: a build must not need numpy,
nor a package that is not installed yet.

No -march=native: the module runs on every machine of its architecture and chooses its instruction
set there. No -ffast-math: NaN, infinities and the order of additions are as in numpy; products and
sums may be fused (one rounding instead of two). libm is linked by name, since expf would otherwise
be an undefined symbol at import.
"""

import argparse
import importlib.util
import os
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

from cffi import FFI

# setuptools runs this file from the folder of setup.py, and wants every source as a path relative
# to it, with forward slashes.
ROOT = Path(__file__).resolve().parent.parent
GENERATED = ROOT / "build/core"
COMPILED = [
    "ext/avx512.c",
    "ext/avx2.c",
    "ext/baseline.c",
    "ext/dispatch.c",
    "ext/lines.c",
    "ext/pairs.c",
    "ext/parallel.c",
    "ext/scratch.c",
]
FLOATING = [  # kernels for float and double
    "ext/half.c",
    "ext/pieces.c",
    "ext/walk.c",
    "ext/matmul.c",
    "ext/matmul_steps.c",
    "ext/folds.c",
    "ext/reduce.c",
    "ext/softmax.c",
    "ext/loss.c",
    "ext/norm.c",
    "ext/embedding.c",
    "ext/cast.c",
    "ext/conv_naive.c",
    "ext/conv_lanes.c",
    "ext/conv_tile.c",
    "ext/conv_panels.c",
    "ext/conv_planes.c",
    "ext/conv_weight.c",
    "ext/conv.c",
    "ext/pool.c",
    "ext/optim.c",
    "ext/rnn.c",
    "ext/random.c",
    "ext/accepting.c",
    "ext/taps.c",
    "ext/scan.c",
    "ext/prod.c",
    "ext/order.c",
    "ext/distance.c",
    "ext/special.c",
    "ext/complex.c",
]
FLOAT = ["ext/bfloat.c", "ext/gamma.c"]  # for float alone
# for float, double and whole numbers
ANY = ["ext/along.c", "ext/bytes.c", "ext/extremes.c", "ext/search.c"]
INTEGERS = ["ext/limits.c"]  # for whole numbers
WHOLE = ["ext/whole.c"]  # for those of 64 bits
KERNELS = [*FLOATING, *FLOAT, *ANY, *INTEGERS, *WHOLE]
HEADERS = [
    "ext/core.h",
    "ext/arrays.h",
    "ext/copies.h",
    "ext/pairs.h",
    "ext/ufuncs.h",
    "ext/direct.h",
    "ext/calls.h",
    "ext/objects.h",
    "ext/views.h",
    "ext/tensors.h",
    "ext/parallel.h",
    "ext/scratch.h",
    "ext/vector.h",
    "ext/lanes.h",
    "ext/rows.h",
    "ext/windows.h",
    "ext/integers.h",
    "ext/functions.h",
    "ext/doubles.h",
    "ext/lookup.h",
    "ext/lookup_wide.h",
    "microtorch/backends/opencl/kernels/exp.cl",
    "microtorch/backends/opencl/kernels/float.cl",
]
INCLUDED = [*HEADERS, "ext/kernels.c", *KERNELS]
READ = [
    "ext/build_core.py",
    "ext/declarations.py",
    "ext/loops.py",
    "ext/texts.py",
    "microtorch/notation/formulas.py",
    "microtorch/notation/expr.py",
]


def load(path: str) -> Any:
    """The module at ``path`` (from the project's root), without its package."""
    name = Path(path).stem
    spec = importlib.util.spec_from_file_location(f"_build_{name}", ROOT / path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up while it is being executed
    spec.loader.exec_module(module)
    return module


declarations, loops, texts, formulas, expr = (load(path) for path in READ[1:])


FIXED = """
void set_layout(size_t header, size_t tuple_header, uintptr_t array_type, uintptr_t tuple_type,
                const uintptr_t *dtypes);
void know_bfloat16(uintptr_t dtype);
void probe(uintptr_t array, intptr_t *seen);
int copy_array(uintptr_t to, uintptr_t from, size_t bytes);
void probe_ufunc(uintptr_t object, intptr_t *seen);
int run_ufunc(uintptr_t object, int which, int count, const size_t *bytes, uintptr_t arrays,
              size_t grain);
size_t place_of(uintptr_t object, uintptr_t value, size_t bytes);
void teach(uintptr_t list, const char *name, uintptr_t objects, const size_t *found, int count);
void add_kernel(uintptr_t list, const char *name);
void add_direct(uintptr_t list, uintptr_t api, uintptr_t loop, uintptr_t otherwise, int dtype,
                int given, int count, const int *places, size_t many);
int isa_supported(int k);
int use_isa(int k);
int has_pairs(void);
void use_copies(int copies);
uintptr_t line_handler(uintptr_t before);
void set_threads(int count);
int get_threads(void);
const char *name_of(size_t k);
const char *parts_of(size_t k);
const char *part(size_t number);
"""


def checksum() -> int:
    """A number for the formulas; a module compiled from others is not used (library.py)."""
    rows = formulas.TABLE, formulas.ARGUMENTS, formulas.VALUES
    return zlib.crc32(repr(rows).encode())


def write(name: str, text: str) -> None:
    """Write a generated file, unless it is already so: then the compiler has nothing to do."""
    path = GENERATED / name
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


ELEMENTWISE = "\n".join(loop.source() for loop in loops.loops(formulas, expr))
ALL = [*declarations.declared(ELEMENTWISE, elementwise=True)]
WRITTEN = [(ROOT / path).read_text(encoding="utf-8") for path in KERNELS]
COMPILED_FOR = dict.fromkeys(ANY, (*declarations.TYPES,))
COMPILED_FOR |= dict.fromkeys(INTEGERS, declarations.INTEGERS)
COMPILED_FOR |= dict.fromkeys(WHOLE, ("i64",)) | dict.fromkeys(FLOAT, ("f32",))
for path, source in zip(KERNELS, WRITTEN, strict=True):
    types = COMPILED_FOR.get(path, declarations.FLOATS)
    ALL += declarations.declared(source, types=types)
PROTOTYPES, WRAPPERS = declarations.functions(ALL)
CDEF = f"{FIXED}{PROTOTYPES}\n#define FORMULAS {checksum()}\n"
CODE = f"""#include "copies.h"
#include "ufuncs.h"
#include "tensors.h"
#include "table.h"
#define FORMULAS {checksum()}u
int isa_supported(int);
int use_isa(int);
int has_pairs(void);
void use_copies(int);
uintptr_t line_handler(uintptr_t);

/* No loops from here on, but more than a thousand functions, each with another one of cffi's. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("O1")
#endif
{WRAPPERS}"""
TEXTS = texts.embedded(texts.texts([ELEMENTWISE, *WRITTEN]))  # what core.source() shows

if sys.platform == "win32":
    FLAGS, LIBRARIES = ["/O2", "/W3", "/fp:precise", "/std:c11"], []
else:
    # -g0, since Python's own flags often have -g, which takes a third more time and 17 MB. For a
    # debugger: MICROTORCH_CFLAGS=-g
    FLAGS = ["-O3", "-g0", "-Wall", "-Wextra", "-std=gnu11", "-pthread"]
    FLAGS += ["-fno-math-errno", "-fno-trapping-math", "-ffp-contract=fast"]
    LIBRARIES = ["m"]
# after the flags above, so that they override them; CFLAGS come before
FLAGS += os.environ.get("MICROTORCH_CFLAGS", "").split()

ffi = FFI()
ffi.cdef(CDEF)
write("elementwise.h", ELEMENTWISE)
write("table.h", declarations.table(ALL))
ffi.set_source(
    "microtorch._core",
    CODE + TEXTS,
    sources=COMPILED,
    # depends= also puts these files into an sdist, without a MANIFEST.in
    depends=[*INCLUDED, *READ],
    include_dirs=["ext", "build/core"],
    libraries=LIBRARIES,
    extra_compile_args=FLAGS,
    optional=os.environ.get("MICROTORCH_REQUIRE_CORE", "") in ("", "0"),
)


def main() -> None:
    """Print the generated C, or compile the module into the checkout."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--print", action="store_true", dest="show", help="print the generated C")
    if parser.parse_args().show:
        print(f"{ELEMENTWISE}\n{CODE}", end="")
        return
    # setup.py builds as for an installation, and puts the result beside the sources
    environment = {**os.environ, "MICROTORCH_REQUIRE_CORE": "1"}
    command = [sys.executable, "setup.py", "--quiet", "build_ext", "--inplace"]
    sys.exit(subprocess.run(command, cwd=ROOT, env=environment).returncode)


if __name__ == "__main__":
    main()
