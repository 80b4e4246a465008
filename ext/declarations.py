"""The kernels' declarations, lines of C that begin with KERNEL (core.h), and what is made of them.

Each declaration is read into a `Kernel`. From it come the table of pointers, with one member per
kernel and type (`table`), and the functions that Python calls, which check arrays before C touches
them (`prototype`, `wrapper`). build_core.py loads this file by path.
"""

import re
from collections.abc import Iterator
from itertools import combinations
from typing import NamedTuple

TYPES = {
    "f32": ("float", "FLOAT32"), "f64": ("double", "FLOAT64"), "i64": ("uint64_t", "INT64"),
    "i32": ("uint32_t", "INT32"), "i16": ("uint16_t", "INT16"), "u8": ("uint8_t", "UINT8"),
}  # fmt: skip
FLOATS = ("f32", "f64")
INTEGERS = ("i64", "i32", "i16", "u8")
PASSED_BY_ID = ("ARRAY", "OPTIONAL", "MATRIX", "LIST", "LIST_OF")
OTHER_TYPES = {"float": "FLOAT32", "double": "FLOAT64", "int64_t": "INT64", "uint8_t": "UINT8",
               "uint32_t": "UINT32", "uint16_t": "UINT16"}  # fmt: skip


class Parameter(NamedTuple):
    """``kind``: "size", "real" or another C type passed by value, or one of PASSED_BY_ID."""

    kind: str
    name: str
    type: str = ""  # of an array's elements, without const
    written: bool = False
    size: str = ""  # how many elements (of a list: arrays) ...
    each: str = ""  # ... and how many elements the i-th array of a list has


class Kernel(NamedTuple):
    name: str
    parameters: tuple[Parameter, ...]
    elementwise: bool
    types: tuple[str, ...]  # for which it is compiled, of TYPES


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
    found = re.fullmatch(rf"({'|'.join(PASSED_BY_ID)})\((.*)\)", text)
    if not found:
        kind, _, name = text.rpartition(" ")
        return Parameter(kind, name)
    type, name, *sizes = split(found[2])
    size, each = sizes if found[1] == "LIST_OF" else (", ".join(sizes), "")
    const = type.startswith("const ")
    return Parameter(found[1], name, type.removeprefix("const "), not const, size, each)


def declared(
    source: str, elementwise: bool = False, types: tuple[str, ...] = FLOATS
) -> Iterator[Kernel]:
    """The kernels declared in a C text."""
    pattern = r"^KERNEL\((\w+)\)\(((?:[^(){}]|\((?:[^()]|\([^()]*\))*\))*)\)"
    for found in re.finditer(pattern, source, re.MULTILINE):
        yield Kernel(found[1], tuple(parameter(p) for p in split(found[2])), elementwise, types)


def pointers(kernel: Kernel, real: str) -> str:
    """The C parameters of a kernel for one type."""
    texts = []
    for p in kernel.parameters:
        type = (p.type or p.kind).replace("real", real)
        const = "" if p.written else "const "
        if p.kind in ("ARRAY", "OPTIONAL"):
            texts.append(f"{const}{type} *restrict {p.name}")
        elif p.kind == "MATRIX":
            texts.append(f"{const}{type} *restrict {p.name}, const struct strides {p.name}_strides")
        elif p.kind in ("LIST", "LIST_OF"):
            sizes = f", const size_t *sizes_of_{p.name}" if p.kind == "LIST" else ""
            texts.append(f"{const}{type} *const *{p.name}{sizes}")
        else:
            texts.append(f"{type} {p.name}")
    return ", ".join(texts)


def table(kernels: list[Kernel]) -> str:
    """table.h: the struct of pointers, and the initialiser that each instruction set fills it
    with."""
    each = [(k, t) for k in kernels for t in k.types]
    members = [f"    void (*{k.name}_{t})({pointers(k, TYPES[t][0])});" for k, t in each]
    values = [f".{k.name}_{t} = {k.name}_{t}" for k, t in each]
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


# ---- the functions that Python calls -------------------------------------------------------------
def prototype(kernel: Kernel, suffix: str) -> str:
    """``int softmax_f32(size_t rows, size_t n, uintptr_t x, uintptr_t out)``.

    An array is passed as its id(), None as 0.
    """
    parameters = []
    for p in kernel.parameters:
        if p.kind in PASSED_BY_ID:
            parameters.append(f"uintptr_t {p.name}")
        elif not (kernel.elementwise and (p.name == "n" or p.kind == "WALK")):
            parameters.append(f"{'double' if p.kind == 'real' else p.kind} {p.name}")
    return f"int {kernel.name}_{suffix}({', '.join(parameters)})"


def memory(p: Parameter, dtype: str) -> str:
    """Where an array's memory begins, and its bytes."""
    size = f"layout.sizes[{OTHER_TYPES.get(p.type, dtype)}]"
    if p.kind == "MATRIX":
        return f"lowest({p.name}_), extent({p.name}_, {size})"
    return f"{p.name}_->data, elements({p.name}_) * {size}"


def too_many(kernel: Kernel, p: Parameter) -> str:
    """A test whether a declared size exceeds size_t: a product of large sizes would come out
    small."""
    if not set(p.size) & set("*+"):
        return ""
    sizes = "|".join(q.name for q in kernel.parameters if q.kind == "size_t")
    bound = re.sub(rf"\b({sizes})\b", r"(double)\1", p.size)
    return f" || ({bound}) > MOST_ELEMENTS"


def pointee(p: Parameter, real: str) -> str:
    """The type of an array's elements."""
    return f"{'' if p.written else 'const '}{p.type.replace('real', real)}"


def overlaps(parameters: list[Parameter]) -> Iterator[tuple[Parameter, Parameter]]:
    """The pairs of arrays that must not overlap, since one of them is written."""
    return (pair for pair in combinations(parameters, 2) if any(p.written for p in pair))


def wrapper(kernel: Kernel, suffix: str) -> str:
    """The function: it returns 1 if the kernel ran, 0 (having done nothing) if it declines an
    array."""
    real, dtype = TYPES[suffix]
    if kernel.elementwise:
        return elementwise_wrapper(kernel, suffix)
    lines, arguments, plain, lists = [], [], [], []
    for p in kernel.parameters:
        code = OTHER_TYPES.get(p.type, dtype)
        if p.kind in ("ARRAY", "OPTIONAL"):
            test = f"!({p.name}_ = array_at({p.name}, {code}, {str(p.written).lower()}))"
            test += f" || elements({p.name}_) != (size_t)({p.size}){too_many(kernel, p)}"
            lines.append(f"    const struct array *{p.name}_ = NULL;")
            test = f"{p.name} && ({test})" if p.kind == "OPTIONAL" else test
            lines.append(f"    if ({test})\n        return 0;")
            data = f"({pointee(p, real)} *){p.name}_->data"
            arguments.append(f"{p.name} ? {data} : NULL" if p.kind == "OPTIONAL" else data)
            plain.append(p)
        elif p.kind == "MATRIX":
            if p.written:
                raise ValueError(f"{kernel.name}: {p.name} is written, so it must be an ARRAY")
            lines.append(f"    struct strides {p.name}_strides;")
            found = f"matrix_at({p.name}, {code}, (size_t[]){{{p.size}}}, &{p.name}_strides)"
            lines.append(f"    const struct array *{p.name}_ = {found};")
            lines.append(f"    if ({p.name}_ == NULL)\n        return 0;")
            arguments += [f"({pointee(p, real)} *){p.name}_->data", f"{p.name}_strides"]
            plain.append(p)
        elif p.kind in ("LIST", "LIST_OF"):
            lists.append((p, code))
            arguments.append(f"({pointee(p, real)} *const *){p.name}_")
            arguments += [f"sizes_of_{p.name}"] * (p.kind == "LIST")
        else:
            arguments.append(p.name)
    for a, b in overlaps(plain):
        both = "".join(f"{p.name}_ && " for p in (a, b) if p.kind == "OPTIONAL")
        test = f"{both}!apart({memory(a, dtype)}, {memory(b, dtype)})"
        lines.append(f"    if ({test})\n        return 0;")
    call = f"kernels->{kernel.name}_{suffix}({', '.join(arguments)})"
    head = [f"static {prototype(kernel, suffix)}", "{"]
    if not lists:
        return "\n".join([*head, *lines, f"    {call};", "    return 1;", "}", ""])
    if len({p.size for p, _ in lists}) != 1:
        raise ValueError(f"{kernel.name}: lists are checked together, so they need one length")
    count = lists[0][0].size
    lines += [f"    if (!tuple_at({p.name}, {count}))\n        return 0;" for p, _ in lists]
    width = f"(sizeof(void *) + sizeof(size_t)) * {len(lists)}"
    lines.append(f"    char *memory = malloc({count} * {width} + 1);")
    lines.append("    if (memory == NULL)\n        return 0;")
    found = []
    for i, (p, code) in enumerate(lists):
        n, written = p.name, str(p.written).lower()
        lines.append(f"    void **{n}_ = (void **)memory + {i} * {count};")
        lines.append(f"    size_t *sizes_of_{n} = (size_t *)memory + {len(lists) + i} * {count};")
        found.append(f"arrays_at({n}, {count}, {code}, {written}, {n}_, sizes_of_{n})")
    bytes = {p: f"{p.name}_[i], sizes_of_{p.name}[i] * layout.sizes[{code}]" for p, code in lists}
    checks = [f"sizes_of_{p.name}[i] == (size_t)({p.each})" for p in bytes if p.kind == "LIST_OF"]
    checks += [f"apart({bytes[p]}, {bytes[q]})" for p, q in overlaps(list(bytes))]
    checks += [f"({a.name}_ == NULL || apart({memory(a, dtype)}, {bytes[p]}))"
               for a in plain for p in bytes if a.written or p.written]  # fmt: skip
    also = " &&\n                "
    lines.append(f"    int ready = {also.join(found)};")
    lines.append(f"    for (size_t i = 0; ready && i < {count}; i++)")
    lines += [f"        ready = {also.join(checks) or '1'};", f"    if (ready)\n        {call};"]
    return "\n".join([*head, *lines, "    free(memory);", "    return ready;", "}", ""])


def elementwise_wrapper(kernel: Kernel, suffix: str) -> str:
    """The same for a kernel that takes operands of any layout, as long as they broadcast."""
    real, dtype = TYPES[suffix]
    arrays = [p for p in kernel.parameters if p.kind == "ARRAY"]
    count, last = len(arrays), len(arrays) - 1
    given = {"n": f"elements(arrays[{last}])", "walk": "how == WALKED ? &walk : NULL"}
    given |= {p.name: f"({pointee(p, real)} *)arrays[{i}]->data" for i, p in enumerate(arrays)}
    arguments = ", ".join(given.get(p.name, p.name) for p in kernel.parameters)
    dtypes = ", ".join(OTHER_TYPES.get(p.type, dtype) for p in arrays)
    return "\n".join([
        f"static {prototype(kernel, suffix)}",
        "{",
        f"    const uintptr_t objects[] = {{{', '.join(p.name for p in arrays)}}};",
        f"    static const int dtypes[] = {{{dtypes}}};",
        f"    const struct array *arrays[{count}];",
        "    struct walk walk;",
        f"    const int how = operands_at({count}, objects, dtypes, arrays, &walk);",
        "    if (how != DECLINED)",
        f"        kernels->{kernel.name}_{suffix}({arguments});",
        "    return how != DECLINED;",
        "}",
        "",
    ])


def functions(kernels: list[Kernel]) -> tuple[str, str]:
    """The prototypes of all functions, for cffi; and their definitions, with what makes them
    functions of Python's (calls.h).
    """
    each = [(kernel, suffix) for kernel in kernels for suffix in kernel.types]
    prototypes = [prototype(*k) for k in each]
    definitions = [*(wrapper(*k) for k in each), callables(prototypes)]
    return "\n".join(f"{p};" for p in prototypes), "\n".join(definitions)


def callables(prototypes: list[str]) -> str:
    """The table of all functions, before it a caller for each kind of prototype, and after it what
    finds a function by its name.
    """
    texts, rows = [], []
    callers: dict[tuple[str, ...], str] = {}
    for text in prototypes:
        name, parameters = re.fullmatch(r"int (\w+)\((.*)\)", text).groups()
        types = tuple(p.rpartition(" ")[0] for p in parameters.split(", "))
        if types not in callers:
            callers[types] = f"call_{len(callers)}"
            texts.append(caller(callers[types], types))
        rows.append(f"    CALLABLE({name}, {callers[types]}, {len(types)}),")
    return "\n".join([
        *texts,
        "static struct callable callables[] = {",
        *rows,
        "};",
        "static void add_kernel(uintptr_t list, const char *name)",
        "{",
        "    for (size_t i = 0; i < sizeof callables / sizeof *callables; i++)",
        "        if (strcmp(callables[i].method.ml_name, name) == 0)",
        "            add_callable(list, &callables[i]);",
        "}",
        "",
    ])


def caller(name: str, types: tuple[str, ...]) -> str:
    """The function that converts arguments to ``types``, and calls a kernel that takes these."""
    arguments = [
        f"array_in(x[{i}], &many)" if t == "uintptr_t" else f"{t}_in(x[{i}])"
        for i, t in enumerate(types)
    ]
    return "\n".join([
        f"static int {name}(function kernel, PyObject *const *x)",
        "{",
        "    bool many = false;",
        *(f"    const {t} a{i} = {arguments[i]};" for i, t in enumerate(types)),
        "    if (PyErr_Occurred())",
        "        return -1;",
        "    PyThreadState *state = many ? PyEval_SaveThread() : NULL;",
        f"    const int done = ((int (*)({', '.join(types)}))kernel)"
        f"({', '.join(f'a{i}' for i in range(len(types)))});",
        "    if (state != NULL)",
        "        PyEval_RestoreThread(state);",
        "    return done;",
        "}",
        "",
    ])
