"""A program as a folder that needs no Python: model.c with a main, weights, Makefile, README.

``make && ./model`` reads the weights and an input, runs the program, and prints what Python printed
when it was exported; ``make check`` compares the two. Only programs all of whose steps are loops
(lower.py) can be exported: a convolution, say, is a kernel of the C core and stays in Python.
"""
from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING

import numpy as np

from ..base.errors import message
from .emit_c import HEAD, Emitter, Region, c_name
from .lower import C_TYPES
from .program import Step

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..base.types import Array
    from .entry import Entry

MAIN = """\
/* ---- the program ---- */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Read arrays, one after the other, from a file whose text ends with an empty line. */
static void read_arrays(const char *name, int n, void *const *arrays, const size_t *sizes)
{{
    FILE *file = fopen(name, "rb");
    int c, last = 0;
    if (!file) {{
        fprintf(stderr, "%s cannot be read\\n", name);
        exit(1);
    }}
    while ((c = getc(file)) != EOF && !(c == '\\n' && last == '\\n'))
        last = c;
    for (int i = 0; i < n; i++)
        if (fread(arrays[i], 1, sizes[i], file) != sizes[i]) {{
            fprintf(stderr, "%s is too short\\n", name);
            exit(1);
        }}
    fclose(file);
}}

{arrays}
int main(int argc, char **argv)
{{
    void *const weights[] = {{{weights}}};
    const size_t weight_sizes[] = {{{weight_sizes}}};
    void *const inputs[] = {{{inputs}}};
    const size_t input_sizes[] = {{{input_sizes}}};
    read_arrays("weights.bin", {n_weights}, weights, weight_sizes);
    read_arrays(argc > 1 ? argv[1] : "input.bin", {n_inputs}, inputs, input_sizes);
    forward({passed});
{printing}
    return 0;
}}
"""
MAKEFILE = """\
CFLAGS = -O2 -ffp-contract=off

model: model.c
\t$(CC) -std=c99 $(CFLAGS) -o model model.c -lm

check: model
\t./model > printed.txt
\tdiff printed.txt expected.txt && echo the same numbers

.PHONY: check
"""
README = """\
{name}, written by microtorch as C.

make && ./model         reads weights.bin and input.bin, prints the results
./model other.bin       reads another input
make check              compares with the numbers that Python printed (expected.txt)

weights.bin and input.bin begin with text, one line for each array (name, dtype, shape), and an
empty line; then come the numbers, in this processor's byte order, row by row.

{inputs}
{outputs}
"""


def export(entry: Entry, folder: str | os.PathLike[str]) -> None:
    """Write the folder. RuntimeError says which step is not C."""
    p, plan = entry.program, entry.whole
    if plan is None or any(o.kind in ("leaf", "number") for o in entry.outputs):
        raise RuntimeError(
            message(
                f"{p.name} cannot be exported: it writes to memory or gradients, or returns what "
                "it was given",
                fix="export a forward pass: a module in eval() mode, called under no_grad()",
            )
        )
    regions = plan.regions
    other = [x for x in plan.items if isinstance(x, Step)]
    if len(regions) != 1 or other or {*entry.gives} - {*regions[0].gives}:
        step = other[0] if other else p.steps[0]
        raise RuntimeError(
            message(
                f"{p.name} cannot be exported: {step.name}, at {step.site}, is not written as a "
                "loop of C",
                fix="what is, stands in microtorch/static/lower.py",
            )
        )
    write(entry, regions[0]._replace(name="forward"), os.fspath(folder))


def write(entry: Entry, region: Region, folder: str) -> None:
    """The files of a program that is one region."""
    p = entry.program
    leaves = {x.number: x for x in entry.leaves}
    names = {n: entry.names.get(n, f"v{n}") for n in region.takes}
    names |= {n: f"result_{i}" for i, n in enumerate(region.gives)}
    used: dict[int, str] = {}
    for n, name in names.items():
        name = c_name(name)
        while name in used.values():
            name += "_"
        used[n] = name
    arrays: dict[int, Array] = {}
    for n in region.takes:
        arrays[n] = p.constants[n] if n in p.constants else leaves[n].array
    inputs = [n for n in region.takes if n in leaves and leaves[n].kind == "argument"]
    weights = [n for n in region.takes if n not in inputs]
    for n in region.takes:
        if not p.values[n].contiguous:
            raise RuntimeError(message(f"{used[n]} does not lie row by row: .contiguous() it"))
    title = f"{p.name}, to be run without Python"
    body = Emitter(p, region, used).text()
    text = [HEAD.format(title=title), body, _main(entry, region, used, weights, inputs)]
    os.makedirs(folder, exist_ok=True)
    results = dict(zip(entry.gives, entry.function(*[x.array for x in entry.leaves]), strict=False))
    lines = [f"{float(v):.6g}\n" for n in entry.gives for v in np.ravel(results[n])]
    shapes = [f"input {used[n]}: {p.values[n]}" for n in inputs]
    outputs = [f"prints {used[n]}: {p.values[n]}" for n in entry.gives]
    files = {
        "model.c": "\n".join(text), "Makefile": MAKEFILE, "expected.txt": "".join(lines),
        "README": README.format(name=p.name, inputs="\n".join(shapes), outputs="\n".join(outputs)),
    }  # fmt: skip
    for name, content in files.items():
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(content)
    for name, numbers in (("weights.bin", weights), ("input.bin", inputs)):
        with open(os.path.join(folder, name), "wb") as data:
            head = "".join(f"{used[n]}: {p.values[n]}\n" for n in numbers) or "nothing\n"
            data.write(f"{head}\n".encode())
            for n in numbers:
                data.write(np.ascontiguousarray(arrays[n]).tobytes())


def _main(
    entry: Entry, region: Region, used: dict[int, str], weights: list[int], inputs: list[int]
) -> str:
    p = entry.program
    sizes = {n: max(math.prod(p.values[n].shape), 1) for n in [*region.takes, *region.gives]}
    kinds = {n: C_TYPES[p.values[n].dtype.name] for n in sizes}
    declared = "".join(f"static {kinds[n]} {used[n]}[{sizes[n]}];\n" for n in sizes)
    printing = "\n".join(
        f"    for (int i = 0; i < {sizes[n]}; i++)\n"
        f'        printf("%.6g\\n", (double){used[n]}[i]);'
        for n in entry.gives
    )
    return MAIN.format(
        arrays=declared, weights=_listed(used[n] for n in weights),
        weight_sizes=_listed((f"sizeof {used[n]}" for n in weights), "0"),
        inputs=_listed(used[n] for n in inputs),
        input_sizes=_listed((f"sizeof {used[n]}" for n in inputs), "0"),
        n_weights=len(weights), n_inputs=len(inputs),
        passed=", ".join(used[n] for n in [*region.takes, *region.gives]), printing=printing,
    )  # fmt: skip


def _listed(words: Iterable[str], none: str = "NULL") -> str:
    return ", ".join(words) or none
