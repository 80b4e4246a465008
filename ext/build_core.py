"""Build `microtorch._core`: elementwise loops generated from formulas, and the hand-written C files beside this one.

    pip install .                          calls this file (setup.py names it under cffi_modules)
    python ext/build_core.py               compiles the module into this checkout
    python ext/build_core.py --print       shows the generated C

A kernel is declared once, in C, by a line that begins with KERNEL (core.h says how to read it). From these lines come

* ``build/core/table.h``: a table of pointers to all kernels, of which there is one per instruction set (kernels.c);
* the functions that Python calls: they check the arrays, as declared, and call the kernel of the table in use.

The elementwise kernels are generated from `microtorch/formulas.py`, the same rows of text from which the numpy kernels,
the backward rules and the OpenCL kernels are made: one for each value and for each derivative that is not plain `g`
(``build/core/elementwise.h``). That file and `microtorch/expr.py` are loaded by path, not through the package: a build
must not need numpy, nor a package that is not installed yet.

No -march=native: the module runs on every machine of its kind and picks its instruction set there. No -ffast-math: NaN,
infinities and the order of additions are what they are in numpy; products and sums may be fused (one rounding
instead of two). libm is linked by name (expf would otherwise be an undefined symbol at import).
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
GENERATED = ROOT / "build/core"
COMPILED = ["ext/avx512.c", "ext/avx2.c", "ext/baseline.c", "ext/dispatch.c", "ext/parallel.c"]
KERNELS = ["ext/matmul.c", "ext/reduce.c", "ext/softmax.c", "ext/norm.c", "ext/conv.c", "ext/pool.c", "ext/optim.c"]
INCLUDED = ["ext/core.h", "ext/arrays.h", "ext/parallel.h", "ext/vector.h", "ext/functions.h", "ext/kernels.c", *KERNELS]
ARRAYS = ("g", "out", "x", "y", "z")  # names of a formula that stand for arrays, in the order of a loop's parameters
TYPES = {"f32": ("float", "FLOAT32"), "f64": ("double", "FLOAT64")}
OTHER_TYPES = {"int64_t": "INT64", "uint8_t": "UINT8"}


def load(path: str) -> Any:
    """The module at ``path`` (relative to the project's root), without importing the package around it."""
    name = Path(path).stem
    spec = importlib.util.spec_from_file_location(f"_build_{name}", ROOT / path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up while it is being executed
    spec.loader.exec_module(module)
    return module


# ---- elementwise loops, from formulas ------------------------------------------------------------------------------
class Loop(NamedTuple):
    """One elementwise kernel: its name, what it reads, and the C expression of one element."""

    name: str
    formula: str  # as written in formulas.py, for the comment
    arrays: tuple[str, ...]
    scalars: tuple[str, ...]
    expression: str
    grain: int  # elements that are worth a thread

    def source(self) -> str:
        """The kernel; each element gets the name it has in the formula, so that the formula stands as it is."""
        parameters = ["size_t n", *(f"real {s}" for s in self.scalars), *(f"ARRAY(const real, {a}, n)" for a in self.arrays)]
        members = [f"const real *{a}" for a in self.arrays] + ["real *result"] + [f"real {s}" for s in self.scalars]
        task, body = f"struct NAME({self.name}_task)", f"NAME({self.name}_body)"
        return "\n".join([
            f"/* {self.formula} */",
            f"{task} {{ {' '.join(f'{m};' for m in members)} }};",
            f"static void {body}(const void *task, size_t begin, size_t end)",
            "{",
            f"    const {task} *t = task;",
            *(f"    const real *restrict {a}_ = t->{a};" for a in self.arrays),
            *(f"    const real {s} = t->{s};" for s in self.scalars),
            "    real *restrict result = t->result;",
            "    for (size_t i = begin; i < end; i++) {",
            *(f"        const real {a} = {a}_[i];" for a in self.arrays),
            f"        result[i] = {self.expression};",
            "    }",
            "}",
            f"KERNEL({self.name})({', '.join(parameters)}, ARRAY(real, result, n))",
            "{",
            f"    parallel_for(n, {self.grain}, {body}, &({task}){{{', '.join([*self.arrays, 'result', *self.scalars])}}});",
            "}",
            "",
        ])


def loops() -> Iterator[Loop]:
    """The kernels of every row of formulas.py: ``name`` for the value, ``name_vjp0``, ... for the derivatives."""
    formulas, expr = load("microtorch/formulas.py"), load("microtorch/expr.py")
    for op, (value, derivatives) in formulas.TABLE.items():
        if op == "where":  # its condition is an array of bool, and these loops read one type only
            continue
        scalars = tuple(formulas.ARGUMENTS.get(op, ()))
        rows = [(op, value)]
        rows += [(f"{op}_vjp{i}", text) for i, text in enumerate(derivatives) if text not in (None, "g")]
        for name, text in rows:
            read = expr.names(text)
            arrays, used = tuple(a for a in ARRAYS if a in read), tuple(s for s in scalars if s in read)
            grain = 1 << (13 if expr.functions(text) - expr.CHEAP else 15)
            yield Loop(name, f"{op}: {text}", arrays, used, expr.render(text, expr.C), grain)


# ---- kernels, as declared in C -------------------------------------------------------------------------------------
class Parameter(NamedTuple):
    """``kind``: "size", "real" or another C type passed by value, or "ARRAY", "OPTIONAL", "LIST"."""

    kind: str
    name: str
    type: str = ""  # of an array's elements, without const
    written: bool = False
    size: str = ""


class Kernel(NamedTuple):
    name: str
    parameters: tuple[Parameter, ...]
    elementwise: bool


def split(text: str) -> list[str]:
    """The parts of ``text`` between its outermost commas."""
    parts, depth = [""], 0
    for c in text:
        depth += (c == "(") - (c == ")")
        if c == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += c
    return [" ".join(part.split()) for part in parts]


def parameter(text: str) -> Parameter:
    found = re.fullmatch(r"(ARRAY|OPTIONAL|LIST)\((.*)\)", text)
    if not found:
        kind, _, name = text.rpartition(" ")
        return Parameter(kind, name)
    type, name, size = split(found[2])
    return Parameter(found[1], name, type.removeprefix("const "), not type.startswith("const "), size)


def declared(source: str, elementwise: bool = False) -> Iterator[Kernel]:
    """The kernels declared in a C text."""
    for found in re.finditer(r"^KERNEL\((\w+)\)\(((?:[^(){}]|\((?:[^()]|\([^()]*\))*\))*)\)", source, re.MULTILINE):
        yield Kernel(found[1], tuple(parameter(p) for p in split(found[2])), elementwise)


def pointers(kernel: Kernel, real: str) -> str:
    """The C parameters of a kernel for one type."""
    texts = []
    for p in kernel.parameters:
        type = (p.type or p.kind).replace("real", real)
        const = "" if p.written else "const "
        if p.kind in ("ARRAY", "OPTIONAL"):
            texts.append(f"{const}{type} *restrict {p.name}")
        elif p.kind == "LIST":
            texts.append(f"{const}{type} *const *restrict {p.name}, const size_t *restrict sizes_of_{p.name}")
        else:
            texts.append(f"{type} {p.name}")
    return ", ".join(texts)


def table(kernels: list[Kernel]) -> str:
    """table.h: the struct of pointers, and the initialiser that each instruction set fills it with."""
    members = [f"    void (*{k.name}_{t})({pointers(k, real)});" for k in kernels for t, (real, _) in TYPES.items()]
    values = [f".{k.name}_{t} = {k.name}_{t}" for k in kernels for t in TYPES]
    return "\n".join([
        "struct kernels {",
        *members,
        "};",
        "extern const struct kernels *kernels, kernels_avx512, kernels_avx2, kernels_baseline;",
        "#if defined(__x86_64__) && defined(__GNUC__)",
        "#define SEVERAL_ISAS",
        "#endif",
        "#define KERNELS { \\",
        *(f"    {value}, \\" for value in values),
        "}",
        "",
    ])


# ---- the functions that Python calls -------------------------------------------------------------------------------
def prototype(kernel: Kernel, suffix: str) -> str:
    """``int softmax_f32(size_t rows, size_t n, uintptr_t x, uintptr_t out)``: id() of each array, and 0 for None."""
    parameters = []
    for p in kernel.parameters:
        if p.kind in ("ARRAY", "OPTIONAL", "LIST"):
            parameters.append(f"uintptr_t {p.name}")
        elif not (kernel.elementwise and p.name == "n"):
            parameters.append(f"{'double' if p.kind == 'real' else p.kind} {p.name}")
    return f"int {kernel.name}_{suffix}({', '.join(parameters)})"


def wrapper(kernel: Kernel, suffix: str) -> str:
    """The function: 1 if the arrays are as declared and the kernel ran, 0 (and nothing done) if not."""
    real, dtype = TYPES[suffix]
    lines, arguments, plain, lists = [], [], [], []
    for p in kernel.parameters:
        code = OTHER_TYPES.get(p.type, dtype)
        if p.kind in ("ARRAY", "OPTIONAL"):
            test = f"!({p.name}_ = array_at({p.name}, {code}, {str(p.written).lower()}))"
            if not kernel.elementwise:
                test += f" || elements({p.name}_) != (size_t)({p.size})"
            elif plain:
                test += f" || !same_shape({plain[0].name}_, {p.name}_)"
            lines.append(f"    const struct array *{p.name}_ = NULL;")
            lines.append(f"    if ({f'{p.name} && ({test})' if p.kind == 'OPTIONAL' else test})\n        return 0;")
            type = p.type.replace("real", real)
            data = f"({'' if p.written else 'const '}{type} *){p.name}_->data"
            arguments.append(f"{p.name} ? {data} : NULL" if p.kind == "OPTIONAL" else data)
            plain.append(p)
        elif p.kind == "LIST":
            lists.append((p, code))
            arguments += [f"({'' if p.written else 'const '}{real} *const *){p.name}_", f"sizes_of_{p.name}"]
        else:
            arguments.append(f"elements({kernel.parameters[-1].name}_)" if kernel.elementwise and p.name == "n" else p.name)
    for w in plain:
        for other in plain:
            if w.written and other is not w and not (other.written and plain.index(other) < plain.index(w)):
                both = "".join(f"{p.name}_ && " for p in (w, other) if p.kind == "OPTIONAL")
                sizes = [f"{p.name}_->data, elements({p.name}_) * layout.sizes[{OTHER_TYPES.get(p.type, dtype)}]"
                         for p in (w, other)]  # fmt: skip
                lines.append(f"    if ({both}!apart({', '.join(sizes)}))\n        return 0;")
    call = f"kernels->{kernel.name}_{suffix}({', '.join(arguments)})"
    if not lists:
        return "\n".join([f"static {prototype(kernel, suffix)}", "{", *lines, f"    {call};", "    return 1;", "}", ""])
    count = lists[0][0].size
    width = f"(sizeof(void *) + sizeof(size_t)) * {len(lists)}"
    lines.append(f"    char *memory = malloc({count} * {width} + 1);\n    if (memory == NULL)\n        return 0;")
    for i, (p, _) in enumerate(lists):
        lines.append(f"    void **{p.name}_ = (void **)memory + {i} * {count};")
        lines.append(f"    size_t *sizes_of_{p.name} = (size_t *)memory + {len(lists) + i} * {count};")
    ready = " && ".join(f"list_at({p.name}, {count}, {code}, {str(p.written).lower()}, {p.name}_, sizes_of_{p.name})"
                        for p, code in lists)  # fmt: skip
    lines += [f"    const int ready = {ready};", f"    if (ready)\n        {call};", "    free(memory);", "    return ready;"]
    return "\n".join([f"static {prototype(kernel, suffix)}", "{", *lines, "}", ""])


FIXED = """
void set_layout(size_t header, size_t tuple_header, uintptr_t array_type, uintptr_t tuple_type, const uintptr_t *dtypes);
void probe(uintptr_t array, intptr_t *seen);
int isa_supported(int k);
int use_isa(int k);
void set_threads(int count);
int get_threads(void);
"""
PROBE = """
static void set_layout(size_t header, size_t tuple_header, uintptr_t array_type, uintptr_t tuple_type, const uintptr_t *dtypes)
{
    layout.header = header, layout.tuple_header = tuple_header;
    layout.array_type = array_type, layout.tuple_type = tuple_type;
    const size_t sizes[DTYPES] = {4, 8, 8, 1, 1};
    for (int i = 0; i < DTYPES; i++)
        layout.dtypes[i] = dtypes[i], layout.sizes[i] = sizes[i];
}

/* data, flags, ndim, dtype, then shape and strides of an array of two dimensions */
static void probe(uintptr_t object, intptr_t *seen)
{
    const struct array *a = (const struct array *)(object + layout.header);
    seen[0] = (intptr_t)a->data, seen[1] = a->flags, seen[2] = a->ndim, seen[3] = (intptr_t)a->dtype;
    for (int i = 0; i < 2 && a->ndim == 2; i++)
        seen[4 + i] = a->shape[i], seen[6 + i] = a->strides[i];
}
"""


def checksum() -> int:
    """A number for the formulas the loops are made of: a module compiled from others is not used (backends/core.py)."""
    formulas = load("microtorch/formulas.py")
    return zlib.crc32(repr((formulas.TABLE, formulas.ARGUMENTS)).encode())


def write(name: str, text: str) -> None:
    """Write a generated file, unless it is there already: the compiler then has nothing to do."""
    path = GENERATED / name
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


ELEMENTWISE = "\n".join(loop.source() for loop in loops())
ALL = [*declared(ELEMENTWISE, elementwise=True)]
ALL += [k for path in KERNELS for k in declared((ROOT / path).read_text(encoding="utf-8"))]
WRAPPERS = "\n".join(wrapper(k, t) for k in ALL for t in TYPES)
CDEF = FIXED + "\n".join(f"{prototype(k, t)};" for k in ALL for t in TYPES) + f"\n#define FORMULAS {checksum()}\n"
CODE = f'#include "arrays.h"\n#include "table.h"\n#define FORMULAS {checksum()}u\nint isa_supported(int);\nint use_isa(int);\n'
CODE += PROBE + "\n" + WRAPPERS

if sys.platform == "win32":
    FLAGS, LIBRARIES = ["/O2", "/W3", "/fp:precise", "/std:c11"], []
else:
    FLAGS = ["-O3", "-Wall", "-Wextra", "-std=gnu11", "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=fast", "-pthread"]
    LIBRARIES = ["m"]

ffi = FFI()
ffi.cdef(CDEF)
write("elementwise.h", ELEMENTWISE)
write("table.h", table(ALL))
ffi.set_source(
    "microtorch._core",
    CODE,
    sources=COMPILED,
    # depends= also puts these files into an sdist, without a MANIFEST.in
    depends=[*INCLUDED, "ext/build_core.py", "microtorch/formulas.py", "microtorch/expr.py"],
    include_dirs=["ext", "build/core"],
    libraries=LIBRARIES,
    extra_compile_args=FLAGS,
    optional=os.environ.get("MICROTORCH_REQUIRE_CORE", "") in ("", "0"),
)


def main() -> None:
    """Print the generated C, or compile the module into the checkout."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--print", action="store_true", dest="show", help="write the generated C to standard output")
    if parser.parse_args().show:
        print(f"{ELEMENTWISE}\n{CODE}", end="")
        return
    # setup.py does the same as for an installation, and puts the result beside the sources
    environment = {**os.environ, "MICROTORCH_REQUIRE_CORE": "1"}
    command = [sys.executable, "setup.py", "--quiet", "build_ext", "--inplace"]
    sys.exit(subprocess.run(command, cwd=ROOT, env=environment).returncode)


if __name__ == "__main__":
    main()
